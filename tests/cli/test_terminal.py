"""What a command writes where: results on stdout, everything else on stderr, bars on terminals alone."""

import json
import re
import sys
from pathlib import Path

import pytest

from assay.cli.folder import filling, new_folder
from assay.cli.terminal import Terminal
from assay.errors import AssayError
from assay.store import UNFINISHED

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


@pytest.mark.parametrize(("quiet", "is_terminal"), [(False, True), (True, True), (False, False), (True, False)])
def test_progress_is_a_bar_on_a_terminal_and_a_line_elsewhere_unless_quiet(quiet, is_terminal, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if is_terminal else "0")
    with Terminal(quiet=quiet).progress() as progress:
        progress("halfway there", 0.5)
    written = capsys.readouterr()
    assert written.out == ""
    if quiet:
        assert written.err == ""
    elif is_terminal:
        assert "halfway there" in written.err
        assert "50%" in written.err
    else:
        assert written.err == " 50 % halfway there\n"


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
    assert new_folder(tmp_path / "a" / "b", default="x", command="audit") == tmp_path / "a" / "b"
    assert not (tmp_path / "a").exists()
    assert new_folder(tmp_path, default="x", command="audit") == tmp_path


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "kept").write_text("kept")
    with pytest.raises(AssayError, match=r"new or empty\. Given: .*holds files\. Next: choose another --out"):
        new_folder(tmp_path, default="x", command="audit")
    with pytest.raises(AssayError, match="which is a file"):
        new_folder(tmp_path / "kept", default="x", command="audit")


def test_the_default_is_the_first_free_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert new_folder(None, default="report", command="audit") == Path("report")
    (tmp_path / "report").mkdir()
    assert new_folder(None, default="report", command="audit") == Path("report"), "an empty folder is free"
    (tmp_path / "report" / "file").touch()
    (tmp_path / "report-2").touch()
    assert new_folder(None, default="report", command="audit") == Path("report-3")


def test_a_folder_is_marked_while_it_is_filled(tmp_path):
    with filling(tmp_path / "out", default="x", command="audit") as folder:
        assert folder == tmp_path / "out"
        assert (folder / UNFINISHED).read_text() == "audit"
        (folder / "report.json").touch()
    assert [entry.name for entry in folder.iterdir()] == ["report.json"]


def test_what_a_command_left_unfinished_is_in_the_way_of_others_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError), filling(None, default="report", command="audit") as folder:  # noqa: PT012
        (folder / "report.json").touch()
        (folder / "figures").mkdir()
        (folder / "figures" / "old.svg").touch()
        raise ZeroDivisionError
    assert new_folder(None, default="report", command="audit") == Path("report")
    assert new_folder(None, default="report", command="compare") == Path("report-2")
    with pytest.raises(AssayError, match="which an `assay audit` is writing or left unfinished"):
        new_folder(Path("report"), default="x", command="compare")
    with filling(None, default="report", command="audit") as folder:
        assert sorted(entry.name for entry in folder.iterdir()) == [UNFINISHED, "report.json"], "figures of then are gone"


def test_a_folder_that_is_being_filled_is_not_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with filling(None, default="report", command="audit") as first:
        assert new_folder(None, default="report", command="audit") == Path("report-2")
        with filling(None, default="report", command="audit") as second:
            assert (first, second) == (Path("report"), Path("report-2"))
        monkeypatch.setattr("assay.cli.folder.new_folder", lambda *_, **__: Path("report"))  # both asked at one moment
        with pytest.raises(AssayError, match="one command at a time"), filling(None, default="report", command="audit"):
            pass
    assert not list(Path("report").iterdir())


@pytest.mark.parametrize("existed", [True, False])
def test_a_command_that_fails_before_it_writes_leaves_the_place_as_it_was(tmp_path, existed):
    out = tmp_path / "out"
    if existed:
        out.mkdir()
    with pytest.raises(ZeroDivisionError), filling(out, default="x", command="audit"):
        raise ZeroDivisionError
    assert out.exists() == existed
    assert not existed or not list(out.iterdir())


def test_a_mark_that_is_a_link_is_not_written_through(tmp_path):
    (tmp_path / "mine").write_text("audit")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / UNFINISHED).symlink_to(tmp_path / "mine")
    with pytest.raises(AssayError, match="new or empty"), filling(tmp_path / "out", default="x", command="audit"):
        pass
    assert (tmp_path / "mine").read_text() == "audit"
