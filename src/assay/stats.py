"""Intervals, p-values and corrections. The independent unit is the network or the combination, never the example."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.evidence import Interval
from assay.generators import child_generator as child_generator
from assay.generators import in_turns as in_turns
from assay.generators import keyed_generator as keyed_generator
from assay.generators import keyed_seed as keyed_seed

LEVEL = 0.95
MIN_UNITS = 5
"""Independent units (combinations, texts) below which there is no number: "not enough data".

Example::

    >>> from assay.stats import MIN_UNITS, mean_interval
    >>> mean_interval(torch.rand(MIN_UNITS - 1)) is None
    True
"""
MIN_NETWORKS = 3  # the same for trained networks, which are costly


class ClusterMeans(NamedTuple):
    """Means per cluster: `ids` `(c,)` ascending, `means` `(c,)`, `counts` `(c,)`."""

    ids: Int[Tensor, " c"]
    means: Float[Tensor, " c"]
    counts: Int[Tensor, " c"]


def cluster_means(values: Float[Tensor, " n"], clusters: Int[Tensor, " n"]) -> ClusterMeans:
    """Mean of `values` within each cluster, in float64.

    Example::

        >>> from assay.stats import cluster_means
        >>> found = cluster_means(torch.tensor([1.0, 0.0, 1.0]), torch.tensor([7, 7, 3]))
        >>> found.ids.tolist(), found.means.tolist(), found.counts.tolist()
        ([3, 7], [1.0, 0.5], [1, 2])
    """
    return means_within(clusters)(values)


def means_within(clusters: Int[Tensor, " n"]) -> Callable[[Float[Tensor, " n"]], ClusterMeans]:
    """`cluster_means` as a function of the values, for fixed clusters."""
    ids, inverse, counts = clusters.unique(return_inverse=True, return_counts=True)

    def means(values: Float[Tensor, " n"]) -> ClusterMeans:
        sums = torch.zeros(len(ids), dtype=torch.float64).index_add_(0, inverse, values.double())
        return ClusterMeans(ids, sums / counts, counts)

    return means


def mean_interval(
    units: Sequence[float] | Tensor, *, bounds: tuple[float, float] | None = None, level: float = LEVEL
) -> Interval | None:
    """Interval of the mean of independent units; see `mean_intervals`."""
    return mean_intervals(np.asarray(units, dtype=np.float64)[None], bounds=bounds, level=level)[0]


def mean_intervals(
    units: np.ndarray | Tensor, *, bounds: tuple[float, float] | None = None, level: float = LEVEL
) -> list[Interval | None]:
    """An interval for the mean of each row of `(m, n)` independent units: the bootstrap's BCa interval in closed form.

    Approximate bootstrap confidence (ABC; DiCiccio and Efron 1992; Efron and Tibshirani 1993, section 14.4): for a mean the
    endpoints are `mean + error w / (1 - a w)^2` with `w = a +- z`, the standard error of the mean and its acceleration
    `a = sum(d^3) / (6 sum(d^2)^1.5)` over the deviations `d`. They are those of BCa (Efron 1987) with infinitely many
    resamples, to third order, so they depend on no seed. `bounds` of the units bound the interval too.

    Units that are all equal have no bootstrap interval; with `bounds` they get the Clopper-Pearson interval of that share of
    successes instead, so that five perfect scores are not reported as certainty.

    **Returns:** for each row None with fewer than `MIN_UNITS` units, or when all are equal and there are no bounds.
    """
    values = np.sort(np.asarray(units, dtype=np.float64), axis=1)  # sorted: the order of units must not matter
    num, n = values.shape
    if n < MIN_UNITS:
        return [None] * num
    from scipy.special import ndtri

    means = values.mean(1)
    deviations = values - means[:, None]
    squares = deviations * deviations
    spread = np.sqrt(squares.sum(1))
    agree = values[:, -1] - values[:, 0] < 1e-12
    acceleration = (squares * deviations).sum(1) / (6 * np.where(agree, 1.0, spread) ** 3)  # its largest possible value
    shifted = acceleration + ndtri((1 + level) / 2) * np.array([[-1.0], [1.0]])
    ends = means + spread / n * shifted / (1 - acceleration * shifted) ** 2
    if bounds is not None:
        ends = ends.clip(*bounds)
    method = f"ABC (closed-form BCa bootstrap) over {n} units"
    return [
        (None if bounds is None else _clopper_pearson(row, bounds, level))
        if same
        else Interval(low=low, high=high, level=level, method=method)
        for row, same, low, high in zip(values, agree, *ends.tolist(), strict=True)
    ]


def network_interval(values: Sequence[float], *, bounds: tuple[float, float]) -> Interval | None:
    """Interval of the mean over trained networks, which are few: Student's t, cut at the bounds of the score.

    Networks with equal values give the Clopper-Pearson interval of that share of successes, as in `mean_intervals`.

    **Returns:** None with fewer than `MIN_NETWORKS` networks.
    """
    units = np.sort(np.asarray(values, dtype=np.float64))
    num = len(units)
    if num < MIN_NETWORKS:
        return None
    if units[-1] - units[0] < 1e-12:
        return _clopper_pearson(units, bounds, LEVEL)
    from scipy.special import stdtrit

    half = float(stdtrit(num - 1, (1 + LEVEL) / 2)) * float(units.std(ddof=1)) / math.sqrt(num)
    low, high = max(bounds[0], float(units.mean()) - half), min(bounds[1], float(units.mean()) + half)
    return Interval(low=low, high=high, level=LEVEL, method=f"t over {num} networks")


def fitted_interval(units: Float[Tensor, "fits n"], *, bounds: tuple[float, float] | None = None) -> Interval | None:
    """Interval of a mean over independent units of a model fitted several times from random starts.

    The interval over units, of the mean over fits, is `mean_interval`; that over fits is Student's t of their means.
    Half-widths add in quadrature.

    **Returns:** None where `mean_interval` is None. With one fit the interval does not cover the variance between fits, and
    `method` says so.

    Example::

        >>> from assay.stats import fitted_interval, mean_interval
        >>> units = torch.tensor([[0.1, 0.3, 0.2, 0.4, 0.5], [0.2, 0.4, 0.3, 0.5, 0.6], [0.1, 0.2, 0.3, 0.4, 0.5]])
        >>> fitted, plain = fitted_interval(units, bounds=(0.0, 1.0)), mean_interval(units.mean(0), bounds=(0.0, 1.0))
        >>> fitted.low < plain.low < plain.high < fitted.high
        True
    """
    over_units = mean_interval(units.mean(0), bounds=bounds)
    num = len(units)
    if over_units is None:
        return None
    if num < 2:
        return replace(over_units, method=f"{over_units.method}; it does not cover the variance between fits")
    from scipy.special import stdtrit

    means = units.double().mean(1)
    mean, half = float(means.mean()), float(stdtrit(num - 1, (1 + LEVEL) / 2)) * float(means.std()) / math.sqrt(num)
    lowest, highest = bounds or (-math.inf, math.inf)
    low = max(lowest, mean - math.hypot(mean - over_units.low, half))
    high = min(highest, mean + math.hypot(over_units.high - mean, half))
    return Interval(low=low, high=high, level=LEVEL, method=f"{over_units.method}, joined with t over {num} fits")


def share_interval(found: int, num: int) -> Interval:
    """Exact interval of a share, `found` of `num` (Clopper and Pearson 1934)."""
    return _clopper_pearson(np.repeat([1.0, 0.0], [found, num - found]), (0.0, 1.0), LEVEL)


def _clopper_pearson(values: np.ndarray, bounds: tuple[float, float], level: float) -> Interval:
    from scipy.special import betaincinv

    n, (lowest, highest) = len(values), bounds
    successes = float(np.clip((values.mean() - lowest) / (highest - lowest), 0.0, 1.0)) * n
    tail = (1 - level) / 2
    low = 0.0 if successes <= 1e-9 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes >= n - 1e-9 else float(betaincinv(successes + 1, n - successes, 1 - tail))
    span = highest - lowest
    return Interval(
        low=lowest + span * low, high=lowest + span * high, level=level, method=f"Clopper-Pearson over {n} equal units"
    )


def permutation_p(value: float, null: Sequence[float], *, higher: bool = True) -> float:
    """Share of null values at least as extreme as `value`, counting the value itself (Phipson and Smyth 2010). NaN counts as
    extreme."""
    beyond = sum(not (v < value - 1e-12 if higher else v > value + 1e-12) for v in null)
    return (1 + beyond) / (1 + len(null))


def pooled_permutation_ps(values: Float[Tensor, " k"], nulls: Float[Tensor, "k r"]) -> list[float]:
    """`permutation_p` of `k` values of one kind, each against the pooled permutations of all `k`, standardised.

    With `r` permutations of its own a value has no p below 1 / (1 + r), which is too coarse for a correction over many tests.
    Pooling follows Storey and Tibshirani (2003): every value is standardised by its own permutations, every permutation by the
    others of the same value.
    """
    num = nulls.shape[1]
    if num < 3:
        return [permutation_p(value, null) for value, null in zip(values.tolist(), nulls.tolist(), strict=True)]
    values, nulls = values.double()[:, None], nulls.double()
    mean, squares = nulls.mean(1, keepdim=True), nulls.var(1, keepdim=True, correction=0) * num
    beyond = nulls - mean
    others = beyond * num / (num - 1)  # from the mean of the others
    spread = (squares - beyond.square() * num / (num - 1)).clamp(min=0.0) / (num - 2)
    pooled = _standardised(others, spread).flatten().sort().values
    own = _standardised(values - mean, squares / (num - 1))[:, 0]
    reached = len(pooled) - torch.searchsorted(pooled, own - 1e-9)
    return ((1 + reached) / (1 + len(pooled))).tolist()


def _standardised(distance: Float[Tensor, "k r"], variance: Float[Tensor, "k s"]) -> Float[Tensor, "k r"]:
    """Distances in standard deviations. Without variance any distance beyond rounding is infinite, and rounding is 0."""
    return distance.where(distance.abs() > 1e-9, 0.0) / variance.sqrt().clamp(min=1e-12)


class Gain(NamedTuple):
    """A value minus the mean of its null networks, with a two-sided interval and the one-sided p of the same t test."""

    gain: float
    interval: Interval
    p: float


def gain_over_networks(units: Float[Tensor, " c"], null_units: Float[Tensor, "k c"]) -> Gain | None:
    """Gain of one network over `k` null networks, in one measure; see `gains_over_networks`.

    Example::

        >>> from assay.stats import gain_over_networks
        >>> nulls = torch.tensor([[0.1, 0.2, 0.1, 0.0, 0.3], [0.2, 0.2, 0.0, 0.1, 0.3], [0.0, 0.3, 0.1, 0.1, 0.2]])
        >>> gain = gain_over_networks(torch.tensor([0.9, 0.8, 1.0, 0.7, 0.9]), nulls)
        >>> round(gain.gain, 2), gain.interval.low > 0, gain.p < 0.05
        (0.71, True, True)
    """
    gains = gains_over_networks(units[None], null_units[:, None])
    return gains[0] if gains else None


def gains_over_networks(
    units: Float[Tensor, "m c"], null_units: Float[Tensor, "k m c"], *, level: float = LEVEL
) -> list[Gain] | None:
    """Gain of one network over the distribution of `k` null networks, in `m` measures on the same `c` combinations.

    The difference is paired by combination. Its variance is that of predicting one more network from `k`
    (sd^2 (1 + 1/k)) plus that of the mean difference over combinations; the t quantile has `k - 1` degrees of freedom.

    **Returns:** None with fewer than two null networks or fewer than `MIN_UNITS` combinations.
    """
    num_nulls, _, num_units = null_units.shape
    if num_nulls < 2 or num_units < MIN_UNITS:
        return None
    from scipy.special import stdtrit

    nulls = null_units.double().numpy()
    difference = units.double().numpy() - nulls.mean(0)
    gain = difference.mean(1)
    between_networks = nulls.mean(2).var(0, ddof=1) * (1 + 1 / num_nulls)
    between_units = difference.var(1, ddof=1) / num_units
    error = np.sqrt(between_networks + between_units)
    freedom = num_nulls - 1
    half = stdtrit(freedom, (1 + level) / 2) * error
    ps = one_sided_ps(gain, error, freedom=freedom, units=num_units)
    method = f"t with {freedom} degrees of freedom over {num_nulls} null networks and {num_units} combinations"
    return [
        Gain(value, Interval(low=low, high=high, level=level, method=method), chance)
        for value, low, high, chance in zip(gain.tolist(), (gain - half).tolist(), (gain + half).tolist(), ps, strict=True)
    ]


def gain_over(value: float, variance: float, nulls: Sequence[float]) -> Gain:
    """Gain of `value`, with squared standard error `variance` over problems, over `k` null values.

    Its variance is that of predicting one more null value from `k`, sd^2 (1 + 1/k), plus `variance`; the t quantile has `k - 1`
    degrees of freedom. Unlike in `gains_over_networks`, units are not paired.
    """
    assert len(nulls) > 1
    from scipy.special import stdtrit

    num = len(nulls)
    gain = value - float(np.mean(nulls))
    error = math.sqrt(float(np.var(nulls, ddof=1)) * (1 + 1 / num) + variance)
    half = float(stdtrit(num - 1, (1 + LEVEL) / 2)) * error
    p = one_sided_p(gain, error, freedom=num - 1, units=num)
    method = f"t with {num - 1} degrees of freedom over {num} null networks, and over problems"
    return Gain(gain, Interval(low=gain - half, high=gain + half, level=LEVEL, method=method), p)


def false_discovery(ps: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg adjusted p-values, in the given order."""
    if not ps:
        return []
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(ps)]


