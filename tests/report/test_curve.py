"""Curves: every value and null of a figure is on the paper, at its place, and named."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.figure import Curve, Line, Plot, Stretch
from assay.report.canvas import INK, NULL, SERIES, VALUE, inline_svg
from assay.report.pictures import picture_of
from assay.report.pictures.curve import DASHES, LEFT, PLOT, ROOM, TOP, _centred, in_order, of_sizes
from assay.report.pictures.picture import LINE, apart
from svg_marks import dots, lines, marks

PLACES = ("in", "hidden", "out")


def line(name="measured", x=PLACES, y=(0.25, 0.5, 0.75), **more):
    return Line(name=name, x=x, y=y, **more)


def curve(*lines, across="layer"):
    return Curve(name="Layer by layer", across=across, plots=(Plot(title="UUAS", lines=lines),), caption="c", level=0)


def svg_of(*lines, **more):
    (panel,) = picture_of(curve(*lines, **more)).panels
    return inline_svg(panel)


def at(place, value):
    return (
        pytest.approx(LEFT + 6 + place * (ROOM - 12), abs=0.01),
        pytest.approx(TOP + (1 - value) * PLOT, abs=0.01),
    )


def areas(svg):
    """Corners of the bands, in grey."""
    return [mark.pieces[0] for mark in marks(svg, "path") if mark["fill"] == NULL and mark["fill-opacity"]]


def test_every_value_interval_and_null_is_at_its_place():
    svg = svg_of(
        line(low=(0.125, None, 0.5), high=(0.5, None, 1.0)),
        line("chain", y=(0.4, 0.4, 0.4), null=True),
        line("untrained", y=(0.1, None, 0.2), null=True),
    )
    points = [at(0, 0.25), at(0.5, 0.5), at(1, 0.75)]
    assert dots(svg) == points
    assert lines(svg, VALUE, 1.5) == [points]
    assert lines(svg, NULL, 1.5) == [[at(0, 0.4), at(0.5, 0.4), at(1, 0.4)], [at(0, 0.1), at(1, 0.2)]]
    assert lines(svg, VALUE, 3) == [[at(0, 0.125), at(0, 0.5)], [at(1, 0.5), at(1, 1.0)]]
    assert areas(svg) == []
    for words in ("measured", "chain", "untrained", ">layer<", ">in<", ">out<"):
        assert words in svg
    assert marks(svg, "circle")[0].description == "measured, in: 0.250 [0.125, 0.500]"


def test_the_interval_of_a_null_is_a_band_without_bars():
    svg = svg_of(line(), line("untrained", y=(0.2, 0.3, 0.4), low=(0.1, None, 0.3), high=(0.3, 0.4, 0.5), null=True))
    assert areas(svg) == [[at(0, 0.1), at(1, 0.3), at(1, 0.5), at(0, 0.3)]]
    assert lines(svg, VALUE, 3) == []
    assert "untrained: in: 0.200 [0.100, 0.300], hidden: 0.300, out: 0.400 [0.300, 0.500]" in svg


def test_numbers_lie_on_the_axis_as_numbers_and_words_in_their_order():
    places = [x for x, _ in dots(svg_of(line(x=(0, 2, 8))))]
    assert (places[1] - places[0]) / (places[2] - places[0]) == pytest.approx(0.25, abs=1e-3)
    places = [x for x, _ in dots(svg_of(line(x=("0", "2", "8"))))]
    assert (places[1] - places[0]) / (places[2] - places[0]) == pytest.approx(0.5, abs=1e-3)


def test_plots_share_one_axis():
    plots = [Plot(title=title, lines=(line(x=x, y=(0.5,)),)) for title, x in (("a", ("in",)), ("b", ("out",)))]
    first, second = picture_of(replace(curve(), plots=tuple(plots))).panels
    assert dots(inline_svg(first)) == [at(0, 0.5)]
    assert dots(inline_svg(second)) == [at(1, 0.5)]


def test_every_plot_has_a_panel_with_the_nulls_that_it_has(pictured):
    uuas, las = picture_of(pictured.layers(("UUAS", "LAS"))).panels
    assert (uuas.title, las.title) == ("UUAS", "LAS")
    for name in pictured.NULLS:
        assert name in uuas.description
        assert (name in las.description) == (name != "Jabberwocky")
        assert name[:12] in inline_svg(uuas)
    assert len(lines(inline_svg(las), NULL, 1.5)) == len(pictured.NULLS) - 1
    assert len(areas(inline_svg(las))) == 1
    dashes = [
        {mark.description.partition(":")[0]: mark["stroke-dasharray"] for mark in marks(inline_svg(panel))}
        for panel in (uuas, las)
    ]
    assert all(dashes[0][name] == dashes[1][name] for name in pictured.NULLS if name != "Jabberwocky")


def test_neighbouring_nulls_have_other_patterns_and_those_of_one_name_the_same():
    names = ("a", "b", "a", "c", "d")
    svg = svg_of(*(line(name, null=True) for name in names))
    patterns = [
        mark["stroke-dasharray"] for mark in marks(svg, "path") if (mark["stroke"], mark["stroke-width"]) == (NULL, 1.5)
    ]
    solid, dotted, dashed = (" ".join(map(str, dash)) or None for dash in DASHES.values())
    assert patterns == [solid, dotted, solid, dashed, solid]


@pytest.mark.parametrize("null", [False, True])
def test_a_style_is_a_pattern(null):
    svg = svg_of(*(line(style=style, null=null) for style in DASHES))
    colour = NULL if null else VALUE
    patterns = [
        mark["stroke-dasharray"] for mark in marks(svg, "path") if (mark["stroke"], mark["stroke-width"]) == (colour, 1.5)
    ]
    assert patterns == [" ".join(map(str, dash)) or None for dash in DASHES.values()]


@pytest.mark.parametrize("layers", [("hidden 3",), (3,), (0,)])
def test_one_point_is_a_dot_and_of_a_null_a_short_line_and_band(pictured, layers):
    svg = inline_svg(picture_of(pictured.layers(("UUAS",), ("untrained",), layers)).panels[0])
    assert len(dots(svg)) == 1
    ((left, y), (right, same)) = lines(svg, NULL, 1.5)[0]
    assert right - left == pytest.approx(10)
    assert y == same
    (band,) = areas(svg)
    assert max(x for x, _ in band) - min(x for x, _ in band) == pytest.approx(10)


@pytest.mark.parametrize("lines", [(), (line(x=(), y=()),), (line(y=(None, None, None)),)])
def test_curves_without_a_value_have_no_picture(lines):
    assert picture_of(curve(*lines)) is None
    assert picture_of(replace(curve(), plots=())) is None


def test_words_beneath_the_axis_do_not_touch_and_end_with_the_last(pictured):
    for names in (pictured.LAYERS, tuple(map(str, range(33))), ("a" * 40, "b" * 40), ("x",)):
        rows = in_order("layer", names).rows
        for row in rows:
            ends = [_centred(place, words) for place, words in row]
            assert all(first[1] < second[0] for first, second in pairwise(ends))
        assert rows[0][0][1] == names[0]
    (row,) = in_order("layer", tuple(map(str, range(33)))).rows
    assert row[-1] == (1.0, "32")
    assert in_order("layer", ("none", 0.5)).rows == (((0.0, "none"), (1.0, "0.5")),)


def test_a_few_names_stand_beneath_the_axis_in_rows_and_none_is_left_out(pictured):
    rows = in_order("layer", pictured.LAYERS).rows
    assert len(rows) > 1
    assert sorted(words for row in rows for _, words in row) == sorted(pictured.LAYERS)
    svg = svg_of(line(x=pictured.LAYERS, y=(0.5,) * len(pictured.LAYERS)))
    assert all(f">{name}<" in svg for name in pictured.LAYERS)


def test_a_stretch_is_a_band_over_the_whole_height_that_says_what_happens_there():
    plot = Plot(title="UUAS", lines=(line(),), stretches=(Stretch(start="hidden", end="out", note="combined by relu#1"),))
    (panel,) = picture_of(replace(curve(), plots=(plot,))).panels
    (band,) = [mark for mark in marks(inline_svg(panel), "path") if mark["fill"] == VALUE and mark["fill-opacity"]]
    assert band.description == "combined by relu#1"
    assert band.pieces[0] == [at(0.5, 1.0), at(1, 1.0), at(1, 0.0), at(0.5, 0.0)]
    assert "combined by relu#1" in panel.description


def test_what_more_is_to_be_said_of_a_point_is_told_when_it_is_pointed_at():
    svg = svg_of(line(notes=("a", "", "c")))
    assert [mark.description for mark in marks(svg, "circle")] == [
        "measured, in: 0.250; a",
        "measured, hidden: 0.500",
        "measured, out: 0.750; c",
    ]


@pytest.mark.parametrize("sizes", [[0, 50_000], [0.0, 1e-4, 7e8], [-3e9, 3e9], [0.0, 10.0, 1e4], [0.5]])
def test_numbers_beneath_the_axis_do_not_touch(sizes):
    ends = [_centred(place, words) for place, words in of_sizes("steps", sizes).rows[0]]
    assert len(ends) > 1
    assert all(first[1] < second[0] for first, second in pairwise(ends))


def test_sizes_that_differ_by_much_are_logarithmic():
    across = of_sizes("kept", [0.001, 0.01, 0.1, 1.0])
    assert [across.places[size] for size in (0.001, 0.01, 0.1, 1.0)] == [pytest.approx(k / 3) for k in range(4)]
    assert "logarithmic" in across.title
    assert [words for _, words in across.rows[0]] == ["0.001", "0.01", "0.1", "1"]
    with_zero = of_sizes("kept", [0.0, 0.001, 1.0])
    assert with_zero.places[0.0] == 0 < with_zero.places[0.001] < 0.2
    assert with_zero.rows[0][0] == (0.0, "0")


@pytest.mark.parametrize("sizes", [[], [0.0], [0.5], [0.2, 1.0], [2.0, 8.0], [-4.0, 0.1, 90.0]])
def test_sizes_that_differ_by_little_or_are_negative_are_linear(sizes):
    across = of_sizes("kept", sizes)
    assert across.title == "kept"
    assert all(0 <= across.places[size] <= 1 for size in sizes)
    assert len(set(across.places.values())) == len(sizes)


def test_marked_points_are_large_and_on_top(pictured):
    picture = picture_of(pictured.sizes(("A",), seeds=2, untrained=3))
    alone, without = map(inline_svg, picture.panels)
    for svg, curves in ((alone, 2), (without, 1)):
        assert sum(len(lines(svg, colour, 1.5)) for colour in SERIES) == 3 * curves  # two seeds, and the twin in another basis
        assert len(lines(svg, NULL, 1.5)) == 3 * curves
        assert len(dots(svg)) == 8 * 3 * curves
        large = [mark["r"] > 4 for mark in marks(svg, "circle")]
        assert large == sorted(large), "none covers one that stands out"
        assert sum(large) == curves
    for words in ("own, this", "other, this", "own, untrained", "other, rotated"):
        assert alone.count(f">{words}<") == 1, "lines of one name share their label"
    assert [panel.subtitle for panel in picture.panels] == ["accuracy on problems", "necessity"]


def test_a_name_has_one_colour_in_all_plots_and_the_words_beside_it_have_it_too():
    first = Plot(title="a", lines=(line("C"), line("E", y=(0.1, 0.2, 0.3)), line("chance", y=(0.1, 0.1, 0.1), null=True)))
    second = Plot(title="b", lines=(line("E"),))
    drawn = [inline_svg(panel) for panel in picture_of(replace(curve(), plots=(first, second))).panels]
    for svg, names in zip(drawn, (("C", "E"), ("E",)), strict=True):
        colours = {name: SERIES[("C", "E").index(name)] for name in names}
        for name, colour in colours.items():
            assert len(lines(svg, colour, 1.5)) == 1
            assert {mark["fill"] for mark in marks(svg, "text") if mark.words == name} == {colour}
            assert sum(mark["fill"] == colour for mark in marks(svg, "circle")) == 3
    assert lines(drawn[1], SERIES[0], 1.5) == []
    alone = inline_svg(picture_of(replace(curve(), plots=(second,))).panels[0])
    assert {mark["fill"] for mark in marks(alone, "text") if mark.words == "E"} == {INK}, "one name needs no colour"


def test_values_below_zero_fit_on_the_axis():
    (_, low), (_, high) = dots(svg_of(line(x=(0, 1), y=(-0.5, 0.25))))
    assert TOP <= high < low <= TOP + PLOT


@given(wanted=st.lists(st.floats(-50, 250), max_size=15))
def test_labels_keep_their_order_and_their_distance(wanted):
    placed = apart(wanted, low=0, high=200)
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    assert all(placed[b] - placed[a] >= LINE - 1e-9 for a, b in pairwise(order))
    assert all(-1e-9 <= y <= 200 for y in placed)


def test_labels_with_room_stay_where_they_are():
    assert apart([30.0, 100.0, 60.0], low=0, high=200) == [30.0, 100.0, 60.0]
    assert apart([], low=0, high=200) == []
