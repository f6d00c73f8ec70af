"""Pictures of tables on the page: in figures of their own, chosen without a script, and nothing in them is run or fetched."""

import re
from dataclasses import replace

import pytest

from assay.report import write_report
from assay.report.page import report_html
from assay.report.pictures import pictures


@pytest.fixture(scope="module")
def made(examples, pictured):
    tables = (pictured.layers(("UUAS",)), pictured.directions(5), pictured.sentences(3, words=("a", "b", "c", "d"), wrong=(2,)))
    masks = pictured.evidence(pictured.sizes(("A",), seeds=1, untrained=1), name="subnetworks")
    return examples.audit([examples.systematicity(), pictured.evidence(*tables), masks])


@pytest.fixture(scope="module")
def html(made):
    return report_html(made)


def test_figures_are_numbered_through_and_named(html):
    told = re.findall(r"<figcaption><b>Figure (\d)\.( [A-Z][a-z ]+\.)?", html)
    names = ["", " Layer by layer.", " Relation directions.", " Sentences.", " Size of the mask against what it does."]
    assert told == [(str(k + 1), name) for k, name in enumerate(names)]


def test_one_sentence_is_open_and_a_click_or_a_key_opens_another(html):
    folds = re.findall(r'<details name="figure-4"( open)?><summary>(.*?)</summary>', html)
    assert [is_open for is_open, _ in folds] == [" open", "", ""]
    assert {words for _, words in folds} == {"a b c d (1 of 1)"}
    assert 'tabindex="-1"' not in html


def test_tables_that_are_drawn_are_told_as_well(made, html):
    for evidence in made.evidence:
        for table in evidence.figures:
            assert f'aria-label="{table.name}"' in html


def test_nothing_is_run_and_nothing_is_fetched(html):
    assert "<script" not in html
    assert not re.search(r"\son[a-z]+=", html)
    assert not re.search(r'(?:src|href|xlink:href)="(?:https?:)?//(?!arxiv\.org/abs)', html)
    assert "url(http" not in html
    assert re.findall(r' id="([^"]+)"', html) == list(dict.fromkeys(re.findall(r' id="([^"]+)"', html)))


def test_what_a_treebank_says_is_shown_and_never_run(examples, pictured):
    bad = "<b>&\"'<script>alert(1)</script>"
    sentences = pictured.sentences(1, words=(bad, "b", "c"))
    rows = tuple((bad, word, form, head, bad, other, bad) for _, word, form, head, _, other, _ in sentences.rows)
    tables = [replace(sentences, name=bad, rows=rows)]
    directions = pictured.directions(2)
    tables.append(replace(directions, rows=tuple((bad, *row[1:]) for row in directions.rows)))
    layers = pictured.layers((bad,), ("chain",))
    tables.append(replace(layers, columns=(bad, *layers.columns[1:5], bad), rows=tuple((bad, *row[1:]) for row in layers.rows)))
    html = report_html(examples.audit([pictured.evidence(*tables)]))
    assert "<script" not in html
    assert "<b>&" not in html
    assert html.count("&lt;b&gt;&amp;") > 15


def test_files_are_written_for_every_figure_and_the_same_again(made, tmp_path):
    page = write_report(tmp_path, made)
    names = sorted(file.name for file in (tmp_path / "figures").iterdir())
    assert names == [
        "polar-layer-by-layer.svg",
        "polar-relation-directions.svg",
        "polar-sentences.svg",
        "subnetworks-size-of-the-mask-against-what-it-does.svg",
        "systematicity.svg",
    ]
    assert page.stat().st_size < 300_000
    before = {name: (tmp_path / "figures" / name).read_bytes() for name in names}
    write_report(tmp_path, made)
    assert before == {name: (tmp_path / "figures" / name).read_bytes() for name in names}


def test_other_tables_have_no_picture(examples):
    assert pictures(examples.systematicity()) == []
