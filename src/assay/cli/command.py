"""What every command is: a frozen dataclass whose fields are its flags. The first line of its docstring is its summary
in the list of commands; the rest follows its help."""

import inspect
from collections.abc import Mapping
from typing import Annotated

from tyro.conf import UseAppendAction, arg

from assay.cli.terminal import Terminal

Flag = Annotated[bool, arg(help_behavior_hint="")]
"""A switch that is off unless given."""

Trust = Annotated[
    UseAppendAction[tuple[str, ...]],
    arg(
        metavar="ADDRESS",
        help="Import this code, package.module:function, although only a file names it: a table's executor, or the task of a "
        "run. Code that you name as SUBJECT or TASK needs no --trust.",
        help_behavior_hint="(repeatable)",
    ),
]
"""Code that the user vouches for."""


FAILED = 3


class Command:
    """The base of all commands."""

    def run(self, terminal: Terminal) -> int | None:
        """Do it; the exit code where it is not 0. Slow imports belong in here."""
        raise NotImplementedError

    def after_interrupt(self) -> str:
        """What Ctrl-C left and how to go on."""
        return "Nothing was changed; repeat the command."

    @classmethod
    def word(cls) -> str:
        """The word that calls it."""
        return cls.__name__.removesuffix("Command").lower()

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def details(cls) -> str:
        """The rest of it."""
        return inspect.cleandoc(cls.__doc__ or "").partition("\n")[2].strip("\n")


def broken_off(terminal: Terminal, tracebacks: Mapping[str, str]) -> int:
    """The exit code where some of an audit is missing: 3, after naming it, or 0 where nothing is.

    **Arguments:** `tracebacks`: what broke off, with the traceback of its error.
    """
    if not tracebacks:
        return 0
    if terminal.debug:
        for traceback in tracebacks.values():
            terminal.error(traceback)
    terminal.error(
        f"not complete: {', '.join(tracebacks)} broke off, for the reason that the report gives; all else is in it."
        + ("" if terminal.debug else " Next: --debug shows the traceback.")
    )
    return FAILED
