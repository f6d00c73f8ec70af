"""The canvas: marks are drawn where they were put, in either palette, and what strangers wrote stays text on the panel."""

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.printable import printable
from assay.report import comparison_figure, figures_of
from assay.report.canvas import (
    _OUTLINES,
    EDGE,
    FULL,
    INK,
    LIGHT,
    MARGIN,
    MUTED,
    PAGE,
    VALUE,
    WIDTH,
    Canvas,
    Svg,
    inline_svg,
    shortened,
    standalone_svg,
    width_of,
)
from assay.report.figures import comparison_panels, panels
from assay.report.pictures import pictures
from svg_marks import dots, lines, marks

HOSTILE = [
    "<b>&\"'<script>alert(1)</script>",
    "]]>&#0;&amp;",
    "a\x1b[31m\x00",
    "\ud800x",
    "a\nb\tc\r",
    "\ufffe\uffff",
    "\u202egnp",
]


def planted(words="plain", description="described"):
    """A canvas with one mark of every kind."""
    canvas = Canvas(100)
    canvas.text(words, 10, 20)
    canvas.dot(30, 40, description, size=64)
    canvas.line([(1, 2), (3.14159, 4)], [(5, 6), (7, 8)], dash=(2, 1), description=description)
    canvas.rule(0, 50, WIDTH, 50, colour=MUTED, layer="back")
    canvas.fill(50, 60, 20, 10, share=0.5, description=description)
    canvas.frame(50, 60, 20, 10)
    return canvas.panel("title", "subtitle", description)


def test_every_mark_is_where_it_was_put():
    svg = inline_svg(planted())
    assert dots(svg) == [(30, 40)]
    assert lines(svg, VALUE, 1.5) == [[(1, 2), (3.14, 4)], [(5, 6), (7, 8)]]
    assert lines(svg, MUTED, 1) == [[(0, 50), (WIDTH, 50)]]
    fill, frame = marks(svg, "rect")
    assert [(box["x"], box["y"], box["width"], box["height"]) for box in (fill, frame)] == [(50, 60, 20, 10)] * 2
    assert (fill["fill"], fill["fill-opacity"], frame["stroke"]) == (VALUE, 0.52, INK)
    (text,) = marks(svg, "text")
    assert (text.words, text["x"], text["y"], text["fill"]) == ("plain", 10, pytest.approx(23.3), INK)
    assert [mark["r"] for mark in marks(svg, "circle")] == [4]
    assert f'<g fill="none" transform="translate({MARGIN} {EDGE})">' in svg, "where the plot's corner is"


def test_layers_cover_one_another_in_their_order():
    assert [mark.tag for mark in marks(inline_svg(planted()))] == ["path", "rect", "rect", "path", "circle", "text"]


def test_both_forms_have_the_same_marks():
    panel = planted()
    inline, standalone = inline_svg(panel), standalone_svg([panel], "name")
    heads = [("text", "title"), ("text", "subtitle")]
    paper, *rest = marks(standalone)
    assert (paper["width"], paper["fill"]) == ("100%", "paper")
    assert [(mark.tag, mark.words) for mark in rest[:2]] == heads
    assert rest[2:] == marks(inline)
    assert set(re.findall(r'(?:fill|stroke)="([^"]*)"', inline)) <= {"none", *PAGE.values()}
    assert set(re.findall(r'(?:fill|stroke)="([^"]*)"', standalone)) <= {"none", *LIGHT.values()}
    assert (" id=" in inline, "xmlns" in inline) == (False, False), "two figures on a page would share it"


@pytest.mark.parametrize("words", HOSTILE)
def test_words_are_shown_and_never_obeyed(words):
    panel = planted(words, words)
    for svg in (inline_svg(panel), standalone_svg([panel], words)):
        svg.encode()  # holds no half of a character
        root = ElementTree.fromstring(svg)
        assert not [element.tag for element in root.iter() if element.tag.endswith(("script", "b"))]
        assert printable(words) in root.get("aria-label")
        *_, text = marks(svg, "text")
        assert text.words == printable(words)
        assert {mark.description for mark in marks(svg, "circle")} == {printable(words)}


@given(st.text(alphabet=st.characters(), max_size=80), st.sampled_from(["left", "center", "right"]), st.integers(0, WIDTH))
def test_any_text_is_xml_and_stays_on_the_panel(words, align, x):
    canvas = Canvas(20)
    canvas.text(words, x, 10, align=align)
    canvas.dot(x, 10, words)
    panel = canvas.panel(words, words, words)
    *_, text = marks(inline_svg(panel), "text")
    left, right = text.ends
    assert left >= -MARGIN - 0.01
    assert right <= WIDTH + MARGIN + 0.01
    shown = printable(words)
    assert text.words == shown if width_of(shown) <= FULL else text.words[:-1] == shown[: len(text.words) - 1]
    ElementTree.fromstring(standalone_svg([panel, panel], words))


