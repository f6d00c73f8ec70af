"""Figures: every value, interval and null that was measured is on the paper, at its place."""

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from assay.evidence import Null
from assay.report.axis_canvas import AxisCanvas, Span, _by_rank, round_numbers, span_of, span_over
from assay.report.canvas import FAINT, MUTED, NULL, VALUE, WIDTH, inline_svg
from assay.report.figures import MAX_BLOCKS, MAX_ROWS, comparison_panels, panels
from assay.report.pictures.curve import of_sizes
from assay.report.words import tick
from svg_marks import dots, lines, marks


def only(examples, *measures):
    """The one panel of some measures, as SVG."""
    (panel,) = panels(replace(examples.systematicity(), measures=measures))
    return inline_svg(panel)


def near(x):
    return pytest.approx(x, abs=0.01)


def test_every_value_is_a_dot_at_its_place(examples):
    for evidence in (examples.systematicity(), examples.decodability()):
        drawn = [dot for panel in panels(evidence) for dot in dots(inline_svg(panel))]
        assert len(drawn) == sum(measure.value is not None for measure in evidence.measures)
    svg = only(examples, examples.measure("m", 0.25, 0.1, [examples.null("n", 0.1)]))
    assert [x for x, _ in dots(svg)] == [0.25 * WIDTH]
    (dot,) = (mark for mark in marks(svg, "circle") if mark["fill"] == VALUE)
    assert dot.description.startswith("m 0.250 [0.150, 0.350] (nulls: n 0.")


def test_every_interval_is_a_bar_at_its_place(examples):
    svg = only(examples, examples.measure("m", 0.5, 0.125, [examples.null("n", 0.1)]))
    ((low, y), (high, same)) = lines(svg, VALUE, 3)[0]
    assert (low, high) == (0.375 * WIDTH, 0.625 * WIDTH)
    assert y == same == dots(svg)[0][1]


def test_every_repeat_of_a_null_is_a_tick_and_their_mean_a_tall_one(examples):
    values = (0.125, 0.25, 0.5)
    svg = only(examples, examples.measure("m", 0.75, 0.1, [Null(name="n", how="h", values=values)]))
    ticks = lines(svg, NULL, 1)
    assert [(x, end) for (x, _), (end, _) in ticks] == [(value * WIDTH, value * WIDTH) for value in values]
    assert {low - top for (_, top), (_, low) in ticks} == {8}
    (((mean, top), (_, low)),) = lines(svg, MUTED, 2)
    assert (mean, low - top) == (near(sum(values) / 3 * WIDTH), 14)


def test_every_null_of_a_family_is_a_shape_at_its_mean_on_its_range(examples):
    nulls = [Null(name=name, how="h", values=values) for name, values in (("n", (0.25, 0.75)), ("o", (0.125, 0.375)))]
    svg = only(examples, *(examples.measure("m", 0.5, 0.1, nulls, about={"site": site}) for site in "abc"))
    assert [(low[0], high[0]) for low, high in lines(svg, NULL, 1)] == [(0.25 * WIDTH, 0.75 * WIDTH), (39, 117)] * 3
    shapes = [mark for mark in marks(svg, "path") if mark["stroke-width"] == 1.2]
    assert len(shapes) == 2 + 6, "two in the key"
    middles = [(min(x) + max(x)) / 2 for x in ([x for x, _ in mark.pieces[0]] for mark in shapes[2:])]
    assert middles == [near(0.5 * WIDTH), near(0.25 * WIDTH)] * 3


def test_every_label_and_null_is_named_in_its_panel(examples):
    for evidence in (examples.systematicity(), examples.decodability()):
        svg = "".join(inline_svg(panel) for panel in panels(evidence))
        for name in {null.name for measure in evidence.measures for null in measure.nulls}:
            assert name in svg
        assert "not enough data" in svg or all(measure.value is not None for measure in evidence.measures)


def test_chance_is_drawn_only_in_its_own_unit(examples):
    drawn = {panel.title: panel for panel in panels(examples.systematicity())}
    assert drawn["Accuracy"].has_chance
    assert "chance 0.0909" in inline_svg(drawn["Accuracy"])
    assert not drawn["Accuracy, seen minus novel"].has_chance
    assert not any(panel.has_chance for panel in panels(examples.decodability()))


def test_chance_is_a_dashed_line_that_leaves_headings_free(examples):
    svg = inline_svg(panels(examples.systematicity())[0])
    dashed = [mark for mark in marks(svg, "path") if mark["stroke-dasharray"] == "3 3"]
    runs = [piece for mark in dashed for piece in mark.pieces]
    assert [x for run in runs for x, _ in run] == [near(WIDTH / 11)] * 4
    headings = [text["y"] - 3.3 for text in marks(svg, "text") if text["font-weight"] == "bold"]
    assert len(runs) == len(headings) == 2
    assert all(not top < heading < foot for heading in headings for (_, top), (_, foot) in runs)


def test_nothing_measured_gives_no_panel(examples):
    assert panels(examples.lean()) == []


@pytest.mark.parametrize("num", [1, 2, 3, MAX_ROWS, MAX_ROWS + 1])
def test_families_of_any_size(examples, num):
    members = [examples.measure("m", 0.5, 0.1, [examples.null("n", 0.1)], about={"site": f"s{k}"}) for k in range(num)]
    evidence = replace(examples.systematicity(), measures=tuple(members))
    drawn = panels(evidence)
    assert len(drawn) == (2 if num > MAX_ROWS else 1)
    assert sum(len(dots(inline_svg(panel))) for panel in drawn) == num


