"""What agrees with the truth over networks: rank correlation, AUROC and partial correlation, each with its interval.

The unit is the network: intervals are percentiles of a bootstrap over networks, and the null is a permutation of the truth over
them. A network without a value is left out of that row alone, and the row says how many are left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

DRAWS = 2_000
FEWEST = 6
"""Networks of a row."""


@dataclass(frozen=True)
class Estimate:
    """A statistic over `networks`, its interval at 95 %, and the share of permutations that are as far from nothing; all None
    where there are too few networks, or one of the columns is constant."""

    value: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    networks: int = 0

    def __str__(self) -> str:
        if self.value is None:
            return f"- ({self.networks})"
        return f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def spearman(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    """Rank correlation, ties at their mean rank; NaN where one of both is constant."""
    return _pearson(rankdata(x), rankdata(y))


def partial_spearman(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], given: Float[np.ndarray, "k n"]) -> float:
    """Rank correlation of what is left of both ranks once the ranks of `given` are regressed out; NaN where nothing is left."""
    ranks = np.stack([np.ones(len(x)), *(rankdata(row) for row in given)], 1)
    left = []
    for one in (rankdata(x), rankdata(y)):
        rest = one - ranks @ np.linalg.lstsq(ranks, one, rcond=None)[0]
        if rest @ rest < 1e-9 * max(1.0, float((one - one.mean()) @ (one - one.mean()))):
            return float("nan")
        left.append(rest)
    return _pearson(*left)


def auroc(x: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float:
    """How often a positive network has the larger of two values, ties counting half; NaN without either kind."""
    above, below = x[positive], x[~positive]
    if not len(above) or not len(below):
        return float("nan")
    return float((above[:, None] > below).mean() + (above[:, None] == below).mean() / 2)


def estimate(
    statistic: Callable[..., float],
    x: Sequence[float | None],
    y: Sequence[float | bool],
    *more: Sequence[float],
    nothing: float = 0.0,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """A statistic of two columns, and of further ones as a matrix, over the networks that have a value of `x`.

    **Arguments:** `nothing`: what the statistic is where the columns have nothing to do with each other.
    """
    there = np.array([value is not None and np.isfinite(value) for value in x])
    num = int(there.sum())
    if num < FEWEST:
        return Estimate(None, networks=num)
    own = np.array([value for value, kept in zip(x, there, strict=True) if kept], float)
    truth, others = np.asarray(y)[there], np.array(more, float).reshape(len(more), len(there))[:, there]

    def at(rows: np.ndarray, order: np.ndarray) -> float:
        return statistic(own[rows], truth[order], *([others[:, rows]] if more else []))

    rng, every = np.random.default_rng(seed), np.arange(num)
    value = at(every, every)
    if not np.isfinite(value):
        return Estimate(None, networks=num)
    resampled = [at(rows, rows) for rows in rng.integers(num, size=(draws, num))]
    permuted = np.array([at(every, rng.permutation(num)) for _ in range(draws)])
    low, high = np.nanquantile(resampled, (0.025, 0.975))
    further = np.abs(permuted - nothing) >= abs(value - nothing) - 1e-12
    return Estimate(value, float(low), float(high), float((1 + further.sum()) / (1 + draws)), num)


def agreement(columns: Sequence[Sequence[float | None]]) -> Float[np.ndarray, "k k"]:
    """Rank correlation of every two columns over the networks that have both; NaN where they are fewer than `FEWEST`."""
    table = np.array([[np.nan if value is None else value for value in column] for column in columns], float)
    found = np.full((len(table), len(table)), np.nan)
    for i, one in enumerate(table):
        for j, other in enumerate(table):
            both = np.isfinite(one) & np.isfinite(other)
            if both.sum() >= FEWEST:
                found[i, j] = spearman(one[both], other[both])
    return found


def _pearson(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / size) if size > 1e-12 else float("nan")