def difference_interval(a: float, interval_a: Interval, b: float, interval_b: Interval) -> Interval:
    """Interval of `a - b` for independent means: the half-widths towards each other add in quadrature (MOVER, Zou and Donner
    2008)."""
    lower = math.hypot(a - interval_a.low, interval_b.high - b)
    upper = math.hypot(interval_a.high - a, b - interval_b.low)
    return Interval(low=a - b - lower, high=a - b + upper, level=interval_a.level, method="MOVER of the two intervals")


def random_differences(a: Float[Tensor, " c"], b: Float[Tensor, " d"], *, repeats: int, generator: Generator) -> list[float]:
    """Permutation distribution of the difference of two means: units are assigned to the groups at random, `repeats` times."""
    every = torch.cat([a, b])
    mixed = (every[torch.randperm(len(every), generator=generator)] for _ in range(repeats))
    return [float(deal[: len(a)].mean() - deal[len(a) :].mean()) for deal in mixed]


def sign_test_p(a: Float[Tensor, " c"], b: Float[Tensor, " c"]) -> float:
    """One-sided p of `a` exceeding `b` on the same units, by the exact sign test over units that differ; 1 where none does.

    Example::

        assert sign_test_p(torch.tensor([1.0, 0.0, 0.0]), torch.zeros(3)) == 0.5
    """
    from scipy.stats import binomtest

    more, less = int((a > b).sum()), int((a < b).sum())
    return float(binomtest(more, more + less, alternative="greater").pvalue) if more + less else 1.0


