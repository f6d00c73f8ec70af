"""Summary of the networks of one point: their mean scores, with the nulls of the same networks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from assay.evidence import Measure, Null
from assay.stats import MIN_NETWORKS, network_interval, paired_p
from assay.sweep.grid import Grid
from assay.sweep.rows import NOVEL, SEEN, Row


@dataclass(frozen=True, kw_only=True)
class PointSummary:
    """One point of a sweep.

    **Attributes:**

    - `point`: axis names and values.
    - `seen`, `novel`: mean scores over networks; the raw value of each network is in `repeats`.
    - `successes`: number of networks that reach the score that counts as composing.
    """

    point: dict[str, str]
    seen: Measure
    novel: Measure
    successes: int

    @property
    def text(self) -> str:
        """The point as text."""
        return ", ".join(f"{name} {value}" for name, value in self.point.items())


def summarised(grid: Grid, rows: Iterable[Row], *, success: float) -> list[PointSummary]:
    """Summaries of the points with finished cells, in the order of the grid, with seeds as units."""
    by_point: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        by_point.setdefault(tuple(row.point.values()), []).append(row)
    return [
        PointSummary(
            point=alike[0].point,
            seen=_measure("seen score", SEEN, alike),
            novel=_measure("novel score", NOVEL, alike),
            successes=sum((row.values.get(NOVEL) or 0.0) >= success for row in alike),
        )
        for _, alike in sorted(by_point.items(), key=lambda entry: grid.order(entry[0]))
    ]


def highest_null(rows: Sequence[Row]) -> float:
    """The highest mean over these networks of any null of the novel score; 0 without nulls."""
    names = dict.fromkeys(name for row in rows for name in row.values if name.startswith(f"{NOVEL}_null_"))
    means = [[value for row in rows if (value := row.values.get(name)) is not None] for name in names]
    return max((sum(values) / len(values) for values in means if values), default=0.0)


def _measure(name: str, column: str, rows: Sequence[Row]) -> Measure:
    """Mean of a column over networks; `not enough data` with too few for an interval."""
    known = [row for row in rows if row.values.get(column) is not None]
    scores = [row.values[column] or 0.0 for row in known]
    interval = network_interval(scores, bounds=(0.0, 1.0))
    found = dict.fromkeys(other for row in known for other in row.values if other.startswith(f"{column}_null_"))
    nulls = []
    for other in found if interval else ():
        values = [row.values.get(other) for row in known]
        if None not in values:
            nulls.append(
                Null(
                    name=other.removeprefix(f"{column}_null_").replace("_", " "),
                    how="the mean of this null for each network; p by a paired t test over networks",
                    values=tuple(value for value in values if value is not None),
                    p=paired_p(torch.tensor(scores), torch.tensor(values)),
                )
            )
    return Measure(
        key=column,
        name=name,
        value=sum(scores) / len(scores) if interval and nulls else None,
        unit=rows[0].unit,
        direction="higher",
        interval=interval if nulls else None,
        nulls=tuple(nulls),
        units=len(scores),
        unit_of="network",
        repeats=tuple(scores),
        about=rows[0].point,
        headline=True,
        level=0 if column == SEEN else 2,
        note="" if interval and nulls else f"not enough data: {len(scores)} networks, and an interval needs {MIN_NETWORKS}",
    )
