"""Pages are read by anyone: what axe-core finds where it is at hand, and by our own rules wherever there is a browser.

`.ci/run` fetches axe-core by npm into a folder that `ASSAY_AXE` names; without it its tests are skipped, and say so.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from assay.report import write_comparison
from assay.report.page import report_html
from assay.stored_examples import StoredExample
from bench import chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium.BROWSER is None, reason="needs Chromium on the path")]

AXE = Path(os.environ.get("ASSAY_AXE", "")) / "node_modules" / "axe-core" / "axe.min.js"
OPEN = "document.querySelectorAll('details').forEach((fold) => { fold.open = true })"
RULES = """(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const nameOf = (one) => one.ariaLabel || one.textContent.trim() || one.title || one.alt || one.placeholder;
  const faults = [];
  const fault = (rule, one) => faults.push(`${rule}: ${one.outerHTML.slice(0, 120)}`);
  if (!document.documentElement.lang) faults.push('the page names no language');
  if (!document.title) faults.push('the page has no title');
  if (all('main').length !== 1) faults.push('one main');
  if (all('h1').length !== 1) faults.push('one first heading');
  let level = 0;
  for (const one of all('h1, h2, h3, h4')) {
    const next = Number(one.tagName[1]);
    if (next > level + 1) fault('a heading skips a level', one);
    level = next;
  }
  for (const one of all('a[href], button, summary, input')) if (!nameOf(one)) fault('a control has no name', one);
  for (const one of all('img')) if (!one.alt) fault('a picture has no words', one);
  const roleOf = (figure) => (figure.querySelector('a') ? 'group' : 'img');  // links in an image are not told
  for (const one of all('svg')) if (one.role !== roleOf(one) || !one.ariaLabel) fault('a figure has no words', one);
  for (const one of all('[role=region], nav')) if (!one.ariaLabel) fault('a region has no name', one);
  for (const one of all('.scroll')) if (one.tabIndex < 0) fault('what scrolls is not reached by keyboard', one);
  for (const one of all('table')) if (!one.tHead) fault('a table has no head', one);
  for (const one of all('thead th')) if (one.scope !== 'col') fault('a head says not what it is the head of', one);
  const ids = all('[id]').map((one) => one.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`two of the name ${id}`);
  for (const one of all('a[href^="#"]')) {
    if (!document.getElementById(one.getAttribute('href').slice(1))) fault('leads nowhere', one);
  }
  for (const one of all('dl > :not(dt, dd)')) fault('neither a term nor what it means', one);
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((x) => x / 255);
    const linear = (x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour.startsWith('rgb(')) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = all('p, li, th, td, dt, dd, h1, h2, h3, h4, summary, a:not(svg *), figcaption, footer, span, button, .kicker');
  for (const one of texts) {
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) || !one.checkVisibility()) continue;
    const [front, back] = [getComputedStyle(one).color, behind(one)].map(light);
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < 4.5) fault(`contrast of ${ratio.toFixed(2)}`, one);
  }
  return faults;
})()"""


@pytest.fixture(scope="module")
def pages(examples, tmp_path_factory):
    """A report with units and examples, and a comparison of ten."""
    folder = tmp_path_factory.mktemp("pages")
    system = examples.systematicity()
    seen = replace(system.measures[0], repeats=(0.2, 0.4, 1.0), unit_ids=(0, 1, 2))
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
    stored = (
        StoredExample(combination=0, split="novel", inputs={"tokens": "0 13"}, image=dot, target="0", answer="1", score=0.0),
    )
    audit = examples.audit(
        [replace(system, measures=(seen, *system.measures[1:])), examples.recombination(), examples.decodability()]
    )
    (folder / "report.html").write_text(report_html(replace(audit, examples=stored)))
    ten = [examples.audit([examples.systematicity(0.99, 0.1 + 0.05 * k)], name=f"net {k}") for k in range(10)]
    return [folder / "report.html", write_comparison(folder, ten)]


@pytest.fixture(scope="module", params=[False, True], ids=["light", "dark"])
def browser(request):
    with chromium.page() as page:
        page.window(1280, 900, dark=request.param)
        yield page


@pytest.mark.parametrize("which", [0, 1], ids=["report", "comparison"])
def test_our_own_rules_find_no_fault(browser, pages, which):
    browser.open(pages[which])
    browser.value(OPEN)
    browser.value("document.querySelector('#units-1-1 td a')?.click()")
    assert browser.value(RULES) == []


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ("document.querySelector('h2').outerHTML = '<h4>x</h4>'", "a heading skips a level"),
        ("document.querySelector('.scroll').removeAttribute('tabindex')", "what scrolls is not reached by keyboard"),
        ("document.querySelector('svg').removeAttribute('aria-label')", "a figure has no words"),
        ("document.querySelector('p').style.color = '#777'", "contrast of"),
        ("document.querySelector('nav a').setAttribute('href', '#nowhere')", "leads nowhere"),
    ],
)
def test_a_page_that_is_broken_is_found(pages, browser, broken, rule):
    browser.open(pages[0])
    browser.value(broken)
    assert any(fault.startswith(rule) for fault in browser.value(RULES))


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core, in the folder that ASSAY_AXE names")
@pytest.mark.parametrize("which", [0, 1], ids=["report", "comparison"])
def test_axe_core_finds_nothing_serious(browser, pages, which):
    browser.open(pages[which])
    browser.value(OPEN)
    browser.value("document.querySelector('#units-1-1 td a')?.click()")
    browser.call("Runtime.evaluate", expression=AXE.read_text(encoding="utf-8"))
    found = browser.value(
        "axe.run(document, {resultTypes: ['violations']}).then((told) => told.violations"
        ".filter((one) => ['serious', 'critical'].includes(one.impact))"
        ".map((one) => [one.id, one.help, one.nodes.length, one.nodes[0].html.slice(0, 200)]))"
    )
    assert found == []
