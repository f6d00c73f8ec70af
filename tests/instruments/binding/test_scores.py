"""Normalised scores by hand and against the bootstrap; the minimum; the words."""

import pytest
import torch

from assay.evidence import Interval
from assay.instruments.binding.scores import composite, normalised, word

NO_NULL = {"chance": torch.full((200,), 0.5)}
SURE, UNSURE = (Interval(low=low, high=1.0, level=0.95, method="") for low in (0.95, 0.5))


def planted(mean, generator, num=200):
    return (torch.rand(num, generator=generator) < mean).float()


def test_the_score_is_the_way_from_null_to_ceiling(generator):
    observed = planted(0.8, generator)
    found = normalised(observed, NO_NULL)
    assert found.value == pytest.approx((float(observed.mean()) - 0.5) / 0.5)
    assert float(found.units.mean()) == pytest.approx(found.value)
    assert found.interval.low < found.value < found.interval.high
    assert found.nulls == {"chance": 0.0}
    assert found.ps["chance"] < 1e-6
    half = normalised(observed / 2, {"chance": torch.full((200,), 0.25)}, ceiling=0.5)
    assert half.value == pytest.approx(found.value)


def test_the_best_null_counts(generator):
    nulls = {"low": torch.full((200,), 0.1), "high": torch.full((200,), 0.6)}
    found = normalised(planted(0.8, generator), nulls)
    assert found.best == "high"
    assert found.nulls["high"] == 0.0
    assert found.nulls["low"] == pytest.approx(-0.5 / 0.4)


def test_the_spread_of_the_units_is_that_of_the_score(generator):
    """A second route: the score computed again on resampled units."""
    observed, null = torch.rand(300, generator=generator), 0.6 * torch.rand(300, generator=generator)
    found = normalised(observed, {"null": null})
    rows = torch.randint(300, (4_000, 300), generator=generator)
    o, n = observed[rows].mean(1), null[rows].mean(1)
    assert float(((o - n) / (1 - n)).std()) == pytest.approx(found.variance**0.5, rel=0.05)


def test_nothing_to_show_where_the_null_is_at_the_ceiling():
    found = normalised(torch.ones(50), {"grid": torch.full((50,), 0.97)})
    assert found.value is None
    assert "too close to the ceiling" in found.reason
    assert normalised(torch.ones(1), {"grid": torch.zeros(1)}).reason.startswith("1 units")
    assert normalised(torch.ones(0), {"grid": torch.zeros(0)}).reason.startswith("0 units")


def test_perfect_scores_are_no_certainty():
    found = normalised(torch.ones(20), {"chance": torch.full((20,), 0.5)})
    assert found.value == 1.0
    assert found.interval.low < 0.7
    assert found.interval.high == 1.0


def test_the_composite_is_the_lowest(generator):
    high, low = normalised(planted(0.99, generator), NO_NULL), normalised(planted(0.7, generator), NO_NULL)
    found = composite({"S2": high, "S3": low}, generator=generator)
    assert (found.value, found.which) == (low.value, "S3")
    assert found.interval.low == pytest.approx(low.interval.low, abs=0.03)
    alone = composite({"S3": low}, generator=generator)
    assert alone.value == low.value
    none = normalised(torch.ones(50), {"grid": torch.ones(50)})
    assert composite({"S1": none, "S2": high}, generator=generator) is None
    assert composite({}, generator=generator) is None


def test_words(generator):
    binds, fails = normalised(planted(0.99, generator), NO_NULL), normalised(planted(0.5, generator), NO_NULL)
    between = normalised(planted(0.75, generator), NO_NULL)
    nothing = normalised(torch.ones(50), {"grid": torch.ones(50)})
    assert word(SURE, [binds, binds]) == "binding"
    assert word(SURE, [binds, fails]) == "imitation"
    assert word(UNSURE, [binds, fails]) == "not shown"
    assert word(None, [fails]) == "not shown"
    assert word(SURE, [binds, between]) == "undecided"
    assert word(SURE, [binds, nothing]) == "undecided"
    assert word(SURE, []) == "undecided"