def paired_p(a: Float[Tensor, " c"], b: Float[Tensor, " c"]) -> float:
    """One-sided p of `a` exceeding `b` on the same units; see `paired_ps`."""
    return paired_ps(a[None], b)[0]


def paired_ps(a: Float[Tensor, "m c"], b: Float[Tensor, "*m c"]) -> list[float]:
    """One-sided p of each row of `a` exceeding `b` on the same units (paired t); 1 where all are equal."""
    difference = (a - b).double().numpy()
    num = difference.shape[1]
    if num < 2:
        return [1.0] * len(difference)
    return one_sided_ps(difference.mean(1), difference.std(1, ddof=1) / math.sqrt(num), freedom=num - 1, units=num)


def fitted_p(units: Float[Tensor, "fits n"], null: Float[Tensor, "repeats n"]) -> float:
    """One-sided p of a fitted model's mean exceeding that of a null on the same units (paired t), where both vary from fit to
    fit.

    The variance between `fits` is used for the null's `repeats` too; without it two fits of the same model would differ too
    often.
    """
    num = units.shape[1]
    if num < 2:
        return 1.0
    difference = (units.mean(0) - null.mean(0)).double()
    of_fits = float(units.double().mean(1).var()) if len(units) > 1 else 0.0
    error = math.sqrt(float(difference.var()) / num + of_fits * (1 / len(units) + 1 / len(null)))
    return one_sided_p(float(difference.mean()), error, freedom=num - 1, units=num)


