"""From a measure to its units and on to an example, in a real browser: by mouse, by keyboard, and without a script."""

from dataclasses import replace

import pytest

from assay.report.page import report_html
from assay.stored_examples import StoredExample
from bench import chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium.BROWSER is None, reason="needs Chromium on the path")]

WIDTHS = (1280, 768, 360)
FOLD = "document.getElementById('units-1-1').closest('details')"
MOST_WORDS = 120
NUMBERS = "details.measured"


@pytest.fixture(scope="module")
def report(examples, tmp_path_factory):
    system = examples.systematicity()
    values = tuple(k / 20 for k in range(20))
    seen = replace(system.measures[0], repeats=values, unit_ids=tuple(range(20)))
    stored = tuple(
        StoredExample(combination=k, split="seen", inputs={"tokens": f"{k} <i>"}, target=str(k), answer="7", score=0.0)
        for k in range(3)
    )
    audit = examples.audit([replace(system, measures=(seen, *system.measures[1:])), examples.recombination(e=1.0)])
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_html(replace(_with_long_intervals(audit), examples=stored)))
    return path


def _with_long_intervals(audit):
    """Numbers as small ones are written, which make the widest columns."""
    system, *rest = audit.evidence
    low, high = -0.000123, -0.0000456
    gap = next(measure for measure in system.measures if measure.key == "generalisation_gap")
    null = replace(gap.nulls[0], values=(low, high))
    wide = replace(gap, value=low, interval=replace(gap.interval, low=low, high=high), nulls=(null,))
    return replace(audit, evidence=(replace(system, measures=(*system.measures, replace(wide, about={"of": "x"}))), *rest))


@pytest.fixture(scope="module")
def opened(report):
    with chromium.page() as page:
        page.open(report)
        yield page


def test_a_click_on_a_measure_opens_its_units_and_one_on_a_unit_its_example(opened):
    assert not opened.value(f"{FOLD}.open")
    opened.click(f"{NUMBERS} > summary")
    opened.click("a.drill[href='#units-1-1']")
    assert opened.value(f"{FOLD}.open && {FOLD}.parentElement.open")
    assert opened.value("document.getElementById('units-1-1').checkVisibility()")
    opened.click("#units-1-1 td a")
    shown = opened.value("[...document.querySelectorAll('#units-1-1 tr.example dd')].map((cell) => cell.textContent)")
    assert shown == ["seen", "0 <i>", "0", "7", "0"]
    opened.click("#units-1-1 td a")
    assert opened.value("document.querySelectorAll('tr.example').length") == 0


def test_the_keyboard_does_the_same(opened):
    opened.value(f"{FOLD}.open = false; document.querySelector('a.drill').focus()")
    opened.press("Enter")
    assert opened.value(f"{FOLD}.open")
    opened.value("document.querySelector('#units-1-1 td a').focus()")
    opened.press("Enter")
    assert opened.value("document.querySelectorAll('#units-1-1 tr.example').length") == 1
    assert opened.value("document.activeElement.ariaExpanded") == "true"


def test_a_click_on_a_dot_leads_to_its_row_and_shows_its_example(opened, report):
    opened.open(report)
    opened.value("document.querySelectorAll('.units, .units details').forEach((fold) => { fold.open = true })")
    opened.click("#units-1-1 svg a[aria-label^='i=0, j=1:']")
    row = "document.querySelector('#units-1-1 tr:target')"
    assert opened.value(f"{row}.cells[0].textContent") == "i=0, j=1"
    assert opened.value(f"{row}.nextElementSibling.className") == "example"
    opened.click("#units-1-1 svg a[aria-label^='i=0, j=1:']")
    assert opened.value("document.querySelectorAll('tr.example').length") == 1, "it stays open"
    opened.click("#instrument-systematicity svg a[href='#units-1-1']")
    assert opened.value("location.hash") == "#units-1-1"
    opened.click("#units-1-1 td a[aria-expanded=true]")


def test_dots_are_one_stop_of_the_tab_key_and_arrows_go_on_from_there(opened):
    stops = "document.querySelectorAll('#units-1-1 svg a[tabindex=\"0\"]').length"
    assert opened.value(stops) == 1
    opened.value("document.querySelector('#units-1-1 svg a').focus()")
    focus = "document.activeElement.getAttribute('aria-label')"
    assert opened.value(focus).startswith("i=0, j=0:")
    opened.value(_key("ArrowRight"))
    opened.value(_key("ArrowRight"))
    assert opened.value(focus).startswith("i=0, j=2:")
    opened.value(_key("ArrowLeft"))
    assert opened.value(focus).startswith("i=0, j=1:")
    opened.value(_key("End"))
    opened.value(_key("ArrowRight"))
    assert opened.value(focus).startswith("i=1, j=7:")
    assert opened.value(stops) == 1
    opened.value(_key("Home"))
    opened.press("Enter")
    assert opened.value("document.querySelector('#units-1-1 tr:target').cells[0].textContent") == "i=0, j=0"
    opened.click("#units-1-1 td a[aria-expanded=true]")


