"""Figures as rows: every number of every type, and nothing where there is nothing."""

import pytest

from assay.figure import (
    ITSELF,
    ComputationGraphs,
    ComputationNode,
    Curve,
    DetailTable,
    Edge,
    GridImage,
    ImageGrid,
    Line,
    Matrix,
    Parse,
    Plot,
    Point,
    RelationGraphs,
    Scatter,
    StepGraph,
)
from assay.report.tables import as_table


def curve(*lines, title="UUAS"):
    return Curve(name="c", across="layer", plots=(Plot(title=title, lines=lines),), caption="how to read it", level=1)


def graphs(*texts):
    return RelationGraphs(name="g", texts=texts, caption="how to read it", level=2)


def scatter(*points, sizes=""):
    return Scatter(name="s", points=points, caption="how to read it", sizes=sizes, level=0)


def test_a_table_is_itself():
    table = DetailTable(name="t", columns=("a", "b"), rows=((1, None),), note="n", level=2)
    assert as_table(table) is table


@pytest.mark.parametrize(
    "figure",
    [
        curve(Line(name="l", x=("in",), y=(0.5,))),
        scatter(Point(name="p", x=0.0, y=1.0)),
        graphs(Parse(name="1", words=("a",), declared=(), predicted=())),
    ],
)
def test_name_caption_and_level_are_kept(figure):
    table = as_table(figure)
    assert (table.name, table.note, table.level) == (figure.name, figure.caption, figure.level)


def test_every_point_of_every_line_is_a_row():
    measured = Line(name="measured", x=("in", "out"), y=(0.2, None), low=(0.1, None), high=(0.3, None))
    chain = Line(name="chain", x=("in", "out"), y=(0.1, 0.15), null=True)
    table = as_table(curve(measured, chain))
    assert table.columns == ("plot", "line", "layer", "value", "low", "high")
    assert table.rows == (
        ("UUAS", "measured", "in", 0.2, 0.1, 0.3),
        ("UUAS", "measured", "out", None, "", ""),
        ("UUAS", "chain", "in", 0.1, "", ""),
        ("UUAS", "chain", "out", 0.15, "", ""),
    )


def test_columns_without_content_are_left_out():
    assert as_table(curve(Line(name="l", x=(1, 2), y=(0.5, None)), title="")).columns == ("line", "layer", "value")
    assert as_table(scatter(Point(name="p", x=0.0, y=1.0))).columns == ("name", "x", "y")


def test_every_point_of_a_plane_is_a_row():
    points = Point(name="nsubj", x=0.0, y=1.0, size=30.0, note="0.91"), Point(name="obj", x=1.0, y=0.0)
    table = as_table(scatter(*points, sizes="edges"))
    assert table.columns == ("name", "x", "y", "edges", "note")
    assert table.rows == (("nsubj", 0.0, 1.0, 30.0, "0.91"), ("obj", 1.0, 0.0, "", ""))


def test_every_word_is_a_row_and_one_of_two_heads_has_two():
    declared = (
        Edge(head=0, dependent=1, relation="r"),
        Edge(head=0, dependent=2),
        Edge(head=1, dependent=2, relation="q"),
    )
    text = Parse(name="s", words=("a", "b", "c"), declared=declared, predicted=(Edge(head=2, dependent=1, relation="r"),))
    table = as_table(graphs(text))
    assert table.columns == ("text", "word", "form", "declared head", "relation", "predicted head", "predicted relation")
    assert table.rows == (
        ("s", 0, "a", "", "root", "", "root"),
        ("s", 1, "b", 0, "r", 2, "r"),
        ("s", 2, "c", 0, "", "", "root"),
        ("s", 2, "c", 1, "q", "", ""),
    )


