"""Thresholds of the verdict, and the best null of a measure."""

from assay.display import number
from assay.evidence import Measure

WORKS = 0.9  # a network works if its whole interval is at least this share
ABOVE_NULL = 0.1  # it does not work if its whole interval is at most this far above the best null


def floor_of(measure: Measure) -> tuple[float, str]:
    """Mean of the best null that a finding must beat, and the same in words: 0 and `no null` where there is none."""
    null = measure.best_null
    return (null.mean, f"{null.name} {number(null.mean)}") if null and null.counts else (0.0, "no null")
