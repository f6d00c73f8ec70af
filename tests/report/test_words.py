"""Numbers as they are told."""

from dataclasses import replace

import pytest

from assay.display import counted
from assay.evidence import Interval, Measure
from assay.report.words import interval, no_value, number, p_text, p_value, plain, without_not_enough


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.94567, "0.946"),
        (0.9, "0.900"),
        (0.9996, "1.00"),
        (0.09994, "0.0999"),
        (0.09996, "0.100"),
        (1 / 11, "0.0909"),
        (12.345, "12.3"),
        (999.6, "1,000"),
        (12345.6, "12,346"),
        (43_147, "43,147"),
        (0.0, "0"),
        (0, "0"),
        (-1.7e-19, "0"),
        (1.234e-6, "1.23e\N{MINUS SIGN}06"),
        (-0.0123, "\N{MINUS SIGN}0.0123"),
        (1.797e308, "1.80e+308"),
    ],
)
def test_three_significant_digits(value, told):
    assert number(value) == told


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (None, "no p"),
        (0.0, "< .001"),
        (0.00099, "< .001"),
        (0.001, ".001"),
        (0.0126, ".013"),
        (0.31, ".31"),
        (0.9999, "1"),
        (1.0, "1"),
    ],
)
def test_p_values(p, told):
    assert p_value(p) == told


def test_intervals():
    assert interval(Interval(low=-0.02, high=1.0, level=0.95, method="m")) == "[\N{MINUS SIGN}0.0200, 1.00]"
    assert interval(None) == ""


def test_plural():
    assert [counted(n, "part") for n in (0, 1, 2000)] == ["0 parts", "1 part", "2,000 parts"]


def test_p_in_a_sentence():
    assert [p_text(p) for p in (None, 0.0001, 0.02)] == ["no p", "p < .001", "p .020"]


def test_settings_are_told_as_what_they_are():
    assert [plain(value) for value in (20_000, 0.5, True, None, "ridge")] == ["20,000", "0.500", True, None, "ridge"]


def test_what_stands_in_the_place_of_a_value_is_why_there_is_none():
    empty = Measure(
        key="k", name="k", value=None, unit="", direction="higher", interval=None, nulls=(), units=0, unit_of="text", level=0
    )
    measures = [replace(empty, note=note) for note in ("not resolved: why", "x")]
    assert [no_value(one) for one in measures] == ["not resolved", "not enough data"]
    assert [without_not_enough(one.note) for one in measures] == ["why", "x"]
