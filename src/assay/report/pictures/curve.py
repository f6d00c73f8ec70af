"""Lines over one axis: what was measured in strong lines, each in its colour, its nulls in grey ones, each named at its end."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assay.figure import Curve, Line, Plot
from assay.report.axis_canvas import MOST_DRAWN, Span, round_numbers, span_over
from assay.report.canvas import (
    FAINT,
    INK,
    MUTED,
    NULL,
    SERIES,
    VALUE,
    WIDTH,
    Canvas,
    Panel,
    Pixels,
    Point,
    shortened,
    width_of,
)
from assay.report.families import grouped
from assay.report.pictures.picture import LINE, DrawnFigure, apart
from assay.report.words import number, tick

LEFT = 30  # of the axis numbers
NAMES = 116  # at the right, for the names of the lines
ROOM = WIDTH - LEFT - NAMES  # width of the plot itself
PLOT = 170  # height
TOP = 6
FOOT = 34
SHORT = 5  # half the width of the line of a single point, which no line would show
DASHES = {"solid": (), "dotted": (2, 2), "dashed": (6, 3)}
MOST_ROWS, ROW = 4, 12  # of words beneath the axis, and the height of one
LOGARITHMIC_FROM = 20  # the ratio of the largest to the smallest number from which an axis is logarithmic

Place = str | float | int


def curve_picture(curve: Curve) -> DrawnFigure | None:
    """A panel for each plot that has a value, all over the same axis; None where no plot has one."""
    places = [x for plot in curve.plots for line in plot.lines for x in line.x]
    numbers = [x for x in places if not isinstance(x, str)]
    across = of_sizes(curve.across, numbers) if len(numbers) == len(places) else in_order(curve.across, places)
    names = dict.fromkeys(line.name for plot in curve.plots for line in plot.lines if not line.null and _spots(line))
    colours = {name: SERIES[k % len(SERIES)] for k, name in enumerate(names)}
    panels = tuple(_panel(plot, across, colours) for plot in curve.plots if any(map(_spots, plot.lines)))
    return DrawnFigure(curve.name, curve.caption, panels) if panels else None


class Spot(NamedTuple):
    """A point that has a value: its interval where it has one, whether it stands out, its units, a remark, its link target."""

    x: Place
    y: float
    bounds: tuple[float, float] | None
    marked: bool
    units: str
    note: str
    leads_to: str

    @property
    def description(self) -> str:
        where = self.x if isinstance(self.x, str) else number(self.x)
        within = f" [{number(self.bounds[0])}, {number(self.bounds[1])}]" if self.bounds else ""
        return f"{where}: {number(self.y)}{within}"


def _spots(line: Line) -> list[Spot]:
    spots = []
    for k, (x, y) in enumerate(zip(line.x, line.y, strict=True)):
        low, high = line.low[k] if line.low else None, line.high[k] if line.high else None
        if y is not None:
            bounds = None if low is None or high is None else (low, high)
            told = (of_points[k] if of_points else "" for of_points in (line.units, line.notes, line.leads_to))
            spots.append(Spot(x, y, bounds, k in line.marked, *told))
    return spots


@dataclass(frozen=True)
class Across:
    """An axis from left to right: where in [0, 1] its values lie, and the words beneath it, in one row or several."""

    title: str
    places: Mapping[Place, float]
    rows: tuple[tuple[tuple[float, str], ...], ...]


def in_order(title: str, values: Iterable[Place]) -> Across:
    """Values in order of appearance, evenly spaced."""
    distinct = list(dict.fromkeys(values))
    places = {value: (k / (len(distinct) - 1) if len(distinct) > 1 else 0.5) for k, value in enumerate(distinct)}
    ticks = [(place, value if isinstance(value, str) else tick(value)) for value, place in places.items()]
    return Across(title, places, _in_rows(ticks))


def _in_rows(ticks: Sequence[tuple[float, str]]) -> tuple[tuple[tuple[float, str], ...], ...]:
    """The words in as many rows as they need up to `MOST_ROWS`, one after the other in the first that has room; where that is
    not enough, or there are many, the legible ones in one row."""
    rows: list[list[tuple[float, str]]] = []
    for place, words in ticks:
        left, _ = _centred(place, words)
        free = next((row for row in rows if _centred(*row[-1])[1] + 6 <= left), None)
        if free is None:
            rows.append(free := [])
        free.append((place, words))
    return tuple(map(tuple, rows)) if len(rows) <= MOST_ROWS and len(ticks) <= 3 * MOST_ROWS else (_legible(ticks),)


def _legible(ticks: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """The first and the last, and of those between every n-th, for the least n at which no two touch."""

    def free(chosen: Sequence[tuple[float, str]]) -> bool:
        ends = [_centred(place, word) for place, word in chosen]
        return all(ends[k][1] + 6 <= ends[k + 1][0] for k in range(len(ends) - 1))

    last = len(ticks) - 1
    for every in range(1, len(ticks)):
        chosen = [ticks[k] for k in range(0, last, every)]
        while len(chosen) > 1 and not free([chosen[-1], ticks[last]]):
            chosen.pop()
        if free([*chosen, ticks[last]]):
            return (*chosen, ticks[last])
    return tuple(ticks[:1])


def _centred(place: float, words: str) -> tuple[Pixels, Pixels]:
    """From where to where words beneath a place reach, in pixels; none beyond the left edge."""
    half = width_of(words) / 2
    middle = max(_x(place), half)
    return middle - half, middle + half


def _x(place: float) -> Pixels:
    return LEFT + 6 + place * (ROOM - 12)


def of_sizes(title: str, values: Sequence[float | int]) -> Across:
    """Numbers, zero included; logarithmic where none is negative and they differ by much. Zero then stands at the left edge."""
    positive = sorted({min(value, MOST_DRAWN) for value in values if value > 0})
    if not positive or min(values) < 0 or positive[-1] < LOGARITHMIC_FROM * positive[0]:
        span = span_over(map(float, values))
        places: dict[Place, float] = {value: span.pixels(float(value)) / WIDTH for value in values}
        return Across(title, places, (_legible([(span.pixels(mark) / WIDTH, tick(mark)) for mark in round_numbers(span)]),))
    first, last = math.floor(math.log10(positive[0])), math.ceil(math.log10(positive[-1]))
    edge = 0.08 if 0 in values else 0.0

    def place(value: float | int) -> float:
        return edge + (1 - edge) * (math.log10(value) - first) / (last - first) if value > 0 else 0.0

    powers = range(first, last + 1, max(1, math.ceil((last - first) / 5)))
    ticks = [*([(0.0, "0")] if edge else []), *((place(10.0**power), tick(10.0**power)) for power in powers)]
    return Across(f"{title}, logarithmic", {value: place(value) for value in values}, (_legible(ticks),))


@dataclass(frozen=True)
class _Frame:
    """The plot: where a point of it lies on the canvas, in pixels."""

    across: Across
    up: Span
    height: Pixels

    def x(self, spot: Spot) -> Pixels:
        return _x(self.across.places[spot.x])

    def y(self, value: float | int) -> Pixels:
        return TOP + (1 - self.up.pixels(value) / WIDTH) * self.height

    def at(self, spot: Spot) -> Point:
        return self.x(spot), self.y(spot.y)


def _panel(plot: Plot, across: Across, colours: Mapping[str, str]) -> Panel:
    """Every point of a line that is no null is a dot, on its interval where it has one; that of a null is a band. `colours`: of
    lines that are no nulls, by their names."""
    drawn = [(line, spots) for line in plot.lines if (spots := _spots(line))]
    up = span_over([y for _, spots in drawn for spot in spots for y in (spot.y, *(spot.bounds or ()))])
    height = max(PLOT, LINE * len({line.name for line, _ in drawn}))
    beneath = ROW * max(0, len(across.rows) - 1)
    frame, canvas = _Frame(across, up, height), Canvas(TOP + height + beneath + FOOT)
    for stretch in plot.stretches:
        left, right = (_x(across.places[place]) for place in (stretch.start, stretch.end))
        corners = [(left, TOP), (right, TOP), (right, TOP + height), (left, TOP + height)]
        canvas.area(corners, colour=VALUE, description=stretch.note)
    for mark in round_numbers(up):
        canvas.rule(LEFT, frame.y(mark), LEFT + ROOM, frame.y(mark), colour=FAINT)
        canvas.text(tick(mark), LEFT - 6, frame.y(mark), align="right", colour=MUTED)
    for k, row in enumerate(across.rows):
        for place, words in row:
            if len(across.rows) > 1:
                canvas.rule(_x(place), TOP + height, _x(place), TOP + height + 6 + ROW * k, colour=FAINT)
            canvas.text(words, sum(_centred(place, words)) / 2, TOP + height + 12 + ROW * k, align="center", colour=MUTED)
    canvas.text(across.title, LEFT + ROOM / 2, TOP + height + beneath + 27, align="center", colour=MUTED)
    nulls = list(dict.fromkeys(line.name for line in plot.lines if line.null))
    for line, spots in sorted(drawn, key=lambda each: not each[0].null):
        # Nulls without a style of their own get one after the other, so that they can be followed where they cross.
        dash = [*DASHES.values()][nulls.index(line.name) % 3] if line.null and line.style == "solid" else DASHES[line.style]
        colour = NULL if line.null else colours[line.name]
        canvas.line(_widened([frame.at(spot) for spot in spots]), colour=colour, dash=dash, description=_told(line, spots))
        within = [(frame.x(spot), *map(frame.y, spot.bounds)) for spot in spots if spot.bounds]
        if line.null and within:
            lows, highs = _widened([(x, low) for x, low, _ in within]), _widened([(x, high) for x, _, high in within])
            canvas.area([*lows, *reversed(highs)], colour=NULL)
        for x, low, high in () if line.null else within:
            canvas.rule(x, low, x, high, colour=colour, thick=3)
    dots = [(line, spot) for line, spots in drawn for spot in spots if spot.marked or not line.null]
    for line, spot in sorted(dots, key=lambda each: each[1].marked):  # so that none covers one that stands out
        colour, size = NULL if line.null else colours[line.name], 90 if spot.marked else 24
        description = "; ".join(filter(None, (f"{line.name}, {spot.description}", plot.subtitle, spot.units, spot.note)))
        canvas.dot(*frame.at(spot), description, size=size, colour=colour, leads_to=spot.leads_to)
    _names(canvas, frame, drawn, colours if len(colours) > 1 else dict.fromkeys(colours, INK))
    description = "; ".join([*(_told(line, spots) for line, spots in drawn), *(stretch.note for stretch in plot.stretches)])
    return canvas.panel(plot.title, plot.subtitle, f"{plot.title} {plot.subtitle}".strip() + f". {description}.")


def _told(line: Line, spots: Sequence[Spot]) -> str:
    return f"{line.name}: {', '.join(spot.description for spot in spots)}"


def _widened(points: list[Point]) -> list[Point]:
    """A single point as a short line."""
    return points if len(points) > 1 else [(x + end, y) for x, y in points for end in (-SHORT, SHORT)]


def _names(canvas: Canvas, frame: _Frame, drawn: Sequence[tuple[Line, list[Spot]]], colours: Mapping[str, str]) -> None:
    """Every name at the right, on a thin line from where its curves end."""
    named = list(grouped(drawn, lambda each: each[0].name).items())
    ends = [[frame.at(spots[-1]) for _, spots in members] for _, members in named]
    wanted = [sum(y for _, y in points) / len(points) for points in ends]
    for (name, members), points, y in zip(named, ends, apart(wanted, low=TOP, high=TOP + frame.height), strict=True):
        x, end = max(points)
        canvas.rule(x + 3, end, LEFT + ROOM + 8, y, colour=FAINT)
        colour, weight = (MUTED, "normal") if members[0][0].null else (colours[name], "bold")
        canvas.text(shortened(name, NAMES - 12), LEFT + ROOM + 12, y, colour=colour, weight=weight)
