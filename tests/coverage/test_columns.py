"""Columns as value indices, and coverage where pyarrow is not installed."""

import sys

import numpy as np
import pytest

import assay
from assay.coverage.columns import CodedColumn, joined
from assay.errors import AssayError


def test_values_are_numbered_as_they_occur_and_compared_as_text():
    column = CodedColumn.of(["b", 1, None, "b", "1", "(missing)"], "it")
    assert column.values == ("b", "1", None, "(missing)")
    assert column.codes.tolist() == [0, 1, 2, 0, 1, 3]
    assert len(CodedColumn.of([], "it")) == 0


def test_values_of_the_first_side_come_first_and_codes_follow():
    names, first, second = joined(CodedColumn.of(["x", "y"], "it"), CodedColumn.of(["z", "y", None], "it"))
    assert names == ("x", "y", "z", "(missing)")
    assert (first.tolist(), second.tolist()) == ([0, 1], [2, 1, 3])
    assert [names[code] for code in np.concatenate([first, second])] == ["x", "y", "z", "y", "(missing)"]


def test_nothing_beside_something():
    names, first, second = joined(CodedColumn.of(["x"], "it"), CodedColumn.of([], "it"))
    assert (names, first.tolist(), second.tolist()) == (("x",), [0], [])


def test_without_pyarrow_csv_is_read_and_parquet_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "train.csv").write_text("a,b,y\n01,0,1\n1,1,2\n")
    (tmp_path / "test.csv").write_text("a,b,y\n01,1,1\n")
    assert assay.coverage(tmp_path / "train.csv", tmp_path / "test.csv").num_novel == 1
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(AssayError, match=r"train\.parquet: reading Parquet needs pyarrow.*pip install assay\[parquet\]"):
        assay.coverage(tmp_path / "train.parquet", tmp_path / "test.csv")
