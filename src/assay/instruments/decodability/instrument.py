"""Decodability: can the declared parts be read linearly from the inside, and more so than training can explain away?"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Generator

from assay.evidence import FINDING_LEVEL, Effort, Evidence, Measure, Source
from assay.instrument import Progress, silent
from assay.instruments.decodability.block import Block, deal_all
from assay.instruments.decodability.control import controls
from assay.instruments.decodability.crossfit import Answer, Decoded, Novel, Places, Question, combination_folds, decode
from assay.instruments.decodability.features import INPUT, input_place, site_places
from assay.instruments.decodability.measures import gain_measure, novel_measure, selectivity_measure, site_measures
from assay.instruments.decodability.readouts import Readout, find, readouts
from assay.site import thinned
from assay.stats import MIN_UNITS, child_generator, pooled_permutation_ps
from assay.subject import Subject
from assay.task import Examples, Task

SATURATED = 0.95  # what the input alone may decode before hidden decodability stops meaning anything


@dataclass(frozen=True)
class Budget:
    """How much is measured at one effort."""

    examples: int
    copies: int
    shuffles: int
    sites: int


BUDGETS: Mapping[Effort, Budget] = {
    "quick": Budget(examples=1_000, copies=5, shuffles=39, sites=6),
    "standard": Budget(examples=4_000, copies=10, shuffles=99, sites=12),
    "full": Budget(examples=20_000, copies=20, shuffles=199, sites=1_000),
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

    def __init__(self, sites: Sequence[str] = (), *, budgets: Mapping[Effort, Budget] = BUDGETS):
        self.sites = tuple(sites)
        self.budgets = budgets

    def measure(
        self, subject: Subject, task: Task, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        size = self.budgets[effort]
        seen = task.examples("seen", size.examples, generator=generator).in_canonical_order()
        novel = task.examples("novel", size.examples, generator=generator).in_canonical_order()
        num_units = len(seen.combination.unique())
        if num_units < 2 * MIN_UNITS:
            reason = f"{num_units} trained combinations, and probes fitted on some and scored on others need {2 * MIN_UNITS}"
            return Evidence(
                instrument=self.name, question=self.question, summary=f"Not enough data: {reason}.", not_enough=reason
            )

        every_site = subject.match(self.sites, seen.inputs) if self.sites else subject.sites(seen.inputs)
        sites = [site.name for site in thinned(every_site, len(every_site) if self.sites else size.sites)]
        joined = {name: torch.cat([values, novel.inputs[name]]) for name, values in seen.inputs.items()}
        wanted = readouts(task, seen)
        num_shuffles = _num_shuffles(wanted, size.shuffles)
        questions = _questions(wanted, readouts(task, novel), seen, novel, num_shuffles, child_generator(generator))
        # One seed for all: this network and its copies are narrowed in the same way.
        seed = int(torch.randint(2**62, (1,), generator=generator))

        encoded = input_place(joined, num_seen=len(seen), seed=seed)
        from_input = [Answer.of(encoded, question.block) for question in questions]

        def probed(network: Subject, *, with_shuffles: bool) -> tuple[Places, dict[str, Decoded]]:
            places, answers = {INPUT: encoded}, {INPUT: from_input}
            for site, place in site_places(network.read(joined, sites), num_seen=len(seen), seed=seed):
                places[site], answers[site] = place, [Answer.of(place, question.block) for question in questions]
            return places, decode(places, answers, questions, with_shuffles=with_shuffles)

        progress("probing the network", 0.0)
        places, own = probed(subject, with_shuffles=True)
        copies = []
        for index in range(size.copies):
            progress("probing untrained copies", 0.3 + 0.6 * index / size.copies)
            copies.append(probed(subject.untrained(child_generator(generator)), with_shuffles=False)[1])

        progress("comparing", 0.9)
        results = [own[readout.name] for readout in wanted]
        control = controls(results, places, seen.combination, generator=child_generator(generator))
        ps_shuffled = _ps_shuffled(results)
        measures: list[Measure] = []
        for result in results:
            name = result.readout.name
            twins = [copy[name] for copy in copies]
            measures.append(gain_measure(result, twins, ps_shuffled[name][-1]))
            measures += novel_measure(result, twins)
            measures += selectivity_measure(result, control[name]) if name in control else []
            measures += site_measures(result, twins, ps_shuffled[name][:-1])
        saturated = [result.readout.name for result in results if result.input_score > SATURATED]
        return Evidence(
            instrument=self.name,
            question=self.question,
            summary=_summary([result.readout.name for result in results], saturated, measures),
            measures=tuple(measures),
            sources=(self.source,),
            warnings=_warnings(questions, saturated),
            not_tested=_not_tested(len(every_site), len(sites)),
            settings={
                "effort": effort,
                **asdict(size),
                "shuffles": num_shuffles,
                "sites read": ", ".join(sites),
                "examples read": len(seen),
            },
        )


def _num_shuffles(wanted: Sequence[Readout], least: int) -> int:
    """With fewer shuffles of a kind than this the smallest p-value could not survive the correction over all readouts."""
    fewest = min(Counter(readout.kind for readout in wanted).values())
    return max(least, math.ceil(len(wanted) / FINDING_LEVEL / fewest))


def _questions(
    wanted: Sequence[Readout],
    counterparts: Sequence[Readout],
    seen: Examples,
    novel: Examples,
    num_shuffles: int,
    generator: Generator,
) -> list[Question]:
    """One block for the readouts of each kind and number of classes."""
    folds = combination_folds(seen.combination, child_generator(generator))
    questions = []
    for alike in dict.fromkeys((readout.kind, readout.num_classes) for readout in wanted):
        members = [readout for readout in wanted if (readout.kind, readout.num_classes) == alike]
        block = Block.of(members, folds)
        found = [find(counterparts, readout) for readout in members]
        asked = None if all(one is None for one in found) else Novel.of(block, found, novel.combination)
        questions.append(Question(block, asked, deal_all(members, num_shuffles, child_generator(generator))))
    return questions


def _ps_shuffled(results: Sequence[Decoded]) -> dict[str, list[float]]:
    """By readout, the p of each place against the shuffled labels, and at the end that of the best place."""
    ps: dict[str, list[float]] = {result.readout.name: [] for result in results}
    for kind in dict.fromkeys(result.readout.kind for result in results):
        alike = [result for result in results if result.readout.kind == kind]
        values = torch.stack([torch.cat([one.units.mean(1), one.units.mean(1).amax(0, keepdim=True)]) for one in alike], 1)
        nulls = torch.stack([torch.cat([one.shuffled, one.shuffled_best[None]]) for one in alike], 1)
        for row, null in zip(values, nulls, strict=True):
            for one, p in zip(alike, pooled_permutation_ps(row, null), strict=True):
                ps[one.readout.name].append(p)
    return ps


def _summary(names: Sequence[str], saturated: Sequence[str], measures: Sequence[Measure]) -> str:
    if names and len(saturated) == len(names):
        return f"Nothing was learned from decodability: the input alone already decodes every part above {SATURATED}."
    gains = [measure for measure in measures if measure.name == "decodability gain" and measure.value is not None]
    told = ", ".join(f"{measure.about['part']} {measure.about['readout']} {measure.value:+.2f}" for measure in gains)
    return f"Gain in decodability over untrained copies and the input, at the best place: {told or 'not enough data'}."


def _warnings(questions: Sequence[Question], saturated: Sequence[str]) -> tuple[str, ...]:
    warnings = []
    if saturated:
        warnings.append(
            f"The input alone decodes {', '.join(saturated)} above {SATURATED}: "
            "that it can be read inside the network as well says nothing."
        )
    for question in questions:
        warnings += [
            f"{readout.name}: {left_out} of {int(readout.rows.sum())} examples could not be asked, since their value occurs "
            "in no other fold of combinations."
            for readout, left_out in zip(question.block.readouts, question.block.left_out(), strict=True)
            if left_out
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
