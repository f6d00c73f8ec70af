"""`assay sweep`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from assay.cli.command import FAILED, Command, Flag, Trust
from assay.cli.terminal import Terminal
from assay.errors import AssayError
from assay.evidence import Effort

if TYPE_CHECKING:
    from assay.jobs import Engine
    from assay.sweep import SweepPlan


@dataclass(frozen=True, kw_only=True)
class SweepCommand(Command):
    """Train and audit a grid of networks, to find what makes them compose.

    TASK is a name from `assay tasks`, with settings after a colon where the task has them. Every axis names an option of the
    task, a size of the model, a setting of training, or `model`. A value may set other options with it after a plus. Every
    network is stored as a run. An interrupted sweep continues when the same command is repeated, also with more values, seeds
    and refinement.

    Examples:

      assay sweep modular-addition --over coverage=0.3,0.5,0.7 --over weight_decay=0,1 --out sweeps/first
      assay sweep hyperteacher --over supports=random+num_train=28,two_halves+num_train=28 --out sweeps/supports
      assay sweep modular-addition --over weight_decay=0.01,0.1,1 --refine 12 --out sweeps/edge
      assay sweep modular-addition --over coverage=0.5,0.7 --out sweeps/first --dry-run
      assay sweep modular-addition --over coverage=0.5,0.7 --out sweeps/many --backend ray --address auto
    """

    task: Annotated[Positional[str], arg(metavar="TASK")]
    """The task to train on."""
    over: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME=VALUE,...", help_behavior_hint="(repeatable)")] = ()
    """An axis with its values."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the sweep: new, empty, or the same sweep to continue."""
    seeds: int = 3
    """Networks at every point; an interval needs three or more."""
    set: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME=VALUE", help_behavior_hint="(repeatable)")] = ()
    """A setting of all networks that differs from the recommended one: anything that could be an axis."""
    refine: int = 0
    """Additional networks, where it is least certain on which side of --success the novel score lies."""
    success: float = 0.8
    """The novel score at which a network counts as composing."""
    effort: Effort = "quick"
    """Effort of every network's audit."""
    instrument: Annotated[tuple[str, ...], arg(metavar="NAME [NAME ...]", help_behavior_hint="(default: all)")] = ()
    """Instruments of every network's audit; `assay instruments` lists them."""
    jobs: Annotated[int | None, arg(metavar="INT", help_behavior_hint="(default: all cores)")] = None
    """Networks, or groups of small ones, to train in parallel; the results do not depend on it."""
    backend: Literal["loky", "ray", "dask"] = "loky"
    """Processes of this machine, or a running Ray or Dask cluster."""
    address: Annotated[str | None, arg(metavar="ADDRESS", help_behavior_hint="(default: none)")] = None
    """Address of the cluster."""
    trust: Trust = ()
    dry_run: Flag = False
    """Print the networks and the estimated time, and stop; nothing is written."""
    json: Flag = False
    """Print the results as JSON instead of the summary."""

    def run(self, terminal: Terminal) -> int:
        """Run the sweep, write its page and print the path."""
        from assay.sweep import sweep, write_sweep

        plan, engine = self._plan(), self._engine()
        if self.dry_run:
            self._tell(terminal, plan, engine)
            return 0
        with terminal.progress() as progress:
            result = sweep(plan, out=self.out, engine=engine, progress=lambda doing, done: progress(doing, 0.97 * done))
            progress("writing the page", 0.97)
            page = write_sweep(result)
        if self.json:
            terminal.result((self.out / "results.json").read_text().rstrip())
        else:
            terminal.note(f"{len(result.rows)} networks; the table of all is {self.out / 'results.csv'}")
            terminal.result(str(page))
        if result.failures:
            raise AssayError(
                "every network of a sweep must be finished",
                given=f"{len(result.failures)} unfinished, the first of which is {result.failures[0].name}: "
                f"{result.failures[0].reason}",
                next_step="fix the cause and repeat the command; finished networks are kept",
            )
        broken = [row for row in result.rows if row.failed]
        if broken:
            terminal.error(
                f"not complete: an instrument failed in {len(broken)} of {len(result.rows)} networks, and all else is kept. "
                f"Next: `assay audit {self.out / 'runs' / broken[0].name} --debug` shows the traceback."
            )
        return FAILED if broken else 0

    def after_interrupt(self) -> str:
        """How to go on after Ctrl-C."""
        return f"Repeat the same command to continue; {self.out} keeps every finished network."

    def _plan(self) -> "SweepPlan":
        from assay.sweep import Axis, SweepPlan

        axes = [Axis.parse(text) for text in self.over]
        twice = [axis.name for axis in axes if sum(other.name == axis.name for other in axes) > 1]
        if twice:
            raise AssayError("every axis may be given once", given=f"--over {twice[0]} more than once")
        return SweepPlan(
            task=self.task,
            over={axis.name: axis.values for axis in axes},
            seeds=self.seeds,
            settings=dict(_setting(text) for text in self.set),
            effort=self.effort,
            instruments=self.instrument,
            success=self.success,
            refine=self.refine,
        ).trusting(self.trust)

    def _engine(self) -> "Engine":
        from assay.jobs import Engine

        return Engine(backend=self.backend, address=self.address, jobs=self.jobs)

    def _tell(self, terminal: Terminal, plan: "SweepPlan", engine: "Engine") -> None:
        """Print the unfinished cells and the estimated time."""
        import os

        from assay.sweep import estimated, finished

        processes = engine.jobs or os.cpu_count() or 1
        estimate = estimated(plan, processes=processes, finished=finished(self.out))
        for name in estimate.missing:
            terminal.result(name)
        more = f" and up to {plan.refine} more chosen by refinement" if plan.refine else ""
        on = "1 process" if processes == 1 else f"{processes} processes"
        terminal.note(
            f"{len(estimate.missing)} networks{more}: about {_duration(estimate.wall_seconds)} in {on} as fast as this one "
            f"({_duration(estimate.cpu_seconds)} of CPU time for those listed)."
        )


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise AssayError("--set must have the form NAME=VALUE", given=text)
    return name, value


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
