"""A sheet to draw a panel on: marks in data units across and in pixels down, turned into one altair chart."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from assay.evidence import Measure
from assay.report.words import MINUS, number

if TYPE_CHECKING:
    import altair as alt

WIDTH = 312  # of the plot; 8 pixels on either side make 328, what a phone of 360 leaves
MARGIN = 8
MOST_DRAWN, LEAST_DRAWN = 1e300, 1e-300  # numbers beyond are drawn at the edge, and spans below as none
CHARACTER = 6.0  # mean width of a character of 11 pixels, in the widest of the usual fonts

# Every colour has a name, so that a page can put its own in place of each (`page.inlined`).
PAPER, INK, MUTED, FAINT, VALUE, NULL = "#fffffe", "#1d2126", "#59616b", "#e3e5e8", "#12598c", "#a5abb3"
TOKENS = {PAPER: "paper", INK: "ink", MUTED: "muted", FAINT: "faint", VALUE: "value", NULL: "null"}
SHAPES = ("diamond", "square", "triangle-up", "cross", "triangle-down", "circle")


class Span(NamedTuple):
    """What an axis reaches, in data units."""

    low: float
    high: float

    def pixels(self, x: float) -> float:
        return (x - self.low) / (self.high - self.low) * WIDTH


def span_of(measures: Iterable[Measure]) -> Span:
    """[0, 1] when everything lies within; otherwise everything, zero included, out to round numbers."""
    reached: list[float] = []
    for measure in measures:
        reached += [measure.value] if measure.value is not None else []
        reached += [measure.interval.low, measure.interval.high] if measure.interval else []
        reached += [value for null in measure.nulls for value in null.values]
    return span_over(reached)


def span_over(numbers: Iterable[float]) -> Span:
    """The same of numbers."""
    reached = [0.0, *numbers]
    low, high = max(min(reached), -MOST_DRAWN), min(max(reached), MOST_DRAWN)
    if low >= 0 and high <= 1 and high > 0:
        return Span(0.0, 1.0)
    if high - low < LEAST_DRAWN:
        return Span(-1.0, 1.0)
    step = 10 ** math.floor(math.log10(high - low)) / 10
    return Span(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step)


class Sheet:
    """Collects marks from top to bottom; `height` grows with `down`."""

    def __init__(self, span: Span):
        self.span = span
        self.height = 0
        self._ticks: list[dict[str, Any]] = []
        self._ranges: list[dict[str, Any]] = []
        self._bars: list[dict[str, Any]] = []
        self._shapes: list[dict[str, Any]] = []
        self._dots: list[dict[str, Any]] = []
        self._texts: list[dict[str, Any]] = []
        self._chance: float | None = None
        self._clear: list[tuple[int, int]] = []  # from where to where no line may run down, because of a heading

    def down(self, pixels: int) -> None:
        self.height += pixels

    def text(self, words: str, x: float, *, align: str = "left", colour: str = INK, weight: str = "normal") -> None:
        """Words whose anchor is `x` pixels from the left edge."""
        self._texts.append({"x": x, "y": self.height, "words": words, "align": align, "colour": colour, "weight": weight})

    def heading(self, label: str, told: str, *, colour: str = INK, weight: str = "bold") -> None:
        """A label at the left edge and a number at the right, on two lines where one is too short."""
        room = WIDTH - CHARACTER * len(told) - 14
        lines = _wrapped(label, int(room / CHARACTER)) if CHARACTER * len(label) > room else [label]
        self._clear.append((self.height - 8, self.height + 14 * len(lines) - 6))
        for index, line in enumerate(lines):
            self.text(line, 0.0, colour=colour, weight=weight)
            if index < len(lines) - 1:
                self.down(14)
        is_number = told[:1].isdigit() or told[:1] == MINUS
        self.text(told, float(WIDTH), align="right", colour=INK if is_number else MUTED)

    def value(self, measure: Measure, told: str) -> None:
        """The dot, on its interval."""
        if measure.value is None:
            return
        if measure.interval:
            self._bars.append({"low": measure.interval.low, "high": measure.interval.high, "y": self.height})
        self._dots.append({"x": measure.value, "y": self.height, "told": told})

    def repeats(self, values: Sequence[float], label: str) -> None:
        """A tick for every repeat of a null, a tall one for their mean, and the label where there is room beside them."""
        self._ticks += [{"x": value, "y": self.height, "tall": False} for value in _by_rank(values)]
        self._ticks.append({"x": sum(values) / len(values), "y": self.height, "tall": True})
        left, right = self.span.pixels(min(values)), self.span.pixels(max(values))
        need = CHARACTER * len(label) + 8
        if WIDTH - right >= need:
            self.text(label, right + 8, colour=MUTED)
        elif left >= need:
            self.text(label, left - 8, align="right", colour=MUTED)
        else:
            self.down(14)
            self.text(label, 0.0, colour=MUTED)

    def null(self, values: Sequence[float], shape: str) -> None:
        """A mark at a null's mean, on a thin line from its lowest repeat to its highest."""
        self._ranges.append({"low": min(values), "high": max(values), "y": self.height})
        self._shapes.append({"x": sum(values) / len(values), "y": self.height, "shape": shape})

    def key(self, shapes: dict[str, str]) -> None:
        """Which shape is which null, two on a line while they fit."""
        at, top = 0.0, self.height
        for index, (name, shape) in enumerate(shapes.items()):
            need = CHARACTER * len(name) + 30
            if index and at + need > WIDTH:
                self.down(16)
                at = 0.0
            self._shapes.append({"x": self._data(at + 5), "y": self.height, "shape": shape})
            self.text(name, at + 14, colour=MUTED)
            at += max(need, WIDTH / 2)
        self._clear.append((top - 8, self.height + 8))

    def chance(self, value: float) -> bool:
        """A dashed line down the sheet, labelled at its foot. False when it lies outside and nothing is drawn."""
        if not self.span.low <= value <= self.span.high:
            return False
        self._chance = value
        self.down(12)
        at, words = self.span.pixels(value), f"chance {number(value)}"
        right = at + CHARACTER * len(words) + 8 > WIDTH
        self.text(words, at - 5 if right else at + 5, align="right" if right else "left", colour=MUTED)
        self.down(4)
        return True

    def chart(self, unit: str) -> "alt.LayerChart":
        """The sheet as a chart. `unit` is the title of the axis; empty for none."""
        import altair as alt

        x_scale = alt.Scale(domain=list(self.span), nice=False, zero=False)
        y_scale = alt.Scale(domain=[0, self.height], range=[0, self.height], nice=False, zero=False)
        numbers = ",.4~r" if max(map(abs, self.span)) >= 1000 else ".4~g"
        axis = alt.Axis(title=unit or None, values=round_numbers(self.span), format=numbers)
        y = alt.Y("y:Q", scale=y_scale, axis=None)

        def layer(rows: list[dict[str, Any]]) -> alt.Chart:
            return alt.Chart(alt.InlineData(values=tuple(rows)))

        def across(name: str) -> alt.X:
            return alt.X(f"{name}:Q", scale=x_scale, axis=axis)

        # The frame comes first and always, so that a sheet without a single value still has its axis.
        layers = [
            layer([{"x": self.span.low, "y": 0}]).mark_point(opacity=0, size=0, stroke=PAPER, aria=False).encode(across("x"), y)
        ]
        if self._chance is not None:
            ends = [0, *(edge for gap in self._clear for edge in gap), self.height]
            runs = [{"x": self._chance, "y": top, "end": foot} for top, foot in zip(ends[::2], ends[1::2], strict=True)]
            rule = layer([run for run in runs if run["end"] > run["y"]])
            mark = rule.mark_rule(strokeDash=[3, 3], stroke=MUTED, strokeWidth=1, aria=False)
            layers.append(mark.encode(across("x"), y, y2="end:Q"))
        for tall, colour, size, thickness in ((False, NULL, 8, 1), (True, MUTED, 14, 2)):
            ticks = [tick for tick in self._ticks if tick["tall"] == tall]
            if ticks:
                mark = layer(ticks).mark_tick(color=colour, size=size, thickness=thickness, opacity=1, aria=False)
                layers.append(mark.encode(across("x"), y))
        for bars, colour, thickness in ((self._ranges, NULL, 1), (self._bars, VALUE, 3)):
            if bars:
                mark = layer(bars).mark_rule(stroke=colour, strokeWidth=thickness, strokeCap="round", aria=False)
                layers.append(mark.encode(across("low"), y, x2="high:Q"))
        for shape in SHAPES:
            shapes = [mark for mark in self._shapes if mark["shape"] == shape]
            if shapes:
                mark = layer(shapes).mark_point(
                    shape=shape, size=34, filled=False, stroke=MUTED, strokeWidth=1.2, opacity=1, aria=False
                )
                layers.append(mark.encode(across("x"), y))
        if self._dots:
            dots = layer(self._dots).mark_point(fill=VALUE, stroke=PAPER, strokeWidth=1, size=64, opacity=1)
            layers.append(dots.encode(across("x"), y, description="told:N"))
        for align in ("left", "right"):
            for colour, weight in ((INK, "bold"), (INK, "normal"), (MUTED, "normal")):
                chosen = [t for t in self._texts if (t["align"], t["colour"], t["weight"]) == (align, colour, weight)]
                if chosen:
                    # Text is placed in pixels, but on the axis' scale: one scale for all layers keeps the chart one plot.
                    rows = [{"x": self._data(t["x"]), "y": t["y"], "words": t["words"]} for t in chosen]
                    mark = layer(rows).mark_text(align=align, color=colour, fontWeight=weight, baseline="middle", aria=False)
                    layers.append(mark.encode(across("x"), y, text="words:N"))
        return alt.LayerChart(layer=layers, width=WIDTH, height=self.height)

    def _data(self, pixels: float) -> float:
        return self.span.low + pixels / WIDTH * (self.span.high - self.span.low)


