"""Features are effects against their own nulls, computed here by hand; what is missing is missing."""

from dataclasses import replace

import numpy as np
import pytest

from assay.calibration import FEATURES
from assay.evidence import Evidence
from assay.former_verdict import features, missing_parts
from assay.former_verdict.features import NUM_DRAWS, asked_parts, resampled


def test_effects_by_hand(plant):
    exchanges = plant.exchange("i", 0.8, (0.1, 0.2)), plant.exchange("j", 0.5, (0.1,), ceiling=0.9)
    found = features([plant.within(*exchanges, additivity=0.55, collapse=1.0, homomorphism=0.0)])
    assert tuple(found) == FEATURES
    assert found["recombination"] == pytest.approx(((0.8 - 0.2) / 0.8 + (0.5 - 0.1) / 0.8) / 2)
    assert found["additivity"] == pytest.approx(0.45 / 0.9)
    assert found["collapse"] == pytest.approx(1)
    assert found["homomorphism"] == pytest.approx(-0.1 / 0.9)


def test_effects_are_cut_at_one_and_minus_one(plant):
    low = plant.within(plant.exchange("i", 0.0, (0.9,)), additivity=-30.0)
    high = plant.within(plant.exchange("i", 1.0, ceiling=0.5))
    assert features([low])["recombination"] == features([low])["additivity"] == -1
    assert features([high])["recombination"] == 1


def test_a_score_above_its_ceiling_is_held_against_the_best_score(plant):
    beside = plant.within(plant.exchange("i", 0.55, (0.1,), ceiling=0.2))  # the place does not hold all that decides
    assert features([beside])["recombination"] == pytest.approx(0.5)


def test_parts_that_are_not_combined_count_only_where_no_other_can_be_asked(plant):
    i, z = plant.exchange("i", 1.0), plant.exchange("z", 0.1)
    assert features([plant.within(i, z)])["recombination"] == pytest.approx(1)
    unasked = replace(i, value=None, interval=None, nulls=(), repeats=(), ceiling=None, note="not enough data")
    for other in ((), (unasked,), (plant.exchange("i", 0.1, ceiling=0.12),)):  # nothing lies between null and ceiling
        evidence = [plant.within(*other, z)]
        assert features(evidence)["recombination"] == pytest.approx(0)
        assert asked_parts(evidence) == missing_parts(evidence) == ("z",)


def test_exchanges_where_parts_stand_side_by_side_come_first(plant):
    best, early = plant.exchange("i", 1.0), replace(plant.exchange("i", 0.2), key="novel_recombination_side_by_side")
    evidence = [plant.within(best, early, plant.exchange("j", 0.6))]
    assert features(evidence)["recombination"] == pytest.approx(((0.2 - 0.1) / 0.9 + (0.6 - 0.1) / 0.9) / 2)
    assert missing_parts(evidence) == ("i",)
    unanswered = replace(early, value=None, interval=None, nulls=(), repeats=(), ceiling=None, note="not enough data")
    nowhere = replace(plant.exchange("i", 0.1, ceiling=0.1), name=early.name)  # what is exchanged there decides nothing
    for other in (unanswered, nowhere):
        assert features([plant.within(best, other)])["recombination"] == pytest.approx(1)


@pytest.mark.parametrize("num", [0, 1])
def test_nothing_measured_is_nothing(plant, num):
    evidence = [plant.behaviour(1.0, 1.0)] * num
    assert features(evidence) == dict.fromkeys(FEATURES)
    assert missing_parts(evidence) == asked_parts(evidence) == ()
    assert np.isnan(resampled(evidence)).all()
    bare = Evidence(instrument="recombination", question="?", summary="", not_enough="too few")
    assert features([bare]) == dict.fromkeys(FEATURES)


def test_untrained_copies_that_leave_no_room_are_no_null(plant):
    evidence = plant.within(plant.exchange("i", 0.9))
    crowded = replace(evidence, measures=(*evidence.measures[:1], plant.companion("additivity", 1.0, 0.96)))
    assert features([crowded])["additivity"] is None
    alone = replace(crowded.measures[1], nulls=crowded.measures[1].nulls[1:])
    assert features([replace(crowded, measures=(alone,))]) == dict.fromkeys(FEATURES)


def test_only_level_zero_is_read(plant):
    evidence = plant.composer()
    assert features([replace(evidence, measures=tuple(replace(m, level=1) for m in evidence.measures))]) == dict.fromkeys(
        FEATURES
    )
    assert features([evidence, plant.behaviour(1.0, 0.1)]) == features([evidence])


def test_a_part_is_missing_with_its_whole_interval(plant):
    evidence = [plant.within(plant.exchange("i", 0.9), plant.exchange("j", 0.1))]
    assert missing_parts(evidence) == ("j",)
    assert asked_parts(evidence) == ("i", "j")
    unsure = [plant.within(plant.exchange("i", 0.9), plant.exchange("j", 0.5, num=10))]  # an effect of .44 that may be .7
    assert missing_parts(unsure) == ()


def test_resamples_have_the_spread_of_the_units_and_do_not_depend_on_their_company(plant):
    evidence = plant.composer(0.8)
    draws = resampled([evidence])
    assert draws.shape == (NUM_DRAWS, len(FEATURES))
    means = np.array([features([evidence])[name] for name in FEATURES])
    assert draws.mean(0) == pytest.approx(means, abs=0.02)
    error = np.sqrt(0.8 * 0.2 / 100) / 0.9 / np.sqrt(2)  # two parts, each drawn by itself
    assert draws[:, 0].std() == pytest.approx(error, rel=0.2)
    assert (resampled([plant.behaviour(1.0, 1.0), evidence]) == draws).all()
    fewer = replace(evidence, measures=evidence.measures[:3])
    assert (resampled([fewer])[:, :2] == draws[:, :2]).all()
    assert np.isnan(resampled([fewer])[:, 2:]).all()