def _key(name):
    return f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: '{name}', bubbles: true}}))"


def test_without_a_script_a_dot_is_a_link_to_its_row(report):
    with chromium.page() as page:
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.open(report)
        page.value("document.querySelectorAll('.units, .units details').forEach((fold) => { fold.open = true })")
        page.click("#units-1-1 svg a[aria-label^='i=0, j=1:']")
        assert page.value("document.querySelector('#units-1-1 tr:target').cells[0].textContent") == "i=0, j=1"


def test_sorting_and_filtering_put_shown_examples_away(opened):
    opened.value(f"{FOLD}.open = true")
    one = "document.querySelectorAll('#units-1-1 tr.example').length"
    if not opened.value(one):
        opened.click("#units-1-1 td a")
    opened.click("#units-1-1 th:nth-child(2) button")
    assert opened.value(one) == 0
    opened.click("#units-1-1 th:nth-child(2) button")
    first = "document.querySelector('#units-1-1 tbody td').textContent"
    assert opened.value(first) == "i=1, j=7"
    opened.click("#units-1-1 td a")
    box = "document.querySelector('#units-1-1 .filter input')"
    opened.value(f"{box}.value = 'i=0, j=1'; {box}.dispatchEvent(new Event('input', {{bubbles: true}}))")
    assert opened.value(one) == 0
    opened.value(f"{box}.value = ''; {box}.dispatchEvent(new Event('input', {{bubbles: true}}))")


def test_a_dot_says_its_unit(opened):
    told = opened.value("[...document.querySelectorAll('#units-1-1 circle title')].map((title) => title.textContent)")
    assert len(told) == 20
    assert "i=1, j=7: 0.950" in told


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_runs_over_the_edge(opened, width):
    opened.window(width, 800)
    opened.value("document.querySelectorAll('details').forEach((fold) => { fold.open = true })")
    assert opened.value("document.documentElement.scrollWidth") <= opened.value("document.documentElement.clientWidth")
    picture = opened.look(width=width, height=800, whole=False)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000, "a page with nothing on it compresses to less"


def test_the_first_screen_has_at_most_120_words(report):
    """Those of the picture are not counted: numbers on its axes, names of its curves."""
    shown = """(() => {
      const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
      let words = 0;
      while (texts.nextNode()) {
        const place = document.createRange();
        place.selectNodeContents(texts.currentNode);
        const box = place.getBoundingClientRect();
        const isSeen = texts.currentNode.parentElement.checkVisibility() && box.height && box.top < innerHeight;
        const found = texts.currentNode.textContent.split(/\\s+/).filter(Boolean);
        if (isSeen && !texts.currentNode.parentElement.closest('svg')) words += found.length;
      }
      return words;
    })()"""
    with chromium.page() as page:
        page.window(1280, 900)
        page.open(report)
        assert 40 < page.value(shown) <= MOST_WORDS


def test_paper_has_the_numbers_unfolded(report):
    with chromium.page() as page:
        page.open(report)
        assert page.value(f"[...document.querySelectorAll('{NUMBERS}')].every((fold) => !fold.open)")
        page.call("Page.printToPDF")
        assert page.value(f"[...document.querySelectorAll('{NUMBERS}')].every((fold) => fold.open)")
        assert page.value(f"document.querySelectorAll('{NUMBERS}').length") > 1


def test_no_error_and_no_request(opened, report):
    assert opened.errors == []
    assert set(opened.requests) == {report.resolve().as_uri()}


def test_without_a_script_links_lead_to_folds_that_hold_everything(report):
    with chromium.page() as page:
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.open(report)
        page.click(f"{NUMBERS} > summary")
        page.click("a.drill[href='#units-1-1']")
        page.wait(f"{FOLD}.open")  # which Chromium does by itself
        assert page.value("document.querySelectorAll('#units-1-1 tbody tr').length") == 20
        page.click("#units-1-1 td a")
        page.wait("document.getElementById('example-0').closest('details').open")
        assert page.value("document.getElementById('example-0').textContent").startswith("i=0, j=0seen0 <i>")
