"""Normalised scores, 0 at the best null and 1 at the ceiling, with intervals that include the null's uncertainty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.evidence import Interval
from assay.stats import LEVEL, MIN_UNITS, mean_interval, paired_p

RESAMPLES = 2_000
LEARNED = 0.9
"""A network has learned its task if the lower limit of its accuracy on trained pairs is at least this."""
BINDS = 0.5
"""A score counts as high above this and as low below it, on the scale from 0 (best null) to 1 (ceiling)."""
LEAST_ROOM = 0.05
"""Smallest distance between the best null and the ceiling: below it a score would divide by almost nothing."""

Word = Literal["binding", "imitation", "not shown", "undecided"]


@dataclass(frozen=True)
class NormalisedScore:
    """`(observed - null) / (ceiling - null)`, 1 at the ceiling and 0 at the best null.

    **Attributes:**

    - `value`: the score; None where null and ceiling are too close, and `reason` says so.
    - `units`: `(u,)`, the linearisation of the score in the values of every unit. Their mean is the value, and their spread
      gives its standard error, with the uncertainty of the null included.
    - `interval`: confidence interval of the value over the units.
    - `observed`: `(u,)`, the values of the network that the score is computed from.
    - `nulls`: the score of every null; `ps`: one-sided paired p-values of the network against each.
    - `best`: the name of the best null.
    """

    value: float | None
    units: Float[Tensor, " u"]
    observed: Float[Tensor, " u"]
    interval: Interval | None
    nulls: Mapping[str, float]
    ps: Mapping[str, float]
    best: str
    reason: str = ""

    @property
    def variance(self) -> float:
        """Squared standard error of the value."""
        return float(self.units.double().var()) / len(self.units)


def normalised(
    observed: Float[Tensor, " u"], nulls: Mapping[str, Float[Tensor, " u"]], *, ceiling: float = 1.0
) -> NormalisedScore:
    """The normalised score of the mean over the units, against the null with the highest mean.

    With O, N, C the means of network and null and the ceiling, the score is S = (O - N) / (C - N), and a unit moves it by
    `((o - O) - (1 - S)(n - N)) / (C - N)`.

    Example::

        found = normalised(torch.tensor([1.0, 1.0, 0.5, 1.0, 1.0]), {"chance": torch.full((5,), 0.5)})
        assert abs(found.value - 0.8) < 1e-6
    """
    o = observed.double()
    means = {name: float(null.double().mean()) for name, null in nulls.items()}
    best = max(means, key=lambda name: means[name])
    room = ceiling - means[best]
    if len(o) < MIN_UNITS or room < LEAST_ROOM:
        few = f"{len(o)} units, and {MIN_UNITS} are needed"
        reason = (
            few
            if len(o) < MIN_UNITS
            else f"{best} reaches {means[best]:.2f} of {ceiling:.2f}, too close to the ceiling for a score"
        )
        return NormalisedScore(None, torch.zeros(0), torch.zeros(0), None, {}, {}, best, reason)
    value = (float(o.mean()) - means[best]) / room
    n = nulls[best].double()
    units = value + ((o - o.mean()) - (1 - value) * (n - n.mean())) / room
    interval = mean_interval(units)
    if interval is None:  # units that agree
        exact = mean_interval(observed, bounds=(0.0, 1.0))
        assert exact is not None
        low, high = ((end - means[best]) / room for end in (exact.low, exact.high))
        interval = Interval(low=min(low, value), high=max(high, value), level=LEVEL, method=exact.method)
    of_nulls = {name: (mean - means[best]) / room for name, mean in means.items()}
    ps = {name: paired_p(observed, null) for name, null in nulls.items()}
    return NormalisedScore(value, units, observed, interval, of_nulls, ps, best)


@dataclass(frozen=True)
class Composite:
    """The minimum of several scores: its name `which`, its bootstrap `interval`, and its squared standard error."""

    value: float
    which: str
    interval: Interval
    variance: float


def composite(scores: Mapping[str, NormalisedScore], *, generator: Generator) -> Composite | None:
    """The minimum of the scores, with its bootstrap interval; the units of each score are resampled independently.

    None if a score has no value. A score whose units are all equal is drawn from its own interval instead.
    """
    if not scores or any(score.value is None for score in scores.values()):
        return None
    values = {name: score.value for name, score in scores.items() if score.value is not None}
    which = min(values, key=lambda name: values[name])
    draws = torch.stack([_resampled(score, generator) for score in scores.values()]).amin(0)
    tail = (1 - LEVEL) / 2
    low, high = torch.quantile(draws, torch.tensor([tail, 1 - tail], dtype=draws.dtype)).tolist()
    value = values[which]
    # The lower limit is no higher than that of any score: resampling equal units would give an interval of zero width.
    lows = [score.interval.low for score in scores.values() if score.interval is not None]
    interval = Interval(
        low=min(low, value, *lows), high=max(high, value), level=LEVEL, method=f"bootstrap of the minimum of {len(scores)}"
    )
    return Composite(value, which, interval, max(float(draws.var()), scores[which].variance))


def _resampled(score: NormalisedScore, generator: Generator) -> Float[Tensor, " r"]:
    num = len(score.units)
    rows = torch.randint(num, (RESAMPLES, num), generator=generator)
    return score.units[rows].mean(1)


def word(learned: Interval | None, scores: Sequence[NormalisedScore]) -> Word:
    """The conclusion from all scores.

    `binding`: the lower limit of every score lies above one half, and every null is beaten. `imitation`: the upper limit of
    some score lies below one half, although the network has learned its trained pairs (lower limit of accuracy at least .9).
    `not shown`: the same, but the trained pairs are not learned. Otherwise `undecided`.
    """
    known = [score for score in scores if score.value is not None and score.interval is not None]
    intervals = [score.interval for score in known if score.interval is not None]
    if any(interval.high < BINDS for interval in intervals):
        return "imitation" if learned is not None and learned.low >= LEARNED else "not shown"
    beats = all(p <= 1 - LEVEL for score in known for p in score.ps.values())
    whole = bool(known) and len(known) == len(scores)
    return "binding" if whole and beats and all(interval.low > BINDS for interval in intervals) else "undecided"
