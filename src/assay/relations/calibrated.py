"""Similarities calibrated by permutations: effect above chance, p, and the maximum over layers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from assay.display import brief
from assay.errors import AssayError

ALPHA = 0.05


@dataclass(frozen=True)
class Calibrated:
    """One similarity beside its permutations.

    **Attributes:**

    - `value`, `mean`: of the similarity, and of its null.
    - `effect`: `(value - mean) / (1 - mean)`, 0 at chance and 1 for identity.
    - `z`: in standard deviations of the null, 0 where it does not vary.
    - `score`: `max(0, (value - tau) / (1 - tau))` with `tau` the 95 % quantile of null and value (Groeger et al. 2026, equation
      4): 0 with probability .95 under the null.
    - `p`: share of null values at least as large, the value itself counted.
    - `layer`: index of the maximum among several similarities; 0 for a single one.
    """

    __repr__ = brief

    value: float
    mean: float
    effect: float
    z: float
    score: float
    p: float
    layer: int = 0


def calibrated(value: float, null: Float[np.ndarray, " draws"]) -> Calibrated:
    """A similarity, at most 1, beside its null. **Raises:** `AssayError` for a null without draws."""
    return calibrated_maximum([value], np.asarray(null)[None])


def calibrated_maximum(values: Sequence[float], nulls: Float[np.ndarray, "layers draws"]) -> Calibrated:
    """The largest of several similarities beside the largest of each draw, which all layers share: the choice of a layer is
    then part of the null (Groeger et al. 2026, section 4.3).

    Example::

        best = calibrated_maximum([0.1, 0.3], np.stack([null_of_first, null_of_second]))
        assert best.layer == 1

    **Raises:** `AssayError` for a null without draws, and for similarities that are not finite.
    """
    if not nulls.size:
        raise AssayError("a calibrated similarity needs draws of its null", given="none", next_step="draw some hundreds")
    if not (np.isfinite(values).all() and np.isfinite(nulls).all()):
        raise AssayError(
            "similarities and their null must be finite",
            given=f"{np.asarray(values).tolist()} beside {int((~np.isfinite(nulls)).sum())} draws that are not",
            next_step="leave out what has no similarity, such as vectors with NaN",
        )
    layer = int(np.argmax(values))
    value, null = float(values[layer]), nulls.max(0)
    mean, spread = float(null.mean()), float(null.std(ddof=1)) if len(null) > 1 else 0.0
    everything = np.sort(np.append(null, value))
    tau = float(everything[int(np.ceil((1 - ALPHA) * len(everything))) - 1])
    return Calibrated(
        value=value,
        mean=mean,
        effect=(value - mean) / (1 - mean) if mean < 1 else 0.0,
        z=(value - mean) / spread if spread > 0 else 0.0,
        score=max(0.0, (value - tau) / (1 - tau)) if tau < 1 else 0.0,
        p=float((1 + (null >= value - 1e-12).sum()) / (1 + len(null))),
        layer=layer,
    )
