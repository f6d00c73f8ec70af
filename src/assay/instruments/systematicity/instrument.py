"""Systematicity: scores on novel combinations of trained parts, beside those of baselines. It reads behaviour alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.display import interval, number
from assay.evidence import CHANCE, UNIT, UNTRAINED, Effort, Measure
from assay.instrument import Budget, Control, Instrument, Metric, NotEnough, Notes, Random, Reading, Readings, Values
from assay.instruments.systematicity.breakdown import by_part_value, by_unfamiliar_pairs, coverage_table
from assay.instruments.systematicity.nulls import NEAREST, SHUFFLED, nearest, shuffled
from assay.novelty import ENOUGH, KINDS, TOLD, Novelty, novelty_of
from assay.objective import Stepwise, mean_step, worst_step
from assay.power import detectable_share
from assay.stats import (
    MIN_UNITS,
    cluster_means,
    difference_interval,
    in_turns,
    mean_interval,
    permutation_p,
    random_differences,
)
from assay.subject import Subject
from assay.task import LACKS, Examples, Task
from assay.usage import Usage, usage_of

MIXED, GROUPS = "mixed combinations", "random groups"
_BOUNDS = (0.0, 1.0)

SEEN = Metric(key="seen_score", title="seen score", level=0, bounds=_BOUNDS, headline=True, beats=(UNTRAINED, SHUFFLED))
NOVEL = Metric(
    key="novel_score",
    title="novel score",
    level=2,
    bounds=_BOUNDS,
    least=ENOUGH,
    headline=True,
    beats=(UNTRAINED, SHUFFLED, NEAREST),
)
BY_KIND = replace(NOVEL, key="novel_score_by_kind", title="novel score by kind", headline=False)
GAP = Metric(key="generalisation_gap", title="generalisation gap", level=2, better="lower", beats=(MIXED,))
BY_PAIRS = Metric(
    key="novel_score_by_unfamiliar_pairs", title="novel score by unfamiliar pairs", level=2, bounds=_BOUNDS, beats=(GROUPS,)
)
# For answers with steps: exact match beside a mean over steps, and the other way about.
SEEN_EXACT = replace(SEEN, key="seen_exact_match", title="seen exact match", headline=False, beats=(UNTRAINED,))
NOVEL_EXACT = replace(NOVEL, key="novel_exact_match", title="novel exact match", headline=False, beats=(UNTRAINED,))
SEEN_STEP = replace(SEEN_EXACT, key="seen_score_by_step", title="seen score by step")
NOVEL_STEP = replace(NOVEL_EXACT, key="novel_score_by_step", title="novel score by step")


@dataclass(frozen=True, kw_only=True)
class ScoreBudget(Budget):
    """Sizes at one effort: examples of a split, examples that nulls are scored on, those of these that copies are run on, and
    repeats of each null."""

    examples: int
    null_examples: int
    copied_examples: int
    shuffles: int
    lookups: int


BUDGETS: Mapping[Effort, ScoreBudget] = {
    "quick": ScoreBudget(examples=2_000, null_examples=500, copied_examples=100, copies=5, shuffles=499, lookups=499),
    "standard": ScoreBudget(examples=20_000, null_examples=2_000, copied_examples=500, copies=5, shuffles=999, lookups=999),
    "full": ScoreBudget(examples=100_000, null_examples=10_000, copied_examples=10_000, copies=19, shuffles=1_999, lookups=999),
}
_POOL = 5_000  # trained examples available to the memoriser


@dataclass(frozen=True)
class Group:
    """Combinations that are scored together.

    **Attributes:** `metric`, `about`: of the score; `which`: the combinations in words; `examples`, in canonical order; `few`:
    rows that nulls are scored on; `copied`: rows that untrained copies are run on.
    """

    metric: Metric
    which: str
    examples: Examples
    few: Int[Tensor, " m"]
    copied: Int[Tensor, " k"]
    about: Mapping[str, str]

    @property
    def fewer(self) -> Examples:
        """The examples that nulls are scored on."""
        return self.examples.take(self.few)


@dataclass(frozen=True)
class SystematicityDraw:
    """The examples of one measurement. `groups`: trained combinations, those that the headline counts, those of other kinds."""

    task: Task
    budget: ScoreBudget
    groups: tuple[Group, ...]
    novel: Examples
    pool: Examples
    novelty: Novelty
    covered: Usage


class Systematicity(Instrument[SystematicityDraw]):
    """Scores on seen and novel combinations, each combination counted once, beside three nulls: shuffled targets, untrained
    copies, and (novel only) a memoriser that answers with the nearest trained example.

    The novel score counts combinations outside 1-coverage, the only ones that substitution cannot solve (`assay.novelty`), and
    needs 30 of them; synonyms and those inside 1-coverage are scored beside it. Where kinds are not known, all novel
    combinations count.

    Answers with steps are scored both by exact match (of real numbers, the worst step) and by the mean over steps.

    The novel score is broken down by part value and by the number of unfamiliar pairs, and the coverage of the training set is
    reported.
    """

    name = "systematicity"
    question = "Does the network work on combinations of parts that it was never trained on?"
    cites = ("redhardt2025",)
    metrics = (SEEN, NOVEL, BY_KIND, GAP, BY_PAIRS, SEEN_EXACT, NOVEL_EXACT, SEEN_STEP, NOVEL_STEP)

    def __init__(self, *, budgets: Mapping[Effort, ScoreBudget] = BUDGETS):
        self.budgets = budgets

    def data(self, subject: Subject, task: Task, budget: ScoreBudget, rng: Random) -> SystematicityDraw:
        draws = rng()
        seen = task.examples("seen", budget.examples, generator=draws).in_canonical_order()
        # Without a novel combination the novel score is None; scores on trained ones are still reported.
        num = budget.examples if task.level == 2 and len(task.combinations("novel")) else 0
        novel = task.examples("novel", num, generator=draws).in_canonical_order()
        if (trained := len(seen.combination.unique())) < MIN_UNITS:
            raise NotEnough(f"{trained} trained combinations, and an interval needs {MIN_UNITS}")
        novelty = novelty_of(task) if len(novel) else Novelty(novel.combination, ())
        chosen = {"seen": (SEEN, "trained combinations", seen, {})}
        for name, (metric, which, rows) in _by_kind(novel, novelty).items() if task.level == 2 else ():
            chosen[name] = (metric, which, novel.take(rows), {} if metric is NOVEL else {"kind": which})
        groups = []
        for name, (metric, which, examples, about) in chosen.items():
            few = in_turns(examples.combination, rng("few", name))[: budget.null_examples]
            copied = few[: budget.copied_examples].sort().values
            groups.append(Group(metric, which, examples, few.sort().values, copied, about))
        parts = [task.part(name) for name in task.combines]
        return SystematicityDraw(
            task=task,
            budget=budget,
            groups=tuple(groups),
            novel=novel,
            pool=task.examples("seen", _POOL, generator=rng("pool")).in_canonical_order(),
            novelty=novelty,
            covered=usage_of(task.combinations("seen"), parts),
        )

    def read(self, network: Subject, data: SystematicityDraw, rng: Random) -> Reading:
        task, size = data.task, data.budget
        values, units = [], {}
        means, ids = [torch.zeros(0)], [torch.zeros(0, dtype=torch.int64)]  # of all novel combinations
        for group in data.groups:
            outputs = network(group.examples.inputs)
            found = cluster_means(task.score(outputs, group.examples), group.examples.combination)
            units[group.metric.key] = units.get(group.metric.key, found.means)
            if group.metric is not SEEN:
                means.append(found.means)
                ids.append(found.ids)
            enough = len(found.means) >= group.metric.least
            values.append(
                Values(
                    metric=group.metric.key,
                    units=found.means,
                    about=group.about,
                    ids=found.ids,
                    unit=task.objective.unit,
                    controls=_controls(group, outputs, data, rng.within(group.which)) if enough else (),
                    note=_note(group, len(found.means)),
                    reason="" if enough else f"not enough data: {_short(group, len(found.means))}",
                )
            )
            values += _otherwise(group, outputs, group.examples, task)
        seen, counted = units[SEEN.key], units.get(NOVEL.key, torch.zeros(0))
        if len(counted) >= NOVEL.least:
            values.append(_gap(seen, counted, task, size, rng("gap")))
            headline = next(group for group in data.groups if group.metric is NOVEL)
            rows = _rows(headline.examples, task)
            values += by_unfamiliar_pairs(
                counted, rows, task, metric=BY_PAIRS.key, repeats=size.shuffles, generator=rng("pairs")
            )
        novel = torch.cat(means)[torch.cat(ids).argsort()]
        if len(novel) < MIN_UNITS:
            return Reading(values)
        rows = _rows(data.groups[0].examples, task), _rows(data.novel, task)
        return Reading(values, by_part_value(seen, novel, *rows, task, generator=rng("part values")))

    def read_copy(self, network: Subject, data: SystematicityDraw, own: Reading, rng: Random) -> Reading:
        values = []
        for group in data.groups:
            examples = group.examples.take(group.copied)
            outputs = network(examples.inputs)
            found = cluster_means(data.task.score(outputs, examples), examples.combination)
            values.append(Values(metric=group.metric.key, units=found.means, about=group.about, ids=found.ids))
            values += _otherwise(group, outputs, examples, data.task)
        return Reading(values)

    def explain(self, data: SystematicityDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
        task, kinds = data.task, data.novelty.kinds
        by_value, failing = readings.own.kept or (None, ())
        coverage = coverage_table(data.covered, [task.part(name) for name in task.combines])
        counted = [group.which for group in data.groups if group.metric is NOVEL]
        return Notes(
            summary=_summary(measures, task),
            warnings=_warnings(data.covered, failing, data.novelty),
            not_tested=_not_tested(task, data.groups[0].examples, data.novel),
            figures=(by_value, coverage) if by_value else (coverage,),
            settings={
                UNIT: task.objective.unit,
                CHANCE: task.objective.chance,
                **({"novel score": counted[0]} if counted else {}),
                **{TOLD[kind]: kinds.count(kind) for kind in KINDS if kinds},
            },
        )


def _by_kind(novel: Examples, novelty: Novelty) -> dict[str, tuple[Metric, str, Tensor]]:
    """Rows of the novel examples in the headline (outside 1-coverage, or all where kinds are not known), and of those of every
    other kind."""
    if novelty.unknown or not len(novel):
        which = f"novel combinations {TOLD['outside']}" if novelty.kinds else "novel combinations, of a kind not known"
        return {"novel": (NOVEL, which, torch.arange(len(novel)))}
    ids, inverse = novel.combination.unique(return_inverse=True)
    masks = novelty.masks(ids)
    found = {"novel": (NOVEL, f"novel combinations {TOLD['outside']}", masks["outside"][inverse].nonzero()[:, 0])}
    for kind, mask in masks.items():
        if kind != "outside" and bool(mask.any()):
            found[kind] = (BY_KIND, TOLD[kind], mask[inverse].nonzero()[:, 0])
    return found


def _otherwise(group: Group, outputs: Tensor, examples: Examples, task: Task) -> list[Values]:
    """Secondary scores of answers with steps: the mean over steps where the score is that of whole answers, or else the worst
    step."""
    objective = task.objective
    if not isinstance(objective, Stepwise) or group.metric not in (SEEN, NOVEL):
        return []
    exact, by_step = (SEEN_EXACT, SEEN_STEP) if group.metric is SEEN else (NOVEL_EXACT, NOVEL_STEP)
    metric, scored = (by_step, mean_step) if objective.whole else (exact, worst_step)
    found = cluster_means(scored(objective.steps(outputs, examples.targets)), examples.combination)
    reason = "" if len(found.means) >= metric.least else f"not enough data: {_short(group, len(found.means))}"
    unit = "mean over steps" if objective.whole else "worst step; exact match where steps are right or wrong"
    return [Values(metric=metric.key, units=found.means, ids=found.ids, unit=unit, reason=reason)]


def _rows(examples: Examples, task: Task) -> Int[Tensor, "c k"]:
    """The part values of every combination, by ascending id."""
    ids = examples.combination.unique()
    first = torch.searchsorted(examples.combination, ids)  # canonical order is sorted by combination
    return torch.stack([examples.parts[name][first] for name in task.combines], 1)


def _short(group: Group, num: int) -> str:
    return f"{num} {group.which}, and a score needs {group.metric.least}"


def _note(group: Group, num: int) -> str:
    share = f"{detectable_share(num):.2%}"
    return f"{num} {group.which}; if the network fails on {share} of all such, one of these shows it with probability .8"


# Nulls


def _controls(group: Group, outputs: Tensor, data: SystematicityDraw, rng: Random) -> tuple[Control, ...]:
    """Nulls on the same combinations: shuffled targets and, for novel ones, a memoriser."""
    examples, size = group.fewer, data.budget
    own = cluster_means(data.task.score(outputs[group.few], examples), examples.combination).means
    found = [
        shuffled(float(own.mean()), outputs[group.few], examples, data.task, repeats=size.shuffles, generator=rng(SHUFFLED))
    ]
    if group.metric is not SEEN:
        found.append(nearest(own, examples, data.pool, data.task, repeats=size.lookups, generator=rng(NEAREST)))
    return tuple(found)


def _gap(seen: Tensor, novel: Tensor, task: Task, size: ScoreBudget, generator: Generator) -> Values:
    """Seen minus novel score, beside the same difference when combinations are assigned to the two sides at random."""
    seen_mean, novel_mean = float(seen.mean()), float(novel.mean())
    high, low = mean_interval(seen, bounds=_BOUNDS), mean_interval(novel, bounds=_BOUNDS)
    assert high is not None
    assert low is not None
    values = random_differences(seen, novel, repeats=size.shuffles, generator=generator)
    how = f"combinations called seen or novel at random, {size.shuffles} times; p is the probability of a gap at least as large"
    gap = seen_mean - novel_mean
    return Values(
        metric=GAP.key,
        units=torch.cat([seen, novel]),
        value=gap,
        interval=difference_interval(seen_mean, high, novel_mean, low),
        unit=f"{task.objective.unit}, seen minus novel",
        controls=(
            Control(name=MIXED, how=how, values=torch.tensor(values, dtype=torch.float64), p=permutation_p(gap, values)),
        ),
    )


# Words


def _summary(measures: Sequence[Measure], task: Task) -> str:
    seen, novel = (next((one for one in measures if one.key == metric.key), None) for metric in (SEEN, NOVEL))
    assert seen is not None
    by_kind = [measure for measure in measures if measure.key == BY_KIND.key]
    if seen.value is None:
        return f"{seen.note}."
    text = f"Trained combinations score {number(seen.value)}"
    if novel is None:
        text += f". No novel score: the task {LACKS[task.level]}."
    elif novel.value is None or novel.interval is None:
        text += f". {novel.note.capitalize()}."
    else:
        best = max(novel.nulls, key=lambda null: null.mean)
        which = "outside 1-coverage" if by_kind else "ones"
        text += (
            f", novel {which} {number(novel.value)} {interval(novel.interval)}; the best null "
            f"({best.name}) scores {number(best.mean)}."
        )
    scores = [
        f"{measure.units} {measure.about['kind']} {number(measure.value)}" for measure in by_kind if measure.value is not None
    ]
    return text + (f" Of other kinds, {' and '.join(scores)}." if scores else "")


def _warnings(covered: Usage, failing: Sequence[str], novelty: Novelty) -> tuple[str, ...]:
    warnings = []
    if novelty.unknown:
        warnings.append(
            f"It is not known which novel combinations lie outside 1-coverage: {novelty.unknown}. The novel score may "
            "therefore come from substituting values that act alike in training."
        )
    elif novelty.kinds and (within := len(novelty.kinds) - novelty.kinds.count("outside")):
        warnings.append(
            f"{within} of {len(novelty.kinds)} novel combinations follow from trained ones by exchanging values that act alike "
            "in the training data. The novel score leaves them out."
        )
    if novelty.contradictions:
        warnings.append(
            f"Trained combinations with more than one answer: {novelty.contradictions}. No network can give all of these "
            "answers, and these combinations are no evidence that values act alike."
        )
    if covered.unused:
        warnings.append(
            f"Values that no trained combination has in this part: {', '.join(covered.unused)}. A network can know them only "
            "if it carries over what it learned about them in other parts."
        )
    if len(covered.components) > 1:
        warnings.append(
            f"The trained combinations fall into {len(covered.components)} groups of values that never occur together, "
            "directly or through others. How values of different groups combine cannot be learned from these data alone."
        )
    if failing:
        warnings.append(f"Novel combinations with these values fail more often than the others: {', '.join(failing)}.")
    return tuple(warnings)


def _not_tested(task: Task, seen: Examples, novel: Examples) -> tuple[str, ...]:
    missing = [f"Whether novel combinations work: the task {LACKS[task.level]}."] if task.level < 2 else []
    for name, split, examples in (("trained", "seen", seen), ("novel", "novel", novel))[: 1 + (task.level == 2)]:
        total = len(task.combinations(split))
        if (scored := len(examples.combination.unique())) < total:
            missing.append(f"{total - scored} of {total} {name} combinations: the effort allows {len(examples)} examples.")
    missing.append("Longer, deeper or otherwise larger inputs than the task's own novel combinations.")
    return tuple(missing)
