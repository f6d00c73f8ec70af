"""Errors on novel combinations by part value and by number of unfamiliar pairs of values."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.display import number
from assay.evidence import FINDING_LEVEL, DetailTable
from assay.instrument import Control, Values
from assay.stats import MIN_UNITS, false_discovery, permutation_p
from assay.task import Part, Task
from assay.usage import Usage, indicator, unfamiliar_pairs

_DEALS = 999  # so that a p-value can survive the correction over dozens of values


def by_unfamiliar_pairs(
    novel: Float[Tensor, " c"], rows: Int[Tensor, "c k"], task: Task, *, metric: str, repeats: int, generator: Generator
) -> list[Values]:
    """The novel score for each number of unfamiliar pairs, beside random groups of novel combinations of the same size.

    **Arguments:** `rows`: the part values of the combinations whose scores are `novel`.
    """
    parts = [task.part(name) for name in task.combines]
    counts = unfamiliar_pairs(rows, task.combinations("seen"), parts)
    how = f"as many novel combinations, drawn at random {repeats} times; p is the probability of a score at least as high"
    found = []
    for count in counts.unique().tolist():
        units, which = novel[counts == count], rows[counts == count]
        groups = torch.tensor(_random_groups(novel, len(units), repeats, generator), dtype=torch.float64)
        found.append(
            Values(
                metric=metric,
                about={"unfamiliar pairs": str(count)},
                units=units,
                ids=task.combination_id(dict(zip(task.combines, which.unbind(1), strict=True))),
                unit=task.objective.unit,
                controls=(Control(name="random groups", how=how, values=groups),),
            )
        )
    return found


def by_part_value(
    seen: Float[Tensor, " c"],
    novel: Float[Tensor, " m"],
    seen_rows: Int[Tensor, "c k"],
    rows: Int[Tensor, "m k"],
    task: Task,
    *,
    generator: Generator,
) -> tuple[DetailTable, tuple[str, ...]]:
    """A table row per part value, and the values whose novel combinations fail more often than chance allows.

    The null assigns the scores of all novel combinations to the values at random; p-values are corrected over all values
    (Benjamini-Hochberg).
    """
    parts = [task.part(name) for name in task.combines]
    seen_has, novel_has = indicator(seen_rows, parts), indicator(rows, parts)
    mixed = torch.stack([novel[torch.randperm(len(novel), generator=generator)] for _ in range(_DEALS)])
    names = [(part, value) for part in parts for value in part.values]
    ps: list[float | None] = []
    for column in range(len(names)):
        has = novel_has[:, column]
        if MIN_UNITS <= int(has.sum()) < len(has):
            ps.append(permutation_p(float(novel[has].mean()), mixed[:, has].mean(1).tolist(), higher=False))
        else:
            ps.append(None)
    adjusted = iter(false_discovery([p for p in ps if p is not None]))
    corrected = [next(adjusted) if p is not None else None for p in ps]
    table, failing = [], []
    for column, ((part, value), p) in enumerate(zip(names, corrected, strict=True)):
        score, others = _mean(novel, novel_has[:, column]), _mean(novel, ~novel_has[:, column])
        table.append(
            (
                part.name,
                value,
                _mean(seen, seen_has[:, column]),
                score,
                int(novel_has[:, column].sum()),
                others,
                p,
            )
        )
        if p is not None and p <= FINDING_LEVEL and score is not None and others is not None:
            failing.append(f"{part.name}={value} ({number(score)}, other values {number(others)})")
    columns = (
        "part",
        "value",
        "seen score",
        "novel score",
        "novel combinations",
        "novel score of the others",
        "p (fails more)",
    )
    note = (
        "All novel combinations, inside and outside 1-coverage. p: the probability that as many novel combinations drawn at "
        f"random score at most this, corrected over all values. A value with fewer than {MIN_UNITS} of them has no p."
    )
    return DetailTable(name="Scores by part value", columns=columns, rows=tuple(table), note=note, level=2), tuple(failing)


def coverage_table(report: Usage, parts: Sequence[Part]) -> DetailTable:
    """Table of the number of trained combinations of every part value."""
    rows = tuple(
        (part.name, value, count)
        for part, counts in zip(parts, report.usage, strict=True)
        for value, count in zip(part.values, counts, strict=True)
    )
    groups = len(report.components)
    note = (
        "All values occur and are connected through shared combinations."
        if report.connected
        else f"Values never trained: {', '.join(report.unused) or 'none'}. The values fall into groups that never occur "
        f"together, directly or through others: {groups}."
    )
    columns = ("part", "value", "trained combinations")
    return DetailTable(name="Coverage of the training set", columns=columns, rows=rows, note=note, level=0)


def _random_groups(units: Float[Tensor, " c"], size: int, repeats: int, generator: Generator) -> list[float]:
    return [float(units[torch.randperm(len(units), generator=generator)[:size]].mean()) for _ in range(repeats)]


def _mean(units: Float[Tensor, " c"], chosen: Tensor) -> float | None:
    return float(units[chosen].mean()) if bool(chosen.any()) else None
