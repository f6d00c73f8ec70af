"""A cell's row: every headline number of its audit by name, and the table of all rows."""

import csv

import pytest
from rows_for_tests import row

from assay.evidence import Evidence, Interval, Measure, Null
from assay.sweep.rows import table_of, values_of, write_table


def measure(name: str, value: float | None, null: float, *, headline: bool = True, **about: str) -> Measure:
    return Measure(
        key=name.replace(",", "").replace("-", " ").replace(" ", "_"),
        name=name,
        value=value,
        unit="accuracy",
        direction="higher",
        interval=None if value is None else Interval(low=value - 0.1, high=value + 0.1, level=0.95, method="made up"),
        nulls=(Null(name="shuffled labels", how="made up", values=(null, null + 0.2)),),
        units=9,
        unit_of="combination",
        about=about,
        headline=headline,
        level=0,
    )


def test_a_measure_of_one_object_keeps_its_interval_and_every_null():
    values = values_of([Evidence(instrument="i", question="?", summary="", measures=(measure("novel score", 0.8, 0.1),))])
    assert values == pytest.approx(
        {"novel_score": 0.8, "novel_score_low": 0.7, "novel_score_high": 0.9, "novel_score_null_shuffled_labels": 0.2}
    )


def test_a_measure_of_several_objects_is_its_mean_and_so_are_its_nulls():
    measures = (
        measure("gain", 0.2, 0.0, part="a"),
        measure("gain", 0.6, 0.4, part="b"),
        measure("gain", None, 0.1, part="c"),
        measure("gain by site", 0.9, 0.1, headline=False),
    )
    values = values_of([Evidence(instrument="i", question="?", summary="", measures=measures)])
    assert values == pytest.approx({"gain": 0.4, "gain_null_shuffled_labels": (0.1 + 0.5 + 0.2) / 3})


def test_what_was_not_measured_is_none_and_nothing_is_nothing():
    missing = Evidence(instrument="i", question="?", summary="", measures=(measure("novel score", None, 0.1),))
    assert values_of([missing])["novel_score"] is None
    assert values_of([]) == {}


def test_the_table_has_numbers_where_an_axis_has_and_words_elsewhere():
    rows = [row({"width": width, "kind": kind}, 0, score) for width, kind, score in (("8", "a", None), ("16", "b", 0.5))]
    table = table_of(rows)
    assert table["axis_width"] == [8.0, 16.0]
    assert table["axis_kind"] == ["a", "b"]
    assert table["novel_score"] == [None, 0.5]
    assert table_of([])["name"] == []


def test_a_file_of_rows_reads_as_they_are_to_the_last_digit(tmp_path):
    rows = [row({"width": width, "kind": 'a, "b"'}, 0, score) for width, score in (("8", None), ("16", 0.1 + 0.2))]
    write_table(tmp_path / "results.csv", rows)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == list(table_of(rows))
    assert [(one["axis_kind"], one["novel_score"]) for one in found] == [('a, "b"', ""), ('a, "b"', repr(0.1 + 0.2))]
