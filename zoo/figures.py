"""Statistics of the table with intervals clustered on instances: rankings by bootstrap, shares by effective sample size."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import beta, spearmanr

from assay.verdict.rates import Figure
from zoo.measure import Measured

DRAWS, LEVEL = 1000, 0.95
FEWEST = 3  # networks of which a rank correlation or a class of a ranking is told

Rows = Sequence[Measured]
Which = Callable[[Measured], bool]
Score = Callable[[Measured], float]
Statistic = Callable[[Rows], float]


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores higher than a negative; ties count half. NaN where there is none of either."""
    if not len(positive) or not len(negative):
        return math.nan
    difference = np.subtract.outer(np.asarray(positive, dtype=float), np.asarray(negative, dtype=float))
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def ranking(score: Score, positive: Which, negative: Which) -> Statistic:
    """The AUROC of a score between two classes."""
    return lambda rows: auroc([score(row) for row in rows if positive(row)], [score(row) for row in rows if negative(row)])


def rank_correlation(score: Score, other: Score, of: Which) -> Statistic:
    """Spearman's; NaN for fewer than three networks, or where one of both does not vary."""

    def statistic(rows: Rows) -> float:
        chosen = [row for row in rows if of(row)]
        first, second = ([one(row) for row in chosen] for one in (score, other))
        if len(chosen) < FEWEST or len(set(first)) < 2 or len(set(second)) < 2:
            return math.nan
        return float(spearmanr(first, second).statistic)

    return statistic


def clustered(rows: Rows, statistic: Statistic, *, subjects: int) -> Figure:
    """A statistic with its percentile bootstrap interval, for which whole instances are drawn: networks of one instance share
    their task, their encoder and their novel combinations. None where it is not defined."""
    value = statistic(rows)
    if math.isnan(value):
        return Figure(value=None, low=None, high=None, subjects=subjects)
    names = sorted({row.instance for row in rows})
    groups = [[row for row in rows if row.instance == name] for name in names]
    draws = np.random.default_rng(0).integers(0, len(groups), (DRAWS, len(groups)))
    found = np.array([statistic([row for index in draw for row in groups[index]]) for draw in draws])
    low, high = np.nanquantile(found, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Figure(value=value, low=float(low), high=float(high), subjects=subjects)


def share(right: Sequence[bool], instances: Sequence[str] = ()) -> Figure:
    """A share with Clopper and Pearson's interval; None of nothing.

    Networks of one instance are not independent, so the interval is at the effective sample size (Korn and Graubard 1998):
    share (1 - share) over the variance between instances, at most the number of networks. Where all or none are right no
    variance can be seen, and the interval takes networks as independent.
    """
    total, hits = len(right), sum(right)
    if not total:
        return Figure(value=None, low=None, high=None, subjects=0)
    value = hits / total
    effective = min(total, _effective(np.asarray(right, dtype=float) - value, instances)) if instances else total
    tail, some = (1 - LEVEL) / 2, value * effective
    low = float(beta.ppf(tail, some, effective - some + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, some + 1, effective - some)) if hits < total else 1.0
    return Figure(value=value, low=low, high=high, subjects=total)


def _effective(residuals: np.ndarray, instances: Sequence[str]) -> float:
    """How many independent networks would give the share the variance that it has between instances; at least 1."""
    _, cluster = np.unique(np.asarray(instances), return_inverse=True)
    sums = np.bincount(cluster, residuals)
    variance = float((sums**2).sum()) * len(sums) / max(1, len(sums) - 1) / len(residuals) ** 2
    return max(1.0, float((residuals**2).mean()) / variance) if variance else math.inf


def share_of(rows: Rows, right: Which) -> Figure:
    """The share of networks of which something holds, clustered on instances."""
    return share([right(row) for row in rows], [row.instance for row in rows])


def upper_end(figure: Figure) -> Figure:
    """The same figure read at its upper end."""
    return Figure(value=figure.high, low=figure.low, high=figure.high, subjects=figure.subjects)


def largest(values: Sequence[float]) -> Figure:
    """The largest of some values, with the range of them all."""
    if not values:
        return Figure(value=None, low=None, high=None, subjects=0)
    return Figure(value=max(values), low=min(values), high=max(values), subjects=len(values))
