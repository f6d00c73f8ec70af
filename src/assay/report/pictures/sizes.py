"""What a mask does against how much it keeps, for every part, the network beside its nulls."""

import re
from collections.abc import Mapping, Sequence

from assay.evidence import Table
from assay.report.canvas import Panel
from assay.report.families import grouped
from assay.report.pictures.curves import DASHES, Across, Line, Spot, curve_panel, of_sizes
from assay.report.pictures.picture import Cell, Picture, as_number, rows_of

OWN, OTHER, NECESSITY = "alone, own", "alone, other", "necessity"
NEEDED = ("part", "network", "kept", OWN, OTHER, NECESSITY)
MARK = "stands for the part"
NULL = "untrained"
Rows = Sequence[Mapping[str, Cell]]


def size_picture(table: Table) -> Picture | None:
    """Two panels for each part: accuracy with the mask alone, and necessity.

    Drawn are tables with the columns part, network, kept, `alone, own`, `alone, other` and necessity. A network whose name
    begins with `untrained` is a null; where a row's cell of `stands for the part` says `chosen`, its dot is large.
    """
    rows = rows_of(table, NEEDED)
    if not rows:
        return None
    panels: list[Panel] = []
    for part, members in grouped(rows, lambda row: str(row["part"])).items():
        across = of_sizes("share of weights kept", [kept for row in members if (kept := as_number(row["kept"])) is not None])
        panels += _panel(f"Part {part}: its mask alone", "accuracy on problems", members, across, (OWN, OTHER))
        panels += _panel(f"Part {part}: without its mask", "necessity", members, across, (NECESSITY,))
    if not panels:
        return None
    caption = (
        "Every dot is a mask of one path, from the whole network down; the large dot is the mask that stands for the part. "
        "Dotted is the other part's accuracy, long dashes are the same network in another basis. Grey lines are networks that "
        "were never trained, with the same search. Necessity is how much more is left of the other part than of its own when "
        "the mask is removed."
    )
    return Picture(table.name, caption, tuple(panels))


def _panel(title: str, subtitle: str, rows: Rows, across: Across, columns: Sequence[str]) -> list[Panel]:
    lines = []
    for column in columns:
        for network, members in grouped(rows, lambda row: str(row["network"])).items():
            found = [(as_number(row["kept"]), as_number(row[column]), "chosen" in str(row.get(MARK))) for row in members]
            spots = [Spot(x, y, marked=marked) for x, y, marked in found if x is not None and y is not None]
            spots.sort(key=lambda spot: as_number(spot.x) or 0.0)
            if not spots:
                continue
            is_null, kind = network.startswith(NULL), _kind(network)
            name = kind if len(columns) == 1 else f"{'own' if column == OWN else 'other'}, {kind}"
            dash = DASHES[2 if kind == "rotated" else 1 if column == OTHER else 0]
            lines.append(Line(name, tuple(spots), is_null=is_null, dash=dash))
    return [curve_panel(title, subtitle, across, lines)] if lines else []


def _kind(network: str) -> str:
    """`this`, `rotated` or `untrained`, of `this, seed 0`, `this, rotated` and `untrained 3`."""
    return re.sub(r"^this, (?!seed)|(, seed)? \d+$", "", network)
