"""The comparison: every network in its column, and a meaning that follows from the numbers."""

import html
import json
import re
from dataclasses import replace

import pytest
import torch

from assay.errors import AssayError
from assay.report import write_comparison
from assay.report.comparison import ComparisonFile, _rows, comparison_html
from assay.report.definitions import DEFINITIONS
from assay.report.meaning import meaning
from assay.report.paired import differences
from assay.report.words import interval, number, p_text
from assay.verdict import answered


def text_of(path):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", path.read_text()))


def test_every_network_verdict_and_number_is_on_the_page(tmp_path, examples):
    audits = examples.three()
    path = write_comparison(tmp_path / "out", audits, title="Three networks", intro="Where they come from.")
    text = text_of(path)
    assert "Three networks" in text
    assert "Where they come from." in text
    assert meaning(audits).replace("'", "&#39;") in text
    for audit in audits:
        assert audit.subject.name in text
        assert audit.verdict.headline.capitalize() in text
        assert all(one.because[1:] in text for one in answered(audit.verdict))
        for key in ("seen_score", "novel_score"):
            measure = audit.evidence[0].measure(key)
            assert number(measure.value) in text
            assert interval(measure.interval) in text
            for null in measure.nulls:
                assert f"{null.name} {number(null.mean)}" in text
    assert (path.parent / "figures" / "comparison.svg").stat().st_size > 1000
    assert path.read_text().count("<script") == 1


def test_the_json_holds_the_same(tmp_path, examples):
    audits = examples.three()
    path = write_comparison(tmp_path, audits)
    read = ComparisonFile.model_validate_json((path.parent / "comparison.json").read_bytes())
    assert [column.subject for column in read.subjects] == [audit.subject for audit in audits]
    assert read.subjects[0].measures == tuple(m for e in audits[0].evidence for m in e.measures if m.headline)
    assert read.meaning == meaning(audits)
    assert json.loads((path.parent / "comparison.json").read_text())["schema_version"] == 4


def test_a_measure_that_is_the_same_for_all_networks_is_in_the_table_and_not_drawn(tmp_path, examples):
    audits = examples.three()
    same = replace(audits[0].evidence[0].measure("seen_score"), value=0.875)

    def with_same(audit):
        first, *rest = audit.evidence
        measures = tuple(same if measure.key == "seen_score" else measure for measure in first.measures)
        return replace(audit, evidence=(replace(first, measures=measures), *rest))

    def figure_and_table(audits):
        figure, _, table = write_comparison(tmp_path, audits).read_text().partition('id="verdicts"')
        return "seen score" in figure, "All headline measures are in the table." in figure, table.count("<b>0.875</b>")

    assert figure_and_table(audits)[0]
    assert figure_and_table([with_same(audit) for audit in audits]) == (False, True, 3)


def test_a_measure_is_matched_by_its_key_whatever_its_title(examples):
    one, other = examples.three()[:2]
    evidence = other.evidence[0]
    renamed = replace(evidence, measures=tuple(replace(measure, name=f"new {measure.name}") for measure in evidence.measures))
    rows = _rows([one, replace(other, evidence=(renamed, *other.evidence[1:]))])
    assert [row.label for row in rows] == [row.label for row in _rows([one, other])]
    assert all(None not in row.measures for row in rows)


@pytest.mark.parametrize("num", [1, 2, 50])
def test_any_number_up_to_fifty(tmp_path, examples, num):
    audits = [examples.audit([examples.systematicity(0.99, 0.04 * k + 0.1)], name=f"net {k}") for k in range(num)]
    text = text_of(write_comparison(tmp_path, audits))
    assert all(f"net {k}" in text for k in range(num))


@pytest.mark.parametrize("num", [0, 51])
def test_none_and_too_many_are_refused(tmp_path, examples, num):
    with pytest.raises(AssayError, match="1 to 50"):
        write_comparison(tmp_path, [examples.audit([])] * num)


def test_many_networks_have_a_table_with_a_row_for_each(tmp_path, examples):
    """Small even for fifty; each measure stands beside its interval and its best null."""
    audits = [examples.audit([examples.systematicity(0.99, 0.01 * k + 0.1)], name=f"net {k}") for k in range(50)]
    path = write_comparison(tmp_path, audits)
    page = path.read_text()
    assert path.stat().st_size <= 3 * 2**20
    table = re.search('<table class="numbers rows networks">.*?</table>', page, re.DOTALL)
    assert table
    rows = re.findall('<tr><th scope="row">.*?</tr>', table[0], re.DOTALL)
    assert len(rows) == 50
    novel = audits[7].evidence[0].measure("novel_score")
    null = novel.best_null
    told = f'<b>{number(novel.value)}</b><span class="minor">{interval(novel.interval)}</span>'
    assert f'{told}<span class="minor">{null.name} {number(null.mean)}, {html.escape(p_text(novel.p))}</span>' in rows[7]
    assert page.index("Every answer and every null") > page.index("networks")


def test_few_networks_have_columns_alone(tmp_path, examples):
    page = write_comparison(tmp_path, examples.three()).read_text()
    assert "rows networks" not in page
    assert "Every answer and every null" not in page


def test_two_of_one_name_are_told_apart(examples):
    audits = [examples.audit([], name="same"), examples.audit([], name="same")]
    html = comparison_html(audits, [], [], title="t", intro="")
    assert "same (1)" in html
    assert "same (2)" in html


