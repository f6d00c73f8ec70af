"""How far a network lies above its nulls, when those are few and every value rests on finitely many problems."""

import math
from collections.abc import Sequence

import numpy as np

from assay.evidence import Interval
from assay.stats import LEVEL, Gain, one_sided_p


def gain_over(value: float, variance: float, nulls: Sequence[float], *, level: float = LEVEL) -> Gain:
    """How far `value`, of squared standard error `variance` over problems, lies above `k` null values.

    Its variance is that of predicting one more null value from `k`, sd^2 (1 + 1/k), plus that over problems; the t quantile has
    `k - 1` degrees of freedom, as in `gains_over_networks`, whose units are paired, and these are not.
    """
    assert len(nulls) > 1
    from scipy.special import stdtrit

    num = len(nulls)
    gain = value - float(np.mean(nulls))
    error = math.sqrt(float(np.var(nulls, ddof=1)) * (1 + 1 / num) + variance)
    half = float(stdtrit(num - 1, (1 + level) / 2)) * error
    p = one_sided_p(gain, error, freedom=num - 1, units=num)
    method = f"t with {num - 1} degrees of freedom over {num} null networks, and over problems"
    return Gain(gain, Interval(low=gain - half, high=gain + half, level=level, method=method), p)
