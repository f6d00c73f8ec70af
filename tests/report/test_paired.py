"""Two networks on the same combinations: paired by id, with the smallest difference that could have been seen."""

from dataclasses import replace

import pytest

from assay.report import read_report, write_comparison, write_report
from assay.report.comparison import ComparisonFile
from assay.report.meaning import meaning
from assay.report.paired import differences


def network(examples, right, ids, *, name="net", task="scan:simple"):
    """An audit whose novel score rests on these answers to these combinations."""
    evidence = examples.systematicity(1.0, sum(right) / len(right))
    seen, novel, *rest = evidence.measures
    seen = replace(seen, repeats=(), units=0)
    novel = replace(novel, repeats=tuple(map(float, right)), unit_ids=tuple(ids), bounds=(0.0, 1.0), units=len(right))
    audit = examples.audit([replace(evidence, measures=(seen, novel, *rest))], name=name)
    return replace(audit, task=replace(audit.task, address=task))


def test_units_are_paired_by_id_and_not_by_place(examples):
    first = network(examples, [1] * 20 + [0] * 20, range(40))
    same = network(examples, [0] * 20 + [1] * 20, reversed(range(40)), name="other order")
    (found,) = differences([first, same])
    assert (found.value, found.differing, found.units, found.p) == (0.0, 0, 40, 1.0)


def test_only_what_both_were_measured_on_counts(examples):
    first = network(examples, [0] * 30, range(30))
    other = network(examples, [1] * 30, range(20, 50), name="other")
    (found,) = differences([first, other])
    assert (found.value, found.differing, found.units) == (1.0, 10, 10)
    assert found.p == pytest.approx(2 * 0.5**10)


@pytest.mark.parametrize("changed", [{"task": "scan:length"}, {"ids": range(100, 140)}, {"ids": range(36, 76)}])
def test_nothing_is_paired_on_other_tasks_or_on_fewer_than_five_common_units(examples, changed):
    first = network(examples, [1] * 40, range(40))
    assert differences([first, network(examples, [0] * 40, **{"ids": range(40), **changed})]) == ()
    assert differences([first]) == ()


def test_p_is_adjusted_over_all_networks(examples):
    first = network(examples, [1] * 40, range(40))
    others = [network(examples, [0] * k + [1] * (40 - k), range(40), name=str(k)) for k in (6, 7, 20)]
    found = differences([first, *others])
    assert [difference.network for difference in found] == [1, 2, 3]
    assert found[0].p == pytest.approx(2 * 0.5**6)
    assert found[0].adjusted_p == pytest.approx(found[0].p)  # the largest of three
    assert found[1].adjusted_p == pytest.approx(found[1].p * 3 / 2)


def test_the_sentence_follows_the_paired_test_and_says_what_could_have_been_seen(examples):
    first = network(examples, [1] * 36 + [0] * 4, range(40), name="one")
    close = network(examples, [1] * 34 + [0] * 6, range(40), name="two")
    far = network(examples, [1] * 16 + [0] * 24, range(40), name="three")
    assert "would have been detected with power .8" in meaning([first, close])
    assert "not resolved" in meaning([first, close])
    assert "not resolved" not in meaning([first, far])


def test_page_file_and_a_report_read_back_hold_the_same(tmp_path, examples):
    audits = [network(examples, [1] * 40, range(40), name="one"), network(examples, [0] * 40, range(40), name="two")]
    again = [read_report(write_report(tmp_path / audit.subject.name, audit).parent) for audit in audits]
    assert differences(again) == differences(audits)
    page = write_comparison(tmp_path / "both", again)
    assert "Differences on the same combinations" in page.read_text()
    read = ComparisonFile.model_validate_json((page.parent / "comparison.json").read_bytes())
    assert read.differences == differences(audits)


def test_units_without_ids_are_paired_where_one_seed_and_effort_drew_them(examples):
    first, other = (network(examples, right, range(40)) for right in ([1] * 40, [0] * 40))

    def without_ids(audit, **changed):
        (evidence,) = audit.evidence
        measures = tuple(replace(measure, unit_ids=()) for measure in evidence.measures)
        return replace(audit, evidence=(replace(evidence, measures=measures),), **changed)

    assert len(differences([without_ids(first), without_ids(other)])) == 1
    assert differences([without_ids(first), without_ids(other, seed=first.seed + 1)]) == ()


def test_nothing_is_paired_where_the_same_address_has_other_combinations(examples):
    first, other = (network(examples, right, range(40)) for right in ([1] * 40, [0] * 40))
    assert differences([first, replace(other, task=replace(other.task, num_novel=other.task.num_novel + 1))]) == ()
