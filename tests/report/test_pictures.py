"""Pictures on the page: in figures of their own, chosen without a script, and nothing in them is run or fetched."""

import re
from dataclasses import replace

import pytest

from assay.figure import Edge, Parse, Plot
from assay.report import figures_of, write_report
from assay.report.page import report_html
from assay.report.pictures import picture_of, pictures


@pytest.fixture(scope="module")
def made(examples, pictured):
    figures = (
        pictured.layers(("UUAS",)),
        pictured.directions(5),
        pictured.sentences(3, words=("a", "b", "c", "d"), wrong=(3,)),
    )
    masks = pictured.evidence(pictured.sizes(("A",), seeds=1, untrained=1), pictured.counts(), name="subnetworks")
    return examples.audit([examples.systematicity(), pictured.evidence(*figures), masks])


@pytest.fixture(scope="module")
def html(made):
    return report_html(made)


def test_figures_are_numbered_through_and_named(html):
    told = re.findall(r"<figcaption><b>Figure (\d)\.( [A-Z][a-z ]+\.)?", html)
    names = ["", " Layer by layer.", " Relation directions.", " Sentences.", " Size of the mask against what it does."]
    assert told == [(str(k + 1), name) for k, name in enumerate(names)]


def test_captions_are_those_of_the_figures(made, html):
    for evidence in made.evidence[1:]:
        for figure, picture in zip(evidence.figures, pictures(evidence), strict=False):
            assert picture.caption == figure.caption
            assert f"</b> {figure.caption}" in html


def test_one_sentence_is_open_and_a_click_or_a_key_opens_another(html):
    folds = re.findall(r'<details name="figure-4"( open)?><summary>(.*?)</summary>', html)
    assert [is_open for is_open, _ in folds] == [" open", "", ""]
    assert {words for _, words in folds} == {"a b c d (1 of 1)"}
    assert 'tabindex="-1"' not in html


def test_every_figure_is_told_in_numbers_as_well(made, html):
    for evidence in made.evidence:
        for figure in evidence.figures:
            assert f'aria-label="{figure.name}"' in html
    (roots,) = re.findall(r"<tr><td class=\"words\">Sentence 0</td>.*?>d</td>(.*?)</tr>", html)
    assert roots.count("not enough data") == 0


def test_pictures_run_nothing_and_fetch_nothing(html):
    assert html.count("<script") == 1
    assert not re.search(r"\son[a-z]+=", html)
    assert not re.search(r'(?:src|href|xlink:href)="(?:https?:)?//(?!arxiv\.org/abs)', html)
    assert "url(http" not in html
    assert re.findall(r' id="([^"]+)"', html) == list(dict.fromkeys(re.findall(r' id="([^"]+)"', html)))


def test_what_a_treebank_says_is_shown_and_never_run(examples, pictured):
    bad = "<b>&\"'<script>alert(1)</script>"
    edges = (Edge(head=0, dependent=1, relation=bad),)
    text = Parse(name=bad, words=(bad, "b"), declared=edges, predicted=edges)
    directions = pictured.directions(2)
    layers = pictured.layers((bad,), ("chain", "untrained"), (bad, "b"))
    lines = tuple(replace(line, name=bad) for line in layers.plots[0].lines)
    figures = [
        replace(pictured.sentences(), name=bad, texts=(text,), caption=bad),
        replace(directions, sizes=bad, points=tuple(replace(point, name=bad, note=bad) for point in directions.points)),
        replace(layers, across=bad, plots=(Plot(title=bad, subtitle=bad, lines=lines),)),
    ]
    html = report_html(examples.audit([pictured.evidence(*figures)]))
    assert html.count("<script") == 1
    assert "<b>&" not in html
    assert html.count("&lt;b&gt;&amp;") > 30


def test_files_are_written_for_every_figure_and_the_same_again(made, tmp_path):
    page = write_report(tmp_path, made)
    names = sorted(file.name for file in (tmp_path / "figures").iterdir())
    drawn = [
        "polar-layer-by-layer",
        "polar-relation-directions",
        "polar-sentences",
        "subnetworks-size-of-the-mask-against-what-it-does",
        "systematicity",
    ]
    assert names == [f"{name}.{kind}" for name in drawn for kind in ("pdf", "svg")]
    assert page.stat().st_size < 300_000
    before = {name: (tmp_path / "figures" / name).read_bytes() for name in names}
    write_report(tmp_path, made)
    assert before == {name: (tmp_path / "figures" / name).read_bytes() for name in names}


def test_figures_of_one_name_have_files_of_their_own(examples, pictured, tmp_path):
    one, other = pictured.directions(1), pictured.directions(7)
    named = [
        replace(one, name="Points"),
        replace(other, name="points!"),
        replace(one, name="points-2"),
        replace(other, name="Points"),
    ]
    evidence = pictured.evidence(*named)
    write_report(tmp_path, examples.audit([evidence]))
    files = {file.name: file.read_text().count("<circle") for file in (tmp_path / "figures").glob("*.svg")}
    assert files == {"polar-points.svg": 1, "polar-points-2.svg": 7, "polar-points-2-2.svg": 1, "polar-points-3.svg": 7}
    assert list(figures_of(evidence)) == ["Points", "points!", "points-2", "Points-2"]
    assert list(figures_of(replace(examples.systematicity(), figures=(replace(one, name="measures"),)))) == [
        "measures",
        "measures-2",
    ]


def test_every_type_but_a_table_has_a_picture_that_is_told(pictured):
    *drawn, table = pictured.of_every_type().figures
    assert picture_of(table) is None
    for figure in drawn:
        picture = picture_of(figure)
        assert picture.name == figure.name
        assert all(panel.description for panel in picture.panels)


def test_names_of_columns_draw_nothing(examples):
    assert pictures(examples.systematicity()) == []
