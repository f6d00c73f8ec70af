"""A canvas with a horizontal axis in data units, filled line by line from the top."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from assay.evidence import Measure
from assay.report.canvas import CHARACTER, INK, MUTED, NULL, VALUE, WIDTH, Canvas, shortened, width_of
from assay.report.words import MINUS, number, tick

MOST_DRAWN, LEAST_DRAWN = 1e300, 1e-300  # numbers beyond are drawn at the edge; a span below counts as empty
SHAPES = ("diamond", "square", "triangle-up", "cross", "triangle-down", "circle")


class Span(NamedTuple):
    """Range of an axis, in data units."""

    low: float
    high: float

    def pixels(self, x: float) -> float:
        return min(max((x - self.low) / (self.high - self.low), 0.0), 1.0) * WIDTH


def span_of(measures: Iterable[Measure]) -> Span:
    """[0, 1] if it holds all values, nulls and intervals; else their range with zero, rounded outwards."""
    reached: list[float] = []
    for measure in measures:
        reached += [measure.value] if measure.value is not None else []
        reached += [measure.interval.low, measure.interval.high] if measure.interval else []
        reached += [value for null in measure.nulls for value in null.values]
    return span_over(reached)


def span_over(numbers: Iterable[float]) -> Span:
    """`span_of` for plain numbers."""
    reached = [0.0, *numbers]
    low, high = max(min(reached), -MOST_DRAWN), min(max(reached), MOST_DRAWN)
    if low >= 0 and high <= 1 and high > 0:
        return Span(0.0, 1.0)
    if high - low < LEAST_DRAWN:
        return Span(-1.0, 1.0)
    step = 10 ** math.floor(math.log10(high - low)) / 10
    return Span(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step)


class AxisCanvas(Canvas):
    """A canvas filled from top to bottom; `down` increases its `height`."""

    def __init__(self, span: Span):
        super().__init__(0)
        self.span = span
        self._headings: list[tuple[float, float]] = []  # vertical ranges that vertical lines must leave free

    def down(self, pixels: int) -> None:
        self.height += pixels

    def heading(self, label: str, description: str, *, weight: str = "bold") -> None:
        """A label at the left edge and a number at the right, on two lines if needed."""
        room = WIDTH - CHARACTER * len(description) - 14
        lines = _wrapped(label, int(room / CHARACTER)) if CHARACTER * len(label) > room else [label]
        self._headings.append((self.height - 8, self.height + 14 * len(lines) - 6))
        for index, line in enumerate(lines):
            self.down(14 if index else 0)
            self.text(line, 0, self.height, weight=weight)
        is_number = description[:1].isdigit() or description[:1] == MINUS
        self.text(description, WIDTH, self.height, align="right", colour=INK if is_number else MUTED)

    def value(self, measure: Measure, description: str) -> None:
        """A value as a dot on its interval."""
        if measure.value is None:
            return
        if measure.interval:
            low, high = self.span.pixels(measure.interval.low), self.span.pixels(measure.interval.high)
            self.rule(low, self.height, high, self.height, colour=VALUE, thick=3)
        self.dot(self.span.pixels(measure.value), self.height, description, size=64, leads_to=measure.label)

    def repeats(self, values: Sequence[float], label: str) -> None:
        """A tick for every repeat of a null, a tall one for their mean, and the label where there is room."""
        y, drawn = self.height, map(self.span.pixels, _by_rank(values))
        self.line(*([(x, y - 4), (x, y + 4)] for x in drawn), colour=NULL, thick=1, layer="rules")
        mean = self.span.pixels(sum(values) / len(values))
        self.rule(mean, y - 7, mean, y + 7, colour=MUTED, thick=2)
        left, right = self.span.pixels(min(values)), self.span.pixels(max(values))
        need = CHARACTER * len(label) + 8
        if WIDTH - right >= need:
            self.text(label, right + 8, y, colour=MUTED)
        elif left >= need:
            self.text(label, left - 8, y, align="right", colour=MUTED)
        else:
            self.down(14)
            self.text(label, 0, self.height, colour=MUTED)

    def null(self, values: Sequence[float], shape: str) -> None:
        """A mark at a null's mean, on a thin line from its lowest repeat to its highest."""
        self.rule(self.span.pixels(min(values)), self.height, self.span.pixels(max(values)), self.height, colour=NULL)
        self._shape(self.span.pixels(sum(values) / len(values)), shape)

    def key(self, shapes: dict[str, str]) -> None:
        """Legend of the nulls' shapes, two on a line while they fit."""
        at, top = 0.0, self.height
        for index, (name, shape) in enumerate(shapes.items()):
            need = CHARACTER * len(name) + 30
            if index and at + need > WIDTH:
                self.down(16)
                at = 0.0
            self._shape(at + 5, shape)
            self.text(shortened(name, WIDTH - 14), at + 14, self.height, colour=MUTED)
            at += max(need, WIDTH / 2)
        self._headings.append((top - 8, self.height + 8))

    def chance(self, value: float) -> bool:
        """A dashed vertical line at the chance score, labelled at its foot. Returns False, without drawing, where it lies
        outside the axis."""
        if not self.span.low <= value <= self.span.high:
            return False
        self.down(12)
        x, words = self.span.pixels(value), f"chance {number(value)}"
        right = x + CHARACTER * len(words) + 8 > WIDTH
        self.text(words, x - 5 if right else x + 5, self.height, align="right" if right else "left", colour=MUTED)
        self.down(4)
        ends = [0, *(edge for heading in self._headings for edge in heading), self.height]
        for top, foot in zip(ends[::2], ends[1::2], strict=True):
            if foot > top:
                self.rule(x, top, x, foot, colour=MUTED, dash=(3, 3), layer="back")
        return True

    def axis(self, title: str) -> None:
        """Tick labels below everything, with a vertical line from each; `title`: empty for none."""
        marks = round_numbers(self.span)
        labels = [tick(mark) for mark in marks]
        room = self.span.pixels(marks[1]) - self.span.pixels(marks[0])
        every = math.ceil(max(width_of(label) + 4 for label in labels) / room)
        for index, (mark, label) in enumerate(zip(marks, labels, strict=True)):
            x = round(self.span.pixels(mark)) + 0.5  # centred on a pixel, so that it is sharp
            self.rule(x, 0, x, self.height, layer="back")
            if index % every == 0:
                self.text(label, self.span.pixels(mark), self.height + 12, align="center", colour=MUTED)
        if title:
            self.text(title, WIDTH / 2, self.height + 28, align="center", colour=MUTED)
        self.down(36 if title else 20)

    def _shape(self, x: float, shape: str) -> None:
        self.dot(x, self.height, size=34, colour=MUTED, shape=shape, is_open=True)


def _by_rank(values: Sequence[float], most: int = 40) -> list[float]:
    """All values, or `most` of them evenly spaced by rank, including the lowest and the highest."""
    ordered = sorted(values)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(index * (len(ordered) - 1) / (most - 1))] for index in range(most)]


def round_numbers(span: Span) -> list[float]:
    """Three to nine round numbers on the axis."""
    rough = (span.high - span.low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(step - rough))
    first, last = math.ceil(span.low / step - 1e-9), math.floor(span.high / step + 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def _wrapped(words: str, characters: int) -> list[str]:
    whole = int(WIDTH / CHARACTER)
    lines = textwrap.wrap(words, whole)
    # The number shares the last line, or gets another one where there is no room.
    return lines if len(lines[-1]) <= characters else [*lines, ""]
