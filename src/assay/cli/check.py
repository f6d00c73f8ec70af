"""`assay check`."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from assay.cli.command import FAILED, Command, Flag, Trust
from assay.cli.terminal import Terminal
from assay.display import with_interval


@dataclass(frozen=True, kw_only=True)
class CheckCommand(Command):
    """Check an instrument: its false-finding rate, and whether it passes the public checks.

    Each of several untrained networks, and of networks trained on wrong labels, is in turn the subject; every finding is a
    false one. INSTRUMENT is a name from `assay instruments`, or package.module:Class for your own. One that needs more of a
    task than pairs of values takes --subject and --task; the rate is then over untrained copies of that network.

    Examples:

      assay check systematicity
      assay check mine.parity:Parity --networks 40 --jobs 2
      assay check subnetworks --subject runs/odd --task odd_one_out
    """

    instrument: Annotated[Positional[str], arg(metavar="INSTRUMENT", help_behavior_hint="(required)")]
    """A name, or package.module:Class."""
    subject: Annotated[str | None, arg(metavar="SUBJECT", help_behavior_hint="(default: an MLP)")] = None
    """The network whose untrained copies are read, as in `assay audit`."""
    task: Annotated[str | None, arg(metavar="TASK", help_behavior_hint="(default: pairs of values)")] = None
    """The task on which they are read."""
    networks: int = 20
    """Networks of each kind, on each task."""
    seed: int = 0
    """Random seed."""
    jobs: int = 1
    """Processes over which networks are spread."""
    trust: Trust = ()
    json: Flag = False
    """Print JSON."""

    def run(self, terminal: Terminal) -> int:
        """Print every rate with its exact interval, and every check."""
        from assay.conformance import check
        from assay.models import load_subject
        from assay.tasks import load_task

        task = None if self.task is None else load_task(self.task, trust=self.trust)
        subject = None if self.subject is None else load_subject(self.subject, task=task)
        options = {"networks": self.networks, "seed": self.seed, "jobs": self.jobs}
        with terminal.progress() as progress:
            found = check(self.instrument, subject=subject, task=task, progress=progress, **options)
        if self.json:
            terminal.result(json.dumps(asdict(found) | {"passed": found.passed}, indent=2))
            return 0 if found.passed else FAILED
        for one in found.false_findings:
            rate = f"{one.found} of {one.networks - one.refused} networks"
            if one.rate is not None and one.interval is not None:
                rate += f", {with_interval(one.rate, one.interval)}"
            refused = f"; {one.refused} refused" if one.refused else ""
            terminal.result(f"false findings, {one.kind}, {one.task}: {rate}{refused}")
        for name, failure in found.failures.items():
            terminal.result(f"{'FAILS' if failure else 'passes'}  {name}{f': {failure}' if failure else ''}")
        return 0 if found.passed else FAILED

    def after_interrupt(self) -> str:
        """How to go on after Ctrl-C."""
        return "Nothing was written. Fewer --networks are faster."
