"""Power-law fit of the novel errors of a slice, as in scaling laws."""

import numpy as np

from assay.evidence import Interval, Measure
from assay.stats import LEVEL
from assay.sweep.curves import NUM_DEALS, Slice

_KEY, _NAME = "power_law_exponent", "power-law exponent"
_LEAST_ERROR = 1e-4  # an error of 0 has no logarithm


def fit_power_law(members: Slice, *, rng: np.random.Generator) -> Measure | None:
    """Exponent b of `novel error = a value^-b` by least squares on logarithms, with error 1 minus score.

    **Returns:** None for an axis with a value that is not positive.
    """
    if members.numbers.min() <= 0:
        return None
    from scipy.stats import linregress, t

    unit = f"exponent b: the novel error falls as {members.axis.name} to the power of -b"
    x, y = np.log(members.numbers), np.log(np.maximum(1 - members.scores, _LEAST_ERROR))
    if np.ptp(y) == 0:
        note = "not enough data: the novel scores do not vary"
        return members.measure(_KEY, _NAME, None, unit=unit, direction="higher", interval=None, nulls=(), note=note)
    line = linregress(x, y)
    exponent = -float(line.slope)
    half = float(t.ppf((1 + LEVEL) / 2, len(x) - 2)) * float(line.stderr)
    dealt = [-float(linregress(rng.permutation(x), y).slope) for _ in range(NUM_DEALS)]
    method = f"t of the slope on logarithms over {len(x)} networks"
    return members.measure(
        _KEY,
        _NAME,
        exponent,
        unit=unit,
        direction="higher",
        interval=Interval(low=exponent - half, high=exponent + half, level=LEVEL, method=method),
        nulls=(members.dealt(exponent, dealt),),
        headline=True,
        note=f"R2 of the line on logarithms {float(line.rvalue) ** 2:.2f}, factor a {np.exp(float(line.intercept)):.3g}",
    )
