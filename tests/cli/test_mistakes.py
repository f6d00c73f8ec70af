"""Every mistake ends in one message on stderr and exit code 2: no traceback, nothing written, nothing lost."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from assay.cli import main
from assay.cli.terminal import Terminal
from assay.store import CHECKPOINT, RECORD, RunDirectory
from processes import HEEDING_SIGNALS

TINY = ["train", "modular", "--width", "8", "--depth", "1", "--batch-size", "32", "--quiet"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _failed(capsys, *words: str) -> str:
    """The one message."""
    assert main(list(words)) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert "Traceback" not in written.err
    assert written.err.startswith("assay: ")
    assert written.err.count("\n") == 1
    return written.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "modulr", "--out", "run"], ["no such task", "Given: modulr", "scan", "Did you mean modular?"]),
        (["train", "modular:p=x", "--out", "run"], ["p must be", "Given: x"]),
        (["train", "modular:q=3", "--out", "run"], ["no such option", "num_first"]),
        (["train", "modular:coverage=0.01", "--out", "run"], ["leave one combination out", "choose a coverage between"]),
        (["train", "modular", "--model", "lstm", "--out", "run"], ["Given: lstm", "mlp", "transformer"]),
        (["train", "modular", "--heads", "2", "--out", "run"], ["no such size", "heads", "width, depth"]),
        (["train", "modular", "--steps", "-1", "--out", "run"], ["steps", "-1"]),
        (["train", "modular", "--batch-size", "0", "--out", "run"], ["batch_size must be a whole number from 1 to", "0"]),
        (["audit", "nowhere"], ["nowhere", "no such folder", "assay train"]),
        (["audit", "nowhere", "--task", "modular"], ["nowhere", "assay train", "package.module:factory"]),
        (["audit", "nowhere", "--task", "modular", "--instrument", "xray"], ["Given: xray", "systematicity", "decodability"]),
        (["audit", "torch.nn:Linear", "--task", "modular"], ["called without arguments", "in_features"]),
        (["compare", "a", "--out", "both"], ["at least two", "Given: a"]),
        (["compare", "--out", "both"], ["at least two", "Given: none"]),
        (["compare", "a", "b", "--out", "both"], ["must hold report.json", " a. Next: make one with `assay audit`"]),
        (["data", "get", "scam"], ["Given: scam", "Choices: cogs, ", "Did you mean scan?"]),
        (["demo", "--jobs", "0"], ["jobs must be at least 1"]),
    ],
    ids=lambda value: " ".join(value) if "--out" in value else "",
)
def test_a_mistake_is_told_in_one_message(words, told, capsys, tmp_path):
    message = _failed(capsys, *words)
    for words in told:
        assert words in message
    assert not [path for path in tmp_path.rglob("*") if path.is_file()], "nothing was written"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "Expected one of {demo, train, audit"),
        (["adit"], "adit"),
        (["audit", "run", "--efort", "quick"], "--effort"),
        (["audit", "run", "--effort", "slow"], "'quick', 'standard', 'full'"),
        (["audit"], "SUBJECT"),
        (["train", "modular"], "--out DIR"),
        (["train", "modular", "--out", "run", "--steps", "many"], "--steps"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_line_that_cannot_be_read_exits_with_2_and_names_the_place(words, told, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("words", [["demo"], ["audit", "nowhere", "--task", "modular"], ["compare", "a", "b"]], ids=" ".join)
def test_a_folder_that_holds_something_is_refused_before_anything_else(words, capsys, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").write_text("kept")
    assert "new or empty" in _failed(capsys, *words, "--out", "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["kept"]


def test_debug_shows_the_traceback_as_well(capsys):
    assert main(["data", "get", "scam", "--debug"]) == 2
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert written.endswith("Did you mean scan?\n")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_disk_or_a_closed_folder_is_told_in_one_message(number, capsys, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number), "run/weights")

    monkeypatch.setattr(RunDirectory, "create", refuse)
    message = _failed(capsys, *TINY, "--steps", "1", "--out", "run")
    assert os.strerror(number) in message
    assert "run/weights" in message
    assert "Next: free space" in message


def test_a_reader_that_stops_reading_is_no_error():
    line = f"{sys.executable} -m assay tasks | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode in (0, 1)  # 0 when everything was written before the reader went


def test_a_finished_run_is_kept_and_another_is_refused(capsys):
    assert main([*TINY, "--steps", "2", "--out", "run"]) == 0
    capsys.readouterr()
    before = {path.name: path.read_bytes() for path in RunDirectory("run").path.iterdir()}
    assert "must not hold a finished run" in _failed(capsys, *TINY, "--steps", "2", "--out", "run")
    assert before == {path.name: path.read_bytes() for path in RunDirectory("run").path.iterdir()}


def test_ctrl_c_leaves_a_run_that_the_same_command_finishes_with_the_same_weights(capsys, monkeypatch, tmp_path):
    command = [*TINY, "--steps", "20", "--out"]
    assert main([*command, "whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Terminal, "progress", _interrupting(after=0.5))
        assert main([*command, "parted"]) == 130
    message = capsys.readouterr().err
    assert message == "assay: interrupted. Repeat the same command to continue; parted keeps the checkpoint.\n"
    assert (tmp_path / "parted" / CHECKPOINT).exists()
    assert "continues only with the configuration" in _failed(capsys, *command, "parted", "--seed", "1")
    assert main([*command, "parted"]) == 0
    names = ("whole", "parted")
    first, second = ((tmp_path / name / "weights.safetensors").read_bytes() for name in names)
    assert first == second


def _interrupting(*, after: float):
    from contextlib import contextmanager

    @contextmanager
    def progress(terminal):
        def stop(doing, done):
            if done >= after:
                raise KeyboardInterrupt

        yield stop

    return progress


def test_ctrl_c_on_the_real_process(tmp_path):
    command = [*HEEDING_SIGNALS, "-m", "assay", *TINY, "--steps", "1000000", "--out", "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        while not (tmp_path / "run" / CHECKPOINT).exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert err.startswith("assay: interrupted. Repeat the same command")
    assert (tmp_path / "run" / RECORD).exists()
