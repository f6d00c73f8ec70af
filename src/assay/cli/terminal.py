"""What a command shows: results on stdout, progress and messages on stderr.

On a terminal, characters that would act on it are written as escapes; into a pipe a result goes as it is, so that the path of
a report stays a path.
"""

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from assay.printable import printable
from assay.progress import Progress, shown

_WHOLE_WORDS = {"break_long_words": False, "break_on_hyphens": False}  # an address must stay whole to be copied


class Terminal:
    """Where a command writes.

    **Arguments:**

    - `quiet`: no progress and no notes; results and errors remain.
    - `debug`: errors with their tracebacks.
    """

    def __init__(self, *, quiet: bool = False, debug: bool = False):
        self.quiet, self.debug = quiet, debug

    def result(self, text: str) -> None:
        """What the command was asked for."""
        print(printable(text, keep="\n") if sys.stdout.isatty() else text)

    def show(self, result: object) -> None:
        """The same, laid out by rich."""
        from rich.console import Console

        Console().print(result)

    def note(self, text: str) -> None:
        """What is good to know besides."""
        if not self.quiet:
            print(printable(text, keep="\n"), file=sys.stderr)

    def error(self, text: str) -> None:
        """Why the command stopped."""
        print(f"assay: {printable(text, keep=chr(10))}", file=sys.stderr)

    def progress(self) -> AbstractContextManager[Progress]:
        """A bar, or a line every 30 seconds at most where stderr is no terminal. Silent when quiet."""
        return shown(None if self.quiet else "bar")

    def listing(self, rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
        """Objects with a `name`: a JSON list, or for reading the name with the rest beneath it, empty values left out, and of
        a mapping every entry on lines of its own."""
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
    """A label, and right of it a text in lines of one width."""
    return textwrap.fill(text, width, initial_indent=label.ljust(indent), subsequent_indent=" " * indent, **_WHOLE_WORDS)
