"""What an interval that resolves nothing is said to reach is what it reaches."""

import pytest

from assay.evidence import Interval
from assay.verdict.judging import _call


@pytest.mark.parametrize(
    ("low", "high", "reached"),
    [(0.03, 0.2, "the best null (x)"), (0.8, 0.95, "0.900"), (0.03, 0.95, "0.900 and the best null (x)")],
)
def test_what_is_reached_is_named_and_nothing_else(low, high, reached):
    said = _call(Interval(low=low, high=high, level=0.95, method="given"), 0.09, "x", best=1.0)
    assert said == ("not resolved", f"which reaches {reached} within its interval")
