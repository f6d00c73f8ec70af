"""Decodability: cross-fitted linear probes for the declared parts, beside untrained copies and the input."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.display import number
from assay.evidence import FINDING_LEVEL, UNTRAINED, Effort, Measure
from assay.instrument import Budget, Control, Instrument, Metric, NotEnough, Notes, Random, Reading, Readings, Values
from assay.instruments.decodability.block import ReadoutBlock, deal_all
from assay.instruments.decodability.control import ControlTask, control_tasks
from assay.instruments.decodability.crossfit import (
    BlockFit,
    Decoded,
    NovelReadouts,
    Places,
    ProbedBlock,
    combination_folds,
    decode,
)
from assay.instruments.decodability.features import INPUT, ProbeFeatures, as_table, input_place, site_places
from assay.instruments.decodability.readouts import Readout, find, readouts
from assay.site import NO_SITE, thinned
from assay.stats import MIN_UNITS, child_generator, in_turns, paired_p, pooled_permutation_ps
from assay.subject import Inputs, Subject
from assay.task import Examples, Task

SATURATED = 0.95  # score from the input alone above which decodability inside the network is uninformative
ALONE, SHUFFLED, CONTROL_TASK = "encoded input", "shuffled labels", "control task"
FEWER, LEAST = 10, 100  # copies are scored on this fraction (1 / n) of the novel examples, but on at least so many
_POOLED = "p compares the score with shuffles of all parts, all in standard deviations of their own part's shuffles"
_AT_BEST = "each at its own best site or from the input"
_FROM_INPUT = "the same probe on the whole input (its whole numbers one-hot) instead of activations"

GAIN = Metric(
    key="decodability_gain", title="decodability gain", level=0, headline=True, gain=True, beats=(UNTRAINED, ALONE, SHUFFLED)
)
NOVEL = Metric(
    key="decodability_on_novel_combinations", title="decodability on novel combinations", level=1, beats=(UNTRAINED, ALONE)
)
SELECTIVITY = Metric(key="selectivity", title="selectivity", level=0, beats=(CONTROL_TASK,))
BY_SITE = Metric(key="decodability_by_site", title="decodability by site", level=0, beats=(UNTRAINED, ALONE, SHUFFLED))


@dataclass(frozen=True, kw_only=True)
class ProbeBudget(Budget):
    """Sizes at one effort: examples of a split, shuffles of the labels, and sites that are read."""

    examples: int
    shuffles: int
    sites: int


BUDGETS: Mapping[Effort, ProbeBudget] = {
    "quick": ProbeBudget(examples=1_000, copies=5, shuffles=39, sites=6),
    "standard": ProbeBudget(examples=4_000, copies=10, shuffles=99, sites=12),
    "full": ProbeBudget(examples=20_000, copies=20, shuffles=199, sites=1_000),
}


@dataclass(frozen=True)
class DecodabilityDraw:
    """The examples and readouts of one measurement.

    **Attributes:** `seen`, in canonical order; `joined`: its inputs and those of novel examples; `wanted`: the readouts;
    `blocks`: the same in blocks; `encoded`, `from_input`: the input, and the probes fitted on it; `sites` of `num_sites`;
    `seed`: of the projection of all networks; `shuffles`: of the labels; `few`: rows of the novel examples that copies are
    scored on.
    """

    seen: Examples
    joined: Inputs
    wanted: tuple[Readout, ...]
    blocks: tuple[ProbedBlock, ...]
    encoded: ProbeFeatures
    from_input: tuple[BlockFit, ...]
    sites: tuple[str, ...]
    num_sites: int
    seed: int
    shuffles: int
    few: Int[Tensor, " f"]

    @cached_property
    def fewer(self) -> "DecodabilityDraw":
        """The draw for copies: fitted on as many examples as the network and scored on fewer novel ones."""
        blocks = [replace(one, novel=one.novel and one.novel.take(self.few)) for one in self.blocks]
        rows = torch.cat([torch.arange(len(self.seen)), len(self.seen) + self.few])
        return replace(
            self,
            joined={name: values[rows] for name, values in self.joined.items()},
            blocks=tuple(blocks),
            encoded=replace(self.encoded, novel=self.encoded.novel[self.few]),
        )


class Decodability(Instrument[DecodabilityDraw]):
    """Ridge probes in closed form, for every site and declared part, fitted on some trained combinations and scored on others.

    The headline is the gain: the best score over {input and sites} of this network, minus the same best over untrained copies,
    which search the same places. Further nulls: the encoded input alone, labels shuffled over combinations, and the control
    task of Hewitt and Liang 2019 (each combination a random value, tested on combinations it was fitted on).

    **Arguments:** `sites`: glob patterns; by default every site of the network, thinned evenly to the number that the effort
    allows.
    """

    name = "decodability"
    question = "Can each part be read linearly from the inside, better than before training and better than from the input?"
    cites = ("hewitt2019",)
    metrics = (GAIN, NOVEL, SELECTIVITY, BY_SITE)

    def __init__(self, sites: Sequence[str] = (), *, budgets: Mapping[Effort, ProbeBudget] = BUDGETS):
        self.sites = tuple(sites)
        self.budgets = budgets

    def data(self, subject: Subject, task: Task, budget: ProbeBudget, rng: Random) -> DecodabilityDraw:
        draws = rng()
        seen = task.examples("seen", budget.examples, generator=draws).in_canonical_order()
        novel = task.examples("novel", budget.examples, generator=draws).in_canonical_order()
        num_units = len(seen.combination.unique())
        if num_units < 2 * MIN_UNITS:
            raise NotEnough(
                f"{num_units} trained combinations, and probes fitted on some and scored on others need {2 * MIN_UNITS}"
            )
        every_site = subject.match(self.sites, seen.inputs) if self.sites else subject.sites(seen.inputs)
        if not every_site:
            raise NotEnough(NO_SITE)
        sites = tuple(site.name for site in thinned(every_site, len(every_site) if self.sites else budget.sites))
        wanted = readouts(task, seen)
        shuffles = _num_shuffles(wanted, budget.shuffles)
        blocks = _blocks(wanted, readouts(task, novel), seen, novel, shuffles, child_generator(draws))
        seed = int(torch.randint(2**62, (1,), generator=draws))
        joined = {name: torch.cat([values, novel.inputs[name]]) for name, values in seen.inputs.items()}
        encoded = input_place(joined, num_seen=len(seen), seed=seed)
        return DecodabilityDraw(
            seen=seen,
            joined=joined,
            wanted=tuple(wanted),
            blocks=tuple(blocks),
            encoded=encoded,
            from_input=tuple(BlockFit.of(encoded, probed.block) for probed in blocks),
            sites=sites,
            num_sites=len(every_site),
            seed=seed,
            shuffles=shuffles,
            few=in_turns(novel.combination, rng("few"))[: max(LEAST, len(novel) // FEWER)].sort().values,
        )

    def read(self, network: Subject, data: DecodabilityDraw, rng: Random) -> Reading:
        places, decoded = _probed(network, data, with_shuffles=True)
        control = control_tasks(list(decoded.values()), places, data.seen.combination, generator=rng("control task"))
        ps = _ps_shuffled([decoded[readout.name] for readout in data.wanted])
        values: list[Values] = []
        for name, one in decoded.items():
            values += [_gain(one, ps[name][-1]), *_novel(one, fewer=len(data.few) < len(data.joined) - len(data.seen))]
            values += [_selectivity(one, control[name])] if name in control else []
            values += _by_site(one, ps[name][:-1])
        return Reading(values, [readout.name for readout in data.wanted if decoded[readout.name].input_score > SATURATED])

    def read_copy(self, network: Subject, data: DecodabilityDraw, own: Reading, rng: Random) -> Reading:
        decoded = _probed(network, data.fewer, with_shuffles=False)[1].values()
        return Reading([values for one in decoded for values in (_gain(one), *_novel(one), *_by_site(one))])

    def explain(self, data: DecodabilityDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
        saturated = readings.own.kept
        return Notes(
            summary=_summary([readout.name for readout in data.wanted], saturated, measures),
            warnings=_warnings(data.blocks, saturated),
            not_tested=_not_tested(data.num_sites, len(data.sites)),
            settings={
                "shuffles": data.shuffles,
                "sites read": ", ".join(data.sites),
                "examples read": len(data.seen),
            },
        )


def _probed(network: Subject, data: DecodabilityDraw, *, with_shuffles: bool) -> tuple[Places, dict[str, Decoded]]:
    """Scores of every readout, in the order of the task, from the input and from every site."""
    places: dict[str, ProbeFeatures] = {INPUT: data.encoded}
    fits: dict[str, Sequence[BlockFit]] = {INPUT: data.from_input}
    tables = network.read(data.joined, data.sites, each=as_table)
    for site, place in site_places(tables, num_seen=len(data.seen), seed=data.seed):
        places[site], fits[site] = place, [BlockFit.of(place, probed.block) for probed in data.blocks]
    decoded = decode(places, fits, data.blocks, with_shuffles=with_shuffles)
    return places, {readout.name: decoded[readout.name] for readout in data.wanted}


# From decoded readouts to the values of metrics


def _gain(one: Decoded, p_shuffled: float | None = None) -> Values:
    """The score at the best of {input and sites}. `p_shuffled` is None for copies, whose labels are not shuffled."""
    units, alone = one.units[one.best], one.units[one.places.index(INPUT)]
    controls = [Control(name=ALONE, how=_FROM_INPUT, values=alone[None])]
    if p_shuffled is not None:
        how = f"labels assigned to combinations at random, the best site or the input chosen for each; {_POOLED}"
        controls.append(Control(name=SHUFFLED, how=how, values=one.shuffled_best, p=p_shuffled))
    return _values(
        GAIN,
        one,
        units,
        controls,
        ids=one.ids,
        copies_how=_AT_BEST,
        note=f"best at {one.places[one.best]}; from the encoded input alone {number(float(alone.mean()))}",
    )


def _novel(one: Decoded, *, fewer: bool = False) -> list[Values]:
    """Probes fitted on all seen combinations and scored on novel ones, at the place that was best on seen ones. `fewer`:
    whether copies are scored on fewer novel examples."""
    if len(one.novel) == 0:
        return []
    controls = [Control(name=ALONE, how=_FROM_INPUT, values=one.novel_input[None])]
    site = {"site": one.places[one.best]}
    how = f"{_AT_BEST}{', scored on fewer novel examples' if fewer else ''}"
    return [_values(NOVEL, one, one.novel, controls, ids=one.novel_ids, where=site, copies_how=how)]


def _selectivity(one: Decoded, found: ControlTask) -> Values:
    """Score on combinations that were also fitted, minus that of the control task."""
    mean = float(found.random.mean())
    how = f"scores for {len(found.random)} draws of a random label for each combination, minus their mean, {number(mean)}"
    null = Control(name=CONTROL_TASK, how=how, values=found.random.mean(1) - mean, p=paired_p(found.real, found.random.mean(0)))
    site = {"site": one.places[one.best]}
    return replace(_values(SELECTIVITY, one, found.real - found.random.mean(0), [null], where=site), bounds=None)


def _by_site(one: Decoded, ps_shuffled: Sequence[float] = ()) -> list[Values]:
    """The score at every site, beside the same site of untrained copies, the input, and shuffled labels."""
    if one.units.shape[1] < MIN_UNITS:
        return []
    alone = Control(name=ALONE, how=_FROM_INPUT, values=one.units[[one.places.index(INPUT)]])
    found = []
    for place, name in enumerate(one.places):
        if name == INPUT:
            continue
        controls = [alone]
        if ps_shuffled:
            shuffled = one.shuffled[place]
            how = f"labels assigned to combinations at random, {len(shuffled)} times; {_POOLED}"
            controls.append(Control(name=SHUFFLED, how=how, values=shuffled, p=ps_shuffled[place]))
        found.append(_values(BY_SITE, one, one.units[place], controls, ids=one.ids, site=name, copies_how="at the same site"))
    return found


def _values(
    metric: Metric,
    one: Decoded,
    units: Float[Tensor, " c"],
    controls: Sequence[Control],
    *,
    ids: Int[Tensor, " c"] | None = None,
    site: str = "",
    where: Mapping[str, str] | None = None,
    copies_how: str = "",
    note: str = "",
) -> Values:
    about = {"part": one.readout.part, "readout": one.readout.kind} | ({"site": site} if site else {})
    enough = len(units) >= MIN_UNITS
    short = f"not enough data: {len(units)} combinations whose values also occur elsewhere, and an interval needs {MIN_UNITS}"
    return Values(
        metric=metric.key,
        about=about,
        where=where or {} if enough else {},
        units=units,
        ids=ids,
        bounds=(0.0, 1.0) if one.readout.num_classes else None,
        unit=one.readout.unit,
        controls=tuple(controls),
        copies_how=copies_how,
        note=note,
        reason="" if enough else short,
    )


def _num_shuffles(wanted: Sequence[Readout], least: int) -> int:
    """The number of shuffles; with fewer of a kind the smallest p-value could not survive the correction over all readouts."""
    fewest = min(Counter(readout.kind for readout in wanted).values())
    return max(least, math.ceil(len(wanted) / FINDING_LEVEL / fewest))


def _blocks(
    wanted: Sequence[Readout],
    counterparts: Sequence[Readout],
    seen: Examples,
    novel: Examples,
    num_shuffles: int,
    generator: Generator,
) -> list[ProbedBlock]:
    """One block of readouts for each kind and number of classes."""
    folds = combination_folds(seen.combination, child_generator(generator))
    blocks = []
    for alike in dict.fromkeys((readout.kind, readout.num_classes) for readout in wanted):
        members = [readout for readout in wanted if (readout.kind, readout.num_classes) == alike]
        block = ReadoutBlock.of(members, folds)
        found = [find(counterparts, readout) for readout in members]
        on_novel = None if all(one is None for one in found) else NovelReadouts.of(block, found, novel.combination)
        blocks.append(ProbedBlock(block, on_novel, deal_all(members, num_shuffles, child_generator(generator))))
    return blocks


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
        return f"Decodability is uninformative: the input alone already decodes every part above {SATURATED}."
    gains = [measure for measure in measures if measure.key == GAIN.key and measure.value is not None]
    names = [f"{measure.about['part']} {measure.about['readout']}".removesuffix(" value") for measure in gains]
    values = ", ".join(f"{name} {number(measure.value or 0.0)}" for name, measure in zip(names, gains, strict=True))
    return f"Decodability at the best site or from the input, above untrained copies: {values or 'not enough data'}."


def _warnings(blocks: Sequence[ProbedBlock], saturated: Sequence[str]) -> tuple[str, ...]:
    warnings = []
    if saturated:
        warnings.append(
            f"The whole input (the null {ALONE!r}) decodes {', '.join(saturated)} above {SATURATED}: decodability inside then "
            "says nothing about the network. Sites are read less fully, so that a site with the same input may score less."
        )
    for probed in blocks:
        warnings += [
            f"{readout.name}: {left_out} of {int(readout.rows.sum())} examples could not be scored, since their value occurs "
            "in no other fold of the cross-validation."
            for readout, left_out in zip(probed.block.readouts, probed.block.num_unscored(), strict=True)
            if left_out
        ]
    warnings.append(
        "Decodable does not mean used: a part may be decodable and play no role in the output. This evidence alone decides "
        "none of the three questions of the verdict."
    )
    return tuple(warnings)


def _not_tested(total: int, read: int) -> tuple[str, ...]:
    missing = "Non-linear decoding, and whether what is decoded is used by the network."
    return (missing, f"{total - read} of {total} sites, left out at this effort.") if read < total else (missing,)
