"""Tables of a report in a real browser: sorted by a click, filtered by words, and whole without a script."""

import pytest

from assay.evidence import DetailTable
from assay.report import write_comparison
from assay.report.page import report_html
from bench import chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium.BROWSER is None, reason="needs Chromium on the path")]

ROWS = (
    ("pear", 3, -0.5),
    ("fig", 1204, 0.25),
    ("Apple", 20, None),
    *((f"nut {k}", 100 + k, 0.031) for k in range(9)),
    ("plum, dried", 7, 1e-5),
)


@pytest.fixture(scope="module")
def report(examples, pictured, tmp_path_factory):
    table = DetailTable(name="fruit", columns=("name", "count", "score"), rows=ROWS, level=0)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_html(examples.audit([pictured.evidence(table)])))
    return path


@pytest.fixture(scope="module")
def opened(report):
    with chromium.page() as page:
        page.open(report)
        yield page


TABLE = "document.querySelector('[aria-label=fruit] table')"


def shown(page: chromium.Page, column: int) -> list[str]:
    visible = f"[...{TABLE}.tBodies[0].rows].filter((row) => row.offsetParent)"
    return page.value(f"{visible}.map((row) => row.cells[{column}].textContent)")


def click(page: chromium.Page, column: int) -> str | None:
    page.value(f"{TABLE}.closest('details').open = true")
    page.click(f"[aria-label=fruit] th:nth-child({column + 1}) button")
    return page.value(f"{TABLE}.tHead.rows[0].cells[{column}].ariaSort")


def test_a_click_sorts_another_turns_the_order_and_a_third_restores_it(opened):
    assert click(opened, 1) == "ascending"
    assert shown(opened, 1)[:3] == ["3", "7", "20"]
    assert shown(opened, 1)[-1] == "1,204"
    assert click(opened, 1) == "descending"
    assert shown(opened, 0)[:2] == ["fig", "nut 8"]
    assert click(opened, 1) is None
    assert shown(opened, 0) == [row[0] for row in ROWS]


def test_numbers_are_sorted_as_numbers_and_what_is_missing_comes_last(opened):
    assert click(opened, 2) == "ascending"
    assert shown(opened, 0)[:2] == ["pear", "plum, dried"]
    assert shown(opened, 0)[-2:] == ["fig", "Apple"]
    assert click(opened, 2) == "descending"
    assert shown(opened, 0)[0] == "fig"
    assert shown(opened, 0)[-2:] == ["pear", "Apple"]
    click(opened, 2)
    assert click(opened, 0) == "ascending"
    assert shown(opened, 0)[:3] == ["Apple", "fig", "nut 0"]


def test_words_keep_the_rows_that_hold_them(opened):
    box = "document.querySelector('.filter input')"

    def typed(words: str) -> list[str]:
        opened.value(f"{box}.value = '{words}'; {box}.dispatchEvent(new Event('input'))")
        return sorted(shown(opened, 0))

    opened.value(f"{TABLE}.closest('details').open = true")
    assert typed("DRIED plum") == ["plum, dried"]
    assert opened.value("document.querySelector('.filter [role=status]').textContent") == "1 of 13 rows"
    assert typed("nothing") == []
    assert len(typed("")) == len(ROWS)
    assert opened.value("document.querySelectorAll('.filter').length") == 1, "short tables have no box"


def test_the_page_asks_for_nothing_and_has_no_error(opened, report):
    assert opened.errors == []
    assert opened.requests == [report.resolve().as_uri()]


def test_without_a_script_every_row_stands_and_nothing_is_dead(report):
    with chromium.page() as page:
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.open(report)
        page.value(f"{TABLE}.closest('details').open = true")
        assert shown(page, 0) == [row[0] for row in ROWS]
        assert page.value("document.querySelectorAll('button, input').length") == 0


def test_fifty_networks_are_sorted_and_filtered(examples, tmp_path):
    """Rows for networks, which a click puts in order of a measure."""
    audits = [examples.audit([examples.systematicity(0.99, 0.9 - 0.01 * k)], name=f"net-{k}") for k in range(50)]
    path = write_comparison(tmp_path, audits)
    rows = "[...document.querySelectorAll('.networks tbody tr')]"
    first = f"{rows}.filter((row) => row.offsetParent).map((row) => row.cells[0].textContent)"
    with chromium.page() as page:
        page.open(path)
        novel = page.value(
            "[...document.querySelectorAll('.networks th button')].findIndex((one) => /^novel/.test(one.textContent))"
        )
        page.click(f".networks th:nth-child({novel + 1}) button")
        assert page.value(first)[:2] == ["net-49", "net-48"]
        box = "document.querySelector('.filter input')"
        page.value(f"{box}.value = 'net-4'; {box}.dispatchEvent(new Event('input'))")
        assert set(page.value(first)) == {"net-4", *(f"net-4{k}" for k in range(10))}
        assert page.errors == []
        assert page.requests == [path.resolve().as_uri()]
