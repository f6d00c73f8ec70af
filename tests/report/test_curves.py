"""Curves: every value and null of a table is on the paper, at its place, and named."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.evidence import Table
from assay.report.canvas import NULL, VALUE, inline_svg
from assay.report.pictures import picture_of
from assay.report.pictures.curves import DASHES, LEFT, PLOT, TOP, Line, Spot, _centred, _room, curve_panel, in_order, of_sizes
from assay.report.pictures.picture import LINE, apart
from svg_marks import dots, lines, marks

COLUMNS = ("layer", "measure", "value", "low", "high", "chain", "untrained")


def table(*rows, columns=COLUMNS):
    return Table(name="Layer by layer", columns=columns, rows=tuple(rows), level=0)


def at(place, value):
    return (
        pytest.approx(LEFT + 6 + place * (_room() - 12), abs=0.01),
        pytest.approx(TOP + (1 - value) * PLOT, abs=0.01),
    )


def test_every_value_interval_and_null_is_at_its_place():
    rows = [
        (0, "UUAS", 0.25, 0.125, 0.5, 0.4, 0.1),
        (1, "UUAS", 0.5, None, None, 0.4, None),
        (2, "UUAS", 0.75, 0.5, 1.0, 0.4, 0.2),
    ]
    picture = picture_of(table(*rows))
    assert [panel.title for panel in picture.panels] == ["UUAS"]
    svg = inline_svg(picture.panels[0])
    points = [at(0, 0.25), at(0.5, 0.5), at(1, 0.75)]
    assert dots(svg) == points
    assert lines(svg, VALUE, 1.5) == [points]
    assert lines(svg, NULL, 1.5) == [[at(0, 0.4), at(0.5, 0.4), at(1, 0.4)], [at(0, 0.1), at(1, 0.2)]]
    assert lines(svg, VALUE, 3) == [[at(0, 0.125), at(0, 0.5)], [at(1, 0.5), at(1, 1.0)]]
    for words in ("measured", "chain", "untrained", ">layer<", ">0<", ">2<"):
        assert words in svg
    assert marks(svg, "circle")[0].told == "measured, 0: 0.250 [0.125, 0.500]"


def test_every_measure_has_a_panel_with_the_nulls_that_it_has(pictured):
    uuas, las = picture_of(pictured.layers(("UUAS", "LAS"))).panels
    for name in pictured.NULLS:
        assert name in uuas.told
        assert (name in las.told) == (name != "Jabberwocky")
        assert name[:12] in inline_svg(uuas)
    assert len(lines(inline_svg(las), NULL, 1.5)) == len(pictured.NULLS) - 1


def test_neighbouring_nulls_have_other_patterns(pictured):
    svg = inline_svg(picture_of(pictured.layers(("UUAS",))).panels[0])
    patterns = {mark["stroke-dasharray"] for mark in marks(svg, "path") if mark["stroke"] == NULL}
    assert patterns == {" ".join(map(str, dash)) or None for dash in DASHES}


@pytest.mark.parametrize("layers", [("hidden 3",), (3,)])
def test_one_layer_draws_values_and_short_lines_for_nulls(pictured, layers):
    svg = inline_svg(picture_of(pictured.layers(("UUAS",), ("chain",), layers)).panels[0])
    assert len(dots(svg)) == 1
    ((left, y), (right, same)) = lines(svg, NULL, 1.5)[0]
    assert right - left == 10
    assert y == same


@pytest.mark.parametrize(
    "drawn",
    [
        table(),
        table((0, "UUAS", None, None, None, None, None)),
        table((0, 0.5, 0.4, 0.6), columns=("layer", "value", "low", "high")),
        table(("UUAS", 0.5, 0.4, 0.6), columns=COLUMNS[1:5]),
    ],
)
def test_tables_of_another_kind_or_without_a_number_have_no_picture(drawn):
    assert picture_of(drawn) is None


def test_a_table_without_nulls_says_so():
    picture = picture_of(table((0, "UUAS", 0.5, 0.4, 0.6), columns=COLUMNS[:5]))
    assert "no null" in picture.caption


def test_words_beneath_the_axis_do_not_touch_and_end_with_the_last(pictured):
    for names in (pictured.LAYERS, tuple(range(33)), ("a" * 40, "b" * 40), ("x",)):
        ticks = in_order("layer", names).ticks
        ends = [_centred(place, words) for place, words in ticks]
        assert all(first[1] < second[0] for first, second in pairwise(ends))
        assert ticks[0][1] == str(names[0])
    assert in_order("layer", tuple(range(33))).ticks[-1] == (1.0, "32")
    assert in_order("layer", pictured.LAYERS).ticks[-1] == (1.0, "hidden 6")


def test_sizes_that_differ_by_much_are_logarithmic():
    across = of_sizes("kept", [0.001, 0.01, 0.1, 1.0])
    assert [across.places[size] for size in (0.001, 0.01, 0.1, 1.0)] == [pytest.approx(k / 3) for k in range(4)]
    assert "logarithmic" in across.title
    assert [words for _, words in across.ticks] == ["0.001", "0.01", "0.1", "1"]
    with_zero = of_sizes("kept", [0.0, 0.001, 1.0])
    assert with_zero.places[0.0] == 0 < with_zero.places[0.001] < 0.2
    assert with_zero.ticks[0] == (0.0, "0")


@pytest.mark.parametrize("sizes", [[], [0.0], [0.5], [0.2, 1.0], [2.0, 8.0]])
def test_sizes_that_differ_by_little_are_linear(sizes):
    across = of_sizes("kept", sizes)
    assert across.title == "kept"
    assert all(0 <= across.places[size] <= 1 for size in sizes)


def test_a_mask_that_stands_for_its_part_is_a_large_dot_and_untrained_networks_are_grey(pictured):
    picture = picture_of(pictured.sizes(("A",), seeds=2, untrained=3))
    alone, without = map(inline_svg, picture.panels)
    for svg, curves in ((alone, 2), (without, 1)):
        assert len(lines(svg, VALUE, 1.5)) == 3 * curves  # two seeds, and the twin in another basis
        assert len(lines(svg, NULL, 1.5)) == 3 * curves
        assert len(dots(svg)) == 8 * 3 * curves
        large = [mark["r"] > 4 for mark in marks(svg, "circle")]
        assert large == sorted(large), "none covers one that stands out"
        assert sum(large) == curves
    for words in ("own, this", "other, this", "own, untrained", "other, rotated"):
        assert words in alone
    assert picture.panels[0].title == "Part A: its mask alone"


def test_parts_have_panels_of_their_own_and_missing_numbers_are_left_out(pictured):
    made = pictured.sizes(("A", "B"))
    assert len(picture_of(made).panels) == 4
    necessity = made.columns.index("necessity")
    rows = tuple((*row[:necessity], None, *row[necessity + 1 :]) for row in made.rows)
    assert [panel.subtitle for panel in picture_of(replace(made, rows=rows)).panels] == ["accuracy on problems"] * 2
    assert picture_of(replace(made, rows=())) is None


def test_values_below_zero_fit_on_the_axis():
    lines = [Line("m", (Spot(0, -0.5), Spot(1, 0.25)))]
    panel = curve_panel("t", "", in_order("layer", (0, 1)), lines)
    (_, low), (_, high) = dots(inline_svg(panel))
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