def style() -> dict[str, Any]:
    """The configuration of every chart."""
    font = "Helvetica Neue, Helvetica, Arial, sans-serif"
    return {
        "background": PAPER,
        "font": font,
        "view": {"stroke": None},
        "text": {"fontSize": 11},
        "axis": {
            "domain": False,
            "ticks": False,
            "gridColor": FAINT,
            "labelColor": MUTED,
            "labelFontSize": 11,
            "labelPadding": 6,
            "labelFlush": False,
            "labelOverlap": False,
            "titleColor": MUTED,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titlePadding": 5,
        },
        "title": {
            "anchor": "start",
            "fontSize": 13,
            "color": INK,
            "subtitleColor": MUTED,
            "subtitleFontSize": 11,
            "offset": 10,
        },
    }


def _by_rank(values: Sequence[float], most: int = 40) -> list[float]:
    """All values, or `most` of them evenly spaced by rank, the lowest and the highest among them."""
    ordered = sorted(values)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(index * (len(ordered) - 1) / (most - 1))] for index in range(most)]


def round_numbers(span: Span) -> list[float]:
    """About five round numbers on the axis."""
    rough = (span.high - span.low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(step - rough))
    first, last = math.ceil(span.low / step - 1e-9), math.floor(span.high / step + 1e-9)
    return [float(round(index * step, 12)) for index in range(first, last + 1)]


def _wrapped(words: str, characters: int) -> list[str]:
    whole = int(WIDTH / CHARACTER)
    lines = textwrap.wrap(words, whole)
    # The number shares the last line: where that has no room for it, it gets one of its own.
    return lines if len(lines[-1]) <= characters else [*lines, ""]
