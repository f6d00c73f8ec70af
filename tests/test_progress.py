"""What shows progress: a bar on a terminal and in a notebook, lines elsewhere, and nothing where it was not asked for."""

import ast
import sys
import time
import types
from pathlib import Path

import pytest

import assay
from assay.progress import SECONDS_BETWEEN_LINES, shown, silent

SHOWING = ("audit", "sweep", "train")  # the public functions that show a bar unless told otherwise


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_there_is_a_line_at_the_start_and_then_one_every_so_often(clock, capsys):
    with shown() as progress:
        for k in range(5):
            progress(f"step {k}", k / 4)
            clock[0] += SECONDS_BETWEEN_LINES / 2
    assert capsys.readouterr() == ("", "  0 % step 0\n 50 % step 2\n100 % step 4\n")


def test_none_shows_nothing_and_a_function_is_called_as_it_is(capsys):
    calls = []
    with shown(None) as progress, shown(lambda *told: calls.append(told)) as own:
        progress("step", 0.5)
        own("step", 0.5)
    assert progress is silent
    assert calls == [("step", 0.5)]
    assert capsys.readouterr() == ("", "")


def test_characters_that_act_on_a_terminal_are_escaped(capsys):
    with shown() as progress:
        progress("\x1b[31mred", 0.0)
    assert "\x1b" not in capsys.readouterr().err


def test_a_notebook_shows_one_cell_which_is_empty_in_the_end(monkeypatch, capsys, clock):
    """Against a stand-in for IPython. rich's own bar needs ipywidgets there, and warns without."""
    from rich.console import Console

    written = []
    display = types.ModuleType("IPython.display")
    display.HTML = str
    display.display = lambda text, display_id: types.SimpleNamespace(update=written.append)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(Console, "is_jupyter", True, raising=False)
    monkeypatch.setattr(Console, "__init__", lambda self, **_: None)
    with pytest.raises(ZeroDivisionError), shown() as progress:  # noqa: PT012
        progress("<b>reading", 0.25)
        progress("too soon", 0.3)
        clock[0] += 1
        progress("later", 0.5)
        raise ZeroDivisionError
    first, second, last = written
    assert "&lt;b&gt;reading" in first
    assert "25 %" in first
    assert "later" in second
    assert last == ""
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", SHOWING)
def test_the_package_asks_its_own_functions_for_no_bar_of_their_own(name):
    """A bar within a bar, or one in each child process, would be noise: every call of ours says where progress goes."""
    silent_by_default = []
    for file in Path(assay.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
            if called == name and "progress" not in {keyword.arg for keyword in node.keywords}:
                silent_by_default.append(f"{file.name}:{node.lineno}")
    assert not silent_by_default


def test_an_audit_and_a_training_show_their_progress_unless_told_not_to(tmp_path, capsys):
    config = {"steps": 2, "seed": 0}
    assay.train("modular-addition:p=5", out=tmp_path / "told", config=config)
    assert " % training" in capsys.readouterr().err
    assay.train("modular-addition:p=5", out=tmp_path / "quiet", config=config, progress=None)
    assert capsys.readouterr() == ("", "")
    task = assay.load_task("modular-addition:p=5")
    subject = assay.load_subject(str(tmp_path / "told"), task=task)
    told = assay.audit(subject, task, effort="quick", instruments=[])
    assert capsys.readouterr().err.startswith("  0 % ")
    assert assay.audit(subject, task, effort="quick", instruments=[], progress=None) == told
    assert capsys.readouterr() == ("", "")