def one_sided_p(gain: float, error: float, *, freedom: int, units: int) -> float:
    """One-sided p of one gain above 0; see `one_sided_ps`."""
    return one_sided_ps(np.array([gain]), np.array([error]), freedom=freedom, units=units)[0]


def one_sided_ps(gains: np.ndarray, errors: np.ndarray, *, freedom: int, units: int) -> list[float]:
    """One-sided p of each gain above 0, by Student's t, from its standard error.

    With a standard error of 0 the p is that of the sign test over the `units`, 2^-units, or 1 without a gain. It is never
    exactly 0.
    """
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        ps = np.where(errors == 0, np.where(gains > 0, 2.0**-units, 1.0), stdtr(freedom, -gains / errors))
    return np.maximum(ps, np.finfo(np.float64).tiny).tolist()


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's correlation along the last axis, with mean ranks for ties; NaN where one side is constant."""
    from scipy.stats import rankdata

    if not a.shape[-1]:
        return np.full(a.shape[:-1], np.nan)
    one, other = rankdata(a, axis=-1), rankdata(b, axis=-1)
    one, other = one - one.mean(-1, keepdims=True), other - other.mean(-1, keepdims=True)
    norm = np.sqrt((one**2).sum(-1) * (other**2).sum(-1))
    return np.divide((one * other).sum(-1), norm, out=np.full(norm.shape, np.nan), where=norm > 0)


def jackknife(value: float, left_out: Sequence[float]) -> tuple[float, Interval]:
    """Squared standard error and interval of a statistic from its leave-one-group-out values (Tukey 1958), by Student's t with
    one degree of freedom fewer than groups."""
    from scipy.special import stdtrit

    num, others = len(left_out), np.asarray(left_out, dtype=np.float64)
    variance = float((num - 1) / num * ((others - others.mean()) ** 2).sum())
    half = float(stdtrit(num - 1, (1 + LEVEL) / 2)) * math.sqrt(variance)
    return variance, Interval(low=value - half, high=value + half, level=LEVEL, method=f"jackknife over {num} groups, t")
