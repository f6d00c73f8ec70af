"""Power analysis: the smallest detectable effect, and the paired comparison of two networks."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

from assay.evidence import Interval
from assay.stats import LEVEL, MIN_UNITS, mean_interval

POWER = 0.8  # probability of detecting a true difference of the detectable size
ROUNDING = 1e-6  # differences of a unit up to this count as none
DEALS = 999  # permutations of the values of each unit over networks


def detectable_share(num_units: int, *, power: float = POWER) -> float:
    """The smallest share of failing units of which a sample of `num_units` has at least one, with the given power.

    A perfect score on few combinations says little: a network that fails on 27 % of them scores 1 on 5 units in a fifth of all
    samples.
    """
    return 1 - (1 - power) ** (1 / num_units) if num_units else 1.0


class Detectable(NamedTuple):
    """The smallest distance of a mean from a fixed value that is detected with power .8 at a two-sided level of 5 %, and the
    number of further units that would halve it."""

    size: float
    more_units: int


def detectable_departure(units: Sequence[float], *, bounds: tuple[float, float]) -> Detectable | None:
    """Detectable distance, from the spread of independent units (a z test), or where all agree from `detectable_share`.

    **Returns:** None with fewer than `MIN_UNITS` units.

    Example::

        assert detectable_departure([1.0] * 30, bounds=(0.0, 1.0)).more_units == 30
    """
    values = np.asarray(units, dtype=np.float64)
    num = len(values)
    if num < MIN_UNITS:
        return None
    if values.max() - values.min() < 1e-12:
        return Detectable(detectable_share(num) * (bounds[1] - bounds[0]), num)
    return Detectable(_detectable_by_spread(values), 3 * num)


def detectable_gain(nulls: Sequence[float]) -> float:
    """The smallest distance of one network from the mean of `k` null networks that is detected with power `POWER` at a
    one-sided level of 5 %, by the test of `assay.stats.gain_over` (one more value from `k`, t quantiles).

    Example::

        assert detectable_gain([0.80, 0.85, 0.90, 0.75, 0.70]) > 0.2  # five copies of standard deviation .08
    """
    from scipy.special import stdtrit

    num = len(nulls)
    assert num > 1
    error = math.sqrt(float(np.var(nulls, ddof=1)) * (1 + 1 / num))
    return float(stdtrit(num - 1, 0.95) + stdtrit(num - 1, POWER)) * error


def _detectable_by_spread(values: np.ndarray) -> float:
    """The distance of a mean from a fixed value that a z test with the spread of these values detects with power `POWER`."""
    from scipy.special import ndtri

    return float(ndtri((1 + LEVEL) / 2) + ndtri(POWER)) * float(values.std(ddof=1)) / math.sqrt(len(values))


class PairedDifference(NamedTuple):
    """Mean difference of two networks on the same units.

    **Attributes:**

    - `value`, `interval`: of the mean difference over units.
    - `p`: two-sided, of the sign-flip permutation test; never 0.
    - `units`, `differing`: number of common units, and of those on which the two differ.
    - `detectable`: the smallest mean difference detected with power .8 at a level of 5 %; None where no unit differs and the
      units have no bounds.
    - `more_units`: number of further units that would halve it.
    """

    value: float
    interval: Interval | None
    p: float
    units: int
    differing: int
    detectable: float | None
    more_units: int


def paired_difference(
    a: Float[Tensor, " c"], b: Float[Tensor, " c"], *, bounds: tuple[float, float] | None = None, seed: int = 0
) -> PairedDifference | None:
    """Paired comparison of two networks on the same units, such as combinations: the mean of `a - b` and a test against 0.

    p is that of the sign-flip permutation test (Fisher 1935; for right and wrong answers McNemar's exact test), over all
    assignments of signs for up to 12 units that differ, else over 9,999 random ones. The detectable difference is the larger of
    two: that of a paired z test (observed spread, corrected for continuity), and that at which six units, the fewest that can
    be significant, differ with power .8, each by as much as the units that do differ.

    **Arguments:** `bounds`: of the value of a unit, if any. **Returns:** None with fewer than `MIN_UNITS` units.

    Example::

        first, second = torch.ones(40), torch.tensor([1.0] * 30 + [0.0] * 10)
        found = paired_difference(first, second, bounds=(0.0, 1.0))
        assert found.value == 0.25
        assert found.p < 0.01
    """
    from scipy.stats import permutation_test

    difference = (a.double() - b.double()).numpy()
    difference[np.abs(difference) <= ROUNDING] = 0.0
    num, span = len(difference), bounds[1] - bounds[0] if bounds else math.inf
    if num < MIN_UNITS:
        return None
    differing = difference[difference != 0]
    by_sign = _detectable_by_sign(num)
    if not len(differing):
        half = (1 - ((1 - LEVEL) / 2) ** (1 / num)) * span
        method = f"Clopper-Pearson, of the share of {num} units that differ"
        interval = Interval(low=-half, high=half, level=LEVEL, method=method) if bounds else None
        return PairedDifference(0.0, interval, 1.0, num, 0, by_sign * span if bounds else None, num)
    tested = permutation_test(
        (np.append(differing, 0.0),),  # a zero difference changes nothing, and scipy needs two
        lambda values, axis: values.sum(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9_999,
        batch=500,
        rng=np.random.default_rng(seed),
    )
    step = float(np.abs(differing).mean())
    by_sign *= step
    by_spread = _detectable_by_spread(difference) + step / num
    return PairedDifference(
        value=float(difference.mean()),
        interval=mean_interval(difference.tolist(), bounds=(-span, span) if bounds else None),
        p=float(tested.pvalue),
        units=num,
        differing=len(differing),
        detectable=min(max(by_spread, by_sign), span),
        more_units=3 * num if by_spread > by_sign else num,
    )


def range_p(values: Float[Tensor, "n c"], *, seed: int = 0) -> float:
    """P-value of the range: the probability that the means of the best and the worst of `n` exchangeable networks, over the
    same `c` units, lie this far apart. A pairwise test would be invalid, since the two are selected after the fact.

    A permutation test (Fisher 1935): within each unit the values are permuted over the networks, 999 times.

    Example::

        alike = torch.rand(20, 100, generator=torch.Generator().manual_seed(0))
        assert range_p(alike) > 0.05
        assert range_p(alike + torch.arange(20)[:, None]) == 0.001
    """
    generator = np.random.default_rng(seed)
    every = values.double().numpy().copy()
    seen = np.ptp(every.sum(1))
    reached = sum(np.ptp(generator.permuted(every, axis=0).sum(1)) >= seen - ROUNDING for _ in range(DEALS))
    return float((1 + reached) / (1 + DEALS))


def _detectable_by_sign(num: int) -> float:
    """The smallest share of units that must differ, all in one direction, for a sign test over `num` units to detect it with
    power `POWER`."""
    from scipy.special import betaincinv

    fewest = math.ceil(math.log2(2 / (1 - LEVEL)))  # fewest equal signs with a two-sided p of at most .05
    return 1.0 if num < fewest else float(betaincinv(fewest, num - fewest + 1, POWER))