def test_where_nothing_is_drawn_there_is_no_panel(examples):
    nothing = examples.measure("m", None, note="3 units, 5 needed")
    evidence = replace(examples.systematicity(), measures=(nothing,))
    assert panels(evidence) == []
    family = tuple(replace(nothing, about={"site": f"s{k}"}) for k in range(3))
    assert panels(replace(evidence, measures=family)) == []
    assert comparison_panels([("m", [("first", nothing), ("second", nothing)])]) == []


def test_not_enough_data_is_told_beside_what_is_drawn(examples):
    measured = examples.measure("n", 0.5, 0.1, [examples.null("null", 0.1)])
    nothing = examples.measure("m", None, note="3 units, 5 needed")
    (panel,) = panels(replace(examples.systematicity(), measures=(nothing, measured)))
    assert [text.words for text in marks(inline_svg(panel), "text")][:2] == ["m", "not enough data"]
    assert len(dots(inline_svg(panel))) == 1


@pytest.mark.parametrize("num", [1, MAX_BLOCKS, MAX_BLOCKS + 1, 3 * MAX_BLOCKS])
def test_many_measures_of_one_unit_are_dealt_to_panels_on_one_scale(examples, num):
    members = tuple(examples.measure(f"m {k}", 0.5 + k, 0.1, [examples.null("n", 0.1)]) for k in range(num))
    drawn = panels(replace(examples.systematicity(), measures=members))
    assert len(drawn) == -(-num // MAX_BLOCKS)
    numbered = [f"{k + 1} of {len(drawn)}" for k in range(len(drawn))]
    assert [panel.subtitle for panel in drawn] == (numbered if len(drawn) > 1 else [""])
    assert sum(len(dots(inline_svg(panel))) for panel in drawn) == num
    ticks = [[t.words for t in marks(inline_svg(panel), "text") if re.fullmatch(r"[\d.]+", t.words)] for panel in drawn]
    assert all(tick == ticks[0] for tick in ticks)


def test_a_null_without_repeats_is_left_out_quietly(examples):
    measure = examples.measure("m", 0.5, 0.1, [Null(name="empty", how="h", values=())])
    assert len(panels(replace(examples.systematicity(), measures=(measure,)))) == 1


def test_the_axis_holds_everything(examples):
    def one(value, half):
        return examples.measure("m", value, half, direction="neither")

    assert span_of([one(0.5, 0.1)]) == Span(0.0, 1.0)
    low, high = span_of([one(-0.02, 0.01), one(0.7, 0.1)])
    assert -0.2 < low <= -0.03
    assert 0.8 <= high < 1
    assert span_of([]) == Span(-1.0, 1.0)
    big = span_of([one(12345.0, 1.0)])
    assert big.low == 0
    assert 12345 <= big.high < 15000


@pytest.mark.parametrize("far", [5e-324, 1e308, 1.79e308])
def test_an_axis_of_the_largest_and_smallest_numbers_is_finite(far):
    span = span_over([far, -far])
    assert all(map(math.isfinite, (span.low, span.high, span.pixels(far), *round_numbers(span))))
    across = of_sizes("size", [0.0, 1.0, far])
    assert all(map(math.isfinite, across.places.values()))


@pytest.mark.parametrize(
    ("span", "numbers"),
    [
        (Span(0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (Span(-1.0, 1.0), ["−1", "−0.5", "0", "0.5", "1"]),
        (Span(-0.02, 0.08), ["−0.02", "0", "0.02", "0.04", "0.06", "0.08"]),
        (Span(0.0, 7.0), ["0", "1", "2", "3", "4", "5", "6", "7"]),
        (Span(-3.0, 2e4), ["0", "5,000", "10,000", "15,000", "20,000"]),
        (Span(0.0, 1e-3), ["0", "0.0002", "0.0004", "0.0006", "0.0008", "0.001"]),
        (Span(0.0, 1e-5), ["0", "2e-06", "4e-06", "6e-06", "8e-06", "1e-05"]),
        (Span(0.0, 3e-14), ["0", "5e-15", "1e-14", "1.5e-14", "2e-14", "2.5e-14", "3e-14"]),
        (Span(-2e12, 3e12), ["−2e+12", "−1e+12", "0", "1e+12", "2e+12", "3e+12"]),
    ],
)
def test_numbers_of_an_axis_are_round(span, numbers):
    assert [tick(number) for number in round_numbers(span)] == [number.replace("e-", "e−") for number in numbers]


@pytest.mark.parametrize("span", [Span(0.0, 1.0), Span(0.0, 1.7e5), Span(-8e8, 9e8), Span(0.0, 1.7e-5)])
def test_numbers_beneath_an_axis_stand_at_their_lines_and_do_not_touch(span):
    sheet = AxisCanvas(span)
    sheet.down(30)
    sheet.axis("unit")
    svg = inline_svg(sheet.panel("", "", ""))
    grid = lines(svg, FAINT, 1)
    assert [x for (x, _), _ in grid] == [round(span.pixels(number)) + 0.5 for number in round_numbers(span)]
    assert {(top, foot) for (_, top), (_, foot) in grid} == {(0, 30)}
    *numbers, unit = marks(svg, "text")
    assert unit.words == "unit"
    places = {tick(number): span.pixels(number) for number in round_numbers(span)}
    assert len(numbers) >= 2
    for text in numbers[1:-1]:
        assert text["x"] == near(places[text.words])
    assert all(first.ends[1] < second.ends[0] for first, second in pairwise(numbers))


def test_thinned_repeats_keep_their_ends():
    values = [float(k) for k in range(1000)]
    thin = _by_rank(values, 40)
    assert len(thin) == 40
    assert (thin[0], thin[-1]) == (0.0, 999.0)
    assert _by_rank([3.0, 1.0], 40) == [1.0, 3.0]
