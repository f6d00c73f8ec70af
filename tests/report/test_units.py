"""Units behind a measure: by name, in order of their values, beside what nulls have on them, no more than a page can bear."""

import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from assay.figure import DetailTable, Point, Scatter
from assay.report import figures_of
from assay.report.canvas import WIDTH, inline_svg
from assay.report.page import report_html
from assay.report.units import (
    FEWEST_ROWS,
    LEAST_STEP,
    MOST_ON_PAGE,
    MOST_PLOTS,
    MOST_ROWS,
    STEP,
    TALLEST,
    combination_name,
    units_of,
)
from assay.report.words import number
from assay.stored_examples import MOST_EXAMPLES, StoredExample
from svg_marks import marks

NAMED = [(0, "i=0, j=0"), (13, "i=1, j=1"), (143, "i=11, j=11"), (144, "combination 144")]
BAD = "<b>&\"'<script>alert(1)</script>"


def of_combinations(examples, values, *, ids=None, units=None, **changes):
    null = replace(examples.null("untrained copies", 0.1, repeats=len(units) if units is not None else 3), units=units)
    measure = examples.measure("novel score", 0.5, nulls=[null], repeats=tuple(values), **changes)
    return replace(measure, unit_ids=tuple(range(len(values))) if ids is None else tuple(ids))


def audit_of(examples, *measures, stored=()):
    made = examples.audit([replace(examples.systematicity(), measures=measures)])
    return replace(made, examples=tuple(stored))


def found(audit):
    stored = [one.combination for one in audit.examples]
    (units,) = units_of(audit.evidence, audit.task, stored)
    return units


@pytest.mark.parametrize(("combination", "name"), NAMED)
def test_the_id_of_a_combination_says_its_values(typical, combination, name):
    assert combination_name(typical.task, combination) == name


def test_the_name_is_that_of_the_task():
    """By a second route: what the task itself calls the combinations of its table."""
    from assay.cards import TaskCard
    from assay.tasks import load_task

    task = load_task("modular:p=7,num_first=3,num_second=5")
    card, rows = TaskCard.of(task), task.combinations("seen")
    ids = task.combination_id(dict(zip(task.combines, rows.unbind(1), strict=True))).tolist()
    assert [combination_name(card, one) for one in ids] == [task.combination_name(row) for row in rows.tolist()]


def test_units_stand_from_low_to_high_beside_what_nulls_have_on_them(examples):
    units = np.array([[0.0, 1.0, np.nan], [1.0, 1.0, np.nan]])
    (one,) = found(audit_of(examples, of_combinations(examples, (0.9, 0.1, 0.5), ids=(1, 12, 25), units=units)))
    assert [(row.name, row.value, row.nulls) for row in one.rows] == [
        ("i=1, j=0", 0.1, (1.0,)),
        ("i=2, j=1", 0.5, (None,)),
        ("i=0, j=1", 0.9, (0.5,)),
    ]
    assert one.nulls == ("untrained copies",)
    assert one.left_out == 0


