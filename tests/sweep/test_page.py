"""The page of a sweep: every score is on it, nothing is let in, nothing is asked for."""

import math
import re

import pytest
from rows_for_tests import row

from assay.report.canvas import inline_svg
from assay.report.words import value_and_interval
from assay.store import read_json
from assay.sweep import Sweep, SweepPlan, write_sweep
from assay.sweep.cell_group import Failure
from assay.sweep.curves import slices
from assay.sweep.directory import SweepDirectory
from assay.sweep.figures import curve_panels, phase_panels
from assay.sweep.page import SweepResults
from assay.sweep.points import summarised
from svg_marks import marks


def made(tmp_path, over, score, *, seeds=3, **more) -> Sweep:
    """A finished sweep with planted scores; a score of None is a cell that is missing."""
    plan = SweepPlan(task="modular", over=over, seeds=seeds)
    SweepDirectory.begin(tmp_path / "out", plan)
    rows = []
    for cell in plan.grid.cells():
        point = dict(zip(plan.over, cell.point, strict=True))
        novel = score(point, cell.seed)
        if novel is not None:
            rows.append(row(point, cell.seed, novel))
    return Sweep(path=tmp_path / "out", plan=plan, rows=tuple(rows), **more)


def rising(point, seed):
    x = float(point["coverage"])
    lift = 0.1 if point.get("maps", "affine") == "affine" else 0.0
    return 0.12 + (0.78 + lift) / (1 + math.exp(-12 * (x - 0.5))) + 0.01 * seed


OVER = {"coverage": ("0.2", "0.4", "0.6", "0.8"), "maps": ("affine", "permutation")}


@pytest.fixture(scope="module")
def typical(tmp_path_factory):
    result = made(tmp_path_factory.mktemp("page"), OVER, rising)
    return result, write_sweep(result).read_text()


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.partition("</style>")[2]))


def test_it_asks_for_nothing_and_sorts_tables_alone(typical):
    _, html = typical
    assert "default-src 'none'" in html
    assert html.count("<script") == 1
    assert not re.search(r"<(?!a )[^>]* (?:src|href)=\"(?:https?:)?//", html)


def test_every_point_is_told_with_its_interval_and_its_nulls(typical):
    result, html = typical
    text = words(html)
    for point in summarised(result.plan.grid, result.rows, success=0.8):
        assert point.novel.value is not None
        assert value_and_interval(point.novel) in text
    for name in ("shuffled targets", "a memoriser", "dealt values", "half-way point", "power-law exponent"):
        assert name in text
    for entry in result.rows:
        assert f"{entry.values['novel_score']:.3f}" in text


def test_the_lead_says_where_it_works_and_where_it_does_not(typical):
    text = words(typical[1])
    assert "Of 8 points, every network reaches a novel score of 0.8 at 2 and none at 5." in text
    assert "the intervals do not overlap" in text
    assert re.search(r"2 of 2 curves come half way .* at coverage 0\.\d+ \[0\.\d+, 0\.\d+\] \(maps affine\)", text)


def test_the_works_behind_it_are_named(typical):
    assert "Scaling can lead to compositional generalization" in words(typical[1])


def test_the_numbers_are_in_a_file_that_can_be_read_back(typical):
    result, _ = typical
    read = read_json(result.path / "results.json", SweepResults)
    assert read.plan == result.plan
    assert read.num_networks == 24
    values = {tuple(m.about.values()): m.value for m in read.evidence.measures if m.name == "novel score"}
    assert len(values) == 8
    assert values["0.8", "affine"] == pytest.approx(rising({"coverage": "0.8"}, 1))


def test_findings_are_those_that_beat_every_null_after_correction(typical):
    read = read_json(typical[0].path / "results.json", SweepResults)
    found = {measure.label for measure in read.evidence.findings()}
    assert "novel score (coverage 0.8, maps affine)" in found
    assert "logistic fit (axis coverage, maps affine)" in found


