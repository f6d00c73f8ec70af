"""Parse the command line, run the command, and turn errors into a message and an exit code."""

import importlib.metadata
import io
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro
from tyro.conf import CascadeSubcommandArgs, subcommand

from assay.cli.audit import AuditCommand
from assay.cli.check import CheckCommand
from assay.cli.command import Command, Flag
from assay.cli.compare import CompareCommand
from assay.cli.coverage import CoverageCommand
from assay.cli.data import DataCommand
from assay.cli.demo import DemoCommand
from assay.cli.explore import ExploreCommand
from assay.cli.instruments import InstrumentsCommand
from assay.cli.swarm import SwarmCommand
from assay.cli.sweep import SweepCommand
from assay.cli.tasks import TasksCommand
from assay.cli.terminal import Terminal
from assay.cli.train import TrainCommand
from assay.cli.zoo import ZooCommand
from assay.errors import AssayError

USER_ERROR = 2  # and 3, `command.FAILED`, where an instrument failed
INTERRUPTED = 130


def _listed(command: type[Command]) -> Any:
    return subcommand(command.word(), description=command.summary())


@dataclass(frozen=True, kw_only=True)
class CommandLine(Command):
    """Tells whether a trained network has discovered compositional structure, or only a convincing imitation of it.

    Examples:

      assay demo                                       three networks and one page, in about a minute
      assay train modular-addition --out runs/first    a network of your own
      assay audit runs/first                           what it is made of
      assay audit --help                               everything about one command
    """

    command: (
        Annotated[DemoCommand, _listed(DemoCommand)]
        | Annotated[TrainCommand, _listed(TrainCommand)]
        | Annotated[AuditCommand, _listed(AuditCommand)]
        | Annotated[CompareCommand, _listed(CompareCommand)]
        | Annotated[CoverageCommand, _listed(CoverageCommand)]
        | Annotated[SweepCommand, _listed(SweepCommand)]
        | Annotated[SwarmCommand, _listed(SwarmCommand)]
        | Annotated[ExploreCommand, _listed(ExploreCommand)]
        | Annotated[TasksCommand, _listed(TasksCommand)]
        | Annotated[InstrumentsCommand, _listed(InstrumentsCommand)]
        | Annotated[CheckCommand, _listed(CheckCommand)]
        | Annotated[DataCommand, _listed(DataCommand)]
        | Annotated[ZooCommand, _listed(ZooCommand)]
    )
    quiet: CascadeSubcommandArgs[Flag] = False
    """Show results and errors only."""
    debug: CascadeSubcommandArgs[Flag] = False
    """Show the traceback of an error, and of a failed instrument."""
    version: Flag = False
    """Print the version and stop."""

    def run(self, terminal: Terminal) -> int | None:
        """Run the command."""
        return self.command.run(terminal)

    def after_interrupt(self) -> str:
        """Message of the chosen command."""
        return self.command.after_interrupt()


COMMANDS: tuple[type[Command], ...] = (
    DemoCommand,
    TrainCommand,
    AuditCommand,
    CompareCommand,
    CoverageCommand,
    SweepCommand,
    SwarmCommand,
    ExploreCommand,
    TasksCommand,
    InstrumentsCommand,
    CheckCommand,
    DataCommand,
    ZooCommand,
)

STYLE = (
    tyro.conf.OmitArgPrefixes,
    tyro.conf.OmitSubcommandPrefixes,
    tyro.conf.FlagCreatePairsOff,
    tyro.conf.PositionalMetavarFromFieldName,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for a user's mistake, 3 when an instrument failed and the rest was
    reported, 130 when interrupted.

    **Raises:** `SystemExit` after help (code 0) and after a line that cannot be parsed (code 2).
    """
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        if args[:1] == ["--version"]:
            print(f"assay {importlib.metadata.version('assay')}")
            return 0
        line = _parse(args)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="surrogateescape")  # a path that is not UTF-8 is printed as its bytes
        return _run(line, Terminal(quiet=line.quiet, debug=line.debug))
    except BrokenPipeError:
        # The reader of our output (such as `head`) has ended; Python would report a broken pipe when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parse(args: Sequence[str]) -> CommandLine:
    try:
        return tyro.cli(CommandLine, prog="assay", description=CommandLine.summary(), args=args, config=STYLE)
    except SystemExit as stop:
        if not stop.code:  # help was printed
            by_name: dict[str, type[Command]] = {command.word(): command for command in COMMANDS}
            print("\n" + next((by_name[word] for word in args if word in by_name), CommandLine).details(), flush=True)
        raise


def _run(command: Command, terminal: Terminal) -> int:
    try:
        code = command.run(terminal)
        sys.stdout.flush()
        return code or 0
    except KeyboardInterrupt:
        terminal.error(f"interrupted. {command.after_interrupt()}")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except (AssayError, OSError) as error:
        if terminal.debug:
            traceback.print_exc()
        terminal.error(_message_of(error))
        return USER_ERROR


def _message_of(error: AssayError | OSError) -> str:
    if isinstance(error, AssayError):
        return str(error)
    place = f" ({error.filename})" if error.filename else ""
    return str(
        AssayError(
            "files must be readable and writable",
            given=f"{error.strerror or error}{place}",
            next_step="free space or correct the permissions, then repeat the command; finished work is kept",
        )
    )
