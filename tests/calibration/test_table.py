import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.calibration import FEATURES, parquet_bytes, read_subjects, subjects_of
from assay.errors import AssayError


def same(one, other) -> bool:
    ours, theirs = one.columns(), other.columns()
    return list(ours) == list(theirs) and all(
        np.array_equal(ours[name], theirs[name], equal_nan=ours[name].dtype.kind == "f") for name in ours
    )


@pytest.mark.parametrize("num", [0, 1, 7])
def test_what_is_written_is_read(plant, tmp_path, num):
    subjects = plant(num=num, families=("modular",), missing=0.3, twins=2, wrong=1 if num else 0)
    content = parquet_bytes(subjects)
    (tmp_path / "evidence.parquet").write_bytes(content)
    again = read_subjects(tmp_path / "evidence.parquet", sha256=hashlib.sha256(content).hexdigest())
    assert same(subjects, again)
    assert parquet_bytes(again) == content


def test_missing_is_null_on_disk_and_nan_in_memory(columns, tmp_path):
    values = columns(num=3, families=("modular",))
    values["collapse"] = [None, 0.5, float("nan")]
    subjects = subjects_of(values)
    assert np.isnan(subjects.features["collapse"]).tolist() == [True, False, True]
    (tmp_path / "evidence.parquet").write_bytes(parquet_bytes(subjects))
    assert pq.read_table(tmp_path / "evidence.parquet").column("collapse").to_pylist() == [None, 0.5, None]


def test_rows_by_mask_and_by_index_are_the_same(plant):
    subjects = plant(num=6)
    mask = subjects.family == "digits"
    assert len(subjects.take(mask)) == 6
    assert same(subjects.take(mask), subjects.take(np.flatnonzero(mask)))


def test_the_original_of_a_twin(plant):
    subjects = plant(num=4, families=("modular",), twins=1)
    assert subjects.original().tolist() == [0, 0, 2, 3, 4]
    assert subjects.take(np.array([1, 3])).original().tolist() == [0, 1]  # an original that is not here


def test_only_the_two_classes_are_decided(plant):
    subjects = plant(num=4, families=("modular",), twins=2, partial=2, wrong=2)
    assert set(subjects.kind[subjects.decided]) == {"G1", "G2", "I1", "I2"}
    assert subjects.decided.sum() == 4


@pytest.mark.parametrize("name", ["name", "novel_score", *FEATURES])
def test_a_missing_column_is_named(columns, name):
    values = columns(num=2)
    del values[name]
    with pytest.raises(AssayError, match=name):
        subjects_of(values)


def change(**cells):
    def changed(values):
        for name, (row, value) in cells.items():
            values[name][row] = value

    return changed


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda values: values.update(colapse=values["collapse"]), "Did you mean collapse"),
        (lambda values: values["name"].pop(), "one length"),
        (change(name=(0, "modular-0001")), "modular-0001 twice"),
        (change(kind=(0, "I9")), "I9"),
        (change(label=(0, "genuine")), "genuine"),
        (change(label=(0, "composes")), "disputed"),
        (change(collapse=(0, float("inf"))), "infinity in collapse"),
        (change(twin_of=(0, "nobody")), "nobody"),
        (change(kind=(0, "T1")), "twin of nothing"),
    ],
)
def test_a_table_that_cannot_be_is_refused(columns, spoil, message):
    values = columns(num=4, families=("modular",))
    spoil(values)
    with pytest.raises(AssayError, match=message):
        subjects_of(values)


def test_altered_truncated_and_missing_files_are_named(plant, tmp_path):
    path = tmp_path / "evidence.parquet"
    with pytest.raises(AssayError, match=r"no .*evidence\.parquet"):
        read_subjects(path)
    content = parquet_bytes(plant(num=4))
    path.write_bytes(content)
    with pytest.raises(AssayError, match="altered"):
        read_subjects(path, sha256="0" * 64)
    path.write_bytes(content[:-9])
    with pytest.raises(AssayError, match=r"evidence\.parquet must be a whole Parquet file"):
        read_subjects(path)


@pytest.mark.parametrize(("name", "column"), [("task", [1, 2]), ("task", ["a", None]), ("collapse", ["high", "low"])])
def test_a_column_of_the_wrong_type_is_named(columns, tmp_path, name, column):
    values = columns(num=2, families=("modular",)) | {name: column}
    pq.write_table(pa.table(values), tmp_path / "evidence.parquet")
    with pytest.raises(AssayError, match=f"column {name}"):
        read_subjects(tmp_path / "evidence.parquet")


def test_a_time_that_python_cannot_hold_is_an_error(plant, tmp_path):
    (tmp_path / "good.parquet").write_bytes(parquet_bytes(plant(num=2, families=("modular",))))
    table = pq.read_table(tmp_path / "good.parquet")
    beyond = pa.array([2**60] * len(table), pa.timestamp("us"))
    pq.write_table(table.append_column("when", beyond), tmp_path / "evidence.parquet")
    with pytest.raises(AssayError, match="values that Python can hold"):
        read_subjects(tmp_path / "evidence.parquet")
