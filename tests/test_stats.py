import math

import numpy as np
import pytest
import torch
from torch import Generator

from assay import stats


def normal(mean: float, size: int, seed: int) -> list[float]:
    return np.random.default_rng(seed).normal(mean, 1.0, size).tolist()


def test_cluster_means_by_hand():
    result = stats.cluster_means(torch.tensor([1.0, 0.0, 0.0, 4.0]), torch.tensor([7, 3, 7, 3]))
    assert result.ids.tolist() == [3, 7]
    assert result.means.tolist() == [2.0, 0.5]
    assert result.counts.tolist() == [2, 2]


def test_in_turns_no_group_has_a_second_row_before_every_group_has_one(generator):
    groups = torch.tensor([7] * 50 + [3] * 3 + [5])
    rows = stats.in_turns(groups, generator)
    assert sorted(rows.tolist()) == list(range(54))
    assert sorted(groups[rows[:3]].tolist()) == [3, 5, 7]
    assert sorted(groups[rows[3:7]].tolist()) == [3, 3, 7, 7]
    assert set(groups[rows[7:]].tolist()) == {7}
    assert len({int(stats.in_turns(groups, generator)[0]) for _ in range(20)}) > 5, "at random"
    assert len(stats.in_turns(groups[:0], generator)) == 0


def test_cluster_means_of_nothing():
    assert len(stats.cluster_means(torch.zeros(0), torch.zeros(0, dtype=torch.int64)).ids) == 0


@pytest.mark.parametrize("size", [0, 1, stats.MIN_UNITS - 1])
def test_too_few_units_have_no_interval(size):
    assert stats.mean_interval([0.5] * size, bounds=(0.0, 1.0)) is None


def test_interval_covers_the_mean_about_as_often_as_it_says():
    covered = 0
    for seed in range(200):
        interval = stats.mean_interval(normal(2.0, 20, seed))
        covered += interval.low <= 2.0 <= interval.high
    assert 0.90 <= covered / 200 <= 0.985


def test_interval_ignores_the_order_of_units():
    units = normal(0.0, 12, 0)
    one, other = (stats.mean_interval(order) for order in (units, units[::-1]))
    assert one == other


def test_perfect_scores_are_not_certainty():
    interval = stats.mean_interval([1.0] * 10, bounds=(0.0, 1.0))
    assert interval.high == 1.0
    assert interval.low == pytest.approx(0.025 ** (1 / 10))  # the exact bound for ten successes in ten


def test_equal_units_without_bounds_have_no_interval():
    assert stats.mean_interval([3.0] * 10) is None


def test_equal_units_inside_the_bounds_get_an_interval_around_them():
    interval = stats.mean_interval([0.5] * 20, bounds=(0.0, 1.0))
    assert interval.low < 0.5 < interval.high
    assert interval.low == pytest.approx(1 - interval.high)


