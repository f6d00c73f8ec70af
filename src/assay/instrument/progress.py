"""The callback through which long work reports its progress."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with what is being done and the share that is done, in [0, 1]."""


def silent(doing: str, done: float) -> None:
    """A callback that reports nothing."""
