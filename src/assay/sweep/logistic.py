"""Logistic fit of the novel scores of a slice, rising from the best null to 1."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assay.evidence import Interval, Measure
from assay.stats import LEVEL
from assay.sweep.curves import NUM_DEALS, Slice, number_at

HALF_WAY = "half_way_point"  # key of the measure
NUM_RESAMPLES = 200
# Least squares over this grid of curves: an optimiser would drift on scores without dependence, and here the hundreds of fits
# for nulls and intervals are one matrix product. The half-way point may lie outside the axis; it is then reported as not
# resolved.
_MIDDLES = np.linspace(-1.0, 2.0, 301)
_STEEPNESSES = np.concatenate([[0.0], np.geomspace(0.25, 64.0, 60)])
_METHOD = f"percentile bootstrap over networks, {NUM_RESAMPLES} resamples within every value"


class Logistic(NamedTuple):
    """`floor + (1 - floor) / (1 + exp(-steepness (u - middle)))`, with u the position on the axis' scale."""

    floor: float
    middle: float
    steepness: float

    def __call__(self, u: np.ndarray) -> np.ndarray:
        return self.floor + (1 - self.floor) / (1 + np.exp(-self.steepness * (u - self.middle)))

    def reaches(self, score: float) -> float:
        """Position at which the curve reaches a score; infinite where it does not."""
        share = (score - self.floor) / (1 - self.floor)
        if share <= 0:
            return -math.inf
        if share >= 1 or self.steepness <= 0:
            return math.inf
        return self.middle + math.log(share / (1 - share)) / self.steepness


@dataclass(frozen=True, kw_only=True)
class LogisticFit:
    """The fitted curve of a slice, with measures: goodness of fit, half-way point, and the value needed for success."""

    slice: Slice
    curve: Logistic
    measures: tuple[Measure, ...]


def fit_logistic(members: Slice, *, success: float, rng: np.random.Generator) -> LogisticFit:
    """Fit a curve by least squares, to a hundredth of the axis, with a bootstrap interval over networks and a permutation null,
    both with the same search.

    **Arguments:** `success`: the novel score whose position on the axis is estimated.
    """
    u, score = members.places, members.scores
    resamples = _resamples(u, rng)
    curve = _fitted(u, score[:, None], members.floor)[0]
    again = _fitted(u, score[resamples].T, members.floor)
    deals = rng.permuted(np.tile(score, (NUM_DEALS, 1)), axis=1)
    dealt = [_explained(one, u, deal) for one, deal in zip(_fitted(u, deals.T, members.floor), deals, strict=True)]
    spread = [_explained(one, u, score[rows]) for one, rows in zip(again, resamples, strict=True)]
    explained = _explained(curve, u, score)
    null = members.dealt(explained, dealt)
    fit = members.measure(
        "logistic_fit",
        "logistic fit",
        explained,
        unit="R2 of the curve over networks",
        direction="higher",
        interval=_percentiles(spread, explained),
        nulls=(null,),
        headline=True,
    )
    asked = {
        (HALF_WAY, "half-way point"): ([other.middle for other in again], curve.middle),
        ("value_needed", f"value needed for {success:g}"): (
            [other.reaches(success) for other in again],
            curve.reaches(success),
        ),
    }
    chance = null.p is None or null.p > 1 - LEVEL
    places = [_placed(members, *what, *places, chance=chance) for what, places in asked.items()]
    return LogisticFit(slice=members, curve=curve, measures=(fit, *places))


def _placed(members: Slice, key: str, name: str, others: list[float], u: float, *, chance: bool) -> Measure:
    """Measure of a position on the axis, with its interval, or the reason why it is not resolved."""
    axis = members.axis.name
    value, interval, note = None, None, f"on the curve from the best null, {members.floor:.3f}, up to 1"
    if chance:
        note = f"not resolved: the novel score depends on {axis} no more than by chance"
    elif not 0 <= u <= 1:
        note = f"not resolved: it lies {'below' if u < 0 else 'above'} all values of {axis}"
    else:
        value = number_at(members.axis, u)
        within = np.clip(others, _MIDDLES[0], _MIDDLES[-1]).tolist()
        interval = _percentiles([number_at(members.axis, other) for other in within], value)
    return members.measure(key, name, value, unit=axis, direction="neither", interval=interval, nulls=(), note=note)


def _fitted(u: np.ndarray, scores: np.ndarray, floor: float) -> list[Logistic]:
    """Least-squares curve for every column of scores `(n, k)` of networks at positions `u` `(n,)`."""
    middles, steepnesses = (grid.ravel() for grid in np.meshgrid(_MIDDLES, _STEEPNESSES, indexing="ij"))
    rows = floor + (1 - floor) / (1 + np.exp(-steepnesses[:, None] * (u - middles[:, None])))
    # The constant sum of squared scores is left out.
    errors = (rows**2).sum(1, keepdims=True) - 2 * rows @ scores
    best = errors.argmin(0)
    return [Logistic(floor, float(middles[one]), float(steepnesses[one])) for one in best]


def _explained(curve: Logistic, u: np.ndarray, score: np.ndarray) -> float:
    """R2 of a curve; 0 where scores do not vary."""
    total = float(((score - score.mean()) ** 2).sum())
    return 1 - float(((curve(u) - score) ** 2).sum()) / total if total > 0 else 0.0


def _resamples(u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bootstrap indices `(NUM_RESAMPLES, n)`, resampled within every value of the axis, since the number at each is fixed by
    design."""
    drawn = np.empty((NUM_RESAMPLES, len(u)), dtype=int)
    for value in np.unique(u):
        group = np.flatnonzero(u == value)
        drawn[:, group] = rng.choice(group, (NUM_RESAMPLES, len(group)))
    return drawn


def _percentiles(values: list[float], value: float) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # With few networks the estimate may lie outside its resamples; the interval is extended to hold it.
    return Interval(low=min(float(low), value), high=max(float(high), value), level=LEVEL, method=_METHOD)
