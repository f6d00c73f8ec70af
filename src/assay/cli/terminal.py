"""Output of commands: results on stdout, progress and messages on stderr.

On a terminal control characters are escaped; in a pipe results are unchanged, so that the path of a report stays valid.
"""

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from assay.printable import printable
from assay.progress import Progress, shown

_WHOLE_WORDS = {"break_long_words": False, "break_on_hyphens": False}  # a URL must stay in one piece to be copied


class Terminal:
    """The output of one command.

    **Arguments:**

    - `quiet`: show results and errors only.
    - `debug`: show tracebacks of errors.
    """

    def __init__(self, *, quiet: bool = False, debug: bool = False):
        self.quiet, self.debug = quiet, debug

    def result(self, text: str) -> None:
        """Print a result of the command."""
        print(printable(text, keep="\n") if sys.stdout.isatty() else text)

    def show(self, result: object) -> None:
        """Print a result formatted by rich."""
        from rich.console import Console

        Console().print(result)

    def note(self, text: str) -> None:
        """Print additional information, unless quiet."""
        if not self.quiet:
            print(printable(text, keep="\n"), file=sys.stderr)

    def error(self, text: str) -> None:
        """Print an error message."""
        print(f"assay: {printable(text, keep=chr(10))}", file=sys.stderr)

    def progress(self) -> AbstractContextManager[Progress]:
        """Context with a progress callback: a bar, or a line at most every 30 seconds where stderr is no terminal; nothing when
        quiet."""
        return shown(None if self.quiet else "bar")

    def listing(self, rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
        """Print objects with a `name`, as a JSON list, or as text: the name with its non-empty values below, entries of
        mappings on separate lines."""
        if as_json:
            print(json.dumps(list(rows), indent=2))
            return
        width = min(shutil.get_terminal_size().columns, 100)
        for row in rows:
            print(row["name"])
            for key, value in row.items():
                text = ", ".join(value) if isinstance(value, list) else str(value)
                if isinstance(value, Mapping):
                    print(f"  {key}")
                    wide = 6 + max(map(len, value), default=0)
                    for entry, meaning in value.items():
                        print(_filled(meaning, width, f"    {entry}", wide))
                elif key != "name" and text:
                    print(_filled(text, width, f"  {key}", 12))


def _filled(text: str, width: int, label: str, indent: int) -> str:
    """A label with a wrapped text to its right."""
    return textwrap.fill(text, width, initial_indent=label.ljust(indent), subsequent_indent=" " * indent, **_WHOLE_WORDS)
