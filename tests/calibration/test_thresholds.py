import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from assay.calibration.thresholds import ALPHA, MIN_FAMILY, choose_thresholds


def chosen(imitators, composers, family=None):
    probability = np.array([*imitators, *composers], dtype=float)
    composes = np.arange(len(probability)) >= len(imitators)
    return choose_thresholds(probability, composes, np.array(family or ["one"] * len(probability)))


def test_by_hand():
    # 39 imitators: at most two of forty may lie above, themselves counted, so the threshold is the second highest.
    thresholds = chosen(np.arange(39) / 100, np.arange(39) / 100 + 0.1)
    assert thresholds.composes_above == 0.37
    assert thresholds.imitates_below == pytest.approx(0.11)


@pytest.mark.parametrize("num", [0, 1, 18])
def test_too_few_of_a_class_call_nothing(num):
    thresholds = chosen(np.zeros(num), np.ones(num))
    assert thresholds.composes_above == 1.0
    assert thresholds.imitates_below == 0.0


def test_nineteen_are_enough_for_the_highest_of_them():
    assert chosen(np.arange(19) / 20, np.ones(19)).composes_above == 0.9


def test_classes_far_apart_meet_at_one_half_or_as_near_as_they_may():
    assert chosen([0.1] * 30, [0.9] * 30) == chosen([0.4] * 30, [0.6] * 30)
    assert chosen([0.1] * 30, [0.9] * 30).composes_above == 0.5
    low = chosen([0.1] * 30, [0.3] * 30)
    assert low.composes_above == low.imitates_below == pytest.approx(0.3)


def test_the_worst_family_holds_where_it_is_large_enough():
    family = ["calm"] * 400 + ["wild"] * MIN_FAMILY + ["calm"] * 30
    imitators = [0.2] * 400 + [0.8] * MIN_FAMILY
    assert chosen(imitators, [0.9] * 30, family).composes_above == pytest.approx(0.8)
    few = ["calm"] * 401 + ["wild"] * (MIN_FAMILY - 1) + ["calm"] * 30
    pooled = chosen([0.2] * 401 + [0.8] * (MIN_FAMILY - 1), [0.9] * 30, few)
    assert pooled.composes_above == 0.5  # the pooled one is .2


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 1000))
def test_no_probability_gets_both_calls(num, other, seed):
    rng = np.random.default_rng(seed)
    thresholds = chosen(rng.random(num), rng.random(other))
    assert thresholds.imitates_below <= thresholds.composes_above


def test_fresh_probabilities_are_called_wrongly_as_often_as_was_stated():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):  # the conformal rate is over calibration sets and fresh networks together
        imitators = rng.beta(1, 3, size=60)
        thresholds = chosen(imitators, rng.beta(3, 1, size=60))
        wrong += int((rng.beta(1, 3, size=25) > thresholds.composes_above).sum())
    assert wrong <= binom.ppf(0.999, 400 * 25, ALPHA)
    assert wrong >= 0.6 * ALPHA * 400 * 25  # nor is it so careful that it calls nothing
