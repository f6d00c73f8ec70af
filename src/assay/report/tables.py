"""Figures as tables: the numbers of every type of figure as rows."""

from collections.abc import Iterator
from itertools import zip_longest

from assay.figure import (
    ITSELF,
    Cell,
    ComputationGraphs,
    Curve,
    DetailTable,
    Figure,
    ImageGrid,
    Matrix,
    Parse,
    RelationGraphs,
    Scatter,
)


def as_table(figure: Figure) -> DetailTable:
    """The numbers of a figure as rows. A cell is None where a value could not be measured, and empty where there is none, such
    as the head of a root; empty columns are left out.

    Example::

        line = Line(name="measured", x=("layer 1", "layer 2"), y=(0.2, 0.9))
        curve = Curve(name="Curve", across="layer", plots=(Plot(title="LAS", lines=(line,)),), caption="", level=2)
        assert as_table(curve).rows[1] == ("LAS", "measured", "layer 2", 0.9)
    """
    match figure:
        case DetailTable():
            return figure
        case Curve():
            columns, rows = ("plot", "line", figure.across, "value", "low", "high"), tuple(_of_curve(figure))
        case Scatter():
            columns = ("name", "x", "y", figure.sizes or "size", "note")
            rows = tuple((point.name, point.x, point.y, _or_empty(point.size), point.note) for point in figure.points)
        case RelationGraphs():
            columns = ("text", "word", "form", "declared head", "relation", "predicted head", "predicted relation")
            rows = tuple(row for text in figure.texts for row in _of_parse(text))
        case Matrix():
            columns, rows = (figure.down, figure.across, "value", "note"), tuple(_of_matrix(figure))
        case ComputationGraphs():
            columns, rows = ("example", "layer", "step", "value", "kind", "note"), tuple(_of_steps(figure))
        case ImageGrid():
            columns, rows = ("row", "picture", "note", "pixels"), tuple(_of_images(figure))
    kept = [k for k in range(len(columns)) if not rows or any(row[k] != "" for row in rows)]
    return DetailTable(
        name=figure.name,
        columns=tuple(columns[k] for k in kept),
        rows=tuple(tuple(row[k] for k in kept) for row in rows),
        note=figure.caption,
        level=figure.level,
    )


def _or_empty(cell: Cell) -> Cell:
    return "" if cell is None else cell


def _of_curve(figure: Curve) -> Iterator[tuple[Cell, ...]]:
    for plot in figure.plots:
        for line in plot.lines:
            for k, (x, y) in enumerate(zip(line.x, line.y, strict=True)):
                yield plot.title, line.name, x, y, *(_or_empty(ends[k]) if ends else "" for ends in (line.low, line.high))


def _of_matrix(figure: Matrix) -> Iterator[tuple[Cell, ...]]:
    for row, values, notes in zip(figure.rows, figure.values, figure.notes, strict=True):
        for column, value, note in zip(figure.columns, values, notes, strict=True):
            yield row, column, _or_empty(value) if note == ITSELF else value, note


def _of_steps(figure: ComputationGraphs) -> Iterator[tuple[Cell, ...]]:
    for graph in figure.graphs:
        for step in graph.steps:
            yield graph.name, step.layer, step.name, step.value, step.kind, step.note


def _of_images(figure: ImageGrid) -> Iterator[tuple[Cell, ...]]:
    for k, row in enumerate(figure.rows):
        for picture in row:
            lines = (" ".join(f"{pixel:d}" if picture.labels else f"{pixel:06x}" for pixel in line) for line in picture.pixels)
            yield k + 1, picture.name, picture.note, "; ".join(lines)


def _of_parse(text: Parse) -> Iterator[tuple[Cell, ...]]:
    for place, word in enumerate(text.words):
        sides = [
            [(edge.head, edge.relation) for edge in edges if edge.dependent == place] or [("", "root")]
            for edges in (text.declared, text.predicted)
        ]
        for declared, predicted in zip_longest(*sides, fillvalue=("", "")):  # a word with two heads has two rows
            yield text.name, place, word, *declared, *predicted
