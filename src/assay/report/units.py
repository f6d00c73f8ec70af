"""Units behind a measure: combinations, texts or networks by name, each with its value and with what nulls have on it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.cards import TaskCard
from assay.display import counted, number
from assay.evidence import Evidence, Measure
from assay.report.canvas import MUTED, NULL, VALUE, Canvas, Panel, Pixels
from assay.report.sheet import round_numbers, span_over
from assay.report.words import tick
from assay.stored_examples import COMBINATION

MOST_ROWS, FEWEST_ROWS = 200, 6  # of one measure
MOST_ON_PAGE = 4_000  # rows of all measures of a page together
MOST_PLOTS = 12  # of a page
STEP, LEAST_STEP, TALLEST = 6, 3, 140  # pixels from dot to dot, at the least where many are stacked, and of the highest stack
HEAD, FOOT, NUMBER = 10, 8, 30  # above the highest stack, beneath all, and from the number of one bar to that of another


@dataclass(frozen=True)
class UnitRow:
    """One unit: its name, where its example stands and what the network was given (both empty where that is not kept), its
    value, and the mean of every null on it."""

    name: str
    example: str
    text: str
    value: float
    nulls: tuple[float | None, ...]


@dataclass(frozen=True)
class MeasureUnits:
    """The units of one measure.

    **Attributes:** `anchor`: where they stand on the page; `nulls`: names of those that have values per unit; `rows`: from the
    lowest value to the highest; `left_out`: units between them that are not shown; `plot`: None where there are too many plots;
    `bars`: whether it counts units, in the place of a dot for each.
    """

    anchor: str
    measure: Measure
    nulls: tuple[str, ...]
    rows: tuple[UnitRow, ...]
    left_out: int
    plot: Panel | None
    bars: bool

    def row_anchor(self, row: int) -> str:
        """Where a row stands on the page, counted from 1."""
        return f"{self.anchor}-{row}"

    @property
    def row_anchors(self) -> dict[str, str]:
        """The same of all rows by their numbers."""
        return {str(k): self.row_anchor(k) for k in range(1, len(self.rows) + 1)}

    @property
    def some_unread(self) -> bool:
        """Whether a null has no value on one of the rows, such as one that reads some of the units only."""
        return any(value is None for row in self.rows for value in row.nulls)

    @property
    def some_text(self) -> bool:
        """Whether of any row it is known what the network was given."""
        return any(row.text for row in self.rows)


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
            _units(
                measure,
                task,
                examples,
                item.inputs.get(measure.unit_of, {}),
                anchor=f"units-{k + 1}-{j + 1}",
                most=most,
                plot=id(measure) in plotted,
            )
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


def _units(
    measure: Measure,
    task: TaskCard,
    examples: Mapping[int, str],
    texts: Mapping[int, str],
    *,
    anchor: str,
    most: int,
    plot: bool,
) -> MeasureUnits:
    of_task = measure.unit_of == COMBINATION and bool(measure.unit_ids)
    ids = measure.unit_ids or range(1, len(measure.repeats) + 1)
    names = [combination_name(task, one) if of_task else f"{measure.unit_of} {one}" for one in ids]
    nulls = [null for null in measure.nulls if null.units is not None and null.units.shape[1] == len(names)]
    means = [_means(null.units) for null in nulls if null.units is not None]
    shown = _ends(measure.repeats, [of_task and one in examples for one in ids], most)
    rows = tuple(
        UnitRow(
            names[k],
            examples.get(ids[k], "") if of_task else "",
            texts.get(measure.ids[k], ""),
            measure.repeats[k],
            tuple(one[k] for one in means),
        )
        for k in shown
    )
    left_out = len(names) - len(shown)
    drawn, bars = strip(measure, rows) if plot else (None, False)
    return MeasureUnits(anchor, measure, tuple(null.name for null in nulls), rows, left_out, drawn, bars)


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


def strip(measure: Measure, rows: Sequence[UnitRow]) -> tuple[Panel, bool]:
    """All units over their values, between the means of the nulls: a dot for each where all are shown and no stack is too high,
    else bars that count those of about one value. What stands at one value stands at one place.

    **Returns:** the panel, in which a mark leads to the number of its first row, from 1; and whether it has bars.
    """
    span = span_over([*measure.repeats, *(null.mean for null in measure.nulls if null.values)])
    place_of = [round(span.pixels(value) / STEP) for value in measure.repeats]
    counts = Counter(place_of)
    highest = max(counts.values())
    first: dict[int, int] = {}
    for k, row in enumerate(rows, 1):
        first.setdefault(round(span.pixels(row.value) / STEP), k)
    bars = len(rows) < len(measure.repeats) or highest * LEAST_STEP > TALLEST
    step = TALLEST / highest if bars else min(STEP, TALLEST / highest)
    height = HEAD + step * highest + FOOT
    canvas = Canvas(height + 20)
    for mark in round_numbers(span):
        x = round(span.pixels(mark)) + 0.5
        canvas.rule(x, 0, x, height, layer="back")
        canvas.text(tick(mark), span.pixels(mark), height + 12, align="center", colour=MUTED)
    for null in measure.nulls:
        if null.values:
            x = span.pixels(null.mean)
            canvas.line([(x, 0), (x, height)], colour=NULL, thick=2, dash=(3, 3), told=f"{null.name}: {number(null.mean)}")
    if bars:
        values = {place: [v for v, at in zip(measure.repeats, place_of, strict=True) if at == place] for place in counts}
        _bars(canvas, measure.unit_of, values, first, step=step, foot=height)
    else:
        stacked: Counter[int] = Counter()
        for k, row in enumerate(rows, 1):
            place = round(span.pixels(row.value) / STEP)
            told = f"{row.name}: {number(row.value)}"
            canvas.dot(place * STEP, height - FOOT / 2 - step * stacked[place], told, size=20, colour=VALUE, leads_to=str(k))
            stacked[place] += 1
    low, high = number(min(measure.repeats)), number(max(measure.repeats))
    told = f"{measure.label}: {counted(len(measure.repeats), measure.unit_of)}, from {low} to {high}."
    return canvas.panel("", "", told), bars


def _bars(
    canvas: Canvas, unit: str, values: Mapping[int, Sequence[float]], first: Mapping[int, int], *, step: float, foot: Pixels
) -> None:
    """A bar for every place, with the number of its units above it where no taller bar has its number there."""
    numbered: list[int] = []
    for place, members in sorted(values.items(), key=lambda item: -len(item[1])):
        tall = max(LEAST_STEP, step * len(members))
        low, high = number(min(members)), number(max(members))
        told = f"{counted(len(members), unit)} at {low}" + (f" to {high}" if high != low else "")
        x = place * STEP
        canvas.fill(x - STEP / 2, foot - tall, STEP - 1, tall, share=1.0, told=told, leads_to=str(first.get(place, "")))
        if all(abs(place - other) * STEP >= NUMBER for other in numbered):
            canvas.text(f"{len(members):,}", x, foot - tall - 6, align="center", colour=MUTED, size=9)
            numbered.append(place)
