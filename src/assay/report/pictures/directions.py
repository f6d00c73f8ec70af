"""The plane of relations: the direction of every relation's prototype, seen in the two leading directions."""

import math
from collections.abc import Mapping, Sequence

from assay.evidence import Table
from assay.report.canvas import FAINT, INK, MUTED, VALUE, WIDTH, Canvas, Pixels, shortened
from assay.report.pictures.picture import LINE, Cell, Picture, apart, as_number, rows_of
from assay.report.words import counted, number

NEEDED = ("relation", "x", "y")
RADIUS = 66
MOST_DOT, LEAST_DOT = 110, 14
MIDDLE = WIDTH / 2
DIGITS = 24  # pixels of an accuracy


def direction_picture(table: Table) -> Picture | None:
    """One panel. Drawn are tables with the columns relation, x and y; `edges` sizes the dots, `accuracy` is told."""
    rows = rows_of(table, NEEDED)
    shown = [row for row in rows or () if as_number(row["x"]) is not None and as_number(row["y"]) is not None]
    if not shown:
        return None
    reach = max(1.0, *(math.hypot(*_xy(row)) for row in shown))
    left = [row for row in shown if _xy(row)[0] < 0]
    right = [row for row in shown if _xy(row)[0] >= 0]
    height = max(2 * RADIUS + 24, LINE * max(len(left), len(right)) + 12)
    canvas = Canvas(height)
    middle = height / 2
    ring = [(MIDDLE + RADIUS * math.cos(k * math.pi / 36), middle + RADIUS * math.sin(k * math.pi / 36)) for k in range(73)]
    canvas.line(ring, colour=FAINT, thick=1)
    for end in (-1, 1):
        canvas.rule(MIDDLE, middle, MIDDLE + end * RADIUS, middle, colour=FAINT)
        canvas.rule(MIDDLE, middle, MIDDLE, middle + end * RADIUS, colour=FAINT)
    most = max((as_number(row.get("edges")) or 0.0 for row in shown), default=0.0)
    for side, members in ((-1, left), (1, right)):
        _side(canvas, side, members, middle=middle, height=height, scale=RADIUS / reach, most=most)
    caption = (
        "Each dot is the mean edge of one relation, seen in the plane of two directions: its angle tells the relation. "
        f"The circle has length {reach:.3g}; a short line points out of the plane. "
    )
    if most:
        caption += "A larger dot stands for more edges. "
    if any(as_number(row.get("accuracy")) is not None for row in shown):
        caption += "The number beside a name is its accuracy. "
    caption += "Relations that lie apart here lie apart; those that coincide here may differ in directions not shown."
    told = "; ".join(_told(row) for row in shown)
    title, subtitle = counted(len(shown), "relation"), "in the plane of their two leading directions"
    left_out = len(rows or ()) - len(shown)
    return Picture(
        table.name,
        caption,
        (canvas.panel(title, subtitle, f"{title} {subtitle}. {told}."),),
        left_out=f"{counted(left_out, 'relation')} without a direction." if left_out else "",
    )


def _side(
    canvas: Canvas,
    side: int,
    rows: Sequence[Mapping[str, Cell]],
    *,
    middle: Pixels,
    height: Pixels,
    scale: Pixels,
    most: Pixels,
) -> None:
    """The relations of one half, with their names beneath one another at its edge."""
    heights = [middle - scale * _xy(row)[1] for row in rows]
    edge = MIDDLE + side * (RADIUS + 4)
    for row, y, at in zip(rows, heights, apart(heights, low=8, high=height - 8), strict=True):
        x = MIDDLE + scale * _xy(row)[0]
        canvas.rule(MIDDLE, middle, x, y, colour=VALUE)
        canvas.rule(x, y, edge, at, colour=FAINT)
        share = (as_number(row.get("edges")) or 0.0) / most if most else 0.5
        canvas.dot(x, y, _told(row), size=LEAST_DOT + (MOST_DOT - LEAST_DOT) * share)
        name = shortened(str(row["relation"]), MIDDLE - RADIUS - 7 - DIGITS)
        accuracy = as_number(row.get("accuracy"))
        align, other = ("right", "left") if side < 0 else ("left", "right")
        canvas.text(name, edge + 3 * side, at, align=align, colour=INK)
        if accuracy is not None:
            canvas.text(f"{accuracy:.2f}", 0 if side < 0 else WIDTH, at, align=other, colour=MUTED, size=9)


def _xy(row: Mapping[str, Cell]) -> tuple[float, float]:
    return as_number(row["x"]) or 0.0, as_number(row["y"]) or 0.0


def _told(row: Mapping[str, Cell]) -> str:
    """`nsubj at 31 degrees, 1,204 edges, accuracy 0.910`."""
    x, y = _xy(row)
    told = [f"{row['relation']} at {math.degrees(math.atan2(y, x)):.0f} degrees"]
    edges, accuracy = as_number(row.get("edges")), as_number(row.get("accuracy"))
    told += [counted(int(edges), "edge")] if edges is not None else []
    told += [f"accuracy {number(accuracy)}"] if accuracy is not None else []
    return ", ".join(told)
