"""How good probabilities and calls are, with intervals by networks drawn again, one task instance at a time.

Every statistic takes weights `(b, n)`, one row for each resample, and all resamples at once: how often a row was drawn is
its weight. Weights of one everywhere give the statistic itself.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from assay.evidence import Interval
from assay.stats import LEVEL, MIN_UNITS

NUM_RESAMPLES = 1000
MOST_BINS = 10
PER_BIN = 10  # networks: fewer make a bin's frequency mere noise
_CLIP = 1e-6  # no probability counts as certain in the log score


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """A number over `units` networks with its interval. None is not enough data, and `note` says of what."""

    value: float | None
    interval: Interval | None = None
    units: int = 0
    note: str = ""


def auroc(score: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float | None:
    """The chance that a positive scores above a negative, ties counting half. None with one class only."""
    return _once(aurocs, score, positive)


def spearman(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float | None:
    """Rank correlation, ties at their mean rank. None where either does not vary."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmans(a, b, np.ones((1, len(a))))[0])


def calibration_error(probability: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float | None:
    """Adaptive expected calibration error (Nixon et al. 2019): the mean distance between probability and frequency over bins
    of equal mass, at most `MOST_BINS` of about `PER_BIN` networks or more. Equal probabilities share a bin. None with one
    class only."""
    return _once(calibration_errors, probability, positive)


def brier(probability: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float | None:
    """Mean squared distance of probability from truth. None with one class only."""
    return _once(briers, probability, positive)


def log_score(probability: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float | None:
    """Mean negative log-likelihood in nats. None with one class only."""
    return _once(log_scores, probability, positive)


def skill(probability: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float | None:
    """The share that is saved of the log score of always saying one half: 1 is perfect, 0 no better. None with one class."""
    return _once(skills, probability, positive)


def aurocs(score: np.ndarray, positive: np.ndarray, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
    """`auroc` of every resample, NaN where it lacks a class."""
    return pooled_aurocs(score[None], positive, weights)


def pooled_aurocs(
    scores: Float[np.ndarray, "k n"], positive: np.ndarray, weights: Float[np.ndarray, "b n"]
) -> Float[np.ndarray, " b"]:
    """`auroc` of every resample over the pairs within each of `k` rows of scores, NaN being no score."""
    won, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for score in scores:
        upper, lower = (np.flatnonzero(~np.isnan(score) & side) for side in (positive, ~positive))
        lower = lower[np.argsort(score[lower], kind="stable")]
        above, below = weights[:, upper], _cumulated(weights[:, lower])
        left, right = (np.searchsorted(score[lower], score[upper], side=side) for side in ("left", "right"))
        won += (above * (below[:, left] + below[:, right])).sum(1) / 2
        pairs += above.sum(1) * below[:, -1]
    return _ratio(won, pairs)


def spearmans(a: np.ndarray, b: np.ndarray, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
    """`spearman` of every resample, NaN where a column does not vary in it."""
    x, y = (_midranks(column, weights) for column in (a, b))
    total = weights.sum(1, keepdims=True).clip(min=1)
    x, y = (ranks - (weights * ranks).sum(1, keepdims=True) / total for ranks in (x, y))
    covariance, *variances = ((weights * p * q).sum(1) for p, q in ((x, y), (x, x), (y, y)))
    return _ratio(covariance, np.sqrt(np.maximum(variances[0] * variances[1], 0)))


def calibration_errors(
    probability: np.ndarray, positive: np.ndarray, weights: Float[np.ndarray, "b n"]
) -> Float[np.ndarray, " b"]:
    """`calibration_error` of every resample, NaN where it lacks a class."""
    weights = _even(weights, positive)
    num, size = weights.shape
    bins = max(1, min(MOST_BINS, size // PER_BIN))
    mass = _midranks(probability, weights)
    place = np.floor(np.where(np.isnan(mass), 0, mass) * bins).astype(int).clip(0, bins - 1)
    cell = (place + bins * np.arange(num)[:, None]).ravel()
    gaps = np.bincount(cell, (weights * (positive - probability)).ravel(), minlength=num * bins)
    return np.abs(gaps.reshape(num, bins)).sum(1)


def briers(probability: np.ndarray, positive: np.ndarray, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
    """`brier` of every resample, NaN where it lacks a class."""
    return _even(weights, positive) @ (probability - positive) ** 2


def log_scores(probability: np.ndarray, positive: np.ndarray, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
    """`log_score` of every resample, NaN where it lacks a class."""
    right = np.where(positive, probability, 1 - probability)
    return _even(weights, positive) @ -np.log(right.clip(min=_CLIP))


def skills(probability: np.ndarray, positive: np.ndarray, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
    """`skill` of every resample, NaN where it lacks a class."""
    return 1 - log_scores(probability, positive, weights) / math.log(2)


def resamples(
    family: np.ndarray, task: np.ndarray, rng: np.random.Generator, *, num: int = NUM_RESAMPLES
) -> Float[np.ndarray, "b n"]:
    """How often each row is drawn when task instances, with all their networks, are drawn again within every family."""
    weights = np.empty((num, len(family)), order="F")  # columns are what is selected and summed
    for name in np.unique(family):
        rows = np.flatnonzero(family == name)
        instances, which = np.unique(task[rows], return_inverse=True)
        drawn = rng.multinomial(len(instances), np.full(len(instances), 1 / len(instances)), size=num)
        weights[:, rows] = drawn[:, which.reshape(-1)]
    return weights


def percentiles(values: Float[np.ndarray, " b"], value: float, *, level: float = LEVEL) -> Interval | None:
    """Percentile interval of a statistic over its resamples, never without the value itself. None where half of them or more
    have no value."""
    values = values[~np.isnan(values)]
    if len(values) <= NUM_RESAMPLES / 2:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    method = "percentile bootstrap over task instances within families"
    return Interval(low=min(float(low), value), high=max(float(high), value), level=level, method=method)


def share(hits: int, units: int, *, note: str = "", level: float = LEVEL) -> Statistic:
    """A share of networks with its exact interval (Clopper and Pearson 1934)."""
    if units == 0:
        return Statistic(value=None, note=note or "no such networks")
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, units - hits + 1, tail))
    high = 1.0 if hits == units else float(betaincinv(hits + 1, units - hits, 1 - tail))
    interval = Interval(low=low, high=high, level=level, method=f"Clopper-Pearson over {units} networks")
    return Statistic(value=hits / units, interval=interval, units=units, note=note)


def auroc_statistic(
    score: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"], weights: Float[np.ndarray, "b n"]
) -> Statistic:
    """`auroc` with its interval; see `pooled_auroc_statistic`."""
    return pooled_auroc_statistic(score[None], positive, weights)


def pooled_auroc_statistic(
    scores: Float[np.ndarray, "k n"], positive: Bool[np.ndarray, " n"], weights: Float[np.ndarray, "b n"]
) -> Statistic:
    """`auroc` over the pairs within each row of scores, with its interval. NaN is no score; `units` counts the networks that
    have any.

    With no pair out of order there is nothing to draw again: the interval then reaches down to the exact bound of no failure
    in as many networks as the rarer class has. Fewer than `MIN_UNITS` of a class are not enough.
    """
    there = ~np.isnan(scores).all(0)
    scores, positive, weights = scores[:, there], positive[there], weights[:, there]
    rarer = int(min(positive.sum(), (~positive).sum()))
    if rarer < MIN_UNITS:
        found = f"{positive.sum()} positive and {(~positive).sum()} negative networks, where {MIN_UNITS} of each are needed"
        return Statistic(value=None, units=len(positive), note=found)
    value = float(pooled_aurocs(scores, positive, np.ones((1, len(positive))))[0])
    interval = percentiles(pooled_aurocs(scores, positive, weights), value)
    if interval is not None and value in (0.0, 1.0):
        bound = share(rarer if value else 0, rarer).interval
        interval = bound and replace(bound, method=f"{bound.method} of the rarer class")
    return Statistic(value=value, interval=interval, units=len(positive))


def _midranks(values: np.ndarray, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
    """The mass below each value and half of that at it."""
    order = np.argsort(values, kind="stable")
    mass = _cumulated(weights[:, order])
    left, right = (np.searchsorted(values[order], values, side=side) for side in ("left", "right"))
    return (mass[:, left] + mass[:, right]) / 2


def _cumulated(weights: np.ndarray) -> np.ndarray:
    mass = np.zeros((len(weights), weights.shape[1] + 1), order="F")
    np.cumsum(weights, axis=1, out=mass[:, 1:])
    return mass


def _even(weights: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Weights of which each class has half, NaN in resamples that lack one."""
    totals = (weights[:, positive].sum(1, keepdims=True), weights[:, ~positive].sum(1, keepdims=True))
    share_of, share_of_rest = (np.where(total > 0, 0.5 / np.maximum(total, 1), np.nan) for total in totals)
    return weights * np.where(positive, share_of, share_of_rest)


def _once(many: Callable[..., np.ndarray], probability: np.ndarray, positive: np.ndarray) -> float | None:
    if positive.all() or not positive.any():
        return None
    return float(many(probability, positive, np.ones((1, len(positive))))[0])


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(b > 0, a / np.where(b > 0, b, 1), np.nan)
