"""Figures: every value, interval and null that was measured is on the paper, at its place."""

import math
import re
from dataclasses import replace

import pytest

from assay.evidence import Null
from assay.report import comparison_chart, measures_chart
from assay.report.figures import MAX_ROWS, panel_svg, panels, to_svg
from assay.report.page import inlined
from assay.report.pictures.curves import of_sizes
from assay.report.sheet import MARGIN, VALUE, WIDTH, Span, _by_rank, round_numbers, span_of, span_over


def dots(svg):
    """Positions of the dots across, in pixels of the plot."""
    return [
        float(x)
        for x in re.findall(r'aria-label="[^"]*"[^>]*aria-roledescription="point" transform="translate\(([\d.]+),', svg)
    ]


def test_every_value_is_a_dot_at_its_place(examples):
    for evidence in (examples.systematicity(), examples.decodability()):
        drawn = [x for panel in panels(evidence) for x in dots(panel_svg(panel))]
        assert len(drawn) == sum(measure.value is not None for measure in evidence.measures)
    one = replace(examples.systematicity(), measures=(examples.measure("m", 0.25, 0.1, [examples.null("n", 0.1)]),))
    assert dots(panel_svg(panels(one)[0])) == [pytest.approx(0.25 * WIDTH)]


def test_every_interval_is_a_bar_at_its_place(examples):
    one = replace(examples.systematicity(), measures=(examples.measure("m", 0.5, 0.125, [examples.null("n", 0.1)]),))
    bars = re.findall(
        rf'<line transform="translate\(([\d.]+),[\d.]+\)" x2="([\d.]+)" y2="0" stroke="{VALUE}"', panel_svg(panels(one)[0])
    )
    assert [(float(x), float(length)) for x, length in bars] == [(pytest.approx(0.375 * WIDTH), pytest.approx(0.25 * WIDTH))]


def test_every_label_and_null_is_named_in_its_panel(examples):
    for evidence in (examples.systematicity(), examples.decodability()):
        svg = "".join(panel_svg(panel) for panel in panels(evidence))
        for name in {null.name for measure in evidence.measures for null in measure.nulls}:
            assert name in svg
        assert "not enough data" in svg or all(measure.value is not None for measure in evidence.measures)


def test_chance_is_drawn_only_in_its_own_unit(examples):
    drawn = {panel.title: panel for panel in panels(examples.systematicity())}
    assert drawn["Accuracy"].has_chance
    assert "chance 0.0909" in panel_svg(drawn["Accuracy"])
    assert not drawn["Accuracy, seen minus novel"].has_chance
    assert not any(panel.has_chance for panel in panels(examples.decodability()))


def test_panels_are_as_wide_as_a_phone(examples):
    for panel in panels(examples.systematicity()):
        assert f'width="{WIDTH + 2 * MARGIN}"' in panel_svg(panel)


def test_the_altair_charts_are_valid_and_whole(examples):
    chart = measures_chart(examples.decodability())
    svg = to_svg(chart.to_dict())  # validates
    assert len(dots(svg)) == len(examples.decodability().measures)
    assert len(dots(to_svg(comparison_chart(examples.three()).to_dict()))) == 3 * 5


def test_nothing_measured_gives_no_panel(examples):
    assert panels(examples.lean()) == []


@pytest.mark.parametrize("num", [1, 2, 3, MAX_ROWS, MAX_ROWS + 1])
def test_families_of_any_size(examples, num):
    members = [examples.measure("m", 0.5, 0.1, [examples.null("n", 0.1)], about={"site": f"s{k}"}) for k in range(num)]
    evidence = replace(examples.systematicity(), measures=tuple(members))
    drawn = panels(evidence)
    assert len(drawn) == (2 if num > MAX_ROWS else 1)
    assert sum(len(dots(panel_svg(panel))) for panel in drawn) == num


def test_not_enough_data_alone_still_draws(examples):
    evidence = replace(examples.systematicity(), measures=(examples.measure("m", None, note="3 units, 5 needed"),))
    svg = panel_svg(panels(evidence)[0])
    assert "not enough data" in svg
    assert dots(svg) == []


def test_a_null_without_repeats_is_left_out_quietly(examples):
    measure = examples.measure("m", 0.5, 0.1, [Null(name="empty", how="h", values=())])
    assert len(panels(replace(examples.systematicity(), measures=(measure,)))) == 1


def test_inlined_panels_follow_the_page_and_carry_their_numbers(examples):
    evidence = examples.systematicity()
    for panel in panels(evidence):
        svg = inlined(panel)
        assert not re.findall(r'(?:fill|stroke)="#', svg), "a colour that the page cannot change"
        assert "xmlns" not in svg
        assert " id=" not in svg, "two figures on a page would share it"
    first = inlined(panels(evidence)[0])
    assert "<title>seen score 0.997 [0.995, 0.999]" in first
    assert ">0.997 [0.995, 0.999]</text>" in first


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


@pytest.mark.parametrize("span", [Span(0.0, 1.0), Span(-0.02, 0.08), Span(-3.0, 2e4), Span(0.0, 1e-5)])
def test_axis_numbers_lie_on_the_axis_and_are_few(span):
    numbers = round_numbers(span)
    assert 3 <= len(numbers) <= 9
    assert all(span.low - 1e-9 <= number <= span.high + 1e-9 for number in numbers)


def test_thinned_repeats_keep_their_ends():
    values = [float(k) for k in range(1000)]
    thin = _by_rank(values, 40)
    assert len(thin) == 40
    assert (thin[0], thin[-1]) == (0.0, 999.0)
    assert _by_rank([3.0, 1.0], 40) == [1.0, 3.0]
