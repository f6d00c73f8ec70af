"""Rows of COGS: the null answers with the nearest trained sentence, and files of predictions are scored by case."""

import sys

import pytest

from assay.errors import AssayError
from experiments import cogs_rows

TRAIN = [("A cat ran .", "cat ( x _ 1 ) AND run . agent ( x _ 2 , x _ 1 )", "in"), ("A dog slept there .", "dog", "in")]
GEN = [("A cat slept .", "one", "first"), ("A dog slept there now .", "dog", "second"), ("A dog ran .", "three", "first")]


@pytest.fixture
def files(monkeypatch):
    monkeypatch.setattr(cogs_rows, "rows_of", lambda side: TRAIN if side == "train" else GEN)


def test_the_null_is_the_form_of_the_sentence_with_most_words_in_common():
    assert cogs_rows.nearest(["A dog slept there now ."], TRAIN) == ["dog"]
    assert cogs_rows.nearest(["A cat ran"], TRAIN) == [TRAIN[0][1]]


def test_so_many_rows_of_every_case():
    assert cogs_rows.first_of_each(GEN, 1) == [GEN[0], GEN[1]]
    assert cogs_rows.first_of_each(GEN, 5) == [GEN[0], GEN[2], GEN[1]]


def test_predictions_are_scored_by_case_beside_the_null(files, monkeypatch, tmp_path, capsys):
    path = tmp_path / "predictions.txt"
    path.write_text("one\ndog\nwrong\n")
    monkeypatch.setattr(sys, "argv", ["cogs_rows.py", str(path)])
    cogs_rows.main()
    first, second = capsys.readouterr().out.splitlines()[2:]
    assert first.startswith("| first | 2 | 0.500")
    assert first.endswith("| 0.000 |")
    assert second.startswith("| second | 1 | 1.000")
    assert second.endswith("| 1.000 |")
    path.write_text("one\n")
    with pytest.raises(AssayError, match="a line for every sentence"):
        cogs_rows.main()
