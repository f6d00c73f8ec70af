"""A number reads alike wherever it stands: in the words of an instrument and of the verdict as in the tables beside them."""

import re
from collections.abc import Iterator

import pytest
from cases import INSTRUMENTS, case_of

from assay.conformance.checks import measured
from assay.display import MINUS, number
from assay.evidence import Evidence
from assay.figure import Curve, DetailTable, Figure
from assay.report.words import p_value
from assay.verdict import judge

pytestmark = pytest.mark.slow

DECIMAL = re.compile(rf"(?<![\w.,])[-+{MINUS}]?\d*\.\d+(?!\w|\.\d| ?%)")
RULES = {"0.1", "0.15", "0.25", "0.5", "0.8", "0.9", "0.95", ".8", ".9", ".95", ".1"}  # of which no table holds any


def values_of(evidence: Evidence) -> Iterator[float]:
    """Everything that its tables print as a number."""
    for measure in evidence.measures:
        ends = (measure.interval.low, measure.interval.high) if measure.interval else ()
        nulls = [value for null in measure.nulls if null.values for value in (null.mean, *null.values)]
        yield from (value for value in (measure.value, measure.ceiling, *ends, *nulls) if value is not None)
    yield from (value for value in evidence.settings.values() if isinstance(value, float))
    for figure in evidence.figures:
        yield from numbers_in(figure)


def numbers_in(figure: Figure) -> Iterator[float]:
    if isinstance(figure, DetailTable):
        yield from (cell for row in figure.rows for cell in row if isinstance(cell, float))
    if isinstance(figure, Curve):
        for line in (line for plot in figure.plots for line in plot.lines):
            for column in (line.y, line.low, line.high):
                yield from (value for value in column or () if value is not None)


def words_of(evidence: Evidence) -> Iterator[str]:
    yield from (evidence.summary, evidence.not_enough, *evidence.warnings, *evidence.not_tested)
    for measure in evidence.measures:
        yield from (measure.note, *(null.how for null in measure.nulls))
    yield from (figure.note for figure in evidence.figures if isinstance(figure, DetailTable))
    yield judge([evidence]).sentence


def misprinted(texts: Iterator[str], values: Iterator[float], ps: set[str]) -> list[str]:
    """Numbers of the texts that a table prints otherwise, or that are printed otherwise than tables print numbers."""
    printed = {number(value) for value in values}
    rounded = {float(text.replace(MINUS, "-").replace(",", "")) for text in printed}
    wrong = []
    for text in texts:
        for told in DECIMAL.findall(text):
            if told in printed or told in ps or told in RULES:
                continue
            value, digits = float(told.replace(MINUS, "-")), len(told.partition(".")[2])
            if number(value) != told or any(round(one, digits) == value for one in rounded):
                wrong.append(f"{told} in {text}")
    return wrong


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_each_number_in_words_is_printed_as_in_its_table(instrument):
    evidence = measured(instrument, case_of(instrument))
    assert evidence.measures
    ps = {p_value(null.p) for measure in evidence.measures for null in measure.nulls if null.p is not None}
    assert misprinted(words_of(evidence), values_of(evidence), ps) == []


@pytest.mark.parametrize("told", ["0.53", "0.5263", "+0.526", "1.000", "0.05"])
def test_another_precision_is_found(told):
    assert misprinted(iter([f"a rate of {told}, below"]), iter([0.5263, 1.0, 0.05]), set())


def test_the_same_precision_is_right():
    assert misprinted(iter(["0.526 [0.0912, 1.00], p .012, 1.52 % and v0.2.1"]), iter([0.5263, 0.09117, 1.0]), {".012"}) == []
