"""Units behind a measure: by name, in order of their values, beside what nulls have on them, no more than a page can bear."""

from dataclasses import replace

import numpy as np
import pytest

from assay.report.page import report_html
from assay.report.units import FEWEST_ROWS, MOST_ON_PAGE, MOST_PLOTS, MOST_ROWS, combination_name, units_of
from assay.stored_examples import MOST_EXAMPLES, StoredExample

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


def test_a_picture_of_both_ends_says_that_the_middle_is_missing(examples):
    html = report_html(audit_of(examples, of_combinations(examples, [k / 999 for k in range(1_000)])))
    assert "Each dot is a combination with one of the lowest or the highest values; 800 between them are not drawn" in html
    whole = report_html(audit_of(examples, of_combinations(examples, (0.1, 0.2))))
    assert "Each dot is a combination; dashed lines are means of nulls." in whole


def test_cells_of_a_null_that_was_not_read_there_are_explained(examples):
    told = "A cell is empty where a null was not read"
    for last, expected in ((np.nan, True), (0.5, False)):
        units = np.array([[0.0, 1.0, last]])
        measure = of_combinations(examples, (0.9, 0.1, 0.5), ids=(1, 12, 25), units=units)
        assert (told in report_html(audit_of(examples, measure))) == expected


def test_an_input_of_many_numbers_has_a_wide_cell(examples):
    stored = [StoredExample(combination=1, split="seen", inputs={"x": "0.5 " * 50}, target="1", answer="0")]
    html = report_html(audit_of(examples, of_combinations(examples, (0.1, 0.2)), stored=stored))
    assert html.count('<td class="words long">') == 1


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
    assert html.count("&lt;script&gt;alert") == 6


@pytest.mark.parametrize("image", ['"><script>', "data:text/html,x", "iVBORw0KGgo=x"])
def test_a_picture_of_a_stranger_is_base64_or_refused(image):
    with pytest.raises(AssertionError, match="base64"):
        StoredExample(combination=0, split="seen", inputs={}, image=image)


def test_every_link_of_a_page_leads_somewhere(examples):
    import re

    stored = [StoredExample(combination=1, split="seen", inputs={"tokens": "0 1"})]
    html = report_html(audit_of(examples, of_combinations(examples, (0.1, 0.2)), stored=stored))
    links, ids = set(re.findall(r'href="#([^"]+)"', html)), re.findall(r' id="([^"]+)"', html)
    assert {"units-1-1", "example-1"} <= links <= set(ids)
    assert len(ids) == len(set(ids))
