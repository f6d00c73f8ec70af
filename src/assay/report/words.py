"""Formatting of numbers in reports: three significant digits, intervals in brackets, p-values without a leading zero."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from assay.display import MINUS as MINUS
from assay.display import counted, with_interval
from assay.display import interval as interval
from assay.display import number as number
from assay.display import p_value as p_value
from assay.evidence import Measure, Null

NOT_ENOUGH, NOT_RESOLVED = "not enough data", "not resolved"


def tick(value: float | int) -> str:
    """A tick label, with at most four significant digits and no trailing zeros: 0, 0.25, 20,000, 5e-05."""
    text = f"{value:.4g}"
    return (f"{Decimal(text):,f}" if 1e-4 <= abs(value) < 1e9 or not value else text).replace("-", MINUS)


def p_text(p: float | None) -> str:
    """`p < .001`, `p .012` or `no p`."""
    return p_value(p) if p is None else f"p {p_value(p)}"


def value_and_interval(measure: Measure) -> str:
    """`0.946 [0.926, 0.966]`, or `not enough data`, or `not resolved`."""
    return no_value(measure) if measure.value is None else with_interval(measure.value, measure.interval)


def no_value(measure: Measure) -> str:
    """Text in the place of a missing value."""
    return NOT_RESOLVED if measure.note.startswith(NOT_RESOLVED) else NOT_ENOUGH


def mean_of(null: Null) -> str:
    """The null's mean, or `no repeats`."""
    if not null.values:
        return "no repeats"
    # A mean of a millionth of its repeats is zero with rounding error.
    return number(null.mean if abs(null.mean) > 1e-6 * max(map(abs, null.values)) else 0)


def few(values: Sequence[str], most: int = 12) -> str:
    """The first values, and the number of the others."""
    shown = ", ".join(values[:most])
    return shown if len(values) <= most else f"{shown}, and {len(values) - most} more"


def capitalised(text: str) -> str:
    """A text with its first letter as a capital and the rest, such as the name of a site, unchanged."""
    return text[:1].upper() + text[1:]


def with_full_stop(text: str) -> str:
    """A sentence with a full stop, unless it ends in a mark."""
    return text if text[-1:] in (".", "!", "?") else f"{text}."


def without_not_enough(note: str) -> str:
    """A note without the words `not enough data` or `not resolved` that precede it in a table."""
    return note.removeprefix(NOT_ENOUGH).removeprefix(NOT_RESOLVED).lstrip(": ")


def plain(value: object) -> object:
    """The value of a setting, with numbers formatted."""
    return number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def is_web(url: str) -> bool:
    """Whether it is safe to link to."""
    return url.startswith("https://")


def bare(url: str) -> str:
    """An address without scheme and `www`, for display."""
    return url.removeprefix("https://").removeprefix("www.")


FILTERS: dict[str, Callable[..., object]] = {
    "bare": bare,
    "capitalised": capitalised,
    "counted": counted,
    "no_value": no_value,
    "few": few,
    "id": id,
    "interval": interval,
    "is_web": is_web,
    "mean": mean_of,
    "number": number,
    "p": p_value,
    "p_text": p_text,
    "plain": plain,
    "with_full_stop": with_full_stop,
    "without_not_enough": without_not_enough,
}
"""Filters of the templates."""
