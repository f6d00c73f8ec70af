"""Thresholds of the verdict, and the best null of a measure."""

from assay.display import number
from assay.evidence import Measure

WORKS = 0.9  # a network works if its whole interval is at least this share
ABOVE_NULL = 0.1  # it does not work if its whole interval is at most this far above the best null


def best_null(measure: Measure) -> tuple[float, str]:
    """Mean of the best null, and its name with the mean as text."""
    null = max((null for null in measure.nulls if null.counts and null.values), key=lambda null: null.mean, default=None)
    return (null.mean, f"{null.name} {number(null.mean)}") if null else (0.0, "no null")
