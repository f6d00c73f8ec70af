"""Decodability: can the declared parts be read linearly from the inside, and more so than training can explain away?"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Generator

from assay.evidence import FINDING_LEVEL, Effort, Evidence, Measure, Source
from assay.instrument import Progress, silent
from assay.instruments.decodability.crossfit import Decoded, Reading, Tables, combination_folds, decode
from assay.instruments.decodability.features import read_features
from assay.instruments.decodability.measures import gain_measure, novel_measure, selectivity_measure, site_measures
from assay.instruments.decodability.readouts import find, readouts
from assay.stats import MIN_UNITS, child_generator
from assay.subject import Site, Subject
from assay.task import Task

SATURATED = 0.95  # what the input alone may decode before hidden decodability stops meaning anything


@dataclass(frozen=True)
class _Size:
    """What an effort buys."""

    examples: int
    copies: int
    shuffles: int
    sites: int


_SIZES: dict[Effort, _Size] = {
    "quick": _Size(examples=1_000, copies=5, shuffles=39, sites=6),
    "standard": _Size(examples=4_000, copies=10, shuffles=99, sites=12),
    "full": _Size(examples=20_000, copies=20, shuffles=199, sites=1_000),
}


class Decodability:
    """Ridge probes in closed form, for every site and declared part, fitted on some trained combinations and scored on
    others.

    The headline is the gain: the best score over {input and sites} of this network, minus the same best over untrained
    copies, which search the same places. Further nulls: the encoded input alone, labels shuffled over combinations, and
    the control task of Hewitt and Liang 2019 (each combination a random value, tested on combinations it was fitted on).

    **Arguments:** `sites`: glob patterns; by default every place of the network, thinned evenly to what the effort allows.
    """

    name = "decodability"
    question = "Can each part be read linearly from the inside, better than before training and better than from the input?"
    source = Source(
        key="hewitt2019",
        citation="Hewitt, Liang. Designing and Interpreting Probes with Control Tasks. EMNLP 2019.",
        url="https://arxiv.org/abs/1909.03368",
        bibtex=(
            "@inproceedings{hewitt2019,\n  title = {Designing and Interpreting Probes with Control Tasks},\n"
            "  author = {Hewitt, John and Liang, Percy},\n"
            "  booktitle = {Proceedings of the 2019 Conference on Empirical Methods in Natural Language Processing},\n"
            "  year = {2019},\n  eprint = {1909.03368},\n  archivePrefix = {arXiv}\n}"
        ),
    )
    needs: tuple[type, ...] = ()

    def __init__(self, sites: Sequence[str] = ()):
        self.sites = tuple(sites)

    def measure(
        self, subject: Subject, task: Task, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        size = _SIZES[effort]
        seen = task.examples("seen", size.examples, generator=generator).in_canonical_order()
        novel = task.examples("novel", size.examples, generator=generator).in_canonical_order()
        num_units = len(seen.combination.unique())
        if num_units < 2 * MIN_UNITS:
            reason = f"{num_units} trained combinations, and probes fitted on some and scored on others need {2 * MIN_UNITS}"
            return Evidence(
                instrument=self.name, question=self.question, summary=f"Not enough data: {reason}.", not_enough=reason
            )

        every_site = subject.match(self.sites, seen.inputs) if self.sites else subject.sites(seen.inputs)
        sites = [site.name for site in _thinned(every_site, len(every_site) if self.sites else size.sites)]
        joined = {name: torch.cat([values, novel.inputs[name]]) for name, values in seen.inputs.items()}
        seed = int(torch.randint(2**62, (1,), generator=generator))

        def tables_of(network: Subject) -> Tables:
            # One seed for all: this network and its copies are narrowed in the same way.
            tables = read_features(network, joined, sites, num_fit=len(seen), generator=Generator().manual_seed(seed))
            return {place: (table[: len(seen)], table[len(seen) :]) for place, table in tables.items()}

        wanted, counterparts = readouts(task, seen), readouts(task, novel)
        # With fewer shuffles than this the smallest p-value could not survive the correction over all readouts.
        num_shuffles = max(size.shuffles, math.ceil(len(wanted) / FINDING_LEVEL))
        readings = [
            Reading(readout, find(counterparts, readout), readout.shuffled(num_shuffles, child_generator(generator)))
            for readout in wanted
        ]
        folds = combination_folds(seen.combination, child_generator(generator))
        progress("probing the network", 0.0)
        own = tables_of(subject)
        results = decode(own, readings, folds, with_shuffles=True)
        copies = []
        for index in range(size.copies):
            progress("probing untrained copies", 0.3 + 0.6 * index / size.copies)
            copies.append(
                decode(tables_of(subject.untrained(child_generator(generator))), readings, folds, with_shuffles=False)
            )

        progress("comparing", 0.9)
        measures: list[Measure] = []
        for index, result in enumerate(results):
            twins = [copy[index] for copy in copies]
            measures.append(gain_measure(result, twins))
            measures += novel_measure(result, twins, generator)
            measures += selectivity_measure(result, own, seen, generator)
            measures += site_measures(result, twins, generator)
        saturated = [result.readout.name for result in results if result.input_score > SATURATED]
        return Evidence(
            instrument=self.name,
            question=self.question,
            summary=_summary([result.readout.name for result in results], saturated, measures),
            measures=tuple(measures),
            sources=(self.source,),
            warnings=_warnings(results, saturated),
            not_tested=_not_tested(len(every_site), len(sites)),
            settings={
                "effort": effort,
                **asdict(size),
                "shuffles": num_shuffles,
                "sites read": ", ".join(sites),
                "examples read": len(seen),
            },
        )


def _thinned(sites: Sequence[Site], limit: int) -> Sequence[Site]:
    """At most `limit` sites, evenly spaced in the order of execution, the last one among them."""
    if len(sites) <= limit:
        return sites
    chosen = torch.linspace(0, len(sites) - 1, limit).round().long().unique().tolist()
    return [sites[index] for index in chosen]


def _summary(names: Sequence[str], saturated: Sequence[str], measures: Sequence[Measure]) -> str:
    if names and len(saturated) == len(names):
        return f"Nothing was learned from decodability: the input alone already decodes every part above {SATURATED}."
    gains = [measure for measure in measures if measure.name == "decodability gain" and measure.value is not None]
    told = ", ".join(f"{measure.about['part']} {measure.about['readout']} {measure.value:+.2f}" for measure in gains)
    return f"Gain in decodability over untrained copies and the input, at the best place: {told or 'not enough data'}."


def _warnings(results: Sequence[Decoded], saturated: Sequence[str]) -> tuple[str, ...]:
    warnings = []
    if saturated:
        warnings.append(
            f"The input alone decodes {', '.join(saturated)} above {SATURATED}: "
            "that it can be read inside the network as well says nothing."
        )
    warnings += [
        f"{result.readout.name}: {result.left_out} of {result.asked} examples could not be asked, since their value occurs "
        "in no other fold of combinations."
        for result in results
        if result.left_out
    ]
    warnings.append(
        "Readable does not mean used: a part may be read off the network and play no role in its output. This evidence "
        "alone resolves nothing."
    )
    return tuple(warnings)


def _not_tested(total: int, read: int) -> tuple[str, ...]:
    missing = ["Non-linear decoding, and whether what is decoded is used by the network."]
    if read < total:
        missing.append(f"{total - read} of {total} sites were left out by this effort.")
    return tuple(missing)
