"""Computation graphs and matrices as pictures: every node and cell is drawn once, in its place and colour, and is led to."""

import re
from dataclasses import replace

import pytest

from assay.figure import ITSELF, ComputationGraphs, ComputationNode, DetailTable, Matrix, StepGraph
from assay.report.canvas import CARRIED, FAULT, FULL, PAPER, RESTORED, VALUE, WIDTH
from assay.report.page import report_html
from assay.report.pictures import figures_of, picture_of

KINDS = ("correct", "local", "propagation", "restoration", "unparsed")
NODES = (
    ComputationNode(name="x", value="3", layer=0, kind="input"),
    ComputationNode(name="y", value="-1", layer=0, kind="input"),
    ComputationNode(name="u", value="2", layer=1, kind="correct", note="step not seen"),
    ComputationNode(name="v", value="7", layer=1, kind="local", note="right is 4"),
    ComputationNode(name="w", value="9", layer=2, kind="propagation", note="right is 6"),
    ComputationNode(name="z", value="1", layer=3, kind="restoration"),
    ComputationNode(name="q", value="?", layer=3, kind="unparsed"),
)
EDGES = ((0, 2), (1, 2), (1, 3), (2, 4), (3, 4), (4, 5), (4, 6))
GRAPH = StepGraph(name="layer 1, first error: 3 -1", steps=NODES, edges=EDGES)


def steps(*graphs):
    return ComputationGraphs(name="Computation graphs", kinds=KINDS, graphs=graphs, caption="how to read them", level=2)


def matrix(num=2, value=0.9):
    names = tuple(str(k) for k in range(num))
    return Matrix(
        name="Right answers by size", down="rows", across="columns", rows=names, columns=names,
        values=tuple(tuple(None if i == j == 0 else value for j in range(num)) for i in range(num)),
        notes=tuple(tuple("5 examples" for _ in range(num)) for _ in range(num)), caption="the darker the larger", level=2,
    )  # fmt: skip


def test_every_node_and_edge_is_drawn_in_its_place():
    (panel,) = picture_of(steps(GRAPH)).panels
    told = {mark.description.split(" = ")[0]: mark for mark in panel.marks if mark.description}
    assert set(told) == {step.name for step in NODES}
    colours = {name: mark.attributes.get("fill") for name, mark in told.items()}
    assert [colours[name] for name in "uvwz"] == [VALUE, FAULT, CARRIED, RESTORED]
    assert colours["x"] is None  # an input is an open circle
    lines = [mark for mark in panel.marks if mark.tag == "path" and mark.attributes.get("stroke-width") == 1]
    assert len(lines) == len(EDGES)
    assert told["v"].description == "v = 7; local; right is 4"
    places = [mark.attributes["cy"] for name, mark in told.items() if "cy" in mark.attributes]
    assert min(places) > 0
    assert max(places) < panel.height
    assert "1 local" in panel.subtitle
    assert all(0 <= mark.attributes["cx"] <= WIDTH for mark in told.values() if "cx" in mark.attributes)


def test_kinds_differ_in_shape_too():
    (panel,) = picture_of(steps(GRAPH)).panels
    shapes = {}
    for mark in panel.marks:
        if mark.description:
            numbers = re.sub(r"-?[\d.]+", "#", mark.attributes.get("d", "circle"))
            shapes[mark.description.split("; ")[1]] = (mark.tag, numbers, mark.attributes.get("fill"))
    assert len(set(shapes.values())) == len(shapes) == 6


def test_values_stand_beside_nodes_where_there_is_room():
    (panel,) = picture_of(steps(GRAPH)).panels
    assert {"3", "-1", "2", "7", "9", "1", "?"} <= {text.words for text in panel.texts}
    many = StepGraph(name="many", steps=tuple(replace(NODES[2], name=f"n{k}", value="88") for k in range(40)), edges=())
    (panel,) = picture_of(steps(many)).panels
    assert "88" not in {text.words for text in panel.texts}
    assert len([mark for mark in panel.marks if mark.description]) == 40


def test_graphs_are_chosen_and_too_large_ones_left_out():
    large = StepGraph(name="large", steps=NODES * 30, edges=())
    picture = picture_of(steps(GRAPH, large))
    assert picture.choices == (GRAPH.name,)
    assert picture.left_out == "1 more graph in report.json."
    assert picture_of(steps(large)) is None
    assert picture_of(steps()) is None


def test_a_row_leads_to_its_graph(examples, pictured):
    table = DetailTable(name="layers", columns=("layer",), rows=((1,), (2,)), leads_to=(GRAPH.name, "nowhere"), level=2)
    other = replace(GRAPH, name="without an error")
    html = report_html(examples.audit([pictured.evidence(matrix(), steps(other, GRAPH), table)]))
    (target,) = re.findall(r'<td[^>]*><a href="#([^"]+)">1</a></td>', html)
    before, after = html.split(f'<div id="{target}">')
    assert before.rstrip().endswith(f"<summary>{GRAPH.name}</summary>")
    assert after.index("propagation") < after.index("</details>")
    assert '<a href="#nowhere' not in html
    assert re.findall(r"<td[^>]*>2</td>", html)


def test_every_cell_is_drawn_the_darker_the_larger():
    (panel,) = picture_of(matrix()).panels
    cells = [mark for mark in panel.marks if mark.tag == "rect"]
    assert len(cells) == 3
    assert {text.words for text in panel.texts} >= {"0.90", "0", "1", "columns"}
    light, dark = (picture_of(matrix(value=value)).panels[0] for value in (0.1, 0.9))
    shade = [next(mark for mark in one.marks if mark.tag == "rect").attributes["fill-opacity"] for one in (light, dark)]
    assert shade[0] < shade[1]
    inks = [next(text for text in one.texts if "." in text.words).attributes["fill"] for one in (light, dark)]
    assert [ink == PAPER for ink in inks] == [False, True]
    assert "rows 0, columns 1: 0.900, 5 examples" in {mark.description for mark in cells}


def test_a_thing_beside_itself_is_no_lack_of_data(examples, pictured):
    for note, expected in ((ITSELF, 0), ("5 examples", 1)):
        one = replace(matrix(), notes=((note, ""), ("", "")))
        assert picture_of(one).panels[0].description.count("not enough data") == expected
        assert report_html(examples.audit([pictured.evidence(one)])).count(">not enough data<") == expected


@pytest.mark.parametrize("num", [1, 24, 40])
def test_large_matrices_stay_on_their_panel(num):
    picture = picture_of(matrix(num))
    if num == 1:
        assert not [mark for mark in picture.panels[0].marks if mark.tag == "rect"]
        return
    for mark in picture.panels[0].marks:
        assert mark.attributes["x"] + mark.attributes["width"] <= FULL
        assert mark.attributes["y"] + mark.attributes["height"] <= picture.panels[0].height
    assert bool(picture.left_out) == (num > 24)


def test_a_matrix_of_nothing_has_no_picture():
    assert picture_of(replace(matrix(), rows=(), values=(), notes=())) is None


def test_files_have_the_colours_of_the_kinds(pictured):
    found = figures_of(pictured.evidence(steps(GRAPH)))
    assert {"#b3372b", "#c98a1b", "#3d7f4f"} <= set(re.findall("#[0-9a-f]{6}", found["Computation graphs"]))
