"""Figure types of evidence. The report draws each type by one function; `as_table` gives its numbers as rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any, Literal

from assay.display import brief

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

Level = Literal[0, 1, 2]
"""Access level that a number needs: 0 weights, trained inputs and the declaration; 1 also novel inputs; 2 also their labels."""
Cell = str | float | int | None
ITSELF = "itself"
Style = Literal["solid", "dotted", "dashed"]


@dataclass(frozen=True, kw_only=True)
class DetailTable:
    """Rows of plain values behind a measure, for the report's details. `level`: the access level that they need. `leads_to`:
    for every row the name of the graph in a `ComputationGraphs` figure of the same evidence to which it links, or an empty
    tuple."""

    __repr__ = brief

    kind: Literal["table"] = "table"
    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    leads_to: tuple[str, ...] = ()
    level: Level

    def __post_init__(self):
        assert len(self.leads_to) in (0, len(self.rows)), f"{self.name}: a link target for every row, or for none"
        assert all(len(row) == len(self.columns) for row in self.rows), f"{self.name}: a cell for every column in each row"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a plot: points from left to right.

    **Attributes:**

    - `name`: label, shared by lines of one name.
    - `x`: ordered category names, or numbers; `y`: None where there is no value.
    - `low`, `high`: ends of the interval at every point; empty where there is none.
    - `null`: whether the line is a null, which is drawn in grey.
    - `marked`: indices of highlighted points.
    - `notes`: a remark on every point; empty where there is none.
    """

    __repr__ = brief

    name: str
    x: tuple[str | float | int, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    null: bool = False
    style: Style = "solid"
    marked: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        assert len(self.y) == len(self.x), f"{self.name}: {len(self.x)} places and {len(self.y)} values"
        intervals = len(self.low) == len(self.high) and len(self.low) in (0, len(self.x))
        assert intervals, f"{self.name}: an interval for every point, or for none"
        assert len(self.notes) in (0, len(self.x)), f"{self.name}: a note for every point, or for none"
        assert all(0 <= k < len(self.x) for k in self.marked), f"{self.name}: a marked point must be one of {len(self.x)}"


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A shaded range of the horizontal axis. `note`: what it shows."""

    __repr__ = brief

    start: str | float | int
    end: str | float | int
    note: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One pair of axes: `title`, label of the vertical axis (`subtitle`), lines, and shaded ranges."""

    __repr__ = brief

    title: str
    subtitle: str = ""
    lines: tuple[Line, ...]
    stretches: tuple[Stretch, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Lines over one horizontal axis, in one plot or several. `across`: label of the axis; `caption`: how to read the
    figure."""

    __repr__ = brief

    kind: Literal["curve"] = "curve"
    name: str
    across: str
    plots: tuple[Plot, ...]
    caption: str
    level: Level


@dataclass(frozen=True, kw_only=True)
class Point:
    """One named point. `size`: such as a count; None for the default. `note`: drawn beside the name if it is as short as a
    number."""

    name: str
    x: float
    y: float
    size: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """Named points on a plane. `arrows`: drawn from the origin, inside a circle. `sizes`: meaning of the points' sizes. `rows`:
    name of a table of the same evidence whose rows begin with the names of points and to which points link; by default to the
    figure's own numbers."""

    __repr__ = brief

    kind: Literal["scatter"] = "scatter"
    name: str
    points: tuple[Point, ...]
    caption: str
    arrows: bool = False
    sizes: str = ""
    rows: str = ""
    level: Level


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An edge from the index of a head to that of a dependent, with its relation."""

    head: int
    dependent: int
    relation: str = ""


@dataclass(frozen=True, kw_only=True)
class Parse:
    """The declared and the predicted graph of one text. A node without a head is a root."""

    __repr__ = brief

    name: str
    words: tuple[str, ...]
    declared: tuple[Edge, ...]
    predicted: tuple[Edge, ...]

    def __post_init__(self):
        places = range(len(self.words))
        within = all(edge.head in places and edge.dependent in places for edge in (*self.declared, *self.predicted))
        assert within, f"{self.name}: both ends of an edge must be places of its {len(self.words)} words"


@dataclass(frozen=True, kw_only=True)
class RelationGraphs:
    """Declared and predicted graphs of several texts."""

    __repr__ = brief

    kind: Literal["graphs"] = "graphs"
    name: str
    texts: tuple[Parse, ...]
    caption: str
    level: Level


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A matrix of shares in [0, 1], such as accuracy by the size of a problem.

    **Attributes:**

    - `down`, `across`: labels of the axes; `rows`, `columns`: names of rows and columns.
    - `values`: one for each row and column, None where there is none; `notes`: a remark on each. A cell whose note is `ITSELF`
      compares a thing with itself and has no value.
    """

    __repr__ = brief

    kind: Literal["matrix"] = "matrix"
    name: str
    down: str
    across: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    notes: tuple[tuple[str, ...], ...]
    caption: str
    level: Level

    def __post_init__(self):
        for cells in (self.values, self.notes):
            fits = len(cells) == len(self.rows) and all(len(row) == len(self.columns) for row in cells)
            assert fits, f"{self.name}: a value and a note for every row and column"


@dataclass(frozen=True, kw_only=True)
class ComputationNode:
    """One node of a computation graph: its name and value as text, its layer, its kind (one of the figure's), and a remark."""

    name: str
    value: str
    layer: int
    kind: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class StepGraph:
    """The computation graph of one example. `edges`: from the index of a parent to that of the node."""

    __repr__ = brief

    name: str
    steps: tuple[ComputationNode, ...]
    edges: tuple[tuple[int, int], ...]

    def __post_init__(self):
        places = range(len(self.steps))
        assert all(a in places and b in places for a, b in self.edges), f"{self.name}: edges join places of its steps"


@dataclass(frozen=True, kw_only=True)
class ComputationGraphs:
    """Computation graphs whose nodes are of several `kinds`, the first of which is the desired one; a node of none of them,
    such as a symbol of the input, is drawn without colour."""

    __repr__ = brief

    kind: Literal["steps"] = "steps"
    name: str
    kinds: tuple[str, ...]
    graphs: tuple[StepGraph, ...]
    caption: str
    level: Level


@dataclass(frozen=True, kw_only=True)
class GridImage:
    """A small picture.

    **Attributes:** `pixels`: rows of colours, `0xrrggbb`, or with `labels` the segment number of every pixel, 0 for the
    background. `note`: a remark, such as a score.
    """

    __repr__ = brief

    name: str
    pixels: tuple[tuple[int, ...], ...]
    labels: bool = False
    note: str = ""

    def __post_init__(self):
        assert len({len(line) for line in self.pixels}) <= 1, f"{self.name}: rows of pixels are equally long"
        assert all(0 <= pixel <= 0xFFFFFF for line in self.pixels for pixel in line), f"{self.name}: pixels are 0 to 0xffffff"


@dataclass(frozen=True, kw_only=True)
class ImageGrid:
    """Rows of pictures, such as a scene and its segments; within a row segments of one number have one colour."""

    __repr__ = brief

    kind: Literal["images"] = "images"
    name: str
    rows: tuple[tuple[GridImage, ...], ...]
    caption: str
    level: Level


class _ByKind:
    """Discriminator of figures in a file by their `kind`, so that validation errors are about that type only."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic import Field

        return handler.generate_schema(Annotated[source, Field(discriminator="kind")])


Figure = Annotated[DetailTable | Curve | Scatter | RelationGraphs | Matrix | ComputationGraphs | ImageGrid, _ByKind]


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
