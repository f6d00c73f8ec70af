"""Counts in words."""

import pytest

from assay.display import counted


@pytest.mark.parametrize(
    ("noun", "several"),
    [
        ("combination", "combinations"),
        ("search", "searches"),
        ("entity", "entities"),
        ("way", "ways"),
        ("class", "classes"),
        ("group of orbits", "groups of orbits"),
        ("pair of values", "pairs of values"),
    ],
)
def test_a_count_has_its_plural(noun, several):
    assert [counted(num, noun) for num in (0, 1, 2, 1_200)] == [f"0 {several}", f"1 {noun}", f"2 {several}", f"1,200 {several}"]
