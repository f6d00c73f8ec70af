"""Tables that are drawn: which they are is told by their columns, not by the instrument that made them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from assay.evidence import Evidence, Table
from assay.report.figures import joined
from assay.report.pictures.directions import direction_picture
from assay.report.pictures.layers import layer_picture
from assay.report.pictures.picture import Picture as Picture
from assay.report.pictures.sizes import size_picture
from assay.report.pictures.trees import tree_picture

if TYPE_CHECKING:
    import altair as alt

DRAWN: tuple[Callable[[Table], Picture | None], ...] = (layer_picture, size_picture, direction_picture, tree_picture)
"""Each takes a table and returns its picture, or None where the table is of another kind or empty."""


def pictures(evidence: Evidence) -> list[Picture]:
    """The pictures of all tables that have one, in their order."""
    return [picture for table in evidence.tables if (picture := picture_of(table))]


def picture_of(table: Table) -> Picture | None:
    """The picture of one table; None where it is only told."""
    return next((picture for draw in DRAWN if (picture := draw(table))), None)


def table_charts(evidence: Evidence) -> "dict[str, alt.ConcatChart]":
    """The pictures of all tables that have one, by the name of the table."""
    return {picture.name: joined(picture.panels) for picture in pictures(evidence)}
