"""What every command is: a frozen dataclass whose fields are its flags. The first line of its docstring is its summary
in the list of commands; the rest follows its help."""

import inspect
from typing import Annotated

from tyro.conf import arg

from assay.cli.terminal import Terminal

Flag = Annotated[bool, arg(help_behavior_hint="")]
"""A switch that is off unless given."""


class Command:
    """The base of all commands."""

    def run(self, terminal: Terminal) -> None:
        """Do it. Slow imports belong in here."""
        raise NotImplementedError

    def after_interrupt(self) -> str:
        """What Ctrl-C left and how to go on."""
        return "Nothing was changed; repeat the command."

    @classmethod
    def word(cls) -> str:
        """The word that calls it."""
        return cls.__name__.lower()

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def details(cls) -> str:
        """The rest of it."""
        return inspect.cleandoc(cls.__doc__ or "").partition("\n")[2].strip("\n")
