"""What a command writes where: results on stdout, everything else on stderr, bars on terminals alone."""

import json
import re
import sys
from pathlib import Path

import pytest

from assay.cli.folder import new_folder
from assay.cli.terminal import Terminal
from assay.errors import AssayError

ROWS = [{"name": "first", "about": "words " * 40, "needs": []}, {"name": "second", "about": "few", "needs": ["A", "B"]}]


def test_results_go_to_stdout_and_notes_to_stderr(capsys):
    terminal = Terminal()
    terminal.result("result")
    terminal.note("note")
    terminal.error("error")
    assert capsys.readouterr() == ("result\n", "note\nassay: error\n")


def test_quiet_keeps_results_and_errors(capsys):
    terminal = Terminal(quiet=True)
    terminal.result("result")
    terminal.note("note")
    terminal.error("error")
    assert capsys.readouterr() == ("result\n", "assay: error\n")


@pytest.mark.parametrize(("quiet", "is_terminal", "shown"), [(False, True, True), (True, True, False), (False, False, False)])
def test_a_bar_is_shown_on_a_terminal_unless_quiet(quiet, is_terminal, shown, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if is_terminal else "0")
    with Terminal(quiet=quiet).progress() as progress:
        progress("halfway there", 0.5)
    written = capsys.readouterr()
    assert written.out == ""
    assert ("halfway there" in written.err and "50%" in written.err) is shown
    assert bool(written.err) is shown


def test_a_listing_in_json_is_the_objects(capsys):
    Terminal().listing(ROWS, as_json=True)
    assert json.loads(capsys.readouterr().out) == ROWS


def test_a_listing_for_reading_wraps_between_words_and_leaves_empty_values_out(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    Terminal().listing([*ROWS, {"name": "third", "about": "x" * 90, "needs": []}], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["first", "second", "third"]
    assert max(len(line) for line in lines if "x" not in line) <= 60
    assert lines.count("  needs     A, B") == 1
    assert not [line for line in lines if re.fullmatch(r"  needs *", line)]
    assert any("x" * 90 in line for line in lines), "what will be copied stays whole"


def test_an_empty_listing(capsys):
    Terminal().listing([], as_json=False)
    assert capsys.readouterr().out == ""
    Terminal().listing([], as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_a_folder_is_new_or_empty_and_not_made_yet(tmp_path):
    assert new_folder(tmp_path / "a" / "b", default="x") == tmp_path / "a" / "b"
    assert not (tmp_path / "a").exists()
    assert new_folder(tmp_path, default="x") == tmp_path


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "kept").write_text("kept")
    with pytest.raises(AssayError, match=r"new or empty\. Given: .*holds files\. Next: choose another --out"):
        new_folder(tmp_path, default="x")
    with pytest.raises(AssayError, match="which is a file"):
        new_folder(tmp_path / "kept", default="x")


def test_the_default_is_the_first_free_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert new_folder(None, default="report") == Path("report")
    (tmp_path / "report").mkdir()
    assert new_folder(None, default="report") == Path("report"), "an empty folder is free"
    (tmp_path / "report" / "file").touch()
    (tmp_path / "report-2").touch()
    assert new_folder(None, default="report") == Path("report-3")
