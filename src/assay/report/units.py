"""Units behind a measure: combinations, texts or networks by name, each with its value and with what nulls have on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.cards import TaskCard
from assay.display import number
from assay.evidence import Evidence, Measure
from assay.report.canvas import MUTED, NULL, VALUE, Canvas, Panel
from assay.report.sheet import round_numbers, span_over
from assay.report.words import tick
from assay.stored_examples import COMBINATION

MOST_ROWS, FEWEST_ROWS = 200, 6  # of one measure
MOST_ON_PAGE = 4_000  # rows of all measures of a page together
MOST_PLOTS = 12  # of a page
STEP, TALLEST, COLUMNS = 6, 140, 3  # pixels from dot to dot and of the highest stack, and columns that equal values stand in


@dataclass(frozen=True)
class UnitRow:
    """One unit: its name, where its example stands (empty where there is none), its value, and the mean of every null on it."""

    name: str
    example: str
    value: float
    nulls: tuple[float | None, ...]


@dataclass(frozen=True)
class MeasureUnits:
    """The units of one measure.

    **Attributes:** `anchor`: where they stand on the page; `nulls`: names of those that have values per unit; `rows`: from the
    lowest value to the highest; `left_out`: units between them that are not shown; `plot`: None where there are too many plots.
    """

    anchor: str
    measure: Measure
    nulls: tuple[str, ...]
    rows: tuple[UnitRow, ...]
    left_out: int
    plot: Panel | None

    @property
    def some_unread(self) -> bool:
        """Whether a null has no value on one of the rows, such as one that reads some of the units only."""
        return any(value is None for row in self.rows for value in row.nulls)


def units_of(evidence: Sequence[Evidence], task: TaskCard, stored: Sequence[int]) -> list[list[MeasureUnits | None]]:
    """For every measure of every evidence its units; None where it keeps none.

    **Arguments:** `stored`: the combinations of which an example is on the page.
    """
    every = [measure for item in evidence for measure in item.measures if measure.repeats]
    most = min(MOST_ROWS, max(FEWEST_ROWS, MOST_ON_PAGE // max(1, len(every))))
    plotted = {id(measure) for measure in sorted(every, key=lambda measure: not measure.headline)[:MOST_PLOTS]}
    examples = {one: example_anchor(one) for one in stored}
    return [
        [
            _units(measure, task, examples, anchor=f"units-{k + 1}-{j + 1}", most=most, plot=id(measure) in plotted)
            if measure.repeats
            else None
            for j, measure in enumerate(item.measures)
        ]
        for k, item in enumerate(evidence)
    ]


def example_anchor(combination: int) -> str:
    """Where the example of a combination stands on the page."""
    return f"example-{combination}"


def combination_name(task: TaskCard, combination: int) -> str:
    """Such as `i=3, j=7`: the digits of the id, the last of the combined parts varying fastest (`Task.combination_id`)."""
    parts = {part.name: part.values for part in task.parts}
    rest, names = combination, []
    for name in reversed(task.combines):
        rest, value = divmod(rest, len(parts[name]))
        names.append(f"{name}={parts[name][value]}")
    return ", ".join(reversed(names)) if names and not rest and combination >= 0 else f"{COMBINATION} {combination}"


def _units(measure: Measure, task: TaskCard, examples: dict[int, str], *, anchor: str, most: int, plot: bool) -> MeasureUnits:
    of_task = measure.unit_of == COMBINATION and bool(measure.unit_ids)
    ids = measure.unit_ids or range(1, len(measure.repeats) + 1)
    names = [combination_name(task, one) if of_task else f"{measure.unit_of} {one}" for one in ids]
    nulls = [null for null in measure.nulls if null.units is not None and null.units.shape[1] == len(names)]
    means = [_means(null.units) for null in nulls if null.units is not None]
    shown = _ends(measure.repeats, [of_task and one in examples for one in ids], most)
    rows = tuple(
        UnitRow(names[k], examples.get(ids[k], "") if of_task else "", measure.repeats[k], tuple(one[k] for one in means))
        for k in shown
    )
    left_out = len(names) - len(shown)
    return MeasureUnits(
        anchor, measure, tuple(null.name for null in nulls), rows, left_out, dots(measure, rows) if plot else None
    )


def _ends(values: Sequence[float], stored: Sequence[bool], most: int) -> list[int]:
    """Places of the lowest and of the highest values, from low to high; among equal ones those with an example come first."""
    every = range(len(values))
    low = sorted(every, key=lambda k: (values[k], not stored[k], k))[: most - most // 2]
    high = sorted(set(every).difference(low), key=lambda k: (-values[k], not stored[k], k))[: most // 2]
    return sorted([*low, *high], key=lambda k: (values[k], not stored[k], k))


def _means(units: np.ndarray) -> list[float | None]:
    """Of every unit the mean over the repeats that have read it."""
    read = ~np.isnan(units)
    sums, counts = np.where(read, units, 0).sum(0, dtype=float), read.sum(0)
    return [float(total / count) if count else None for total, count in zip(sums, counts, strict=True)]


def dots(measure: Measure, rows: Sequence[UnitRow]) -> Panel:
    """A dot for every unit, which tells its name when pointed at, over the mean of the measure and of its nulls."""
    values = [row.value for row in rows]
    span = span_over([*values, *(null.mean for null in measure.nulls if null.values)])
    bins: dict[int, list[UnitRow]] = {}
    for row in rows:
        bins.setdefault(round(span.pixels(row.value) / STEP), []).append(row)
    highest = max(map(len, bins.values()), default=1)
    columns = 1 if highest * STEP <= TALLEST else COLUMNS
    step = min(STEP, TALLEST / math.ceil(highest / columns))
    height = step * math.ceil(highest / columns) + 10
    canvas = Canvas(height + 20)
    for mark in round_numbers(span):
        x = round(span.pixels(mark)) + 0.5
        canvas.rule(x, 0, x, height, layer="back")
        canvas.text(tick(mark), span.pixels(mark), height + 12, align="center", colour=MUTED)
    for null in measure.nulls:
        if null.values:
            x = span.pixels(null.mean)
            canvas.line([(x, 0), (x, height)], colour=NULL, thick=2, dash=(3, 3), told=f"{null.name}: {number(null.mean)}")
    for place, members in bins.items():
        for k, row in enumerate(members):
            level, column = divmod(k, columns)
            x = place * STEP + STEP * (column - (columns - 1) / 2)
            told = f"{row.name}: {number(row.value)}"
            canvas.dot(x, height - 4 - step * level, told, size=20, colour=VALUE)
    title = f"{measure.label}: {len(rows)} units"
    return canvas.panel("", "", f"{title}, from {number(min(values))} to {number(max(values))}.")
