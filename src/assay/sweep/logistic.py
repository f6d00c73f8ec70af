"""A logistic curve through the novel scores of a slice: from the best null up to 1, where everything is right."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assay.evidence import Interval, Measure
from assay.stats import LEVEL
from assay.sweep.curves import NUM_DEALS, Slice, number_at

HALF_WAY = "half_way_point"  # the key of the measure
NUM_RESAMPLES = 200
# Every curve is looked for among these, by least squares: on scores that depend on nothing an optimiser runs along flat
# valleys, and hundreds of fits for nulls and intervals are one matrix product here. Half way may lie outside of the axis; it
# is reported as not resolved then.
_MIDDLES = np.linspace(-1.0, 2.0, 301)
_STEEPNESSES = np.concatenate([[0.0], np.geomspace(0.25, 64.0, 60)])
_METHOD = f"percentile bootstrap over networks, {NUM_RESAMPLES} resamples within every value"


class Logistic(NamedTuple):
    """`floor + (1 - floor) / (1 + exp(-steepness (u - middle)))`, u being a place on the axis' scale."""

    floor: float
    middle: float
    steepness: float

    def __call__(self, u: np.ndarray) -> np.ndarray:
        return self.floor + (1 - self.floor) / (1 + np.exp(-self.steepness * (u - self.middle)))

    def reaches(self, score: float) -> float:
        """The place at which it reaches a score; infinite where it does not."""
        share = (score - self.floor) / (1 - self.floor)
        if share <= 0:
            return -math.inf
        if share >= 1 or self.steepness <= 0:
            return math.inf
        return self.middle + math.log(share / (1 - share)) / self.steepness


@dataclass(frozen=True, kw_only=True)
class LogisticFit:
    """The curve of a slice and what it says: how well it fits, where it is half way, and where it reaches what was asked."""

    slice: Slice
    curve: Logistic
    measures: tuple[Measure, ...]


def fit_logistic(members: Slice, *, success: float, rng: np.random.Generator) -> LogisticFit:
    """Least squares, to a hundredth of the axis, with an interval from networks drawn again and a null from values dealt at
    random: both get the same search.

    **Arguments:** `success`: the novel score whose place on the axis is asked for.
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
    """A place on the axis as a number with its interval, or why it is not resolved."""
    axis = members.axis.name
    value, interval, note = None, None, f"on the curve from the best null, {members.floor:.3f}, up to 1"
    if chance:
        note = f"not resolved: the novel score depends on {axis} no more than by chance"
    elif not 0 <= u <= 1:
        note = f"not resolved: it lies {'below' if u < 0 else 'above'} the values of {axis} that were run"
    else:
        value = number_at(members.axis, u)
        within = np.clip(others, _MIDDLES[0], _MIDDLES[-1]).tolist()
        interval = _percentiles([number_at(members.axis, other) for other in within], value)
    return members.measure(key, name, value, unit=axis, direction="neither", interval=interval, nulls=(), note=note)


def _fitted(u: np.ndarray, scores: np.ndarray, floor: float) -> list[Logistic]:
    """The curve of least squares for every column of scores `(n, k)` of networks at the places `u` `(n,)`."""
    middles, steepnesses = (grid.ravel() for grid in np.meshgrid(_MIDDLES, _STEEPNESSES, indexing="ij"))
    rows = floor + (1 - floor) / (1 + np.exp(-steepnesses[:, None] * (u - middles[:, None])))
    # Minus what no curve changes, the squares of the scores.
    errors = (rows**2).sum(1, keepdims=True) - 2 * rows @ scores
    best = errors.argmin(0)
    return [Logistic(floor, float(middles[one]), float(steepnesses[one])) for one in best]


def _explained(curve: Logistic, u: np.ndarray, score: np.ndarray) -> float:
    """R2 of a curve; 0 where the scores do not vary."""
    total = float(((score - score.mean()) ** 2).sum())
    return 1 - float(((curve(u) - score) ** 2).sum()) / total if total > 0 else 0.0


def _resamples(u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows `(NUM_RESAMPLES, n)` of networks drawn again within every value of the axis, since how many there are at each is
    part of the design."""
    drawn = np.empty((NUM_RESAMPLES, len(u)), dtype=int)
    for value in np.unique(u):
        group = np.flatnonzero(u == value)
        drawn[:, group] = rng.choice(group, (NUM_RESAMPLES, len(group)))
    return drawn


def _percentiles(values: list[float], value: float) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # A value outside of its own resamples is possible with few networks; it belongs to what is plausible.
    return Interval(low=min(float(low), value), high=max(float(high), value), level=LEVEL, method=_METHOD)
