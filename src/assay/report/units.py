"""Units behind a measure: combinations, texts or networks by name, with the values of the measure and of its nulls."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.cards import TaskCard
from assay.display import counted, number
from assay.evidence import Evidence, Measure
from assay.report.axis_canvas import round_numbers, span_over
from assay.report.canvas import MUTED, NULL, VALUE, Canvas, Panel, Pixels
from assay.report.words import tick
from assay.stored_examples import COMBINATION

MOST_ROWS, FEWEST_ROWS = 200, 6  # rows of one measure
MOST_ON_PAGE = 4_000  # rows of all measures of a page together
MOST_PLOTS = 12  # plots of a page
STEP, LEAST_STEP, TALLEST = 6, 3, 140  # pixels: distance of dots, the least, and height of the highest stack
HEAD, FOOT, NUMBER = 10, 8, 30  # pixels: above the highest stack, below all, and least distance between the numbers of two bars


@dataclass(frozen=True)
class UnitRow:
    """One unit: name, id, anchor of its example or picture, the network's input as text and its answer (empty where not
    stored), value, and mean of every null."""

    name: str
    id: int
    example: str
    text: str
    answer: str
    value: float
    nulls: tuple[float | None, ...]


@dataclass(frozen=True)
class MeasureUnits:
    """The units of one measure.

    **Attributes:** `anchor`: on the page; `nulls`: names of those with values per unit; `rows`: in ascending order of value;
    `left_out`: number of units in between that are not shown; `plot`: None where there are too many plots; `bars`: whether the
    plot has bars that count units instead of a dot for each.
    """

    anchor: str
    measure: Measure
    nulls: tuple[str, ...]
    rows: tuple[UnitRow, ...]
    left_out: int
    plot: Panel | None
    bars: bool

    def row_anchor(self, row: int) -> str:
        """Anchor of a row on the page, counted from 1."""
        return f"{self.anchor}-{row}"

    @property
    def row_anchors(self) -> dict[str, str]:
        """Anchors of all rows by their numbers."""
        return {str(k): self.row_anchor(k) for k in range(1, len(self.rows) + 1)}

    @property
    def has_missing_nulls(self) -> bool:
        """Whether some null lacks a value on some row."""
        return any(value is None for row in self.rows for value in row.nulls)

    @property
    def stored(self) -> dict[str, bool]:
        """Whether `text` and `answer` are stored for some row."""
        return {name: any(getattr(row, name) for row in self.rows) for name in ("text", "answer")}

    @property
    def leads_to_inputs(self) -> bool:
        """Whether some row shows an input of the network or leads to an example that does."""
        return any(row.example or row.text for row in self.rows)


def units_of(evidence: Sequence[Evidence], task: TaskCard, stored: Sequence[int]) -> list[list[MeasureUnits | None]]:
    """The units of every measure of every evidence; None where a measure has no values per unit.

    **Arguments:** `stored`: combinations with an example on the page.
    """
    every = [measure for item in evidence for measure in item.measures if measure.listed.values]
    most = min(MOST_ROWS, max(FEWEST_ROWS, MOST_ON_PAGE // max(1, len(every))))
    plotted = {id(measure) for measure in sorted(every, key=lambda measure: not measure.headline)[:MOST_PLOTS]}
    examples = {one: example_anchor(one) for one in stored}
    return [
        [
            _units(
                measure,
                task,
                examples,
                item,
                anchor=f"units-{k + 1}-{j + 1}",
                most=most,
                plot=id(measure) in plotted,
            )
            if measure.listed.values
            else None
            for j, measure in enumerate(item.measures)
        ]
        for k, item in enumerate(evidence)
    ]


def example_anchor(combination: int) -> str:
    """Anchor on the page of the example of a combination."""
    return f"example-{combination}"


def picture_anchor(item: Evidence, key: str, unit: int) -> str:
    """Anchor on the page of the picture of a unit. `key`: under which `Evidence.images` holds it."""
    return f"picture-{item.instrument}-{list(item.images).index(key)}-{unit}"


def combination_name(task: TaskCard, combination: int) -> str:
    """Name of a combination, such as `i=3, j=7`, decoded from its id (`Task.combination_id`)."""
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
    item: Evidence,
    *,
    anchor: str,
    most: int,
    plot: bool,
) -> MeasureUnits:
    values = measure.listed.values
    by_combination = measure.unit_of == COMBINATION and bool(measure.listed.ids)
    ids = measure.listed.ids or range(1, len(values) + 1)
    names = [combination_name(task, one) if by_combination else f"{measure.unit_of} {one}" for one in ids]
    nulls = [null for null in measure.nulls if null.units is not None and null.units.shape[1] == len(names)]
    means = [_means(null.units) for null in nulls if null.units is not None]
    texts, answers = (item.stored_of(name, measure)[1] for name in ("inputs", "answers"))
    key, pictured = item.stored_of("images", measure)
    has_example = [unit in pictured or (by_combination and one in examples) for unit, one in zip(measure.ids, ids, strict=True)]
    shown = _ends(values, has_example, most)
    rows = tuple(
        UnitRow(
            name=names[k],
            id=measure.ids[k],
            example=(
                picture_anchor(item, key, measure.ids[k])
                if measure.ids[k] in pictured
                else examples.get(ids[k], "")
                if by_combination
                else ""
            ),
            text=texts.get(measure.ids[k], ""),
            answer=answers.get(measure.ids[k], ""),
            value=values[k],
            nulls=tuple(one[k] for one in means),
        )
        for k in shown
    )
    left_out = len(names) - len(shown)
    drawn, bars = strip(measure, rows) if plot else (None, False)
    return MeasureUnits(anchor, measure, tuple(null.name for null in nulls), rows, left_out, drawn, bars)


def _ends(values: Sequence[float], stored: Sequence[bool], most: int) -> list[int]:
    """Indices of the lowest and the highest values, ascending; among equal values those with an example come first."""
    every = range(len(values))
    low = sorted(every, key=lambda k: (values[k], not stored[k], k))[: most - most // 2]
    high = sorted(set(every).difference(low), key=lambda k: (-values[k], not stored[k], k))[: most // 2]
    return sorted([*low, *high], key=lambda k: (values[k], not stored[k], k))


def _means(units: np.ndarray) -> list[float | None]:
    """Mean of every unit over the repeats that have it; None without any."""
    read = ~np.isnan(units)
    sums, counts = np.where(read, units, 0).sum(0, dtype=float), read.sum(0)
    return [float(total / count) if count else None for total, count in zip(sums, counts, strict=True)]


def strip(measure: Measure, rows: Sequence[UnitRow]) -> tuple[Panel, bool]:
    """Plot of all units by value, with lines at the means of the nulls: a stacked dot for each unit if all have a row and no
    stack is too high, else a histogram.

    **Returns:** the panel, whose marks link to the number of their first row, from 1; and whether it is a histogram.
    """
    every = measure.listed.values
    nulls = [null for null in measure.nulls if null.values and measure.repeats]  # raw values have no nulls
    span = span_over([*every, *(null.mean for null in nulls)])
    place_of = [round(span.pixels(value) / STEP) for value in every]
    counts = Counter(place_of)
    highest = max(counts.values())
    first: dict[int, int] = {}
    for k, row in enumerate(rows, 1):
        first.setdefault(round(span.pixels(row.value) / STEP), k)
    bars = len(rows) < len(every) or highest * LEAST_STEP > TALLEST
    step = TALLEST / highest if bars else min(STEP, TALLEST / highest)
    height = HEAD + step * highest + FOOT
    canvas = Canvas(height + 20)
    for mark in round_numbers(span):
        x = round(span.pixels(mark)) + 0.5
        canvas.rule(x, 0, x, height, layer="back")
        canvas.text(tick(mark), span.pixels(mark), height + 12, align="center", colour=MUTED)
    for null in nulls:
        x = span.pixels(null.mean)
        canvas.line([(x, 0), (x, height)], colour=NULL, thick=2, dash=(3, 3), description=f"{null.name}: {number(null.mean)}")
    if bars:
        values = {place: [v for v, at in zip(every, place_of, strict=True) if at == place] for place in counts}
        _bars(canvas, measure.unit_of, values, first, step=step, foot=height)
    else:
        stacked: Counter[int] = Counter()
        for k, row in enumerate(rows, 1):
            place = round(span.pixels(row.value) / STEP)
            description = f"{row.name}: {number(row.value)}"
            canvas.dot(
                place * STEP, height - FOOT / 2 - step * stacked[place], description, size=20, colour=VALUE, leads_to=str(k)
            )
            stacked[place] += 1
    low, high = number(min(every)), number(max(every))
    description = f"{measure.label}: {counted(len(every), measure.unit_of)}, from {low} to {high}."
    return canvas.panel("", "", description), bars


def _bars(
    canvas: Canvas, unit: str, values: Mapping[int, Sequence[float]], first: Mapping[int, int], *, step: float, foot: Pixels
) -> None:
    """Bars of the histogram, each with its count above unless that of a taller bar is too close."""
    numbered: list[int] = []
    for place, members in sorted(values.items(), key=lambda item: -len(item[1])):
        tall = max(LEAST_STEP, step * len(members))
        low, high = number(min(members)), number(max(members))
        description = f"{counted(len(members), unit)} at {low}" + (f" to {high}" if high != low else "")
        x = place * STEP
        canvas.fill(
            x - STEP / 2, foot - tall, STEP - 1, tall, share=1.0, description=description, leads_to=str(first.get(place, ""))
        )
        if all(abs(place - other) * STEP >= NUMBER for other in numbered):
            canvas.text(f"{len(members):,}", x, foot - tall - 6, align="center", colour=MUTED, size=9)
            numbered.append(place)
