"""How the answers read a measure: in words, and beside its best null."""

from assay.evidence import Interval, Measure

WORKS = 0.9  # from this share of combinations on, with the whole interval, it works


def with_interval(value: float, interval: Interval | None) -> str:
    """A value with its interval."""
    return f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]" if interval else f"{value:.3f}"


def best_null(measure: Measure) -> tuple[float, str]:
    """Its mean, in words too."""
    null = max((null for null in measure.nulls if null.counts and null.values), key=lambda null: null.mean, default=None)
    return (null.mean, f"{null.name} {null.mean:.2f}") if null else (0.0, "no null")
