"""Progress of long computations: the callback, its use from nested loops, and its display."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

from assay.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[str, float], None]
"""Called with the name of the current step and the share done, in [0, 1]."""
Shown = Progress | Literal["bar"] | None
"""A callback; `"bar"` for a bar on stderr; or None to show nothing."""
SECONDS_BETWEEN_LINES = 30.0
SECONDS_BETWEEN_UPDATES = 0.25  # updates of a notebook's cell, whose front end may be remote


def silent(doing: str, done: float) -> None:
    """A callback that reports nothing."""


_current: ContextVar[Progress] = ContextVar("progress", default=silent)


def report(doing: str, done: float) -> None:
    """Report to the callback of the surrounding `following`, if there is one. Any loop of more than a few seconds calls it in
    each iteration.

    Example::

        for epoch in range(epochs):
            report("fitting", epoch / epochs)
    """
    _current.get()(doing, done)


@contextmanager
def following(progress: Progress) -> Iterator[None]:
    """Context in which `report` calls `progress`, with shares that never fall."""
    outer = _current.get() if progress is report else progress
    most = 0.0

    def monotone(doing: str, done: float) -> None:
        nonlocal most
        most = max(most, done)
        outer(doing, most)

    token = _current.set(monotone)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def stage(name: str, start: float, end: float) -> Iterator[None]:
    """Context for one stage of the work: shares reported inside are mapped to the range from `start` to `end`."""
    outer = _current.get()
    outer(name, start)
    with following(lambda doing, done: outer(f"{name}: {doing}", start + (end - start) * done)):
        yield


@contextmanager
def shown(progress: Shown = "bar") -> Iterator[Progress]:
    """Context with the callback that `progress` denotes. A bar is shown on a terminal or in a notebook and removed afterwards;
    elsewhere, such as in a batch job, a line is written at the start and then at most every 30 seconds.

    Example::

        with shown("bar") as progress:
            progress("reading the network", 0.4)
    """
    if progress != "bar":
        yield progress or silent
        return
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter:
        with _in_notebook() as report:
            yield report
    elif sys.stderr.isatty():
        with _on_terminal(console) as report:
            yield report
    else:
        yield paced(SECONDS_BETWEEN_LINES, _write_line)


@contextmanager
def _on_terminal(console: "Console") -> Iterator[Progress]:
    """A terminal bar with the remaining time."""
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda doing, done: bar.update(task, description=printable(doing), completed=done)


@contextmanager
def _in_notebook() -> Iterator[Progress]:
    """A bar below a notebook's cell. That of rich needs ipywidgets."""
    import html
    import importlib

    ipython: Any = importlib.import_module("IPython.display")  # installed wherever a notebook runs; not a dependency
    handle = ipython.display(ipython.HTML(""), display_id=True)

    def write(doing: str, done: float) -> None:
        bar = f'<progress max="1" value="{done:.3f}"></progress> {100 * done:.0f} % {html.escape(printable(doing))}'
        handle.update(ipython.HTML(bar))

    try:
        yield paced(SECONDS_BETWEEN_UPDATES, write)
    finally:
        handle.update(ipython.HTML(""))


def _write_line(doing: str, done: float) -> None:
    print(f"{100 * done:3.0f} % {printable(doing)}", file=sys.stderr, flush=True)


def paced(seconds: float, write: Progress) -> Progress:
    """The callback, called at most every `seconds`."""
    last: float | None = None

    def report(doing: str, done: float) -> None:
        nonlocal last
        now = time.monotonic()
        if last is None or now - last >= seconds:
            last = now
            write(doing, done)

    return report
