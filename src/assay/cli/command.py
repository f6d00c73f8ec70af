"""Base of the commands: frozen dataclasses whose fields are the flags. The first line of a docstring is the command's summary
in the list of commands; the rest is shown below its help."""

import inspect
from collections.abc import Mapping
from typing import Annotated

from tyro.conf import UseAppendAction, arg

from assay.cli.terminal import Terminal

Flag = Annotated[bool, arg(help_behavior_hint="")]
"""A flag that is off by default."""

Trust = Annotated[
    UseAppendAction[tuple[str, ...]],
    arg(
        metavar="ADDRESS",
        help="Allow code at package.module:function that a file names and the command line does not: the executor of a table, "
        "or the task of a run.",
        help_behavior_hint="(repeatable)",
    ),
]
"""Addresses of code that the user trusts."""


FAILED = 3


class Command:
    """The base of all commands."""

    def run(self, terminal: Terminal) -> int | None:
        """Run the command and return an exit code (None for 0). Slow imports belong here."""
        raise NotImplementedError

    def after_interrupt(self) -> str:
        """Message after Ctrl-C: what is left, and how to continue."""
        return "Nothing was changed; repeat the command."

    @classmethod
    def word(cls) -> str:
        """The command's name on the command line."""
        return cls.__name__.removesuffix("Command").lower()

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def details(cls) -> str:
        """The docstring after its first line."""
        return inspect.cleandoc(cls.__doc__ or "").partition("\n")[2].strip("\n")


def broken_off(terminal: Terminal, tracebacks: Mapping[str, str]) -> int:
    """Exit code of an audit: 3, after naming the instruments that failed, or 0 where none did.

    **Arguments:** `tracebacks`: failed instruments, with the tracebacks of their errors.
    """
    if not tracebacks:
        return 0
    if terminal.debug:
        for traceback in tracebacks.values():
            terminal.error(traceback)
    terminal.error(
        f"not complete: {', '.join(tracebacks)} failed, for the reason given in the report; the rest is complete."
        + ("" if terminal.debug else " Next: --debug shows the traceback.")
    )
    return FAILED
