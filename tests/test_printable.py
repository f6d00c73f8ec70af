"""Names from a stranger's data are shown and never obeyed: on the terminal, in a page, in a picture, in a file."""

import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from torch import nn

from assay.audit import Audit, audit
from assay.cli.terminal import Terminal
from assay.errors import LONGEST, AssayError
from assay.instruments import load_instrument
from assay.printable import printable, storable
from assay.report import read_report, summary_text, write_comparison, write_report
from assay.store import read_json, write_json
from assay.subject import Subject
from assay.tasks import load_task

ACTING = {
    "escape": "\x1b[31mred",
    "title of the window": "\x1b]0;owned\x07",
    "bell": "a\x07",
    "nothing": "a\x00b",
    "delete": "a\x7f",
    "one-byte escape": "a\x9b31m",
    "from right to left": "a\u202egnp.exe",
    "mark": "a\u200fb",
    "isolate": "a\u2066b\u2069",
    "line separator": "a\u2028b",
    "newline": "a\nassay: all is well",
    "carriage return": "a\rb",
    "tag": "a\U000e0041",
}


def acting(text: str, *, keep: str = "\n") -> set[str]:
    """The characters in a text that no reader sees."""
    return {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in keep}


@pytest.mark.parametrize("text", ACTING.values(), ids=ACTING)
def test_what_acts_is_shown_as_json_writes_it(text):
    shown = printable(text)
    assert not acting(shown, keep="")
    assert json.loads(f'"{shown}"') == text


@pytest.mark.parametrize(
    "text", ["", "a", "plain", "back\\slash", "naïve", "東京", "עברית", "👩\u200d🔬", "نمی\u200cخواهم", "1 000"]
)
def test_what_is_read_stays_as_it_is(text):
    assert printable(text) == text


def test_a_lone_surrogate_is_shown_and_stored():
    assert printable("a\ud800") == "a\\ud800"
    assert storable({"\udcff": ["a\ud800", 1, ("b",)]}) == {"\\udcff": ["a\\ud800", 1, ("b",)]}
    assert storable("a\x1b") == "a\x1b", "a file can hold it"


@given(st.text(alphabet=st.characters()))
def test_printing_twice_is_printing_once(text):
    shown = printable(text)
    assert printable(shown) == shown
    assert not acting(shown.replace("\u200c", "").replace("\u200d", ""), keep="")


def test_what_no_xml_can_hold_is_shown():
    assert printable("a\ufffe\uffffb") == "a\\ufffe\\uffffb"


def test_a_mistake_is_told_in_one_line_of_bounded_length():
    error = AssayError("no such\x1b", given="x\nassay: all is well" + "y" * 10**6, choices=["a\u202e"], next_step="b\x07")
    assert not acting(str(error), keep="")
    assert len(str(error)) < LONGEST + 300
    assert "characters)" in str(error)


class Record(BaseModel):
    text: str
    numbers: tuple[int, ...] = (1, 2)


@pytest.mark.parametrize("text", [*ACTING.values(), "\ud800", "a\udcffb"], ids=[*ACTING, "half a character", "no UTF-8"])
def test_a_file_holds_every_text(tmp_path: Path, text):
    write_json(tmp_path / "record.json", Record(text=text))
    assert not acting((tmp_path / "record.json").read_text())
    assert read_json(tmp_path / "record.json", Record).text == storable(text)


# A whole audit