DRAWS = {
    "normal": lambda rng: rng.normal(size=40).tolist(),
    "R2 with a long tail": lambda rng: (1 - rng.lognormal(size=60)).tolist(),
    "accuracies": lambda rng: (rng.binomial(4, 0.8, size=80) / 4).tolist(),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_interval_agrees_with_the_bca_bootstrap(draw):
    """The second route resamples: scipy's BCa. Without the acceleration the tails would be off by three times as much."""
    from scipy.stats import bootstrap

    rng, errors = np.random.default_rng(0), []
    for _ in range(10):
        units = draw(rng)
        interval = stats.mean_interval(units)
        wanted = bootstrap((units,), np.mean, n_resamples=20_000, batch=2_000, method="BCa", rng=rng).confidence_interval
        width = wanted.high - wanted.low
        errors.append([(interval.low - wanted.low) / width, (interval.high - wanted.high) / width])
    assert np.abs(np.mean(errors, 0)).max() < 0.02
    assert np.abs(errors).max() < 0.06


def test_intervals_of_many_measures_equal_those_of_each():
    units = np.stack([normal(0.0, 12, 0), [1.0] * 12, normal(3.0, 12, 1)])
    for bounds in (None, (0.0, 1.0)):
        assert stats.mean_intervals(units, bounds=bounds) == [stats.mean_interval(row.tolist(), bounds=bounds) for row in units]


def test_intervals_stay_within_bounds_and_around_the_mean():
    for wrong in range(1, 20):
        units = [0.0] * wrong + [1.0] * (20 - wrong)
        interval = stats.mean_interval(units, bounds=(0.0, 1.0))
        assert 0 <= interval.low < 1 - wrong / 20 < interval.high <= 1


def test_pooled_ps_are_never_smaller_than_chance_under_the_null():
    """Four values of different spread: as uniform as 81 steps allow, a little above in the tail."""
    rng = np.random.default_rng(0)
    spreads = torch.tensor([0.1, 1.0, 7.0, 50.0])[:, None]
    draws = torch.from_numpy(rng.normal(size=(4_000, 4, 21))) * spreads + 3 * spreads
    ps = np.array([stats.pooled_permutation_ps(draw[:, 0], draw[:, 1:]) for draw in draws])
    for steps in (1, 4, 24, 60):
        assert 0.7 * steps / 81 <= np.mean(ps <= (steps + 0.5) / 81) <= 1.03 * steps / 81


def test_pooled_ps_resolve_what_single_ones_cannot():
    """Forty permutations of each of ten values, and one value far beyond: it moves no other p."""
    nulls = torch.randn(10, 40, generator=Generator().manual_seed(0))
    values = torch.zeros(10)
    before = stats.pooled_permutation_ps(values, nulls)
    values[3] = 9.0
    after = stats.pooled_permutation_ps(values, nulls)
    assert after[3] == pytest.approx(1 / 401)
    assert after[:3] + after[4:] == before[:3] + before[4:]


def test_pooled_ps_where_nothing_varies():
    nulls = torch.ones(2, 30)
    assert stats.pooled_permutation_ps(torch.tensor([1.0, 2.0]), nulls) == pytest.approx([1.0, 1 / 61])
    assert stats.pooled_permutation_ps(torch.tensor([1.0]), torch.zeros(1, 1)) == [0.5]


@pytest.mark.parametrize(("value", "higher", "expected"), [(3.0, True, 1 / 4), (0.5, True, 4 / 4), (1.0, False, 2 / 4)])
def test_permutation_p_counts_the_value_itself(value, higher, expected):
    assert stats.permutation_p(value, [1.0, 2.0, 1.5], higher=higher) == expected


@pytest.mark.parametrize("higher", [True, False])
def test_what_cannot_be_compared_is_no_evidence(higher):
    assert stats.permutation_p(1.0, [float("nan")] * 19, higher=higher) == 1.0
    assert stats.permutation_p(float("nan"), [0.0] * 19, higher=higher) == 1.0


def test_permutation_p_is_uniform_under_the_null():
    rng = np.random.default_rng(0)
    ps = [stats.permutation_p(draw[0], draw[1:].tolist()) for draw in rng.normal(size=(20_000, 20))]
    assert np.mean(np.array(ps) <= 0.05) == pytest.approx(0.05, abs=0.006)


def test_gain_of_one_more_untrained_network_is_rarely_significant():
    """The subject drawn from the same distribution as its nulls: the interval holds 0 in 95 % of the draws or more."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        networks = rng.normal(0.5, 0.05, size=(6, 1)) + rng.normal(0, 0.1, size=(6, 30))
        gain = stats.gain_over_networks(torch.tensor(networks[0]), torch.tensor(networks[1:]))
        inside += gain.interval.low <= 0 <= gain.interval.high
    assert inside / 400 >= 0.94


def test_gain_finds_a_planted_difference():
    rng = np.random.default_rng(0)
    networks = torch.tensor(rng.normal(0.5, 0.02, size=(6, 30)))
    gain = stats.gain_over_networks(networks[0] + 0.3, networks[1:])
    assert gain.gain == pytest.approx(0.3, abs=0.03)
    assert gain.interval.low > 0
    assert gain.p < 0.001


def test_gain_by_hand():
    """Three null networks of means 0, 1 and 2: variance 1 (1 + 1/3) for one network more, and 2.5 / 5 for the mean over five
    combinations. With two degrees of freedom the t distribution has a closed form."""
    null = torch.arange(3.0)[:, None].expand(3, 5)
    found = stats.gain_over_networks(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), null)
    error = math.sqrt(4 / 3 + 1 / 2)
    t = 2 / error
    assert found.gain == pytest.approx(2)
    assert found.p == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)))
    quantile = 0.95 * math.sqrt(2 / (1 - 0.95**2))  # of .975
    assert (found.interval.low, found.interval.high) == pytest.approx((2 - quantile * error, 2 + quantile * error))


@pytest.mark.parametrize(
    ("gain", "error", "p"), [(1.0, 0.0, 2.0**-7), (0.0, 0.0, 1.0), (-1.0, 0.0, 1.0), (1e9, 1e-9, 2.3e-308)]
)
def test_no_p_is_exactly_0(gain, error, p):
    """Where nothing varies there is no t, and one far out is smaller than any number."""
    assert stats.one_sided_ps(np.array([gain]), np.array([error]), freedom=400, units=7) == pytest.approx([p], rel=0.1)


def test_an_interval_over_fits_by_hand():
    """Units 1 to 5, symmetric, so that the interval over them is normal: z sqrt(10) / 5. Fits of means 2, 3 and 4: t with two
    degrees of freedom, whose quantile has a closed form, times 1 / sqrt(3)."""
    units = torch.arange(1.0, 6.0) + torch.tensor([[-1.0], [0.0], [1.0]])
    half = math.hypot(1.959964 * math.sqrt(10) / 5, 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3))
    found = stats.fitted_interval(units)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half), abs=1e-5)
    assert found.method == "ABC (closed-form BCa bootstrap) over 5 units, joined with t over 3 fits"
    cut = stats.fitted_interval(units, bounds=(0.5, 5.5))
    assert (cut.low, cut.high) == (0.5, 5.5)


def test_fits_that_agree_add_nothing_and_one_fit_is_not_covered():
    units = torch.tensor([[1.0, 2.0, 4.0, 3.0, 7.0]])
    alone, plain = stats.fitted_interval(units), stats.mean_interval(units[0])
    assert (alone.low, alone.high) == (plain.low, plain.high)
    assert "does not cover the variance between fits" in alone.method
    agreeing = stats.fitted_interval(units.expand(3, -1))
    assert (agreeing.low, agreeing.high) == pytest.approx((plain.low, plain.high))
    for num in (0, 1, 4):
        assert stats.fitted_interval(torch.ones(3, num), bounds=(0.0, 2.0)) is None


def test_an_interval_over_fits_covers_about_as_often_as_it_says():
    """Each fit shifts all units by as much as the units differ among each other; over units alone it would cover seldom."""
    covered = {"both": 0, "units": 0}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        units = torch.tensor(rng.normal(size=(1, 20)) + 0.5 * rng.normal(size=(4, 1)))
        for name, found in (("both", stats.fitted_interval(units)), ("units", stats.mean_interval(units.mean(0)))):
            covered[name] += found.low <= 0 <= found.high
    assert covered["both"] / 200 >= 0.93
    assert covered["units"] / 200 < 0.9


def test_p_over_fits_by_hand():
    """Differences of 1 and 3 on two texts: variance 2 / 2. Fits that scored 2.5 and 4.5: variance 2 (1/2 + 1/repeats) of fits.
    With one degree of freedom the t distribution is Cauchy's."""
    units, other = torch.tensor([[1.0, 4.0], [3.0, 6.0]]), torch.tensor([[1.0, 2.0]])
    for repeats in (2, 5):
        t = 2 / math.sqrt(1 + 2 * (1 / 2 + 1 / repeats))
        assert stats.fitted_p(units, other.expand(repeats, -1)) == pytest.approx(0.5 - math.atan(t) / math.pi)
    alone = units.mean(0, keepdim=True)  # one fit shows no variance
    assert stats.fitted_p(alone, other) == pytest.approx(0.5 - math.atan(2) / math.pi)
    assert stats.fitted_p(units[:, :1], other[:, :1]) == stats.fitted_p(units[:, :0], other[:, :0]) == 1.0


def test_p_of_a_mask_by_hand():
    """Null values 0 and 2 have variance 2 (1 + 1/2); that over problems is given."""
    t = 3 / math.sqrt(3 + 0.5)
    assert stats.gain_over(4.0, 0.5, [0.0, 2.0]).p == pytest.approx(0.5 - math.atan(t) / math.pi)


def test_gain_of_equal_networks_is_exactly_nothing():
    gain = stats.gain_over_networks(torch.ones(6), torch.ones(5, 6))
    assert gain.gain == 0
    assert gain.p == 1.0


def test_gain_needs_two_networks_and_five_units():
    assert stats.gain_over_networks(torch.ones(6), torch.ones(1, 6)) is None
    assert stats.gain_over_networks(torch.ones(4), torch.ones(5, 4)) is None


def test_gains_and_paired_ps_of_many_measures_equal_those_of_each():
    rng = np.random.default_rng(0)
    units, nulls = torch.tensor(rng.normal(size=(3, 12))), torch.tensor(rng.normal(size=(5, 3, 12)))
    assert stats.gains_over_networks(units, nulls) == [stats.gain_over_networks(units[k], nulls[:, k]) for k in range(3)]
    assert stats.paired_ps(units, nulls[0, 0]) == [stats.paired_p(row, nulls[0, 0]) for row in units]


def test_false_discovery_by_hand():
    assert stats.false_discovery([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert stats.false_discovery([]) == []


def test_difference_interval_of_equal_halfwidths_is_root_two_wider():
    interval = stats.mean_interval(normal(0, 30, 3))
    mean = (interval.low + interval.high) / 2
    difference = stats.difference_interval(mean, interval, mean, interval)
    assert difference.high == pytest.approx(math.sqrt(2) * (interval.high - mean))
    assert difference.low == pytest.approx(-difference.high)


def test_random_differences_are_centred_on_zero(generator):
    differences = stats.random_differences(torch.ones(20), torch.zeros(30), repeats=500, generator=generator)
    assert abs(np.mean(differences)) < 0.03


def test_paired_p_agrees_with_scipy():
    from scipy.stats import ttest_rel

    a, b = torch.tensor(normal(0.3, 25, 1)), torch.tensor(normal(0.0, 25, 2))
    assert stats.paired_p(a, b) == pytest.approx(float(ttest_rel(a, b, alternative="greater").pvalue), rel=1e-4)
    assert stats.paired_p(a, a) == 1.0
    assert stats.paired_p(a[:1], b[:1]) == 1.0


def test_child_generators_differ_and_are_reproducible():
    first, second = Generator().manual_seed(3), Generator().manual_seed(3)
    draws = [[float(torch.rand(1, generator=stats.child_generator(parent))) for _ in range(2)] for parent in (first, second)]
    assert draws[0] == draws[1]
    assert draws[0][0] != draws[0][1]


def test_ranks_agree_with_another_route():
    from scipy.stats import spearmanr

    rows = torch.randint(0, 5, (2, 12), generator=Generator().manual_seed(0)).numpy()
    assert stats.rank_correlation(rows[:1], rows[1:])[0] == pytest.approx(spearmanr(rows[0], rows[1]).statistic)
    assert np.isnan(stats.rank_correlation(np.zeros((2, 3)), rows[:, :3])).all()
    assert np.isnan(stats.rank_correlation(np.zeros((2, 0)), np.zeros((2, 0)))).all()


@pytest.mark.parametrize(
    ("right", "of", "null", "p"),
    [(0, 5, 0.0, 1.0), (1, 288, 0.0, 0.5), (5, 5, 0.0, 2**-5), (3, 3, 1.0, 1.0), (4, 5, 0.5, 6 / 32)],
)
def test_the_sign_test_counts_the_units_that_differ(right, of, null, p):
    units = torch.tensor([1.0] * right + [0.0] * (of - right))
    assert stats.sign_test_p(units, torch.full((of,), null)) == pytest.approx(p)


def test_the_sign_test_of_nothing_is_one():
    assert stats.sign_test_p(torch.zeros(0), torch.zeros(0)) == 1.0
