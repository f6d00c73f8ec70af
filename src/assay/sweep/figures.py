"""Figures of a sweep: the phase diagram over two axes, and the novel score along a numeric axis."""

from collections.abc import Sequence

import numpy as np

from assay.report.canvas import INK, MUTED, NULL, PAPER, VALUE, WIDTH, Canvas, Panel, Pixels, shortened, width_of
from assay.report.words import number, value_and_interval
from assay.sweep.curves import place
from assay.sweep.grid import Axis, Grid
from assay.sweep.logistic import LogisticFit
from assay.sweep.points import PointSummary, summarised
from assay.sweep.rows import NOVEL

_CELL = 40  # height of a cell of the phase diagram
_LABEL = 112  # largest width of the labels at its left
_LINE = 12  # line height of labels
_FOOT = 30  # height of the labels below
_ROOM = 46  # least width of a cell for an interval
_PLOT = 150  # height of a curve
_LEFT = 30  # height of its labels


def phase_panels(grid: Grid, points: Sequence[PointSummary]) -> list[Panel]:
    """Phase diagram: mean novel scores over the two axes with the most values, one panel for every setting of the others."""
    across, down = _two_axes(grid)
    groups: dict[tuple[tuple[str, str], ...], list[PointSummary]] = {}
    for point in points:
        others = tuple((name, value) for name, value in point.point.items() if name not in (across.name, down and down.name))
        groups.setdefault(others, []).append(point)
    return [_phase(across, down, dict(others), members) for others, members in groups.items()]


def _two_axes(grid: Grid) -> tuple[Axis, Axis | None]:
    """The horizontal axis, numeric if possible, and the vertical one, which has the most values of the others."""
    by_size = sorted(grid.axes, key=lambda axis: -len(axis.values))
    across = next((axis for axis in by_size if axis.numbers is not None), by_size[0])
    rest = [axis for axis in by_size if axis is not across]
    return across, rest[0] if rest else None


def _phase(across: Axis, down: Axis | None, others: dict[str, str], points: Sequence[PointSummary]) -> Panel:
    columns = _ordered(across, [point.point[across.name] for point in points])
    rows = _ordered(down, [point.point[down.name] for point in points]) if down else [""]
    labels = [value.split("+") for value in rows]
    left = min(_LABEL, 8 + max(width_of(line) for lines in labels for line in lines)) if down else 0
    width = (WIDTH - left) / len(columns)
    canvas = Canvas(_CELL * len(rows) + _FOOT, halo=False)
    for point in points:
        x = left + width * columns.index(point.point[across.name])
        y = _CELL * rows.index(point.point[down.name]) if down else 0
        _phase_cell(canvas, x, y, width, point)
    for row, lines in enumerate(labels):
        for index, line in enumerate(lines[:3]):
            y = _CELL * (row + 0.5) + _LINE * (index - (min(len(lines), 3) - 1) / 2)
            canvas.text(shortened(line, left), 0, y, colour=INK if index == 0 else MUTED)
    for column, value in enumerate(columns):
        for index, line in enumerate(value.split("+")[:2]):
            y = canvas.height - _FOOT + 8 + _LINE * index
            canvas.text(shortened(line, width), left + width * (column + 0.5), y, align="center", colour=MUTED)
    title = f"Novel score by {across.name}" + (f" and {down.name}" if down else "")
    description = "; ".join(f"{point.text}: {_score_text(point)}" for point in points)
    return canvas.panel(title, ", ".join(f"{name} {value}" for name, value in others.items()), description)


