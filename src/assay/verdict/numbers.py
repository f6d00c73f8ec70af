"""How the answers read a measure beside its best null."""

from assay.display import number
from assay.evidence import Measure

WORKS = 0.9  # from this share of combinations on, with the whole interval, it works
ABOVE_NULL = 0.1  # up to this far above the best null, with the whole interval, it does not


def best_null(measure: Measure) -> tuple[float, str]:
    """Its mean, in words too."""
    null = max((null for null in measure.nulls if null.counts and null.values), key=lambda null: null.mean, default=None)
    return (null.mean, f"{null.name} {number(null.mean)}") if null else (0.0, "no null")