def test_networks_without_evidence_are_compared_by_verdict(tmp_path, examples):
    path = write_comparison(tmp_path, [examples.audit([]), examples.audit([examples.lean("systematicity")])])
    assert text_of(path).lower().count("not resolved") >= 6
    assert not (path.parent / "figures" / "comparison.svg").exists()


def test_what_one_network_has_alone_is_in_the_table_and_said(examples):
    audits = [examples.audit(), examples.audit([examples.systematicity()])]
    html = comparison_html(audits, [], [], title="t", intro="")
    assert html.count("not measured") == 3
    assert "3 measures of this table could not be compared for every network" in html


def test_meaning_names_who_learned_and_who_generalises(examples):
    first, second = meaning(examples.three()).split(". ", 1)
    assert "\N{LEFT DOUBLE QUOTATION MARK}composes\N{RIGHT DOUBLE QUOTATION MARK} and" in first
    assert "untrained\N{RIGHT DOUBLE QUOTATION MARK} did not" in first
    assert "0.946" in second
    assert "0.165" in second
    assert "do not overlap" in second
    assert "0.0900" not in second  # who never learned is not ranked among those who did


def test_meaning_says_when_intervals_overlap(examples):
    audits = [examples.audit([examples.systematicity(0.99, novel)], name=str(novel)) for novel in (0.5, 0.51)]
    assert "not resolved" in meaning(audits)


def test_the_farthest_two_of_many_are_tested_as_such(examples):
    """Twelve alike networks on 40 combinations each, of which the extremes lie apart by chance."""
    right = (torch.rand(12, 40, generator=torch.Generator().manual_seed(3)) < 0.7).double()

    def audits(rows):
        for k, row in enumerate(rows.tolist()):
            system = examples.systematicity(0.99, sum(row) / len(row))
            measures = [
                replace(one, repeats=tuple(row), unit_ids=tuple(range(40))) if one.key == "novel_score" else one
                for one in system.measures
            ]
            yield examples.audit([replace(system, measures=tuple(measures))], name=str(k))

    alike = meaning([*audits(right)])
    assert "(the farthest two of 12 networks): whether any of them does better is not resolved." in alike
    right[0], right[1] = 1.0, 0.0
    apart = meaning([*audits(right)])
    assert apart.endswith("p .001 (the farthest two of 12 networks).")
    extremes = sorted(audits(right), key=lambda audit: audit.subject.name)[:2]
    assert "farthest" not in meaning(extremes)


def test_meaning_does_not_rank_different_tasks(examples):
    audits = examples.three()
    audits[1] = replace(audits[1], task=replace(audits[1].task, address="scan:simple"))
    assert "different tasks" in meaning(audits)
    assert "cannot be ranked" in meaning(audits)


def test_meaning_without_scores_alone_and_unlearned(examples):
    assert "their difference is not known" in meaning([examples.audit([])])
    assert "no difference to compare" in meaning([examples.audit()])
    nothing = [examples.audit([examples.systematicity(0.1, 0.1)], name=name, unlearned="it guesses") for name in "ab"]
    assert meaning(nothing).startswith("None of the 2 networks learned")


def test_one_task_of_which_different_combinations_were_seen_is_ranked(examples):
    audits = examples.three()
    narrow = replace(audits[1].task, address=audits[1].task.address.replace("0.8", "0.15"), num_seen=22, num_novel=122)
    audits[1] = replace(audits[1], task=narrow)
    assert "do not overlap" in meaning(audits)
    html = comparison_html(audits, [], [], title="t", intro="")
    assert "different trained combinations" in html
    assert narrow.address in html


def test_one_family_of_tasks_with_other_parts_is_not_ranked(examples):
    audits = examples.three()
    audits[1] = replace(audits[1], task=replace(audits[1].task, parts=audits[1].task.parts[:2]))
    assert "cannot be ranked" in meaning(audits)


def test_every_headline_measure_is_explained(tmp_path, examples):
    from assay.instruments import all_instruments

    headlines = {metric.key for instrument in all_instruments() for metric in instrument.metrics if metric.headline}
    assert headlines <= set(DEFINITIONS)
    page = html.unescape(text_of(write_comparison(tmp_path / "out", examples.three())))
    assert page.count(DEFINITIONS["novel_score"]) == 1
    assert DEFINITIONS["necessity"] not in page, "nothing is explained that was not measured"


def test_a_p_value_stands_on_one_line_beside_its_null(tmp_path, examples):
    page = write_comparison(tmp_path / "out", examples.three()).read_text()
    null = examples.three()[0].evidence[0].measure("seen_score").nulls[0]
    line = f'<span>{null.name} {number(null.mean)}</span> <span class="range">{html.escape(p_text(null.p))}</span>'
    assert f'<span class="minor null">{line}</span>' in page


def test_one_measure_read_at_two_cuts_is_one_row_and_paired(tmp_path, examples):
    """Each network is read at a headline cut of its own."""
    evidence = examples.recombination(0.75)
    ids = {"unit_ids": (1, 2, 3, 4, 5)}
    moved = [replace(m, about={**m.about, "cut": "5 elsewhere"}, **ids) for m in evidence.measures]
    held = [tuple(replace(m, **ids) for m in evidence.measures), tuple(moved)]
    first, second = (examples.audit([replace(evidence, measures=measures)]) for measures in held)
    (row,) = _rows([first, second])
    assert None not in row.measures
    assert "cut" not in row.label
    (found,) = differences([first, second])
    assert (found.key, found.units, found.value) == ("novel_from_state", 5, 0)
