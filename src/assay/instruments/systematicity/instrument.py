"""Systematicity: do novel combinations of trained parts work? Behaviour alone, beside what a guesser would score."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from torch import Generator

from assay.evidence import Effort, Evidence, Measure, Null, Source
from assay.instrument import Progress, silent
from assay.instruments.systematicity.breakdown import by_part_value, by_unfamiliar_pairs, coverage_table
from assay.instruments.systematicity.nulls import nearest_trained_example, shuffled_targets, untrained_copies
from assay.instruments.systematicity.scored import Scored, run
from assay.novelty import ENOUGH, KINDS, TOLD, Novelty, novelty_of
from assay.stats import (
    MIN_UNITS,
    child_generator,
    detectable_share,
    difference_interval,
    mean_interval,
    permutation_p,
    random_differences,
)
from assay.subject import Subject
from assay.task import Task
from assay.usage import Usage, usage_of


@dataclass(frozen=True)
class Budget:
    """What an effort buys: examples per split, examples on which nulls run, and repeats of each null."""

    examples: int
    null_examples: int
    copies: int
    shuffles: int
    lookups: int


BUDGETS: Mapping[Effort, Budget] = {
    "quick": Budget(examples=2_000, null_examples=500, copies=5, shuffles=99, lookups=39),
    "standard": Budget(examples=20_000, null_examples=2_000, copies=5, shuffles=199, lookups=99),
    "full": Budget(examples=100_000, null_examples=10_000, copies=19, shuffles=999, lookups=199),
}
_POOL = 5_000  # trained examples that the memoriser may look up


class Systematicity:
    """Scores seen and novel combinations, each combination counted once, beside three nulls: shuffled targets, untrained
    copies, and (novel only) a memoriser that answers with the nearest trained example.

    The novel score counts combinations outside 1-coverage, the only ones that substitution does not give (`assay.novelty`), and
    needs 30 of them; synonyms and those inside are scored beside it. All of them are one kind where kinds are not known.

    Breaks the novel score down by part value and by the number of unfamiliar pairs, and reports what the training set covers.
    """

    name = "systematicity"
    question = "Does the network work on combinations of parts that it was never trained on?"
    source = Source(
        key="redhardt2025",
        citation="Redhardt, Akram, Schug. Scaling can lead to compositional generalization. NeurIPS 2025.",
        url="https://arxiv.org/abs/2507.07207",
        bibtex=(
            "@inproceedings{redhardt2025,\n  title = {Scaling can lead to compositional generalization},\n"
            "  author = {Redhardt, Florian and Akram, Yassir and Schug, Simon},\n"
            "  booktitle = {Advances in Neural Information Processing Systems},\n  year = {2025},\n"
            "  eprint = {2507.07207},\n  archivePrefix = {arXiv}\n}"
        ),
    )
    needs: tuple[type, ...] = ()

    def __init__(self, *, budgets: Mapping[Effort, Budget] = BUDGETS):
        self.budgets = budgets

    def measure(
        self, subject: Subject, task: Task, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        size = self.budgets[effort]
        progress("running the network", 0.0)
        seen = run(subject, task, "seen", size.examples, generator)
        # What a task calls novel may be new items of trained combinations.
        novel = run(subject, task, "novel", size.examples if len(task.combinations("novel")) else 0, generator)
        if len(seen.units) < MIN_UNITS:
            reason = f"{len(seen.units)} trained combinations, and an interval needs {MIN_UNITS}"
            return Evidence(
                instrument=self.name, question=self.question, summary=f"Not enough data: {reason}.", not_enough=reason
            )

        progress("comparing the novel combinations with the trained ones", 0.2)
        novelty = novelty_of(task) if len(novel.units) else Novelty(novel.ids, ())
        progress("running the nulls", 0.3)
        copies = [subject.untrained(child_generator(generator)) for _ in range(size.copies)]
        counted, groups = _by_kind(novel, novelty)
        which = f"novel combinations {TOLD['outside']}" if novelty.kinds else "novel combinations, of a kind not known"
        scores = (
            _score("seen score", seen, task, copies, size, generator, which="trained combinations"),
            _score("novel score", counted, task, copies, size, generator, which=which, least=ENOUGH),
        )
        by_kind = [
            _score("novel score by kind", group, task, copies, size, generator, which=which, least=ENOUGH, kind=which)
            for which, group in groups.items()
        ]
        progress("breaking the scores down", 0.9)
        breakdown: list[Measure] = []
        failing: tuple[str, ...] = ()
        parts = [task.part(name) for name in task.combines]
        covered = usage_of(task.combinations("seen"), parts)
        tables = [coverage_table(covered, parts)]
        if scores[1].value is not None:
            breakdown = [_gap(seen, counted, task, size, generator)]
            breakdown += by_unfamiliar_pairs(counted, task, repeats=size.shuffles, generator=generator)
        if len(novel.units) >= MIN_UNITS:
            by_value, failing = by_part_value(seen, novel, task, generator=generator)
            tables.insert(0, by_value)
        return Evidence(
            instrument=self.name,
            question=self.question,
            summary=_summary(*scores, by_kind),
            measures=(*scores, *by_kind, *breakdown),
            tables=tuple(tables),
            sources=(self.source,),
            warnings=_warnings(covered, failing, novelty),
            not_tested=_not_tested(task, seen, novel),
            settings={
                "effort": effort,
                **asdict(size),
                "unit": task.objective.unit,
                "chance": task.objective.chance,
                "novel score": which,
                **{TOLD[kind]: novelty.kinds.count(kind) for kind in KINDS if novelty.kinds},
            },
        )


def _by_kind(novel: Scored, novelty: Novelty) -> tuple[Scored, dict[str, Scored]]:
    """The novel combinations that the headline counts (those outside 1-coverage, or all where kinds are not known), and those
    of every other kind."""
    if novelty.unknown or not len(novel.units):
        return novel, {}
    groups = {kind: novel.only(mask) for kind, mask in novelty.masks(novel.ids).items()}
    return groups["outside"], {TOLD[kind]: group for kind, group in groups.items() if kind != "outside" and len(group.units)}


def _score(
    name: str,
    scored: Scored,
    task: Task,
    copies: Sequence[Subject],
    size: Budget,
    generator: Generator,
    *,
    which: str,
    least: int = MIN_UNITS,
    kind: str = "",
) -> Measure:
    """The mean score over combinations with its interval and its nulls. `which` combinations they are, in words; `kind`, if
    they are novel ones beside the headline."""
    num = len(scored.units)
    interval = mean_interval(scored.units, bounds=(0.0, 1.0)) if num >= least else None
    novel = name != "seen score"
    nulls: list[Null] = []
    if interval:
        few = scored.subset(size.null_examples, generator)
        nulls.append(shuffled_targets(few, task, repeats=size.shuffles, generator=generator))
        nulls.append(untrained_copies(few, task, copies))
        if novel:
            pool = task.examples("seen", _POOL, generator=generator).in_canonical_order()
            nulls.append(nearest_trained_example(few, pool, task, repeats=size.lookups, generator=generator))
        note = f"{num} {which}, which would show a failure on {detectable_share(num):.2%} of them four times in five"
    else:
        note = f"not enough data: {num} {which}, and a score needs {least}"
    return Measure(
        name=name,
        about={"kind": kind} if kind else {},
        value=float(scored.units.mean()) if interval else None,
        unit=task.objective.unit,
        direction="higher",
        interval=interval,
        nulls=tuple(nulls),
        units=num,
        unit_of="combination",
        repeats=tuple(scored.units.tolist()),
        headline=not kind,
        note=note,
        level=2 if novel else 0,
    )


def _gap(seen: Scored, novel: Scored, task: Task, size: Budget, generator: Generator) -> Measure:
    """Seen minus novel, beside the same difference when combinations are dealt to the two sides at random."""
    seen_mean, novel_mean = float(seen.units.mean()), float(novel.units.mean())
    high = mean_interval(seen.units, bounds=(0.0, 1.0))
    low = mean_interval(novel.units, bounds=(0.0, 1.0))
    assert high is not None
    assert low is not None
    values = random_differences(seen.units, novel.units, repeats=size.shuffles, generator=generator)
    null = Null(
        name="mixed combinations",
        how=f"combinations dealt to both sides at random, {size.shuffles} times; p is the chance of a gap this large",
        values=tuple(values),
        p=permutation_p(seen_mean - novel_mean, values),
    )
    return Measure(
        name="generalisation gap",
        value=seen_mean - novel_mean,
        unit=f"{task.objective.unit}, seen minus novel",
        direction="lower",
        interval=difference_interval(seen_mean, high, novel_mean, low),
        nulls=(null,),
        units=len(seen.units) + len(novel.units),
        unit_of="combination",
        level=2,
    )


def _summary(seen: Measure, novel: Measure, by_kind: Sequence[Measure]) -> str:
    if seen.value is None:
        return f"{seen.note}."
    told = f"Trained combinations score {seen.value:.3f}"
    if novel.value is None or novel.interval is None:
        told += f". {novel.note.capitalize()}."
    else:
        best = max(novel.nulls, key=lambda null: null.mean)
        which = "outside 1-coverage" if by_kind else "ones"
        told += (
            f", novel {which} {novel.value:.3f} [{novel.interval.low:.3f}, {novel.interval.high:.3f}]; the best null "
            f"({best.name}) scores {best.mean:.3f}."
        )
    scores = [
        f"{measure.units} {measure.about['kind']} {measure.value:.3f}" for measure in by_kind if measure.value is not None
    ]
    return told + (f" Of other kinds, {' and '.join(scores)}." if scores else "")


def _warnings(covered: Usage, failing: Sequence[str], novelty: Novelty) -> tuple[str, ...]:
    warnings = []
    if novelty.unknown:
        warnings.append(
            "Whether novel combinations are synonyms of trained ones or inside 1-coverage is not known, so the novel score may "
            f"be that of substitution: {novelty.unknown}."
        )
    elif novelty.kinds and (within := len(novelty.kinds) - novelty.kinds.count("outside")):
        warnings.append(
            f"{within} of {len(novelty.kinds)} novel combinations follow from trained ones by exchanging what acts alike in "
            "the training data; the novel score leaves them out."
        )
    if novelty.contradictions:
        warnings.append(
            f"Trained combinations with answers that contradict each other: {novelty.contradictions}. No network can give "
            "all of these answers, and they are no evidence that values act identically."
        )
    if covered.unused:
        warnings.append(
            f"Never trained in this place: {', '.join(covered.unused)}. A network can only know these values if it carries "
            "over what it learned of them elsewhere."
        )
    if len(covered.components) > 1:
        warnings.append(
            f"The trained combinations fall into {len(covered.components)} groups of values that never occur together, "
            "directly or through others: how values of different groups combine cannot be learned from these data alone."
        )
    if failing:
        warnings.append(f"Novel combinations with these values fail more often than the others: {', '.join(failing)}.")
    return tuple(warnings)


def _not_tested(task: Task, seen: Scored, novel: Scored) -> tuple[str, ...]:
    missing = []
    for name, split, scored in (("trained", "seen", seen), ("novel", "novel", novel)):
        total = len(task.combinations(split))
        if len(scored.units) < total:
            left = total - len(scored.units)
            missing.append(f"{left} of {total} {name} combinations: the effort allows {len(scored.examples)} examples.")
    missing.append("Longer, deeper or otherwise larger inputs than the task's own novel combinations.")
    return tuple(missing)
