"""Recombination: at which cut a network combines the parts, whether novel inputs reach it, and which of the two fails."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.display import number
from assay.evidence import CUT, UNTRAINED, Effort, Measure
from assay.instrument import Control, Instrument, Metric, NotEnough, Notes, Random, Reading, Readings, Values
from assay.instruments.recombination.budgets import BUDGETS, CombiningBudget
from assay.instruments.recombination.contexts import CONTEXT, EFFECT, OTHER
from assay.instruments.recombination.curves import NetworkCurves, curves, holding, label
from assay.instruments.recombination.drawn import ALL, SUM, RecombinationDraw, StateRecipe, draw
from assay.instruments.recombination.items import HELD, KIND_OF, OUTSIDE
from assay.instruments.recombination.patched import NETWORK, RANDOM, SCRAMBLED, Variant
from assay.instruments.recombination.rates import BY_LABELS, CS, ES, C, E, P, Rate
from assay.instruments.recombination.rules import ABOVE_CHANCE
from assay.instruments.recombination.words import PAIRED, RELABELLED, no_headline_cut, notes
from assay.novelty import ENOUGH, TOLD
from assay.power import detectable_share
from assay.stats import cluster_means, keyed_seed, mean_interval
from assay.subject import Subject
from assay.task import Task

_BOUNDS = (0.0, 1.0)
_BEATS = (UNTRAINED, SCRAMBLED, RANDOM)

SEEN_RIGHT = Metric(
    key="seen_from_state",
    title="accuracy on composed states, held-out trained combinations",
    level=0,
    bounds=_BOUNDS,
    beats=_BEATS,
)
SEEN_SAME = replace(SEEN_RIGHT, key="seen_as_state", title="agreement with composed states, held-out trained inputs")
NOVEL_RIGHT = replace(
    SEEN_RIGHT, key="novel_from_state", title="accuracy on composed states, novel combinations", least=ENOUGH, headline=True
)
NOVEL_SAME = replace(
    NOVEL_RIGHT, key="novel_as_state", title="agreement with composed states, novel inputs", level=1, headline=False
)
BOTH = replace(NOVEL_SAME, key="novel_both", title="accuracy and agreement at once, novel inputs", level=2)
LABELLED = replace(BOTH, key="novel_from_state_by_labels", title="accuracy on composed states, novel combinations, by labels")
BY_EXCHANGES = replace(
    NOVEL_RIGHT,
    key="novel_from_state_by_exchanges",
    title="accuracy on composed states, by exchanges between trained ones",
    headline=False,
)
IN_CONTEXT = replace(
    SEEN_RIGHT,
    key="seen_from_effect_in_context",
    title="accuracy with an effect from some contexts, held-out trained combinations",
)
BY_KIND = replace(
    NOVEL_RIGHT, key="novel_from_state_by_kind", title="accuracy on composed states, by kind of novelty", headline=False
)
CONSTRUCTED = replace(BY_KIND, key="novel_constructed_input", title="constructed novel input (behaviour)", beats=(PAIRED,))
EARLY = replace(
    CONSTRUCTED,
    key="novel_from_first_state",
    title="accuracy on composed states, first additive cut",
)
LETTERS: Mapping[str, Metric] = {
    CS: SEEN_RIGHT,
    ES: SEEN_SAME,
    C: NOVEL_RIGHT,
    E: NOVEL_SAME,
    P: BOTH,
    BY_LABELS: LABELLED,
}


class Recombination(Instrument[RecombinationDraw]):
    """Interchange of composed states: at every cut, the states of combinations are composed from trained ones, and the rest of
    the network answers them.

    A cut is a set of activations through which everything later depends on the input. The *composed state* of a combination at
    a cut is the mean of trained states plus the effect of each of its parts, by least squares (`form` sum); or the state of a
    trained example plus a difference of effects (`form` shift); each part is also exchanged alone. Rates are means over
    combinations:

    - Cs, Es, on held-out trained combinations: the answer to the state is the declared one (Cs), or the one to the real input
      (Es).
    - Cs with the effect of a part estimated beside one value of another part (its context), patched into states of the same
      context (with three parts or more) and of others: where a network keeps a copy for each context, the latter fails.
    - C, E, P: the same on novel combinations outside 1-coverage, and both at once (P). C needs no novel input where the task
      declares what follows from an exchange of parts; E needs novel inputs, P their labels.

    They are reported at the headline cut: the last *additive* cut, one between the first and the last call that is not affine
    at which the lower bound of Es is at least .9. Copies and nulls make the same search; one without an additive cut is read at
    the network's headline cut. There C estimates the score on novel inputs that reach their composed states, which E tests.

    Answers are compared as the most likely class, at all steps of a sequence. With real-valued answers, rates are the task's
    own score: C estimates what the novel score measures, and the agreement of two outputs is the score of one with the other as
    target.
    """

    name = "recombination"
    question = "Where are the parts combined, do novel inputs reach their composed states, and what breaks?"
    cites = ("geiger2021",)
    searches = True
    metrics = (*LETTERS.values(), BY_KIND, BY_EXCHANGES, IN_CONTEXT, EARLY, CONSTRUCTED)

    def __init__(self, *, budgets: Mapping[Effort, CombiningBudget] = BUDGETS):
        self.budgets = budgets

    def data(self, subject: Subject, task: Task, budget: CombiningBudget, rng: Random) -> RecombinationDraw:
        data = draw(task, budget, rng)
        return replace(data, not_trained_alike=_why_not_trained(subject, data))

    def references(
        self, network: Subject, task: Task, data: RecombinationDraw, own: Reading, rng: Random
    ) -> Mapping[str, Subject]:
        from assay.training.relabelled import trained_alike

        read_at_a_cut = any(variant == NETWORK for variant, _ in own.kept.headline)
        count = data.budget.relabelled if read_at_a_cut and not data.not_trained_alike else 0
        seeds = {f"{RELABELLED} {k + 1}": keyed_seed(rng.seed, rng.within("relabelled", k).name) for k in range(count)}
        return {name: trained_alike(network, task, seed=seed) for name, seed in seeds.items()}

    def read(self, network: Subject, data: RecombinationDraw, rng: Random) -> Reading:
        outputs = network(data.fitted)
        right = cluster_means(data.objective.score(outputs, data.targets), data.combination).means
        interval = mean_interval(right, bounds=_BOUNDS)
        if interval is None or interval.low <= data.chance or float(right.mean()) <= data.chance + ABOVE_CHANCE:
            raise NotEnough(
                f"the network has not learned the trained combinations: it scores {number(float(right.mean()))} on them, "
                f"and one answer to all of them {number(data.chance)}"
            )
        repeats = ((SCRAMBLED, data.budget.scrambled), (RANDOM, data.budget.turned))
        variants = [Variant(name, k) for name, count in repeats for k in range(count)]
        found = curves(network, data, rng, variants=variants, fitted=outputs)
        return Reading([*_values(data, found), *_elsewhere(data, found)], found)

    def read_copy(self, network: Subject, data: RecombinationDraw, own: Reading, rng: Random) -> Reading:
        at = [k for variant, k in own.kept.headline if variant == NETWORK]
        if not at:
            return Reading(())
        found = curves(network, data, rng, variants=(), like=own.kept)
        values = [
            Values(metric=metric.key, units=rate.units, about=about, ids=rate.ids)
            for k in at
            for r, recipe in _reported(data, k)
            for metric, about, rate in _rated(data, recipe, found.rates[NETWORK, k][r] if (NETWORK, k) in found.rates else {})
        ]
        return Reading(values, found)

    def explain(self, data: RecombinationDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
        if not data.not_trained_alike and data.budget.relabelled and not readings.references:
            data = replace(data, not_trained_alike="there is no cut to read, or this access level does not reach the task")
        return notes(data, readings.own.kept, [copy.kept for copy in readings.copies if copy.kept], measures)


def _why_not_trained(subject: Subject, data: RecombinationDraw) -> str:
    """Why no network is trained alike on random labels; empty where some are."""
    if not data.budget.relabelled:
        return "this effort trains none"
    if data.prefix:
        return "the answer is among the inputs"
    if subject.training is None:
        return "how the network was trained is not known"
    took, most = subject.training.cpu_seconds, data.budget.relabelled_seconds
    return f"training took {took:,.0f} s of CPU time, and this effort allows {most:,.0f}" if took > most else ""


def _reported(data: RecombinationDraw, k: int) -> list[tuple[int, StateRecipe]]:
    """The reported recipes of a plan: for a derived part, not the one that only chooses the cut."""
    plan = data.plans[k]
    return [(r, recipe) for r, recipe in enumerate(plan.recipes) if plan.name == ALL or plan.follows or r]


def _rated(
    data: RecombinationDraw, recipe: StateRecipe, rates: Mapping[tuple[str, int], Rate]
) -> Iterator[tuple[Metric, Mapping[str, str], Rate]]:
    """The metric of each rate and what it describes."""
    for (letter, kind), rate in rates.items():
        if EFFECT in recipe.about:
            if letter == CS:
                yield IN_CONTEXT, recipe.about, rate
        elif kind in (HELD, OUTSIDE):
            yield LETTERS[letter], recipe.about, rate
            numbers = torch.tensor([data.exchanges.get(one, 0) for one in rate.ids.tolist()])
            if letter == C and recipe.about == {"form": SUM} and bool((numbers > 1).any()):
                for count in numbers.unique().tolist():
                    some = replace(rate, ids=rate.ids[numbers == count], units=rate.units[numbers == count])
                    yield BY_EXCHANGES, {**recipe.about, "exchanges": str(count)}, some
        elif letter == C and recipe.about == {"form": SUM}:
            names = {kind: TOLD[name] for name, kind in KIND_OF.items()}
            yield BY_KIND, {**recipe.about, "kind": names[kind]}, rate


def _values(data: RecombinationDraw, found: NetworkCurves) -> Iterator[Values]:
    for k in range(len(data.plans)):
        depth = found.headline.get((NETWORK, k))
        for r, recipe in _reported(data, k):
            rates = found.rates[NETWORK, k][r] if depth is not None else {}
            rated = list(_rated(data, recipe, rates))
            for metric, about, rate in rated:
                if metric is LABELLED and not data.no_executor:
                    continue  # the task declares the answers
                yield Values(
                    metric=metric.key,
                    units=rate.units,
                    about=about,
                    ids=rate.ids,
                    where={CUT: label(found.at(depth or 0).cut)},
                    unit=data.objective.unit,
                    controls=tuple(_controls(data, found, k, r, metric, about, rate.ids))
                    if len(rate.units) >= metric.least
                    else (),
                    note=_note(metric, len(rate.units)),
                    copies_how=f"each {_CUT}",
                )
            have = {metric.key for metric, _, _ in rated}
            if EFFECT in recipe.about or (depth is None and (k, r) != (0, 0)):
                continue
            for letter, metric in LETTERS.items():
                if letter != BY_LABELS and metric.key not in have:
                    yield _without(metric, recipe.about, _why_not(data, letter, found, depth is not None))
    for part, reason in data.refused.items():
        yield _without(SEEN_RIGHT, {"part": part}, f"not enough data: {reason}")
    for (part, context), reason in data.apart.items():
        yield _without(IN_CONTEXT, {"part": part, CONTEXT: context, EFFECT: OTHER}, f"not enough data: {reason}")


def _without(metric: Metric, about: Mapping[str, str], reason: str) -> Values:
    return Values(metric=metric.key, units=torch.zeros(0), about=about, reason=reason)


def _why_not(data: RecombinationDraw, letter: str, found: NetworkCurves, resolved: bool) -> str:
    if letter == C and data.no_executor:
        return f"{data.no_executor}, so answers are known for held-out trained combinations alone"
    if letter in (E, P) and data.no_inputs:
        return data.no_inputs
    if letter == P and not data.labelled:
        return "novel inputs have no labels"
    if resolved:
        return "not enough data: no novel combination outside 1-coverage"
    return f"not resolved: {no_headline_cut(found)}"


def _note(metric: Metric, count: int) -> str:
    if metric.level == 0 and metric not in (NOVEL_RIGHT, BY_KIND, BY_EXCHANGES):
        return ""
    share = f"{detectable_share(count):.2%}"
    return f"{count} combinations; if the network fails on {share} of all such, at least one shows it with power .8"


_CUT = "at its own last additive cut, or where it has none at that of the network under test"
_HOW = {
    SCRAMBLED: f"values of parts assigned to the combinations at random; read {_CUT}",
    RANDOM: f"effects rotated into random directions within the span of the states, lengths and angles kept; read {_CUT}",
}


def _controls(
    data: RecombinationDraw,
    found: NetworkCurves,
    k: int,
    r: int,
    metric: Metric,
    about: Mapping[str, str],
    ids: Int[Tensor, " u"],
) -> Iterator[Control]:
    """Values of the nulls on the same combinations, or on a subset."""
    for name, how in _HOW.items():
        repeats: list[Tensor] = []
        for (variant, plan), rates in found.rates.items():
            if variant.name == name and plan == k:
                rated = _rated(data, data.plans[k].recipes[r], rates[r])
                repeats += [_placed(rate, ids) for one, where, rate in rated if one is metric and where == about]
        if repeats:
            yield Control(name=name, how=how, values=torch.stack(repeats))


def _placed(rate: Rate, ids: Int[Tensor, " u"]) -> Float[Tensor, " u"]:
    """Values in the order of these combinations, NaN for those that were not read."""
    return torch.full((len(ids),), torch.nan, dtype=rate.units.dtype).index_copy(
        0, torch.searchsorted(ids, rate.ids), rate.units
    )


def _elsewhere(data: RecombinationDraw, found: NetworkCurves) -> Iterator[Values]:
    """C at the first cut that satisfies the rule, beyond which parts may be combined already; and C of additive inputs."""
    holds, first = holding(found), found.cuts[0]
    input_note = "an affine image of the input, composed from trained inputs: a value of the network's behaviour"
    cuts = [(EARLY, at, "") for at in holds[:1]] + ([(CONSTRUCTED, first, input_note)] if first.cut.affine else [])
    for metric, at, note in cuts:
        rate = at.rates.get((0, 0), {}).get((C, OUTSIDE))
        if rate is not None and len(rate.units) >= metric.least:
            how = "against the targets of other combinations"
            yield Values(
                metric=metric.key,
                units=rate.units,
                about={"form": SUM},
                ids=rate.ids,
                where={CUT: label(at.cut)},
                unit=data.objective.unit,
                controls=(Control(name=PAIRED, how=how, values=torch.tensor([rate.chance])),),
                note=note or _note(NOVEL_SAME, len(rate.units)),
            )
