"""The rule from numbers to words, case by case, on numbers made by hand."""

import dataclasses
import re

import pytest
import torch
from scipy import stats

from assay.instruments.subnetworks.controls import Removed
from assay.instruments.subnetworks.deciding import PartFound, decide, necessity
from assay.instruments.subnetworks.problems import Scored
from assay.instruments.subnetworks.trail import Effect, Point, Trail
from assay.masks import Mask
from assay.stats import gain_over

MASK = Mask("weight", {}, {})


def scored(accuracy: float) -> Scored:
    """Forty units of that mean, a little apart."""
    spread = torch.linspace(-0.05, 0.05, 40, dtype=torch.float64)
    return Scored(accuracy + spread, 0.25)


def point(
    own: float, other: float, *, accuracy: float = 1.0, density: float = 0.1, promise: float = 0.5, degenerate: str = ""
) -> Point:
    """A mask that, taken out, leaves so much of either part."""
    alone, without = Effect(scored(1.0), scored(0.25)), Effect(scored(own), scored(other))
    return Point(1.0, MASK, density, degenerate, accuracy, promise, alone, without)


def found(
    *trails: Trail,
    fresh: tuple[float, ...] = (0.0, 0.02, -0.02, 0.01, -0.01),
    random: float = 0.0,
    nonsense: float = 0.0,
    removals: tuple[float, ...] = (0.7, 0.7, 0.5, 0.5),
) -> PartFound:
    return PartFound(
        part="a",
        trails=trails,
        fresh=tuple(Trail((point(1.0 - value, 1.0),)) for value in fresh),
        turned=None,
        nonsense=tuple(Trail((point(1.0 - nonsense + wiggle, 1.0),)) for wiggle in (-0.01, 0.0, 0.01)),
        removals=tuple(Removed("zero", (Effect(scored(1.0 - value), scored(1.0)),)) for value in removals),
        random=(Effect(scored(1.0 - random), scored(1.0)),) * 39,
        reuse={},
        stability=(),
    )


GOOD = Trail((point(0.3, 1.0),))


@pytest.mark.parametrize(
    ("case", "word", "reason"),
    [
        (found(GOOD), "modular", r"necessity \+0.70"),
        (found(Trail((point(0.95, 1.0),))), "not modular", "surely less than 0.25"),
        (found(Trail((point(0.3, 0.3),))), "not modular", "surely less"),
        (found(Trail((point(1.0, 0.3),))), "not modular", r"necessity -0.70"),
        (found(GOOD, random=0.7), "not resolved", "random masks of its size do as much"),
        (found(GOOD, nonsense=0.7), "not resolved", "masks for nonsense do as much"),
        (found(GOOD, removals=(0.7, 0.7, -0.1, 0.5)), "not resolved", "disagree in sign"),
        (found(GOOD, fresh=(0.7, 0.68, 0.72, 0.69, 0.71)), "not modular", r"necessity \+0.00"),
        (found(GOOD, fresh=(0.7, 0.0, 0.6, 0.1, 0.4)), "not resolved", r"necessity \+0.34"),
        (found(Trail((point(0.3, 1.0, accuracy=0.8),))), "not modular", "no isolable part: no mask solves 0.9"),
        (found(Trail((point(0.3, 1.0, degenerate="keeps everything"),))), "not resolved", "the mask keeps everything"),
        (found(GOOD, Trail((point(0.3, 1.0, accuracy=0.8),))), "not resolved", "1 of 2 seeds"),
    ],
)
def test_every_case_gets_its_word(case, word, reason):
    decision = decide(case)
    assert decision.word == word
    assert re.search(reason, decision.reason)


def test_the_mask_is_chosen_by_promise_and_the_smallest_by_size():
    large, middle, small = (
        point(0.3, 0.4, density=0.5, promise=0.1),
        point(0.3, 1.0, density=0.2, promise=0.7),
        point(0.9, 1.0, density=0.1, promise=0.1),
    )
    weak = point(0.2, 1.0, density=0.01, promise=0.9, accuracy=0.5)
    trail = Trail((large, middle, small, weak))
    assert trail.chosen is middle
    assert trail.smallest is small
    equal = dataclasses.replace(small, promise=0.7)
    assert Trail((large, middle, equal)).chosen is equal, "of equals the smaller one"


def test_a_seed_without_a_mask_counts_as_nothing_found():
    none = Trail((point(0.3, 1.0, accuracy=0.5),))
    assert found(GOOD, none).value(necessity) == pytest.approx(0.35)
    assert found(GOOD, GOOD).value(necessity) == pytest.approx(0.7)


def test_accuracies_below_chance_count_as_chance_and_are_kept_raw():
    effect = Effect(scored(0.1), scored(1.0))
    assert effect.removed == pytest.approx(0.75)
    assert effect.raw == pytest.approx(-0.9)


def test_gain_is_the_prediction_interval_of_one_more_null():
    """By a second route: with exact values, that of scipy's t distribution for one more draw."""
    nulls = [0.1, -0.05, 0.02, 0.07, -0.03]
    gain = gain_over(0.5, 0.0, nulls)
    error = stats.tstd(nulls) * (1 + 1 / 5) ** 0.5
    low, high = stats.t.interval(0.95, 4, loc=0.5 - sum(nulls) / 5, scale=error)
    assert (gain.interval.low, gain.interval.high) == pytest.approx((low, high))
    assert gain.p == pytest.approx(stats.t.sf(gain.gain / error, 4))


def test_uncertain_problems_widen_the_interval():
    nulls = [0.1, -0.05, 0.02]
    narrow, wide = gain_over(0.5, 0.0, nulls), gain_over(0.5, 0.04, nulls)
    assert wide.interval.low < narrow.interval.low
    assert wide.p > narrow.p


@pytest.mark.parametrize(("value", "p"), [(0.5, 2.0**-2), (0.0, 1.0)])
def test_without_any_error_the_p_is_that_of_the_sign_test(value, p):
    assert gain_over(value, 0.0, [0.0, 0.0]).p == p
