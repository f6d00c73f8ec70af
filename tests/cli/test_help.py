"""Help answers without torch, reads well, and the list of commands and flags is frozen: a new one is a decision."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import tyro

from assay.cli import main
from assay.cli.main import COMMANDS, STYLE, CommandLine

ACTIONS = {"data": ("list", "get")}
ROOT = Path(__file__).parents[2]
FROZEN = Path(__file__).with_name("frozen_flags.txt")


def _help(capfd, *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main([*words, "--help"])
    assert stop.value.code == 0
    return capfd.readouterr().out


@pytest.mark.parametrize("words", [["--help"], ["audit", "--help"], ["--version"]])
def test_help_imports_neither_torch_nor_anything_slow(words):
    slow = ["torch", "scipy", "sklearn", "jinja2", "transformers", "pandas", "pyarrow", "pooch", "loky", "pydantic"]
    program = (
        "import sys\nfrom assay.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        f"print('slow:', [name for name in {slow!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("slow: []\n")


def test_version_is_the_installed_one(capfd):
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"assay {version('assay')}\n"


def test_help_lists_every_command_with_its_summary(capfd):
    text = _help(capfd)
    for command in COMMANDS:
        first_words = " ".join(command.summary().split()[:4])
        assert f"{command.word()}  " in text
        assert first_words in text


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.word())
def test_help_of_a_command_ends_with_examples_that_parse(command, capfd):
    text = _help(capfd, command.word())
    _, _, examples = text.partition("Examples:")
    lines = [line.split() for line in examples.splitlines() if line.startswith("  assay ")]
    assert lines
    for words in lines:
        parsed = tyro.cli(CommandLine, args=[word.strip("'") for word in words[1:]], config=STYLE)
        assert type(parsed.command) is command


def test_commands_and_flags_are_those_decided_upon(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")  # wide enough that every flag stands on one line with its help
    surface = _surface(capfd)
    assert surface == FROZEN.read_text(), f"a new flag is a decision; once decided, {FROZEN.name} holds:\n{surface}"


def test_the_page_of_commands_has_every_command_and_every_flag_with_its_meaning():
    written = ROOT / "docs" / "commands.md"
    page = runpy.run_path(str(ROOT / "docs" / "write_commands.py"))["page"]()
    assert page == written.read_text(), "python docs/write_commands.py writes it anew"
    listed = re.findall(r"`([a-z]+)`", "".join(re.findall(r"^\| (`.*?) \|", page.partition("## ")[0], re.MULTILINE)))
    assert sorted(listed) == sorted(command.word() for command in COMMANDS)
    of_all, *sections = re.split(r"^### ", page, flags=re.MULTILINE)
    told = {section.partition("\n")[0]: section + of_all for section in sections}
    for block in FROZEN.read_text().removesuffix("\n").split("\nassay ")[1:]:
        command, *flags = block.splitlines()
        for flag in flags:
            assert re.search(rf"^\| `{re.escape(flag.strip())}` \| \S", told[f"assay {command}"], re.MULTILINE), (command, flag)


def _surface(capfd) -> str:
    """A block for the program and for every command: its name, and beneath it flags and positionals as help shows them."""
    blocks = []
    actions = [[word, action] for word, its in ACTIONS.items() for action in its]
    for words in ([], *([command.word()] for command in COMMANDS), *actions):
        rows = [line.removeprefix("│ ") for line in _help(capfd, *words).splitlines() if line.startswith("│ ")]
        labels = [row.partition("  ")[0] for row in rows if not row.startswith((" ", "("))]
        blocks.append("\n  ".join([" ".join(["assay", *words]), *sorted(labels)]))
    return "\n".join(blocks) + "\n"
