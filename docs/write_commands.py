"""Writes the second half of docs/commands.md, every command with every flag, from the help that the parser prints.

python docs/write_commands.py
"""

import contextlib
import io
import os
from collections.abc import Iterable
from pathlib import Path

from assay.cli import main
from assay.cli.main import COMMANDS

PAGE = Path(__file__).with_name("commands.md")
HEADING = "## Every flag\n"
WIDE = "400"  # columns, so that every flag stands on one line with its meaning
OF_ALL = ("-h, --help", "--quiet", "--debug")


def page() -> str:
    """The page with its second half written anew."""
    written, _, _ = PAGE.read_text().partition(HEADING)
    return f"{written}{HEADING}\n{_of_all()}{''.join(_section([command.word()]) for command in COMMANDS)}"


def _section(words: list[str]) -> str:
    """A command: its summary and what it takes; then its subcommands."""
    summary, rows, actions = _help(words)
    own = _table(row for row in rows if row[0] not in OF_ALL)
    return f"\n### assay {' '.join(words)}\n\n{summary}\n{own}{''.join(_section([*words, action]) for action in actions)}"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"| `{flag}` | {meaning} |\n" for flag, meaning in rows)
    return f"\n| flag | meaning |\n| --- | --- |\n{lines}" if lines else ""


def _of_all() -> str:
    _, rows, _ = _help([])
    return f"Every command takes these; `--version` stands alone.\n{_table(row for row in rows if row[0] in OF_ALL)}"


def _help(words: list[str]) -> tuple[str, list[tuple[str, str]], list[str]]:
    """The summary, the flags and positionals with their meanings, and the subcommands that help names."""
    before, out = os.environ.get("COLUMNS"), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # which has boxes
    os.environ["COLUMNS"] = WIDE
    try:
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            main([*words, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        os.environ |= {"COLUMNS": before} if before is not None else {}
    out.seek(0)
    lines = out.read().splitlines()
    summary = next(line for line in lines[1:] if line.strip() and not line.startswith(("usage", " ")))
    rows, actions = [], []
    for line in (line.removeprefix("│ ").removesuffix("│").rstrip() for line in lines if line.startswith("│ ")):
        first, _, rest = line.partition("  ")
        if line.lstrip().startswith("•"):
            actions.append(line.split()[1])
        elif line.startswith(" "):  # the meaning of a flag that left no room for it, or more of it
            flag, meaning = rows[-1]
            rows[-1] = (flag, f"{meaning} {line.strip()}".strip())
        elif not line.startswith("("):
            rows.append((first, rest.strip()))
    return summary, rows, actions


if __name__ == "__main__":
    PAGE.write_text(page())
