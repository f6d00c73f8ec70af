"""What could have been seen, and two networks on the same units."""

import numpy as np
import pytest
import torch
from scipy.special import stdtrit
from scipy.stats import binom, binomtest
from torch import Generator

from assay.power import detectable_departure, detectable_gain, detectable_share, paired_difference, range_p
from assay.stats import gain_over


def test_detectable_share_inverts_the_chance_of_noticing():
    share = detectable_share(30)
    assert 1 - (1 - share) ** 30 == pytest.approx(0.8)
    assert detectable_share(0) == 1.0


def test_the_p_of_right_and_wrong_answers_is_that_of_mcnemars_exact_test():
    first, second = torch.ones(40), torch.ones(40)
    first[:2], second[2:11] = 0, 0
    found = paired_difference(first, second, bounds=(0.0, 1.0))
    assert found is not None
    assert found.p == pytest.approx(binomtest(2, 11).pvalue)
    assert (found.value, found.differing, found.units) == (pytest.approx(7 / 40), 11, 40)


def test_a_difference_and_its_opposite_have_one_p_and_opposite_intervals():
    generator = Generator().manual_seed(0)
    first, second = torch.rand(30, generator=generator), torch.rand(30, generator=generator)
    one, other = paired_difference(first, second), paired_difference(second, first)
    assert one is not None
    assert other is not None
    assert one.interval is not None
    assert other.interval is not None
    assert one.p == pytest.approx(other.p, abs=0.02)
    assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))
    assert one.detectable == other.detectable


def test_too_few_units_and_units_that_all_agree():
    assert paired_difference(torch.ones(4), torch.zeros(4)) is None
    same = paired_difference(torch.ones(40), torch.ones(40), bounds=(0.0, 1.0))
    assert same is not None
    assert (same.value, same.p, same.differing) == (0.0, 1.0, 0)
    assert same.interval is not None
    assert same.interval.high == pytest.approx(1 - 0.025 ** (1 / 40))
    assert 1 - binom.cdf(5, 40, same.detectable) == pytest.approx(0.8)  # six of 40 differ, the fewest that p <= .05 takes
    without = paired_difference(torch.ones(40), torch.ones(40))
    assert without is not None
    assert without.detectable is None
    assert without.interval is None


def test_a_difference_of_the_detectable_size_is_mostly_seen_and_none_rarely():
    generator = Generator().manual_seed(0)

    def answers(rate):
        return (torch.rand(100, generator=generator) < rate).float()

    seen = wrong = 0
    for _ in range(60):
        none = paired_difference(answers(0.8), answers(0.8), bounds=(0.0, 1.0))
        assert none is not None
        assert none.detectable is not None
        some = paired_difference(answers(0.8), answers(0.8 - none.detectable), bounds=(0.0, 1.0))
        assert some is not None
        wrong, seen = wrong + (none.p <= 0.05), seen + (some.p <= 0.05)
    assert wrong <= 7  # a rate of 5 % exceeds this once in 60 times
    assert 36 <= seen <= 57


def test_the_detectable_departure_follows_the_spread_or_the_share_of_failures():
    assert detectable_departure([1.0] * 4, bounds=(0.0, 1.0)) is None
    perfect = detectable_departure([1.0] * 30, bounds=(0.0, 1.0))
    assert perfect == (pytest.approx(detectable_share(30)), 30)
    half = detectable_departure([0.0, 1.0] * 50, bounds=(0.0, 1.0))
    assert half is not None
    assert half.size == pytest.approx((1.959964 + 0.841621) * 0.5 / 99**0.5, rel=1e-5)
    assert half.more_units == 300
    four_times = detectable_departure([0.0, 1.0] * 200, bounds=(0.0, 1.0))
    assert four_times is not None
    assert four_times.size == pytest.approx(half.size / 2, rel=0.01)


def test_rounding_is_no_difference():
    scores = torch.linspace(0, 1, 40)
    found = paired_difference(scores + 1e-7, scores, bounds=(0.0, 1.0))
    assert found is not None
    assert (found.value, found.differing, found.p) == (0.0, 0, 1.0)


def test_what_no_sign_test_can_see_is_not_called_detectable():
    first, second = torch.ones(40), torch.ones(40)
    second[0] = 0.0  # by the spread alone, a difference that rarely changes six of 40 units
    found = paired_difference(first, second, bounds=(0.0, 1.0))
    assert found is not None
    assert 1 - binom.cdf(5, 40, found.detectable) == pytest.approx(0.8)
    assert found.more_units == 40


def test_a_gain_of_the_detectable_size_is_seen_four_times_in_five():
    draws = np.random.default_rng(0)
    seen = []
    for _ in range(1_500):
        nulls = draws.normal(size=6)
        true = _expected_size(6)
        seen.append(gain_over(float(draws.normal()) + true, 0.0, nulls.tolist()).p <= 0.05)
    assert 0.72 < np.mean(seen) < 0.88
    # The quantile of the level and that of the power, in units of the error that the test itself has.
    half = gain_over(0.0, 0.0, [0.1, 0.2, 0.4, 0.8]).interval.high + 0.375
    error = half / stdtrit(3, 0.975)
    assert detectable_gain([0.1, 0.2, 0.4, 0.8]) == pytest.approx(error * (stdtrit(3, 0.95) + stdtrit(3, 0.8)))
    assert detectable_gain([0.0, 2.0]) > detectable_gain([0.0, 1.0]) > 0 == detectable_gain([1.0, 1.0])


def _expected_size(num: int) -> float:
    """Of nulls whose standard deviation is 1."""
    spread = np.linspace(-1, 1, num)
    return detectable_gain((spread / spread.std(ddof=1)).tolist())


def test_the_best_and_the_worst_of_many_alike_networks_are_no_finding():
    """Fifty networks that are right nine times in ten, by chance alone: a test of two named beforehand finds their extremes
    apart, that of the range of all does so about once in twenty times."""
    named = found = 0
    for seed in range(10):
        right = (torch.rand(50, 100, generator=torch.Generator().manual_seed(seed)) < 0.9).double()
        order = right.mean(1).argsort()
        beforehand = paired_difference(right[order[-1]], right[order[0]], bounds=(0.0, 1.0))
        named += beforehand is not None and beforehand.p <= 0.05
        found += range_p(right) <= 0.05
    assert named >= 9
    assert found <= 2


def test_one_network_among_many_that_is_better_is_found():
    right = (torch.rand(50, 100, generator=torch.Generator().manual_seed(0)) < 0.5).double()
    right[7] = 1.0
    assert range_p(right) == 1 / 1_000
