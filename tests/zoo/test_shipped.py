"""The table and the calibration that belongs to it travel together, and the figures stand beside what was asked of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_zoo import planted
from torch import Generator

from assay.calibration import score
from assay.calibration.metrics import Statistic
from assay.errors import AssayError
from assay.evidence import Interval
from assay.zoo.recipe import recipe_hash
from assay.zoo.shipped import ship, shipped_table
from assay.zoo.targets import TARGETS, held, plain


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("shipped")
    ship(planted(), path)
    return path


def test_what_is_read_is_what_was_written(folder: Path):
    subjects, calibration = shipped_table(folder)
    for name, column in planted().columns().items():
        np.testing.assert_array_equal(subjects.columns()[name], column)
    assert calibration.recipe_sha256 == recipe_hash()


def test_the_same_table_gives_the_same_bytes(folder: Path, tmp_path: Path):
    ship(planted(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_an_altered_table_is_named(tmp_path: Path):
    ship(planted(), tmp_path)
    table = tmp_path / "evidence.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    with pytest.raises(AssayError, match=r"evidence\.parquet must have SHA-256"):
        shipped_table(tmp_path)


@pytest.mark.parametrize("missing", ["evidence.parquet", "calibration.json"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str):
    ship(planted(), tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(AssayError, match=missing):
        shipped_table(tmp_path)


def test_every_target_is_a_figure_and_a_planted_table_reaches_it():
    rows = held(score(planted(), generator=Generator().manual_seed(0)))
    assert [row.target for row in rows] == list(TARGETS)
    reached = {row.target.key: row.reached for row in rows}
    assert reached["auroc_pooled"] == "aim"
    assert reached["twin_flips"] == reached["wrong_declaration"] == "not enough data"
    assert plain(rows)["auroc_pooled"] == {"must": 0.90, "aim": 0.97, "reached": "aim"}


@pytest.mark.parametrize(
    ("key", "value", "high", "reached"),
    [
        ("auroc_pooled", 0.97, 0.99, "aim"),
        ("auroc_pooled", 0.90, 0.99, "must"),
        ("auroc_pooled", 0.89, 0.99, "missed"),
        ("calibration_error", 0.05, 0.20, "aim"),
        ("calibration_error", 0.09, 0.20, "missed"),
        ("false_composes", 0.00, 0.05, "aim"),
        ("false_composes", 0.00, 0.08, "must"),
        ("false_composes", 0.00, 0.09, "missed"),
        ("twin_flips", 0.0, 0.1, "aim"),
    ],
)
def test_how_far_a_figure_goes(key: str, value: float, high: float, reached: str):
    """Of a rate of false calls it is the upper end that counts."""
    scores = score(planted(), generator=Generator().manual_seed(0))
    interval = Interval(low=0.0, high=high, level=0.95, method="planted")
    figures = {**scores.figures, key: Statistic(value=value, interval=interval, units=9)}
    row = next(row for row in held(replace(scores, figures=figures)) if row.target.key == key)
    assert row.reached == reached
