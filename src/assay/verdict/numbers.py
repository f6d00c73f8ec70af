"""How the answers read a measure beside its best null."""

from assay.display import number
from assay.evidence import Measure

WORKS = 0.9  # from this share of combinations on, with the whole interval, it works
ABOVE_NULL = 0.1  # up to this far above the best null, with the whole interval, it does not


def floor_of(measure: Measure) -> tuple[float, str]:
    """Mean of the best null that a finding must beat, and the same in words: 0 and `no null` where there is none."""
    null = measure.best_null
    return (null.mean, f"{null.name} {number(null.mean)}") if null and null.counts else (0.0, "no null")
