"""Run directories: nothing half written is ever read, and nothing already written is lost."""

import os
from pathlib import Path

import pytest
import torch

from assay.errors import AssayError
from assay.store import (
    CHECKPOINT,
    RECORD,
    WEIGHTS,
    RunDirectory,
    RunRecord,
    list_runs,
    read_tensors,
    write_bytes_atomically,
    write_tensors,
)


def record(**changes: object) -> RunRecord:
    fields = {
        "task": "modular:p=11",
        "model": "mlp",
        "options": {"width": 8, "init_scale": 1.0},
        "training": {"steps": 3, "learning_rate": 0.01, "seed": 4},
        "versions": {"torch": "2"},
        "started": "2026-01-01T00:00:00+00:00",
    }
    return RunRecord.model_validate({**fields, **changes})


def finished(path: Path) -> RunDirectory:
    directory = RunDirectory.create(path, record())
    directory.finish(record(finished="2026-01-01T00:01:00+00:00", scores={"seen": 1.0}), {"weight": torch.arange(6.0)})
    return directory


def test_a_record_comes_back_as_it_was(tmp_path: Path):
    written = record(losses=((1, 0.5), (2, 0.25)), scores={"seen": 0.75})
    directory = RunDirectory.create(tmp_path / "deep" / "run", written)
    read = RunDirectory.open(directory.path).read_record()
    assert read == written
    assert read.seed == 4
    assert type(read.options["width"]) is int
    assert type(read.options["init_scale"]) is float


def test_a_finished_run_has_its_weights_and_no_checkpoint(tmp_path: Path):
    RunDirectory.create(tmp_path, record())
    (tmp_path / CHECKPOINT).write_bytes(b"state")
    directory = finished(tmp_path)
    assert torch.equal(directory.read_weights()["weight"], torch.arange(6.0))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [RECORD, WEIGHTS]


def test_an_interrupted_run_continues_with_the_same_configuration_only(tmp_path: Path):
    RunDirectory.create(tmp_path, record(versions={"torch": "1"}))
    RunDirectory.create(tmp_path, record())  # versions and times are not what makes a run
    before = (tmp_path / RECORD).read_bytes()
    changed = record(training={"steps": 5, "learning_rate": 0.01, "seed": 4}, options={"width": 16, "init_scale": 1.0})
    with pytest.raises(AssayError, match=r"width 8 there and 16 now, steps 3 there and 5 now"):
        RunDirectory.create(tmp_path, changed)
    assert (tmp_path / RECORD).read_bytes() == before


def test_a_folder_that_holds_anything_else_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(AssayError, match=r"--out must be a new or empty folder.*nothing in it was changed"):
        RunDirectory.create(tmp_path, record())
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(AssayError, match="is a file"):
        RunDirectory.create(tmp_path / "notes.txt", record())


def test_a_finished_run_is_refused_and_left_alone(tmp_path: Path):
    directory = finished(tmp_path)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    with pytest.raises(AssayError, match="finished run"):
        RunDirectory.create(tmp_path, record())
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before
    assert directory.read_weights()


def test_what_a_kill_during_the_first_write_leaves_is_no_obstacle(tmp_path: Path):
    (tmp_path / f".{RECORD}.partial").write_text("{")
    assert RunDirectory.create(tmp_path, record()).read_record() == record()


def test_opening_what_is_no_run_says_what_is_missing(tmp_path: Path):
    with pytest.raises(AssayError, match="folder that exists"):
        RunDirectory.open(tmp_path / "nowhere")
    with pytest.raises(AssayError, match=r"must hold run\.json"):
        RunDirectory.open(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("}", "", "must be whole JSON"),
        ('"schema_version": 1', '"schema_version": 2', "schema_version: Input should be 1"),
        ('"started"', '"begun"', "started: Field required"),
    ],
)
def test_a_damaged_record_is_named_with_the_field(tmp_path: Path, old: str, new: str, told: str):
    RunDirectory.create(tmp_path, record())
    path = tmp_path / RECORD
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(AssayError, match=told) as caught:
        RunDirectory.open(tmp_path)
    assert str(path) in str(caught.value)


def test_weights_of_an_unfinished_run_are_refused(tmp_path: Path):
    with pytest.raises(AssayError, match=r"must be finished.*continues where it was"):
        RunDirectory.create(tmp_path, record()).read_weights()


@pytest.mark.parametrize("damage", ["truncated", "one bit", "gone"])
def test_damaged_weights_are_named(tmp_path: Path, damage: str):
    directory = finished(tmp_path)
    path = tmp_path / WEIGHTS
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(data[:-3])
    elif damage == "one bit":
        data[-1] ^= 1
        path.write_bytes(data)
    else:
        path.unlink()
    with pytest.raises(AssayError, match="must exist" if damage == "gone" else "truncated or altered") as caught:
        directory.read_weights()
    assert str(path) in str(caught.value)


def test_tensors_come_back_bit_for_bit_and_outlive_the_file(tmp_path: Path):
    path = tmp_path / "some.safetensors"
    tensors = {
        "empty": torch.zeros(0, 3),
        "number": torch.tensor(3),
        "half": torch.tensor([1.5, float("nan")]).half(),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "turned": torch.arange(6.0).view(2, 3).T,
    }
    write_tensors(path, tensors, {"step": "7"})
    read, metadata = read_tensors(path)
    path.write_bytes(b"")
    assert metadata == {"step": "7"}
    for name, value in tensors.items():
        assert read[name].dtype == value.dtype
        assert torch.equal(torch.nan_to_num(read[name].float()), torch.nan_to_num(value.float()))


def test_a_truncated_file_without_a_known_digest_is_named_too(tmp_path: Path):
    path = tmp_path / "some.safetensors"
    write_tensors(path, {"weight": torch.zeros(100)})
    whole = path.read_bytes()
    for length in (0, 5, 30, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(AssayError, match=r"some\.safetensors, which is truncated"):
            read_tensors(path)


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    write_bytes_atomically(path, b"old")

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_bytes_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    write_bytes_atomically(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_file_is_not_written_through_a_link_that_lies_in_wait(tmp_path: Path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".run.json.partial").symlink_to(tmp_path / "mine")
    write_bytes_atomically(tmp_path / "run.json", b"new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "run.json").read_bytes() == b"new"
    assert not (tmp_path / "run.json").is_symlink()


def test_runs_are_found_at_any_depth(tmp_path: Path):
    assert list_runs(tmp_path) == []
    for name in ("b", "a/deep"):
        RunDirectory.create(tmp_path / name, record())
    (tmp_path / "other").mkdir()
    assert [run.path.relative_to(tmp_path).as_posix() for run in list_runs(tmp_path)] == ["a/deep", "b"]
