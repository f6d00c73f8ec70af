"""`assay audit`."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from assay.cli.command import Command, Flag, Trust, broken_off
from assay.cli.folder import filling, new_folder
from assay.cli.terminal import Terminal
from assay.errors import AssayError
from assay.evidence import Effort, Level

if TYPE_CHECKING:
    import assay.instrument
    import assay.task


@dataclass(frozen=True, kw_only=True)
class AuditCommand(Command):
    """Audit a network on a task and write a report.

    It runs every instrument that applies, each with its null controls, and says why the others do not apply. SUBJECT takes one
    of these forms:
      - a folder written by `assay train`, which records its task
      - a local Hugging Face folder, or hf://owner/name from the hub
      - package.module:factory@weights.safetensors, for a network of your own; the function takes no arguments
      - a .jsonl file of answers, which some instruments read without a network

    Examples:

      assay audit runs/decay
      assay audit runs/decay --effort full --out decay-report
      assay audit mine.models:build@mine.safetensors --task table:mine/task.toml
      assay audit runs/decay --instrument decodability --sites 'layers.*'
    """

    subject: Annotated[Positional[str], arg(metavar="SUBJECT")]
    """The network."""
    task: Annotated[str | None, arg(metavar="TASK", help_behavior_hint="(default: the one it was trained on)")] = None
    """The task, from `assay tasks`; table:FILE.toml for your own data."""
    output: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the only one that fits the task)")] = None
    """Which output is the answer, where the network returns several: a key such as logits, or a position such as 1."""
    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: assay-audit, or the next free name)")] = None
    """Folder for the report; new or empty."""
    seed: int = 0
    """Random seed."""
    effort: Effort = "standard"
    """How long to measure: quick takes seconds, standard a minute or two on two cores, full longer. The report says what
    power a lower effort lost."""
    level: Level = 2
    """Access level: 0 uses trained inputs only, in a process that cannot make novel ones; 1 also novel inputs, 2 also their
    labels."""
    instrument: Annotated[tuple[str, ...], arg(metavar="NAME [NAME ...]", help_behavior_hint="(default: all)")] = ()
    """Instruments to run; `assay instruments` lists them."""
    sites: Annotated[tuple[str, ...], arg(metavar="GLOB [GLOB ...]", help_behavior_hint="(default: evenly spread)")] = ()
    """Sites inside the network to read, by dotted module name; a wrong name lists them all."""
    jobs: int = 1
    """Number of parallel processes. The numbers do not depend on it."""
    trust: Trust = ()
    json: Flag = False
    """Print the report as JSON instead of the summary."""

    def run(self, terminal: Terminal) -> int:
        """Audit, write the report, and print the summary and the report's path."""
        new_folder(self.out, default="assay-audit", command="audit")  # a mistake is reported before anything slow
        from torch import Generator

        from assay.audit import audit
        from assay.models import load_subject
        from assay.report import summary, write_report
        from assay.report.repeat import audit_command

        instruments = _chosen(self.instrument, self.sites)
        task = self._task()
        subject = load_subject(self.subject, task=task, output=self.output)
        if self.sites:  # a wrong name is reported now, not after the first instrument
            subject.match(self.sites, task.examples("seen", 1, generator=Generator().manual_seed(self.seed)).inputs)
        with filling(self.out, default="assay-audit", command="audit") as folder:
            with terminal.progress() as progress:
                result = audit(
                    subject,
                    task,
                    seed=self.seed,
                    effort=self.effort,
                    level=self.level,
                    instruments=instruments,
                    address=self.subject,
                    jobs=self.jobs,
                    progress=progress,
                )
            command = audit_command(
                self.subject,
                task=self.task,
                output=self.output,
                seed=self.seed,
                effort=self.effort,
                level=self.level,
                instruments=self.instrument,
                sites=self.sites,
                trust=self.trust,
            )
            result = replace(result, command=command)
            page = write_report(folder, result)
        if self.json:
            terminal.result((folder / "report.json").read_text().rstrip())
        else:
            terminal.show(summary(result))
            terminal.result(str(page))
        return broken_off(terminal, {fault.instrument: fault.traceback for fault in result.failed})

    def after_interrupt(self) -> str:
        """How to go on after Ctrl-C."""
        return "The report is not finished. Repeat the command to start again; a lower --effort is faster."

    def _task(self) -> "assay.task.Task":
        from assay.tasks import load_task, task_families, task_of_run

        if self.task is not None:
            return load_task(self.task, trust=self.trust)
        task = task_of_run(self.subject, trust=self.trust)
        if task is None and ":" not in self.subject and not Path(self.subject).exists():
            raise AssayError(
                "the network to audit must exist",
                given=f"{self.subject}, where there is no such folder",
                next_step="check the spelling, or train one with `assay train`",
            )
        if task is None:
            raise AssayError(
                "--task must name the task, since only a folder of `assay train` records it",
                given=f"{self.subject} without --task",
                choices=[family.form for family in task_families()],
            )
        return task


def _chosen(names: Sequence[str], sites: Sequence[str]) -> list["assay.instrument.Instrument"] | None:
    """The instruments of these names, None without names; `sites` is passed to those that take it."""
    from assay.instruments import all_instruments, load_instrument

    if not names and not sites:
        return None
    chosen = [load_instrument(name) for name in names] or [one for one in all_instruments() if one.by_default]
    if not sites:
        return chosen
    able = [inspect.signature(type(instrument)).parameters.keys() >= {"sites"} for instrument in chosen]
    if not any(able):
        raise AssayError(
            "--sites needs an instrument that reads sites", given=", ".join(instrument.name for instrument in chosen)
        )
    kinds: list[Any] = [type(instrument) for instrument in chosen]
    return [kind(sites=sites) if yes else kind() for kind, yes in zip(kinds, able, strict=True)]
