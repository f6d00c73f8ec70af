"""Named points on a plane, their names beneath one another at either side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.display import counted
from assay.figure import Point, Scatter
from assay.report.canvas import FAINT, INK, MUTED, VALUE, WIDTH, Canvas, Pixels, shortened, width_of
from assay.report.pictures.picture import LINE, DrawnFigure, apart
from assay.report.words import MINUS, number, tick

RADIUS, MOST_RADIUS = 66, 96  # of the frame, which grows with the names beside it as far as they have room
MOST_DOT, USUAL_DOT, LEAST_DOT = 110, 62, 14
MIDDLE = WIDTH / 2
NOTE = 30  # most pixels of a note that stands beside a name


@dataclass(frozen=True)
class _Spot:
    """A point, where it is drawn from the middle in pixels, and the area of its dot."""

    point: Point
    right: Pixels
    up: Pixels
    size: Pixels
    description: str


def scatter_picture(scatter: Scatter) -> DrawnFigure | None:
    """One panel; None without a point. Arrows begin in the middle of a circle, other points lie in a square around theirs."""
    points = scatter.points
    if not points:
        return None
    (left, right), (low, high) = ((min(values), max(values)) for values in zip(*((p.x, p.y) for p in points), strict=True))
    if scatter.arrows:
        x, y, reach = 0.0, 0.0, max(1.0, *(math.hypot(point.x, point.y) for point in points))
        scale = f"the circle has length {tick(reach)}"
    else:
        x, y, reach = (left + right) / 2, (low + high) / 2, max(right - left, high - low) / 2 or 1.0
        scale = f"{left:.2g} to {right:.2g} across, {low:.2g} to {high:.2g} up".replace("-", MINUS)
    most = max(point.size or 0.0 for point in points)
    by_x = sorted(points, key=lambda point: point.x)
    num_left = sum(point.x < 0 for point in points) if scatter.arrows else len(points) // 2
    tall = LINE * max(num_left, len(points) - num_left)
    radius = min(max(RADIUS, tall / 2), RADIUS if scatter.arrows else MOST_RADIUS)
    spots = [
        _Spot(p, radius * ((p.x - x) / reach), radius * ((p.y - y) / reach), _dot(p, most), _told(p, scatter)) for p in by_x
    ]
    canvas = Canvas(max(2 * radius + 24, tall + 12))
    middle = canvas.height / 2
    corners, first = (72, 0.0) if scatter.arrows else (4, 0.5)
    far = radius if scatter.arrows else radius * math.sqrt(2)
    angles = [2 * math.pi * (k + first) / corners for k in range(corners + 1)]
    canvas.line([(MIDDLE + far * math.cos(a), middle + far * math.sin(a)) for a in angles], colour=FAINT, thick=1)
    if scatter.arrows:
        canvas.rule(MIDDLE - radius, middle, MIDDLE + radius, middle)
        canvas.rule(MIDDLE, middle - radius, MIDDLE, middle + radius)
    for side, members in ((-1, spots[:num_left]), (1, spots[num_left:])):
        _side(canvas, side, members, radius, arrows=scatter.arrows)
    subtitle = f"{counted(len(points), 'point')}; {scale}"
    description = f"{scatter.name}, {subtitle}. {'; '.join(spot.description for spot in spots)}."
    return DrawnFigure(scatter.name, scatter.caption, (canvas.panel(scatter.name, subtitle, description),))


def _side(canvas: Canvas, side: int, spots: Sequence[_Spot], radius: Pixels, *, arrows: bool) -> None:
    """The points of one half, with their names at its edge."""
    middle = canvas.height / 2
    edge, end = MIDDLE + side * (radius + 4), MIDDLE + side * MIDDLE
    align, other = ("right", "left") if side < 0 else ("left", "right")
    heights = [middle - spot.up for spot in spots]
    for spot, y, at in zip(spots, heights, apart(heights, low=8, high=canvas.height - 8), strict=True):
        x = MIDDLE + spot.right
        if arrows:
            canvas.rule(MIDDLE, middle, x, y, colour=VALUE)
        canvas.rule(x, y, edge, at)
        canvas.dot(x, y, spot.description, size=spot.size, leads_to=spot.point.name)
        wide = width_of(spot.point.note, 9)
        room = abs(end - edge) - 3
        if 0 < wide <= NOTE:
            canvas.text(spot.point.note, end, at, align=other, colour=MUTED, size=9)
            room -= wide + 2
        canvas.text(shortened(spot.point.name, room), edge + 3 * side, at, align=align, colour=INK)


def _dot(point: Point, most: float) -> Pixels:
    if point.size is None or most <= 0:
        return USUAL_DOT
    return LEAST_DOT + (MOST_DOT - LEAST_DOT) * max(0.0, point.size / most)


def _told(point: Point, scatter: Scatter) -> str:
    """`nsubj at 31 degrees, edges 1,204, 0.91`."""
    degrees = math.degrees(math.atan2(point.y, point.x))
    description = [
        f"{point.name} at {f'{degrees:.0f} degrees' if scatter.arrows else f'({number(point.x)}, {number(point.y)})'}"
    ]
    description += [f"{scatter.sizes or 'size'} {point.size:,.6g}"] if point.size is not None else []
    return ", ".join([*description, *([point.note] if point.note else [])])