class Network(nn.Module):
    """Its one hidden module has a name that acts."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.add_module("hid\x1bden", nn.Linear(8, 6))
        self.out = nn.Linear(6, 5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(getattr(self, "hid\x1bden")(self.embedding(tokens).flatten(1)).relu())


TABLE = """data = "rows.jsonl"
[[inputs]]
kind = "token"
columns = ["x", "y"]
[target]
column = "s"
kind = "class"
[[parts]]
name = {name}
column = "a"
[[parts]]
name = "b"
[split]
column = "split"
"""


def write_table(folder: Path, *, name: str, value: str) -> Path:
    rows = [
        {"x": i, "y": j, "a": f"{value}{i}", "b": j, "s": (i + j) % 5, "split": "novel" if (i + j) % 5 == 3 else "train"}
        for i in range(5)
        for j in range(5)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    quoted = json.dumps(name, ensure_ascii=True).replace("\\u007f", "\\u007F")
    (folder / "table.toml").write_text(TABLE.format(name=re.sub(r"\\ud83d|\\udb40\\udc41", "", quoted)), encoding="utf-8")
    return folder / "table.toml"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Of a network and a table whose names, values and modules all hold characters that act, markup among them."""
    name = "".join(ACTING.values()).replace("\U000e0041", "") + "<script>alert(1)</script>[/bold]"
    path = write_table(tmp_path_factory.mktemp("hostile"), name=name, value="\ud800\x1b")
    task = load_task(f"table:{path}")
    torch.manual_seed(0)
    subject = Subject(Network(), name="\x1b[2J\udcff")
    instruments = [load_instrument(name) for name in ("systematicity", "decodability")]
    return audit(subject, task, effort="quick", instruments=instruments, address="\u202eno address")


def test_nothing_acts_in_a_report(hostile: Audit, tmp_path: Path):
    page = write_report(tmp_path, hostile)
    drawn = sorted((tmp_path / "figures").glob("*.svg"))
    assert len(drawn) >= 2
    for file in (page, tmp_path / "report.json", *drawn):
        assert not acting(file.read_text(encoding="utf-8")), file.name
    text = page.read_text(encoding="utf-8")
    assert "\\u001b[31mred" in text
    assert "\\ud800" in text, "nothing is lost"
    assert text.count("<script") == 1, "that of tables"


def test_a_report_of_such_names_is_read_and_compared(hostile: Audit, tmp_path: Path):
    write_report(tmp_path / "one", hostile)
    again = read_report(tmp_path / "one")
    assert again.task.parts[0].name == hostile.task.parts[0].name, "what a file can hold is kept as it is"
    assert again.task.parts[0].values[0] == "\\ud800\x1b0"
    page = write_comparison(tmp_path / "both", [again, hostile])
    for file in (page, tmp_path / "both" / "comparison.json", tmp_path / "both" / "figures" / "comparison.svg"):
        assert not acting(file.read_text(encoding="utf-8")), file.name
    assert page.read_text(encoding="utf-8").count("<script") == 1, "that of tables"


def test_nothing_acts_in_the_summary(hostile: Audit):
    assert not acting(summary_text(hostile))
    assert "\\u001b[2J\\udcff" in summary_text(hostile)


@pytest.mark.parametrize("method", ["note", "error", "result", "progress"])
def test_a_terminal_shows_what_would_act_on_it(method):
    code = (
        "from assay.cli.terminal import Terminal\nterminal = Terminal()\ntext = 'a[/b]\\x1b]0;owned\\x07\\udcff'\n"
        f"if {method!r} == 'progress':\n    with terminal.progress() as progress: progress(text, .5)\n"
        f"else: getattr(terminal, {method!r})(text)"
    )
    leader, follower = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", code], stdout=follower, stderr=follower, env={**os.environ, "COLUMNS": "120"}
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(leader)
    assert done.wait() == 0, shown
    assert b"owned" in shown
    assert b"\x1b]0;" not in shown
    assert b"a[/b]\\u001b]0;owned\\u0007\\udcff" in shown


def test_a_result_in_a_pipe_is_the_path_itself(tmp_path: Path):
    folder = os.fsdecode(b"fol\xffder\x1b")
    code = f"import sys; from assay.cli import main; sys.exit(main(['train', 'modular', '--steps', '1', '--out', {folder!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path, check=True)
    assert done.stdout == b"fol\xffder\x1b\n"
    assert b"\x1b" not in done.stderr


def test_terminal_leaves_lines_alone(capsys):
    Terminal().note("one\ntwo")
    assert capsys.readouterr().err == "one\ntwo\n"
