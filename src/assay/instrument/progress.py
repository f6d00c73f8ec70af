"""How long work tells what it is doing."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with what is being done and the share that is done, in [0, 1]."""


def silent(doing: str, done: float) -> None:
    """The progress that says nothing."""