def test_a_phase_diagram_has_a_field_for_every_point_the_darker_the_higher(typical):
    result, _ = typical
    points = summarised(result.plan.grid, result.rows, success=0.8)
    (panel,) = phase_panels(result.plan.grid, points)
    svg = inline_svg(panel)
    shades = [(box["fill-opacity"], box.description.partition(": ")[0]) for box in marks(svg, "rect") if box["fill-opacity"]]
    assert [told for _, told in shades] == [point.text for point in points]
    by_mean = sorted(points, key=lambda point: sum(point.novel.repeats))
    assert [told for _, told in sorted(shades)] == [point.text for point in by_mean]
    for point in points:
        assert f">{sum(point.novel.repeats) / 3:.2f}<" in svg


def test_a_network_is_a_dot_at_its_score(typical):
    result, _ = typical
    from numpy.random import default_rng

    from assay.sweep.logistic import fit_logistic

    fits = [fit_logistic(one, success=0.8, rng=default_rng(0)) for one in slices(result.plan.grid, result.rows)]
    panels = curve_panels(result.plan.grid, fits, success=0.8)
    assert [panel.subtitle for panel in panels] == ["maps affine", "maps permutation"]
    for panel, fit in zip(panels, fits, strict=True):
        heights = {mark.description.partition(": ")[0]: mark["cy"] for mark in marks(inline_svg(panel), "circle")}
        assert len(fit.slice.rows) == 12
        for entry in fit.slice.rows:
            assert heights[entry.name] == pytest.approx(6 + 150 * (1 - entry.values["novel_score"]), abs=0.01)


@pytest.mark.parametrize(
    ("over", "score", "said"),
    [
        ({"maps": ("affine", "shift")}, lambda p, s: 0.3 + 0.01 * s, "No numeric axis has the three values"),
        ({"coverage": ("0.5",)}, lambda p, s: 0.3 + 0.01 * s, "No numeric axis has the three values"),
        ({"coverage": ("0.2", "0.4", "0.6")}, lambda p, s: 0.3 + 0.01 * s, "None of 1 curve has a resolved half-way point"),
        ({"coverage": ("0.2", "0.4", "0.6")}, lambda p, s: 0.3 if s == 0 else None, "no point has enough networks"),
        ({"coverage": ("0.2", "0.4", "0.6")}, lambda p, s: None, "no point has enough networks"),
        ({"coverage": ("0.2", "0.8"), "maps": ("affine", "shift"), "width": ("8", "16")}, rising, "Of 8 points"),
    ],
)
def test_sweeps_of_every_form_have_a_page(tmp_path, over, score, said):
    assert said in words(write_sweep(made(tmp_path, over, score)).read_text())


def test_networks_without_novel_combinations_are_told(tmp_path):
    result = made(tmp_path, {"coverage": ("0.2", "0.4")}, lambda point, seed: 0.5)
    rows = tuple(entry.model_copy(update={"values": {**entry.values, "novel_score": None}}) for entry in result.rows)
    html = write_sweep(Sweep(path=result.path, plan=result.plan, rows=rows)).read_text()
    assert "no data" in html
    assert "not enough data" in html


def test_what_could_not_be_finished_is_told_and_escaped(tmp_path):
    failures = (Failure("coverage=0.2,seed=1", "<b>the loss</b> must stay finite"),)
    result = made(tmp_path, {"coverage": ("0.2", "0.4")}, lambda point, seed: 0.5, failures=failures)
    html = write_sweep(result).read_text()
    assert "1 network could not be finished" in words(html)
    assert "&lt;b&gt;the loss&lt;/b&gt;" in html


def test_a_notebook_shows_every_network_and_columns_are_those_of_the_table(tmp_path):
    from assay.sweep.rows import table_of

    result = made(tmp_path, OVER, rising, failures=(Failure("<b>lost", "it diverged"),))
    html = result._repr_html_()
    assert html.count("<tr>") == 1 + len(result.rows)
    assert "&lt;b&gt;lost" in html
    assert len(repr(result)) < 1000
    assert result.columns() == table_of(result.rows)
    assert made(tmp_path / "none", OVER, lambda *_: None).columns()["name"] == []
