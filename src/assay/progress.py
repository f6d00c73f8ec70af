"""The callback through which long work reports its progress, how loops far inside reach it, and what shows it."""

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
"""Called with what is being done and the share that is done, in [0, 1]."""
Shown = Progress | Literal["bar"] | None
"""A callback of the caller's; `"bar"`, which shows what is being done on stderr; or None for silence."""
SECONDS_BETWEEN_LINES = 30.0
SECONDS_BETWEEN_UPDATES = 0.25  # of a notebook's cell, whose front end may be far away


def silent(doing: str, done: float) -> None:
    """A callback that reports nothing."""


_current: ContextVar[Progress] = ContextVar("progress", default=silent)


def report(doing: str, done: float) -> None:
    """Tell whoever follows the work around, if anyone does: what a loop of more than a few seconds calls at every turn.

    Example::

        for epoch in range(epochs):
            report("fitting", epoch / epochs)
    """
    _current.get()(doing, done)


@contextmanager
def following(progress: Progress) -> Iterator[None]:
    """Inside, `report` calls `progress`, with shares that never fall."""
    outer = _current.get() if progress is report else progress
    most = 0.0

    def told(doing: str, done: float) -> None:
        nonlocal most
        most = max(most, done)
        outer(doing, most)

    token = _current.set(told)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def stage(name: str, start: float, end: float) -> Iterator[None]:
    """A part of the work, from one share of the whole to another: what is reported inside is reported within it."""
    outer = _current.get()
    outer(name, start)
    with following(lambda doing, done: outer(f"{name}: {doing}", start + (end - start) * done)):
        yield


@contextmanager
def shown(progress: Shown = "bar") -> Iterator[Progress]:
    """The callback that `progress` stands for. A bar is shown on a terminal and in a notebook, and is gone afterwards;
    elsewhere, such as in a batch job, a line is written at the start and then every 30 seconds at most.

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
    """A bar with the time left."""
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda doing, done: bar.update(task, description=printable(doing), completed=done)


@contextmanager
def _in_notebook() -> Iterator[Progress]:
    """A bar beneath the cell. rich's own needs ipywidgets there and warns without."""
    import html
    import importlib

    ipython: Any = importlib.import_module("IPython.display")  # which a notebook has, and which we do not depend on
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
    """The same callback, which passes over what is reported less than `seconds` after what it wrote last."""
    last: float | None = None

    def report(doing: str, done: float) -> None:
        nonlocal last
        now = time.monotonic()
        if last is None or now - last >= seconds:
            last = now
            write(doing, done)

    return report