def test_of_many_units_both_ends_are_shown_and_those_with_an_example_first(examples):
    values = [0.0] * 300 + [1.0] * 300
    stored = [StoredExample(combination=k, split="seen", inputs={}) for k in (299, 599)]
    (one,) = found(audit_of(examples, of_combinations(examples, values), stored=stored))
    assert len(one.rows) == MOST_ROWS
    assert one.left_out == 600 - MOST_ROWS
    assert [row.value for row in one.rows] == [0.0] * (MOST_ROWS // 2) + [1.0] * (MOST_ROWS // 2)
    assert [k for k, row in enumerate(one.rows) if row.example] == [0, MOST_ROWS // 2]


def test_units_of_one_value_stand_at_one_place_one_above_the_other(examples):
    (one,) = found(audit_of(examples, of_combinations(examples, [0.25] * 30 + [1.0] * 12)))
    dots = marks(inline_svg(one.plot), "circle")
    assert len(dots) == 42
    for value, num in ((0.25, 30), (1.0, 12)):
        column = [dot for dot in dots if dot.description.endswith(f": {number(value)}")]
        assert len(column) == num
        assert {dot["cx"] for dot in column} == {round(value * WIDTH / STEP) * STEP}
        assert len({dot["cy"] for dot in column}) == num
        assert max(dot["cy"] for dot in column) - min(dot["cy"] for dot in column) <= TALLEST


@pytest.mark.parametrize(
    "values", [[0.5] * 60 + [1.0] * 3, [k / 999 for k in range(1_000)], [0.0] * 300], ids=["a high stack", "many", "equal"]
)
def test_where_dots_have_no_room_bars_count_all_units(examples, values):
    (one,) = found(audit_of(examples, of_combinations(examples, values)))
    assert one.bars
    bars = [bar for bar in marks(inline_svg(one.plot), "rect") if "combination" in bar.description]
    counts = {bar["x"]: int(bar.description.split()[0]) for bar in bars}
    assert sum(counts.values()) == len(values)
    highest = max(counts.values())
    for bar in bars:
        assert bar["height"] == pytest.approx(max(LEAST_STEP, TALLEST * counts[bar["x"]] / highest), abs=0.01)
    html = report_html(audit_of(examples, of_combinations(examples, values)))
    assert "Each bar counts the units whose values fall into one bin" in html
    assert "Each dot is one combination; dashed lines are means of nulls." in report_html(
        audit_of(examples, of_combinations(examples, (0.1, 0.2)))
    )


def test_a_mark_leads_to_the_row_of_its_unit_and_a_bar_to_its_first(examples):
    for values in ([0.1, 0.9, 0.5], [0.0] * 300 + [1.0] * 300):
        audit = audit_of(examples, of_combinations(examples, values))
        (one,), html = found(audit), report_html(audit)
        for href, name in re.findall('<a href="#(units-1-1-[0-9]+)" aria-label="([^"]+)"', html):
            row = re.search(f'<tr id="{href}"><td>([^<]+)</td><td>([^<]+)</td>', html)
            assert name == f"{row[1]}: {row[2]}" or (one.bars and name.endswith(f"at {row[2]}"))
        assert html.count('<a href="#units-1-1-') == (2 if one.bars else 3)


def test_a_mark_of_a_measure_leads_to_its_units_and_files_have_no_links(examples):
    audit = audit_of(examples, of_combinations(examples, (0.1, 0.2)))
    assert re.search('<a href="#units-1-1" aria-label="novel score [^"]*"><circle', report_html(audit))
    (drawn,) = figures_of(audit.evidence[0]).values()
    assert "<a" not in drawn


def test_an_image_that_holds_links_is_a_group(examples):
    """What stands in an image is not told to those who cannot see."""
    (one,) = found(audit_of(examples, of_combinations(examples, (0.1, 0.2))))
    assert 'role="img"' in inline_svg(one.plot)
    assert 'role="img"' in inline_svg(one.plot, {"7": "nowhere"})
    assert 'role="group"' in inline_svg(one.plot, one.row_anchors)


def test_cells_of_a_null_that_was_not_read_there_are_explained(examples):
    told = "A cell is empty where a null has no value"
    for last, expected in ((np.nan, True), (0.5, False)):
        units = np.array([[0.0, 1.0, last]])
        measure = of_combinations(examples, (0.9, 0.1, 0.5), ids=(1, 12, 25), units=units)
        assert (told in report_html(audit_of(examples, measure))) == expected


def test_an_input_of_many_numbers_has_a_wide_cell(examples):
    stored = [StoredExample(combination=1, split="seen", inputs={"x": "0.5 " * 50}, target="1", answer="0")]
    html = report_html(audit_of(examples, of_combinations(examples, (0.1, 0.2)), stored=stored))
    assert html.count('<td class="words long">') == 1


def test_what_was_given_stands_beside_units_that_are_no_combinations(examples):
    """By id where there are ids, else by place; and it is escaped."""
    without = replace(of_combinations(examples, (0.4, 0.2)), unit_of="text", unit_ids=())
    with_ids = replace(without, about={"other": "yes"}, unit_ids=(7, 0))
    audit = audit_of(examples, without, with_ids)
    evidence = replace(audit.evidence[0], inputs={"text": {0: "the first", 1: BAD, 7: "the seventh"}, "word": {0: "no"}})
    audit = replace(audit, evidence=(evidence,))
    one, other = found(audit)
    assert [(row.name, row.text) for row in one.rows] == [("text 2", BAD), ("text 1", "the first")]
    assert [(row.name, row.text) for row in other.rows] == [("text 0", "the first"), ("text 7", "the seventh")]
    html = report_html(audit)
    assert html.count('<th scope="col" class="words">input</th>') == 2
    assert "<script>alert" not in html
    assert 'class="words">input<' not in report_html(audit_of(examples, without))


def test_units_of_another_kind_have_numbers_and_measures_without_units_none(examples):
    texts = replace(of_combinations(examples, (0.2, 0.4)), unit_of="text", unit_ids=())
    one, none = found(audit_of(examples, texts, examples.measure("gap", None)))
    assert [row.name for row in one.rows] == ["text 1", "text 2"]
    assert none is None


def test_a_page_of_thousands_of_measures_stays_small(examples):
    one = of_combinations(examples, [k / 100 for k in range(100)])
    many = [replace(one, about={"site": str(k)}) for k in range(2_000)]
    audit = audit_of(examples, *many)
    shown = found(audit)
    rows = sum(len(units.rows) for units in shown)
    assert rows == max(FEWEST_ROWS * 2_000, MOST_ON_PAGE)
    assert sum(units.plot is not None for units in shown) == MOST_PLOTS
    html = report_html(audit_of(examples, *many[:400], stored=_stored(BAD * 3, image="A" * 3_000)))
    assert len(html.encode()) <= 3 * 2**20


def _stored(text, **more):
    return [
        StoredExample(combination=k, split="novel", inputs={"tokens": text}, target=text, answer=text, **more)
        for k in range(MOST_EXAMPLES)
    ]


def test_what_an_input_holds_is_shown_and_never_run(examples):
    html = report_html(audit_of(examples, of_combinations(examples, (0.1, 0.2)), stored=_stored(BAD)[:2]))
    assert "alert(1)" in html
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert") == 7  # the declared answer is also the example under the task


@pytest.mark.parametrize("image", ['"><script>', "data:text/html,x", "iVBORw0KGgo=x"])
def test_a_picture_of_a_stranger_is_base64_or_refused(image):
    with pytest.raises(AssertionError, match="base64"):
        StoredExample(combination=0, split="seen", inputs={}, image=image)


def test_every_link_of_a_page_leads_somewhere(examples):
    stored = [StoredExample(combination=1, split="seen", inputs={"tokens": "0 1"})]
    html = report_html(audit_of(examples, of_combinations(examples, (0.1, 0.2)), stored=stored))
    links, ids = set(re.findall(r'href="#([^"]+)"', html)), re.findall(r' id="([^"]+)"', html)
    assert {"units-1-1", "example-1"} <= links <= set(ids)
    assert len(ids) == len(set(ids))


def test_a_point_of_a_scatter_leads_to_the_row_that_begins_with_its_name(examples):
    """In the table that the figure names, else in the figure's own numbers; of rows alike to the first."""
    points = tuple(Point(name=name, x=0.1 * k, y=0.2) for k, name in enumerate(("nsubj", "obj", BAD)))
    plane = Scatter(name="Plane", points=points, caption="c", rows="By relation", level=0)
    rates = DetailTable(
        name="By relation", columns=("relation", "LAS"), rows=(("obj", 0.5), ("obj", 0.6), ("det", 0.7)), level=0
    )
    evidence = replace(examples.systematicity(), figures=(plane, rates))
    html = report_html(examples.audit([evidence]))
    leads = dict(re.findall('<a href="#([^"]+)" aria-label="([^ "]+) at', html))
    assert len(leads) == 3
    for anchor, name in leads.items():
        (row,) = re.findall(f'<tr id="{anchor}"><td[^>]*>([^<]*)</td>(?:<td[^>]*>([^<]*)</td>)', html)
        assert unescape(row[0]).split(" ")[0] == unescape(name)
        assert row[1] == ("0.500" if name == "obj" else row[1])
    assert len(set(re.findall(r' id="([^"]+)"', html))) == len(re.findall(r' id="([^"]+)"', html))