@pytest.mark.parametrize(
    "figure",
    [
        curve(),
        curve(Line(name="l", x=(), y=())),
        scatter(),
        graphs(),
        graphs(Parse(name="", words=(), declared=(), predicted=())),
    ],
)
def test_a_figure_without_content_keeps_its_columns(figure):
    table = as_table(figure)
    assert table.rows == ()
    assert len(table.columns) >= 5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Line(name="l", x=(1, 2), y=(1.0,)),
        lambda: Line(name="l", x=(1,), y=(1.0,), low=(0.0,)),
        lambda: Line(name="l", x=(1,), y=(1.0,), low=(0.0, 0.0), high=(1.0, 1.0)),
        lambda: Line(name="l", x=(1,), y=(1.0,), marked=(1,)),
        lambda: DetailTable(name="l", columns=("a",), rows=((),), level=0),
        lambda: Parse(name="l", words=("a",), declared=(Edge(head=0, dependent=1),), predicted=()),
        lambda: Parse(name="l", words=("a",), declared=(), predicted=(Edge(head=-1, dependent=0),)),
    ],
)
def test_figures_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(AssertionError, match=r"^l: "):
        wrong()


def matrix(values=((1.0, None), (0.25, 0.5)), notes=(("3 examples", ""), ("4 examples", ""))):
    return Matrix(
        name="m", down="digits", across="depth", rows=("1", "2"), columns=("3", "4"), values=values, notes=notes,
        caption="how to read it", level=2,
    )  # fmt: skip


def steps(*graphs):
    return ComputationGraphs(name="s", kinds=("correct", "local"), graphs=graphs, caption="how to read it", level=2)


def test_every_cell_of_a_matrix_is_a_row():
    table = as_table(matrix())
    assert table.columns == ("digits", "depth", "value", "note")
    assert table.rows == (
        ("1", "3", 1.0, "3 examples"),
        ("1", "4", None, ""),
        ("2", "3", 0.25, "4 examples"),
        ("2", "4", 0.5, ""),
    )
    assert as_table(matrix(notes=(("", ITSELF), ("", "")))).rows[1] == ("1", "4", "", ITSELF)
    assert as_table(matrix(notes=(("", ""), ("", "")))).columns == ("digits", "depth", "value")
    with pytest.raises(AssertionError, match="a value and a note for every row and column"):
        matrix(values=((1.0,), (0.5,)))


def test_every_step_of_a_graph_is_a_row():
    source = ComputationNode(name="x", value="3", layer=0, kind="input")
    node = ComputationNode(name="y", value="4", layer=1, kind="local", note="right is 5")
    table = as_table(steps(StepGraph(name="first", steps=(source, node), edges=((0, 1),))))
    assert table.rows == (("first", 0, "x", "3", "input", ""), ("first", 1, "y", "4", "local", "right is 5"))
    assert as_table(steps()).rows == ()
    with pytest.raises(AssertionError, match="places of its steps"):
        StepGraph(name="second", steps=(source,), edges=((0, 1),))


def test_rows_of_a_table_lead_somewhere_or_none_does():
    table = DetailTable(name="t", columns=("a",), rows=((1,), (2,)), leads_to=("first", ""), level=2)
    assert as_table(table).leads_to == ("first", "")
    with pytest.raises(AssertionError, match="a link target for every row"):
        DetailTable(name="t", columns=("a",), rows=((1,), (2,)), leads_to=("first",), level=2)


def test_every_picture_is_a_row():
    labels = GridImage(name="segments", pixels=((0, 1), (2, 2)), labels=True, note="FG-ARI 0.50")
    colours = GridImage(name="input", pixels=((0x0A0B0C, 0xFFFFFF),))
    table = as_table(ImageGrid(name="i", rows=((colours, labels), (labels,)), caption="how to read it", level=0))
    assert table.columns == ("row", "picture", "note", "pixels")
    assert table.rows == (
        (1, "input", "", "0a0b0c ffffff"),
        (1, "segments", "FG-ARI 0.50", "0 1; 2 2"),
        (2, "segments", "FG-ARI 0.50", "0 1; 2 2"),
    )
    for pixels in (((0, 1), (2,)), ((-1,),), ((0x1000000,),)):
        with pytest.raises(AssertionError, match=r"^l: "):
            GridImage(name="l", pixels=pixels)
