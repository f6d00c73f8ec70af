"""What a command shows: results on stdout, progress and messages on stderr.

On a terminal, characters that would act on it are written as escapes; into a pipe a result goes as it is, so that the path of
a report stays a path.
"""

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from assay.printable import printable

_WHOLE_WORDS = {"break_long_words": False, "break_on_hyphens": False}  # an address must stay whole to be copied


class Terminal:
    """Where a command writes.

    **Arguments:**

    - `quiet`: no progress and no notes; results and errors remain.
    """

    def __init__(self, *, quiet: bool = False):
        self.quiet = quiet

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

    @contextmanager
    def progress(self) -> Iterator[Callable[[str, float], None]]:
        """A bar with the time left, as an `assay.instrument.Progress`. Silent when quiet or not on a terminal."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        off = self.quiet or not sys.stderr.isatty()
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=off) as bar:
            task = bar.add_task("starting", total=1.0)
            yield lambda doing, done: bar.update(task, description=printable(doing), completed=done)

    def listing(self, rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
        """Objects with a `name`: a JSON list, or for reading the name with the rest beneath it, empty values left out."""
        if as_json:
            print(json.dumps(list(rows), indent=2))
            return
        width = min(shutil.get_terminal_size().columns, 100)
        for row in rows:
            print(row["name"])
            for key, value in row.items():
                text = ", ".join(value) if isinstance(value, list) else str(value)
                if key != "name" and text:
                    print(textwrap.fill(text, width, initial_indent=f"  {key:10}", subsequent_indent=" " * 12, **_WHOLE_WORDS))
