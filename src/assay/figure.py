"""Figure types of evidence. The report draws each type by one function; `assay.report.tables` gives its numbers as rows."""

from dataclasses import dataclass
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
    tuple.

    Example::

        >>> from assay.figure import DetailTable
        >>> table = DetailTable(name="Accuracy by part", columns=("part", "accuracy"), rows=(("i", 0.91), ("j", 0.88)), level=0)
        >>> table.rows[1]
        ('j', 0.88)
    """

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
    - `units`: what every point is computed from, such as `47 combinations`; empty where it is not known.
    - `leads_to`: for every point the label of the measure of the same evidence whose units are behind it, empty for none; or an
      empty tuple.
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
    units: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()

    def __post_init__(self):
        assert len(self.y) == len(self.x), f"{self.name}: {len(self.x)} places and {len(self.y)} values"
        intervals = len(self.low) == len(self.high) and len(self.low) in (0, len(self.x))
        assert intervals, f"{self.name}: an interval for every point, or for none"
        for what, words in (("note", self.notes), ("unit", self.units), ("link target", self.leads_to)):
            assert len(words) in (0, len(self.x)), f"{self.name}: a {what} for every point, or for none"
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
    """One pair of axes. `subtitle` labels the vertical axis; `stretches` are shaded ranges."""

    __repr__ = brief

    title: str
    subtitle: str = ""
    lines: tuple[Line, ...]
    stretches: tuple[Stretch, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Lines over one horizontal axis, in one plot or several. `across`: label of the axis; `caption`: how to read the
    figure.

    Example::

        >>> from assay.figure import Curve, Line, Plot
        >>> lines = (
        ...     Line(name="trained", x=(0, 1, 2), y=(0.2, 0.8, 0.9), low=(0.1, 0.7, 0.8), high=(0.3, 0.9, 1.0)),
        ...     Line(name="untrained copies", x=(0, 1, 2), y=(0.2, 0.2, 0.1), null=True),
        ... )
        >>> curve = Curve(
        ...     name="Probe by layer", across="layer", plots=(Plot(title="Probe", subtitle="accuracy", lines=lines),),
        ...     caption="Bands are 95 % intervals.", level=0,
        ... )
        >>> [line.name for line in curve.plots[0].lines if line.null]
        ['untrained copies']
    """

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
    """Named points on a plane. `arrows`: whether points are drawn as arrows from the origin, inside a circle. `sizes`:
    meaning of the points' sizes. `rows`: name of a table in the same evidence; each point links to the row that begins with its
    name, by default to the figure's own numbers.

    Example::

        >>> from assay.figure import Point, Scatter
        >>> points = (Point(name="dog", x=0.2, y=0.9), Point(name="cat", x=0.3, y=0.8))
        >>> Scatter(name="Words", points=points, caption="First two principal components.", level=0).points[0].name
        'dog'
    """

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
    """Declared and predicted graphs of several texts.

    Example::

        >>> from assay.figure import Edge, Parse, RelationGraphs
        >>> declared, predicted = (Edge(head=1, dependent=0, relation="nsubj"),), (Edge(head=0, dependent=1),)
        >>> parse = Parse(name="first sentence", words=("dogs", "bark"), declared=declared, predicted=predicted)
        >>> len(RelationGraphs(name="Trees", texts=(parse,), caption="Declared above, predicted below.", level=0).texts)
        1
    """

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

    Example::

        >>> from assay.figure import Matrix
        >>> matrix = Matrix(
        ...     name="Accuracy by size", down="digits of a", across="digits of b", rows=("1", "2"), columns=("1", "2"),
        ...     values=((1.0, 0.9), (0.9, None)), notes=(("", ""), ("", "not drawn")), caption="", level=2,
        ... )
        >>> matrix.values[0][1]
        0.9
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
    """The computation graph of one example. `edges`: from the index of a parent to that of the node; `unit`: id of the example
    among the units of the measure that the figure names, None where it is none of them."""

    __repr__ = brief

    name: str
    steps: tuple[ComputationNode, ...]
    edges: tuple[tuple[int, int], ...]
    unit: int | None = None

    def __post_init__(self):
        places = range(len(self.steps))
        assert all(a in places and b in places for a, b in self.edges), f"{self.name}: edges join places of its steps"


@dataclass(frozen=True, kw_only=True)
class ComputationGraphs:
    """Computation graphs whose nodes are of several `kinds`, the first of which is the desired one; a node of none of them,
    such as a symbol of the input, is drawn without colour. `leads_to`: label of the measure whose units the examples are, to
    which their nodes link; empty for none."""

    __repr__ = brief

    kind: Literal["steps"] = "steps"
    name: str
    kinds: tuple[str, ...]
    graphs: tuple[StepGraph, ...]
    caption: str
    leads_to: str = ""
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
    """Rows of pictures, such as a scene and its segments; within a row segments of one number have one colour.

    Example::

        >>> from assay.figure import GridImage, ImageGrid
        >>> scene = GridImage(name="scene", pixels=((0xFF0000, 0xFFFFFF), (0xFFFFFF, 0xFFFFFF)))
        >>> segments = GridImage(name="segments", pixels=((1, 0), (0, 0)), labels=True)
        >>> grid = ImageGrid(name="Scenes", rows=((scene, segments),), caption="", level=0)
        >>> [image.name for image in grid.rows[0]]
        ['scene', 'segments']
    """

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