def test_what_has_no_room_is_cut_and_what_has_room_is_not():
    assert shortened("abcdef", 36) == "abcdef"
    assert shortened("abcdefg", 36) == "abcde\N{HORIZONTAL ELLIPSIS}"
    assert shortened("東京東京", 36) == "東京\N{HORIZONTAL ELLIPSIS}", "characters of full width count for two"
    assert shortened("abcdefg", 0) == "ab\N{HORIZONTAL ELLIPSIS}"
    assert shortened("", 0) == ""


@pytest.mark.parametrize("shape", _OUTLINES)
def test_shapes_are_as_large_as_asked_and_in_the_middle(shape):
    canvas = Canvas(100)
    canvas.dot(50, 60, size=36, shape=shape)
    (mark,) = marks(inline_svg(canvas.panel("", "", "")), "path")
    (points,) = mark.pieces
    across, down = ([point[side] - middle for point in points] for side, middle in ((0, 50), (1, 60)))
    assert max(map(abs, across + down)) == 3
    assert min(across) == -max(across)
    assert min(down) == -max(down)
    if shape.startswith("triangle"):  # its top lies where its name says
        top = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}[shape.partition("-")[2]]
        tall = round(3 * math.sqrt(3) / 2, 2)
        assert (round(across[0], 2), round(down[0], 2)) == (top[0] * tall, top[1] * tall)


def test_a_canvas_of_nothing_and_a_file_of_no_panel():
    empty = Canvas(0).panel("", "", "")
    for svg, size in (
        (inline_svg(empty), (328, 2 * EDGE)),
        (standalone_svg([], "none"), (328, 8)),
        (standalone_svg([empty], "one"), (328, 48)),
    ):
        root = ElementTree.fromstring(svg)
        assert (float(root.get("width")), float(root.get("height"))) == size
        assert [mark.tag for mark in marks(svg)] in ([], ["rect"])


def test_files_have_two_columns_and_a_row_begins_beneath_the_taller_panel():
    low, high = Canvas(10).panel("low", "", ""), Canvas(200).panel("high", "", "")
    root = ElementTree.fromstring(standalone_svg([low, high, low], "three"))
    corners = [re.findall(r"[\d.]+", group.get("transform")) for group in root if group.tag.endswith("}g")]
    places = [(float(x), float(y)) for x, y in corners]
    plots, heads = places[1::2], places[::2]
    assert [x for x, _ in plots] == [x for x, _ in heads] == [MARGIN, MARGIN + 360, MARGIN]
    assert plots[0][1] == plots[1][1]
    assert heads[2][1] == plots[0][1] + 200 + 32
    assert root.find("{*}title").text == "three"


def test_a_notebook_shows_the_figures_that_are_drawn(examples, pictured):
    evidence = pictured.evidence(pictured.directions(3), pictured.counts(), pictured.sentences(1, words=("a", "b")))
    assert list(figures_of(evidence)) == ["Relation directions", "Sentences"]
    measured = figures_of(examples.decodability())
    assert list(measured) == ["measures"]
    assert len(dots(measured["measures"])) == len(examples.decodability().measures)
    assert figures_of(examples.lean()) == {}
    compared = comparison_figure(examples.three())
    assert len(dots(compared)) == 3 * 2  # scores on seen and novel combinations; all else is the same for the three
    assert isinstance(compared, Svg)
    assert compared._repr_svg_() == compared


def test_no_text_of_a_report_leaves_its_panel(examples, pictured):
    long = "a name that is far too long for the panel of a phone and goes on and on and on"
    wide = [examples.measure(long, 0.5, 0.1, [examples.null(f"{long} {k}", 0.2 * k) for k in range(5)]) for _ in range(2)]
    layers = pictured.layers((long,), ("chain", "untrained"), (long, "b", f"{long} again"))
    lines = tuple(replace(line, name=long) for line in layers.plots[0].lines)
    curve = replace(layers, across=long, plots=(*layers.plots, replace(layers.plots[0], lines=lines)))
    points = [pictured.directions(24, arrows=arrows) for arrows in (True, False)]
    points.append(replace(points[0], name=long, points=tuple(replace(point, name=long) for point in points[0].points)))
    texts = pictured.sentences(1, words=(long, "b", "c"))
    evidence = [examples.systematicity(), examples.decodability(), pictured.evidence(curve, *points, texts, pictured.sizes())]
    drawn = [panel for one in evidence for panel in panels(one)]
    drawn += [panel for one in evidence for picture in pictures(one) for panel in picture.panels]
    drawn += panels(replace(evidence[0], measures=(*wide, replace(wide[0], unit=long))))
    drawn += comparison_panels([(long, [(long, wide[0]), ("b", wide[1])])])
    assert len(drawn) > 10
    for panel in drawn:
        svg = inline_svg(panel)
        root = ElementTree.fromstring(svg)
        assert (root.get("role"), root.get("aria-label")) == ("img", panel.description)
        assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
        assert root.get("width") == "328", "as wide as a phone"
        for text in marks(svg, "text"):
            left, right = text.ends
            assert left >= -MARGIN - 0.01
            assert right <= WIDTH + MARGIN + 0.01, text.words
            assert text["y"] - 8 >= -EDGE
            assert text["y"] + 3 <= panel.height + EDGE, text.words
