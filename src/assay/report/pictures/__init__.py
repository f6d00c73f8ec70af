"""Tables that are drawn: which they are is told by their columns, not by the instrument that made them."""

from collections.abc import Callable

from assay.evidence import Evidence, Table
from assay.figure import as_table
from assay.report.canvas import Svg, standalone_svg
from assay.report.figures import panels
from assay.report.pictures.directions import direction_picture
from assay.report.pictures.layers import layer_picture
from assay.report.pictures.picture import Picture as Picture
from assay.report.pictures.sizes import size_picture
from assay.report.pictures.trees import tree_picture

DRAWN: tuple[Callable[[Table], Picture | None], ...] = (layer_picture, size_picture, direction_picture, tree_picture)
"""Each takes a table and returns its picture, or None where the table is of another kind or empty."""


def pictures(evidence: Evidence) -> list[Picture]:
    """The pictures of all tables that have one, in their order."""
    return [picture for table in map(as_table, evidence.figures) if (picture := picture_of(table))]


def picture_of(table: Table) -> Picture | None:
    """The picture of one table; None where it is only told."""
    return next((picture for draw in DRAWN if (picture := draw(table))), None)


def figures_of(evidence: Evidence) -> dict[str, Svg]:
    """What is drawn of one instrument: under `measures` all its measures beside their nulls, with their intervals, and every
    table that has a picture under its name.

    **Example:** in a notebook, `figures_of(audit.evidence[0])["measures"]` shows the figure.
    """
    drawn = {"measures": panels(evidence), **{picture.name: picture.panels for picture in pictures(evidence)}}
    return {name: standalone_svg(shown, name) for name, shown in drawn.items() if shown}