def _phase_cell(canvas: Canvas, x: Pixels, y: Pixels, width: Pixels, point: PointSummary) -> None:
    scores = point.novel.repeats
    if not scores:
        canvas.text("no data", x + width / 2, y + _CELL / 2, align="center", colour=MUTED, size=9)
        return
    mean = sum(scores) / len(scores)
    canvas.fill(x + 1, y + 1, width - 2, _CELL - 2, share=mean, description=f"{point.text}: {_score_text(point)}")
    colour = PAPER if mean > 0.55 else INK
    canvas.text(f"{mean:.2f}", x + width / 2, y + _CELL / 2 - 6, align="center", colour=colour, weight="bold")
    interval = point.novel.interval
    if width >= _ROOM:
        beneath = f"{interval.low:.2f}-{interval.high:.2f}" if interval else f"{point.successes} of {len(scores)}"
        canvas.text(beneath, x + width / 2, y + _CELL / 2 + 8, align="center", colour=colour, size=9)
    if point.successes == len(scores):
        canvas.frame(x + 2, y + 2, width - 4, _CELL - 4)


def curve_panels(grid: Grid, fits: Sequence[LogisticFit], *, success: float) -> list[Panel]:
    """The novel score along an axis: networks, means with intervals, nulls, and the fitted curve."""
    return [_curve(grid, fit, success=success) for fit in fits]


def _curve(grid: Grid, fit: LogisticFit, *, success: float) -> Panel:
    members = fit.slice
    axis = members.axis
    canvas = Canvas(_PLOT + 40)

    def at(u: float, score: float) -> tuple[float, float]:
        return _LEFT + 8 + u * (WIDTH - _LEFT - 20), 6 + (1 - score) * _PLOT

    for mark in (0.0, 0.25, 0.5, 0.75, 1.0):
        canvas.rule(_LEFT, at(0.0, mark)[1], WIDTH, at(0.0, mark)[1])
        canvas.text(f"{mark:g}", _LEFT - 6, at(0.0, mark)[1], align="right", colour=MUTED)
    canvas.rule(_LEFT, at(0.0, success)[1], WIDTH, at(0.0, success)[1], colour=MUTED, dash=(3, 3))
    for value in axis.values:
        canvas.text(value, at(place(axis, float(value)), 0.0)[0], _PLOT + 20, align="center", colour=MUTED)
    canvas.text(axis.name + (", logarithmic" if axis.logarithmic else ""), WIDTH / 2, _PLOT + 34, align="center", colour=MUTED)
    steps = np.linspace(0, 1, 61)
    canvas.line([at(float(u), float(score)) for u, score in zip(steps, fit.curve(steps), strict=True)], thick=1)
    for row, u in zip(members.rows, members.places, strict=True):
        nulls = {name: value for name, value in row.values.items() if name.startswith(f"{NOVEL}_null_") and value is not None}
        if nulls:
            x, y = at(float(u), max(nulls.values()))
            canvas.rule(x - 4, y, x + 4, y, colour=NULL)
        canvas.dot(
            *at(float(u), row.values[NOVEL] or 0.0), description=f"{row.name}: {number(row.values[NOVEL] or 0.0)}", size=12
        )
    for point in summarised(grid, members.rows, success=success):
        if point.novel.value is not None and point.novel.interval is not None:
            u = place(axis, float(point.point[axis.name]))
            low, high = at(u, point.novel.interval.low), at(u, point.novel.interval.high)
            canvas.rule(*low, *high, colour=VALUE, thick=3)
            canvas.dot(*at(u, point.novel.value), description=f"{point.text}: {_score_text(point)}")
    others = ", ".join(f"{name} {value}" for name, value in members.others.items())
    description = "; ".join(f"{measure.label}: {value_and_interval(measure)}" for measure in fit.measures)
    return canvas.panel(f"Novel score along {axis.name}", others, description)


def _ordered(axis: Axis, values: Sequence[str]) -> list[str]:
    distinct = list(dict.fromkeys(values))
    return sorted(distinct, key=float) if axis.numbers is not None else distinct


def _score_text(point: PointSummary) -> str:
    if point.novel.value is not None:
        return value_and_interval(point.novel)
    scores = ", ".join(map(number, point.novel.repeats))
    return f"{scores} (too few networks for an interval)" if scores else "no score"
