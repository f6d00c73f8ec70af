"""Every interval, p-value and correction in Assay. The unit is the network or the combination, never the example."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.evidence import Interval

LEVEL = 0.95
MIN_UNITS = 5  # fewer independent units than this give "not enough data"
NUM_RESAMPLES = 2000


class ClusterMeans(NamedTuple):
    """Means per cluster: `ids` `(c,)` ascending, `means` `(c,)`, `counts` `(c,)`."""

    ids: Int[Tensor, " c"]
    means: Float[Tensor, " c"]
    counts: Int[Tensor, " c"]


def cluster_means(values: Float[Tensor, " n"], clusters: Int[Tensor, " n"]) -> ClusterMeans:
    """Mean of `values` within each cluster, in float64. Every statistic on combinations starts here."""
    ids, inverse, counts = clusters.unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(ids), dtype=torch.float64).index_add_(0, inverse, values.double())
    return ClusterMeans(ids, sums / counts, counts)


def numpy_generator(generator: Generator) -> np.random.Generator:
    """A numpy generator seeded by the next draw of a torch one, so that one seed governs both."""
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))


def child_generator(generator: Generator) -> Generator:
    """A fresh torch generator seeded by the next draw of `generator`: what it is used for cannot disturb the rest."""
    return Generator().manual_seed(int(torch.randint(2**62, (1,), generator=generator)))


def mean_interval(
    units: Sequence[float] | Tensor, *, generator: Generator, bounds: tuple[float, float] | None = None, level: float = LEVEL
) -> Interval | None:
    """Interval of the mean of independent units: BCa bootstrap (Efron 1987, by scipy).

    Units that all agree cannot be resampled into an interval; with `bounds` they get the Clopper-Pearson interval
    of that share of successes instead, so that five perfect scores are not reported as certainty.

    **Returns:** None with fewer than `MIN_UNITS` units, or when all agree and no bounds are known.
    """
    values = np.sort(np.asarray(units, dtype=np.float64))  # sorted: the order of units must not matter
    if len(values) < MIN_UNITS:
        return None
    if np.ptp(values) < 1e-12:
        return None if bounds is None else _clopper_pearson(values, bounds, level)
    from scipy.stats import bootstrap

    result = bootstrap(
        (values,),
        np.mean,
        n_resamples=NUM_RESAMPLES,
        batch=max(1, 4_000_000 // len(values)),
        confidence_level=level,
        method="BCa",
        rng=numpy_generator(generator),
    )
    low, high = result.confidence_interval
    if not (math.isfinite(low) and math.isfinite(high)):
        return None if bounds is None else _clopper_pearson(values, bounds, level)
    return Interval(low=float(low), high=float(high), level=level, method=f"BCa bootstrap over {len(values)} units")


def _clopper_pearson(values: np.ndarray, bounds: tuple[float, float], level: float) -> Interval:
    from scipy.stats import beta

    n, (lowest, highest) = len(values), bounds
    successes = float(np.clip((values.mean() - lowest) / (highest - lowest), 0.0, 1.0)) * n
    tail = (1 - level) / 2
    low = 0.0 if successes <= 1e-9 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes >= n - 1e-9 else float(beta.ppf(1 - tail, successes + 1, n - successes))
    span = highest - lowest
    return Interval(
        low=lowest + span * low, high=lowest + span * high, level=level, method=f"Clopper-Pearson over {n} equal units"
    )


def permutation_p(value: float, null: Sequence[float], *, higher: bool = True) -> float:
    """Share of null values at least as far in the direction as `value`, counting the value itself (Phipson and Smyth 2010)."""
    beyond = sum((v >= value - 1e-12) if higher else (v <= value + 1e-12) for v in null)
    return (1 + beyond) / (1 + len(null))


class Gain(NamedTuple):
    """A value minus the mean of its null networks, with its interval and two-sided-interval-compatible one-sided p."""

    gain: float
    interval: Interval
    p: float


def gain_over_networks(units: Float[Tensor, " c"], null_units: Float[Tensor, "k c"], *, level: float = LEVEL) -> Gain | None:
    """How far one network lies above the distribution of `k` null networks, measured on the same `c` combinations.

    The difference is paired by combination. Its variance is that of predicting one more network from `k`
    (sd^2 (1 + 1/k)) plus that of the mean difference over combinations; the t quantile has `k - 1` degrees of freedom.

    **Returns:** None with fewer than two null networks or fewer than `MIN_UNITS` combinations.
    """
    num_nulls, num_units = null_units.shape
    if num_nulls < 2 or num_units < MIN_UNITS:
        return None
    from scipy.stats import t

    difference = units.double() - null_units.double().mean(0)
    gain = float(difference.mean())
    between_networks = float(null_units.double().mean(1).var()) * (1 + 1 / num_nulls)
    between_units = float(difference.var()) / num_units
    error = math.sqrt(between_networks + between_units)
    freedom = num_nulls - 1
    half = float(t.ppf((1 + level) / 2, freedom)) * error
    p = float(t.sf(gain / error, freedom)) if error > 0 else (0.0 if gain > 0 else 1.0)
    method = f"t with {freedom} degrees of freedom over {num_nulls} null networks and {num_units} combinations"
    return Gain(gain, Interval(low=gain - half, high=gain + half, level=level, method=method), p)


def false_discovery(ps: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg adjusted p-values, in the given order (scipy)."""
    if not ps:
        return []
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(ps)]


def detectable_share(num_units: int, *, power: float = 0.8) -> float:
    """The smallest share of failing units that `num_units` would show at least one of, with the given power.

    A perfect score on few combinations says little: with 5 units a network that fails on 27 % still scores 1 in a fifth
    of all tries.
    """
    return 1 - (1 - power) ** (1 / num_units) if num_units else 1.0


def difference_interval(a: float, interval_a: Interval, b: float, interval_b: Interval) -> Interval:
    """Interval of `a - b` for independent means: the half-widths that face each other add in quadrature (MOVER, Zou and
    Donner 2008)."""
    lower = math.hypot(a - interval_a.low, interval_b.high - b)
    upper = math.hypot(interval_a.high - a, b - interval_b.low)
    return Interval(low=a - b - lower, high=a - b + upper, level=interval_a.level, method="MOVER of the two intervals")


def random_differences(a: Float[Tensor, " c"], b: Float[Tensor, " d"], *, repeats: int, generator: Generator) -> list[float]:
    """Differences of means after the units of both groups were dealt to the two sides at random."""
    every = torch.cat([a, b])
    mixed = (every[torch.randperm(len(every), generator=generator)] for _ in range(repeats))
    return [float(deal[: len(a)].mean() - deal[len(a) :].mean()) for deal in mixed]


def paired_p(a: Float[Tensor, " c"], b: Float[Tensor, " c"]) -> float:
    """One-sided p of `a` exceeding `b` on the same units (paired t). Equal everywhere gives 1."""
    difference = (a - b).double()
    if len(difference) < 2 or float(difference.abs().max()) == 0:
        return 1.0
    error = float(difference.std()) / math.sqrt(len(difference))
    if error == 0:
        return 0.0 if float(difference.mean()) > 0 else 1.0
    from scipy.stats import t

    return float(t.sf(float(difference.mean()) / error, len(difference) - 1))
