import dataclasses

import numpy as np
import pytest

from assay.calibration import fit_combiner, leave_out
from assay.calibration.protocol import INCOMPLETE, PROTOCOLS


def equal(one, other, rows) -> bool:
    """Whether all that is said of some rows is the same."""
    return all(
        np.array_equal(ours[rows], theirs[rows], equal_nan=ours.dtype.kind == "f")
        for ours, theirs in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("by", PROTOCOLS)
def test_separable_classes_are_called_right(plant, by):
    subjects = plant(num=60, strength=8.0)
    judged = leave_out(subjects, by)
    right = np.where(subjects.composes, "composes", "imitates")
    assert (judged.call == right).mean() > 0.9
    assert set(judged.call[judged.call != right]) <= {"abstains"}
    assert (judged.reason[judged.call != "abstains"] == "").all()
    assert (judged.reason[judged.call == "abstains"] != "").all()


@pytest.mark.parametrize(("by", "group"), [("family", "digits"), ("architecture", "gru"), ("kind", "I4")])
def test_what_is_left_out_is_not_seen(plant, by, group):
    subjects = plant(num=60, strength=2.0)
    before = leave_out(subjects, by)
    rows = getattr(subjects, by) == group
    changed = np.flatnonzero(rows)[::2]
    for column in subjects.features.values():
        column[changed] = -column[changed]
    after = leave_out(subjects, by)
    kept = rows.copy()
    kept[changed] = False
    assert equal(before, after, kept)
    assert not equal(before, after, ~rows)  # the change is seen elsewhere


def test_the_labels_of_a_family_do_not_reach_its_probabilities(plant):
    subjects = plant(num=60, strength=2.0)
    before = leave_out(subjects, "family")
    rows = subjects.family == "digits"
    subjects.label[rows] = np.where(subjects.composes[rows], "imitates", "composes")
    assert equal(before, leave_out(subjects, "family"), rows)


def test_a_composer_is_judged_without_its_family_when_kinds_are_left_out(plant):
    # What tells composers in one family is noise in all others: only a fit that saw the family knows of it.
    subjects = plant(num=60, strength=0.0, strengths={"recombination": 4.0})
    odd = (subjects.family == "digits") & subjects.composes
    subjects.features["recombination"][odd] -= 4.0
    subjects.features["homomorphism"][odd] += 6.0
    seen = fit_combiner(subjects).predict(np.stack(list(subjects.features.values()), axis=1)[odd])
    assert leave_out(subjects, "kind").probability[odd].mean() < seen.mean() - 0.2


def test_a_fit_that_is_not_possible_without_a_kind_does_not_silence_the_others(plant):
    subjects = plant(num=60, strength=6.0, families=("modular", "digits", "commands"))
    subjects = subjects.take(
        subjects.composes | (subjects.kind == "I1") | ((subjects.kind == "I2") & (subjects.family == "digits"))
    )
    few = np.flatnonzero(subjects.kind == "I2")[4:]
    subjects = subjects.take(~np.isin(np.arange(len(subjects)), few))  # four are too few to fit to without I1
    judged = leave_out(subjects, "kind")
    assert np.isnan(judged.probability[subjects.kind == "I1"]).all()
    assert (judged.probability[subjects.composes] > 0.5).mean() > 0.9


@pytest.mark.parametrize("by", PROTOCOLS)
def test_twins_are_judged_like_their_original_and_change_nothing(plant, by):
    subjects = plant(num=60, strength=2.0, twins=10)
    judged = leave_out(subjects, by)
    twins = np.flatnonzero(subjects.twin_of != "")
    originals = subjects.original()[twins]
    assert (judged.call[twins] == judged.call[originals]).all()
    assert np.array_equal(judged.probability[twins], judged.probability[originals])
    rest = subjects.twin_of == ""
    assert np.array_equal(judged.probability[rest], leave_out(subjects.take(rest), by).probability)


@pytest.mark.parametrize("by", PROTOCOLS)
def test_partial_networks_and_wrong_declarations_are_judged_and_change_nothing(plant, by):
    subjects = plant(num=60, strength=2.0, partial=5, wrong=5)
    judged = leave_out(subjects, by)
    assert not np.isnan(judged.probability).any()
    alone = leave_out(subjects.take(subjects.decided), by)
    assert np.array_equal(judged.probability[subjects.decided], alone.probability)


@pytest.mark.parametrize("by", PROTOCOLS)
def test_a_network_with_missing_parts_is_not_called_composing(plant, by):
    subjects = plant(num=60, strength=8.0)
    judged = leave_out(subjects, by)
    called, rest = judged.call == "composes", judged.call != "composes"
    assert called.any()
    again = leave_out(dataclasses.replace(subjects, missing_parts=np.ones(len(subjects))), by)
    assert set(again.call[called]) == {"abstains"}
    assert set(again.reason[called]) == {INCOMPLETE}
    assert np.array_equal(again.probability, judged.probability)
    assert equal(again, judged, rest)
    unasked = leave_out(dataclasses.replace(subjects, missing_parts=np.full(len(subjects), np.nan)), by)
    assert equal(unasked, judged, slice(None))


@pytest.mark.parametrize("by", PROTOCOLS)
def test_sealed_families_change_nothing_and_are_judged(plant, by):
    subjects = plant(num=30, strength=3.0, families=("modular", "digits", "commands", "trees"))
    sealed = subjects.family == "trees"
    judged, alone = leave_out(subjects, by), leave_out(subjects.take(~sealed), by)
    assert np.array_equal(judged.probability[~sealed], alone.probability)
    assert not np.isnan(judged.probability[sealed]).any()
    asked = leave_out(subjects, by, fit_sealed=True)
    assert not np.array_equal(judged.probability[~sealed], asked.probability[~sealed])


@pytest.mark.parametrize("by", PROTOCOLS)
def test_the_order_of_rows_does_not_matter(plant, by):
    subjects = plant(num=30, missing=0.2, twins=3)
    order = np.random.default_rng(0).permutation(len(subjects))
    judged, other = leave_out(subjects, by), leave_out(subjects.take(order), by)
    assert equal([column[order] for column in judged], other, slice(None))


def test_one_family_cannot_be_left_out(plant):
    judged = leave_out(plant(families=("modular",)), "family")
    assert np.isnan(judged.probability).all()
    assert set(judged.call) == {"abstains"}
    assert (leave_out(plant(families=("modular",)), "kind").call != "abstains").any()


@pytest.mark.parametrize("by", PROTOCOLS)
@pytest.mark.parametrize("label", ["composes", "imitates"])
def test_one_class_only_abstains(plant, by, label):
    subjects = plant(num=30)
    judged = leave_out(subjects.take(subjects.label == label), by)
    assert set(judged.call) == {"abstains"}
    assert np.isnan(judged.probability).all()


@pytest.mark.parametrize("by", PROTOCOLS)
@pytest.mark.parametrize("num", [0, 1])
def test_tables_of_nothing(plant, by, num):
    judged = leave_out(plant(num=num, families=("modular",)), by)
    assert judged.call.tolist() == ["abstains"] * num
