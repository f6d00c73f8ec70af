"""The page: nothing is left out, nothing is let in, nothing is asked for."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from assay.audit import Skipped
from assay.evidence import DetailTable
from assay.report import read_report, write_comparison, write_report
from assay.report.canvas import LIGHT
from assay.report.page import FOLDER, report_html
from assay.report.words import interval, number, p_value
from assay.subject import Integrity
from assay.verdict.answers import QUESTIONS


class Page(HTMLParser):
    """The words of a page, and its tags."""

    VOID = ("meta", "link", "br")

    def __init__(self, html):
        super().__init__()
        self.words, self.tags, self.open = [], [], []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop() == tag, f"{tag} closes something else"

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)


@pytest.fixture(scope="module")
def typical_html(typical):
    return report_html(typical)


@pytest.fixture(scope="module")
def page(typical_html):
    return Page(typical_html)


def test_it_is_well_formed(page):
    assert page.open == []


def test_it_asks_for_nothing(typical_html, page):
    (script,) = re.findall(r"<script>(.*?)</script>", typical_html, re.DOTALL)
    assert script == "\n".join((FOLDER / name).read_text() for name in ("tables.js", "examples.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\"" in typical_html, "nothing else may run"
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        if tag != "a":
            assert not re.match(r"(https?:)?//", attributes.get("src") or attributes.get("href") or "")
    css = (FOLDER / "style.css").read_text()
    assert "url(" not in css
    assert "@import" not in css
    assert "default-src 'none'" in typical_html


def test_every_measure_is_told_with_interval_nulls_and_p(typical, page):
    for evidence in typical.evidence:
        for measure in evidence.measures:
            for word in (measure.name, measure.unit, *measure.about.values()):
                assert word in page.text
            if measure.value is None:
                assert f"not enough data {measure.note.removeprefix('not enough data: ')}" in page.text
                continue
            assert number(measure.value) in page.text
            assert interval(measure.interval) in page.text
            for null in measure.nulls:
                assert null.name in page.text
                assert null.how in page.text
                assert number(null.mean) in page.text
                assert p_value(null.p) in page.text


def test_every_label_of_a_measure_told_alone_appears(typical, page):
    for measure in typical.evidence[0].measures:
        if not measure.about:
            assert measure.label in page.text


def test_verdict_gaps_and_making_are_told(typical, page):
    for word in (*QUESTIONS, typical.verdict.novel.because[1:], typical.subject.weights_sha256, typical.task.address):
        assert word in page.text
    for evidence in typical.evidence:
        for words in (evidence.question, evidence.summary, *evidence.warnings, *evidence.not_tested):
            assert words in page.text
        for source in evidence.sources:
            assert source.citation in page.text
            assert re.sub(r"\s+", " ", source.bibtex) in page.text
    assert "Polar was not run: the task cannot do what it needs: HasTree." in page.text
    assert "256 examples, read at 9 sites" in page.text
    assert "identical to the bit" in page.text
    assert re.sub(r"\s+", " ", typical.subject.architecture) in page.text


def test_tables_are_told_in_full(typical, page):
    for table in typical.evidence[0].figures:
        for word in (*table.columns, table.note):
            assert word in page.text
    assert page.text.count("0.925") >= 2  # both parts' value 5 in the table of scores


def test_a_source_used_twice_is_cited_once(page, typical):
    assert page.text.count(typical.evidence[0].sources[0].citation) == 1
    assert "Followed by systematicity, decodability." in page.text


def test_what_users_wrote_is_shown_and_never_run(examples):
    bad = "<b>&\"'<script>alert(1)</script>"
    audit = examples.audit(name=bad)
    part = replace(audit.task.parts[0], name=bad, values=(bad, "b"))
    first = audit.evidence[0]
    measure = replace(first.measures[0], name=bad, unit=bad, about={bad: bad}, nulls=(examples.null(bad, 0.1),))
    table = DetailTable(name=bad, columns=(bad,), rows=((bad,),), note=bad, level=0)
    source = replace(first.sources[0], url="javascript:alert(1)", citation=bad, bibtex=bad)
    evidence = replace(
        first, instrument=bad, question=bad, summary=bad, measures=(measure,), figures=(table,), warnings=(bad,),
        sources=(source,), not_tested=(bad,), settings={bad: bad},
    )  # fmt: skip
    audit = replace(
        audit,
        task=replace(audit.task, parts=(part,), combines=(bad,), address=bad),
        evidence=(evidence,),
        skipped=(Skipped(instrument=bad, reason=bad),),
        subject=replace(audit.subject, architecture=bad, address=bad),
    )
    html = report_html(audit)
    page = Page(html)
    assert html.count("<script") == 1
    assert "javascript:" not in html
    assert page.open == []
    assert page.text.count(bad) > 15


@pytest.mark.parametrize("num_parts", [0, 1])
def test_no_evidence_and_almost_no_task(examples, num_parts):
    audit = examples.audit([])
    task = replace(audit.task, parts=audit.task.parts[:num_parts], combines=("i",)[:num_parts], num_seen=0, num_novel=0)
    page = Page(report_html(replace(audit, task=task, skipped=())))
    assert "Not resolved" in page.text
    assert "No published method was used." in page.text
    assert "figure" not in {tag for tag, _ in page.tags}


@pytest.mark.parametrize("rows", [(), ((1, "a", None),)])
def test_tables_of_no_row_and_of_one(examples, rows):
    evidence = replace(examples.lean(), figures=(DetailTable(name="small", columns=("x", "y", "z"), rows=rows, level=0),))
    page = Page(report_html(examples.audit([evidence])))
    assert "Small" in page.text
    assert page.text.count("not enough data") == 1 + len(rows)  # once for the instrument itself


def test_a_failed_integrity_check_is_said_at_the_top(examples):
    failed = Integrity(outputs_identical=False, weights_identical=True, num_examples=5, num_sites=2)
    text = Page(report_html(examples.audit(integrity=failed))).text
    assert text.index("Do not rely on this report.") < text.index("What the network should do")
    assert "outputs are not identical to the bit, weights are identical to the bit" in text


def test_every_colour_exists_in_light_and_in_dark():
    css = (FOLDER / "style.css").read_text()
    light, dark, printed = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    names = {f"--{token}" for token in LIGHT} | set(re.findall(r"var\((--[a-z-]+)", css))
    names -= {"--serif", "--sans", "--mono", "--share", "--subjects"}
    for scheme in (light, dark, printed):
        assert names <= set(re.findall(r"(--[a-z-]+):", scheme))


@pytest.mark.parametrize("scheme", [0, 1, 2])
def test_text_stands_out_from_what_is_behind_it(scheme):
    """WCAG 2.2 asks for a contrast of 4.5 for text (success criterion 1.4.3)."""
    css = (FOLDER / "style.css").read_text()
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", css, re.DOTALL)[scheme]))
    on = [("ink", "paper"), ("muted", "paper"), ("value", "paper"), ("muted", "tint"), ("ink", "tint")]
    on += [("ink", "value-tint"), ("value", "value-tint"), ("ink", "warn-tint"), ("warn", "warn-tint")]
    for words, behind in on:
        assert _contrast(colours[words], colours[behind]) >= 4.5, (words, behind)


def _contrast(a, b):
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour):
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_directory_is_whole_small_and_repeatable(tmp_path, typical):
    path = write_report(tmp_path / "new" / "report", typical)
    folder = path.parent
    names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    figures = [f"figures/{name}.{kind}" for name in ("decodability", "systematicity") for kind in ("pdf", "svg")]
    assert names == [*figures, "report.html", "report.json", "units.safetensors"]
    assert path.name == "report.html"
    assert path.stat().st_size < 300_000
    assert read_report(folder) == typical
    before = {name: (folder / name).read_bytes() for name in names}
    write_report(folder, typical)
    assert before == {name: (folder / name).read_bytes() for name in names}


def test_a_task_that_asks_nothing_has_no_score(typical):
    page = Page(report_html(replace(typical, task=replace(typical.task, unit="", combines=()))))
    assert "The network's output is not scored." in page.text
    assert "Its score is" not in page.text
    assert f"Task {typical.task.address}" in page.text, "which task it was trained on nobody says"
    assert f"Its score is {typical.task.unit}; guessing scores" in Page(report_html(typical)).text


def test_what_was_measured_is_on_the_disk_before_anything_is_drawn(typical, tmp_path, monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the drawing gave up")

    monkeypatch.setattr("assay.report.canvas.Canvas.panel", fails)
    with pytest.raises(RuntimeError, match="gave up"):
        write_report(tmp_path / "report", typical)
    assert read_report(tmp_path / "report") == typical
    with pytest.raises(RuntimeError, match="gave up"):
        write_comparison(tmp_path / "both", [typical, typical])
    assert (tmp_path / "both" / "comparison.json").is_file()
