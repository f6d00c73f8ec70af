"""Curves on one axis: what was measured in strong lines, its nulls in grey ones, each named at its end."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.report.canvas import FAINT, INK, MUTED, NULL, VALUE, WIDTH, Canvas, Panel, Pixels, shortened, width_of
from assay.report.families import grouped
from assay.report.pictures.picture import LINE, Cell, apart
from assay.report.sheet import MOST_DRAWN, Span, round_numbers, span_over
from assay.report.words import MINUS, number

LEFT = 30  # of the axis numbers
NAMES = 116  # at the right, for the names of the lines
PLOT = 170  # height
TOP = 6
FOOT = 34
DASHES = ((), (2, 2), (6, 3))
LOGARITHMIC_FROM = 20  # the ratio of the largest to the smallest value from which an axis of sizes is logarithmic


@dataclass(frozen=True)
class Spot:
    """A point of a line: its value on the axis, its height, its interval where it has one, and whether it stands out."""

    x: Cell
    y: float
    bounds: tuple[float, float] | None = None
    marked: bool = False

    @property
    def told(self) -> str:
        where = number(self.x) if isinstance(self.x, (int, float)) else self.x
        within = f" [{number(self.bounds[0])}, {number(self.bounds[1])}]" if self.bounds else ""
        return f"{where}: {number(self.y)}{within}"


@dataclass(frozen=True)
class Line:
    """Points from left to right. Lines of one name share their label."""

    name: str
    spots: tuple[Spot, ...]
    is_null: bool = False
    dash: tuple[int, ...] = DASHES[0]

    @property
    def told(self) -> str:
        return f"{self.name}: {', '.join(spot.told for spot in self.spots)}"


@dataclass(frozen=True)
class Across:
    """An axis from left to right: where in [0, 1] its values lie, and the words beneath it."""

    title: str
    places: Mapping[Cell, float]
    ticks: tuple[tuple[float, str], ...]


def in_order(title: str, values: Sequence[Cell]) -> Across:
    """Values in order of appearance, evenly spaced."""
    distinct = list(dict.fromkeys(values))
    places = {value: (k / (len(distinct) - 1) if len(distinct) > 1 else 0.5) for k, value in enumerate(distinct)}
    words = [value if isinstance(value, str) else "" if value is None else f"{value:g}" for value in distinct]
    ticks = [(places[value], word) for value, word in zip(distinct, words, strict=True)]
    return Across(title, places, tuple(_legible(ticks)))


def _legible(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
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
            return [*chosen, ticks[last]]
    return list(ticks[:1])


def _centred(place: float, words: str) -> tuple[Pixels, Pixels]:
    """From where to where words beneath a place reach, in pixels; none beyond the left edge."""
    half = width_of(words) / 2
    middle = max(LEFT + 6 + place * (_room() - 12), half)
    return middle - half, middle + half


def of_sizes(title: str, values: Sequence[float]) -> Across:
    """Sizes, not negative; logarithmic where they differ by much. A size of zero then stands at the left edge."""
    positive = sorted({min(value, MOST_DRAWN) for value in values if value > 0})
    if not positive or positive[-1] < LOGARITHMIC_FROM * positive[0]:
        span = span_over(values)
        places: dict[Cell, float] = {value: span.pixels(value) / WIDTH for value in values}
        return Across(title, places, tuple((span.pixels(mark) / WIDTH, f"{mark:g}") for mark in round_numbers(span)))
    first, last = math.floor(math.log10(positive[0])), math.ceil(math.log10(positive[-1]))
    edge = 0.08 if 0 in values else 0.0

    def place(value: float) -> float:
        return edge + (1 - edge) * (math.log10(value) - first) / (last - first) if value > 0 else 0.0

    powers = range(first, last + 1, max(1, math.ceil((last - first) / 5)))
    ticks = [(place(10.0**power), f"{10.0**power:g}") for power in powers]
    return Across(f"{title}, logarithmic", {value: place(value) for value in values}, (*([(0.0, "0")] if edge else []), *ticks))


@dataclass(frozen=True)
class _Frame:
    """The plot: where a point of it lies on the canvas, in pixels."""

    across: Across
    up: Span
    height: Pixels

    def x(self, place: Pixels) -> Pixels:
        return LEFT + 6 + place * (_room() - 12)

    def y(self, value: float | int) -> Pixels:
        return TOP + (1 - self.up.pixels(value) / WIDTH) * self.height

    def at(self, spot: Spot) -> tuple[Pixels, Pixels]:
        return self.x(self.across.places[spot.x]), self.y(spot.y)


def curve_panel(title: str, subtitle: str, across: Across, lines: Sequence[Line]) -> Panel:
    """One panel. Every spot of a line that is no null is a dot, on its interval where it has one."""
    drawn = [line for line in lines if line.spots]
    up = span_over([y for line in drawn for spot in line.spots for y in (spot.y, *(spot.bounds or ()))])
    height = max(PLOT, LINE * len({line.name for line in drawn}))
    frame, canvas = _Frame(across, up, height), Canvas(TOP + height + FOOT)
    for mark in round_numbers(up):
        canvas.rule(LEFT, frame.y(mark), LEFT + _room(), frame.y(mark), colour=FAINT)
        canvas.text(f"{mark:g}".replace("-", MINUS), LEFT - 6, frame.y(mark), align="right", colour=MUTED)
    for place, words in across.ticks:
        canvas.text(words, sum(_centred(place, words)) / 2, TOP + height + 12, align="center", colour=MUTED)
    canvas.text(across.title, LEFT + _room() / 2, TOP + height + 27, align="center", colour=MUTED)
    for line in sorted(drawn, key=lambda line: not line.is_null):
        points = [frame.at(spot) for spot in line.spots]
        if len(points) == 1:  # which no line shows
            points = [(points[0][0] - 5, points[0][1]), (points[0][0] + 5, points[0][1])]
        canvas.line(points, colour=NULL if line.is_null else VALUE, dash=line.dash, told=line.told)
    spots = [(line.name, spot) for line in drawn if not line.is_null for spot in line.spots]
    for name, spot in sorted(spots, key=lambda named: named[1].marked):  # so that none covers one that stands out
        x, y = frame.at(spot)
        if spot.bounds:
            canvas.rule(x, frame.y(spot.bounds[0]), x, frame.y(spot.bounds[1]), colour=VALUE, thick=3)
        canvas.dot(x, y, f"{name}, {spot.told}", size=90 if spot.marked else 24)
    _names(canvas, frame, drawn)
    told = "; ".join(line.told for line in drawn)
    return canvas.panel(title, subtitle, f"{title} {subtitle}".strip() + f". {told}.")


def _room() -> int:
    """Width of the plot itself."""
    return WIDTH - LEFT - NAMES


def _names(canvas: Canvas, frame: _Frame, lines: Sequence[Line]) -> None:
    """Every name at the right, on a thin line from where its curves end."""
    named = list(grouped(lines, lambda line: line.name).items())
    ends = [[frame.at(line.spots[-1]) for line in members] for _, members in named]
    wanted = [sum(y for _, y in points) / len(points) for points in ends]
    for (name, members), points, y in zip(named, ends, apart(wanted, low=TOP, high=TOP + frame.height), strict=True):
        x, end = max(points)
        canvas.rule(x + 3, end, LEFT + _room() + 8, y, colour=FAINT)
        colour, weight = (MUTED, "normal") if members[0].is_null else (INK, "bold")
        canvas.text(shortened(name, NAMES - 12), LEFT + _room() + 12, y, colour=colour, weight=weight)
