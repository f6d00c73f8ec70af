"""`assay demo`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from assay.cli.command import Command
from assay.cli.folder import filling, new_folder
from assay.cli.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class DemoCommand(Command):
    """Train three small networks, audit them and write one page that compares them.

    One network works on novel combinations, one has memorised its training data, one is untrained. The first two behave alike
    on their training data. It takes about a minute on two cores and downloads nothing.

    Examples:

      assay demo
      assay demo --out first-look --seed 1
    """

    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: assay-demo, or the next free name)")] = None
    """Folder for the networks and the page: new, empty, or an interrupted demo to continue."""
    seed: int = 0
    """Random seed. The same seed gives the same networks."""
    jobs: int = 2
    """Processes to use."""

    def run(self, terminal: Terminal) -> None:
        """Run the demo and print the path of the page."""
        new_folder(self.out, default="assay-demo", command="demo")
        from assay.demo import run_demo

        with filling(self.out, default="assay-demo", command="demo") as folder, terminal.progress() as progress:
            page = run_demo(folder, seed=self.seed, jobs=self.jobs, progress=progress)
        terminal.note("The page that compares the three networks; open it in a browser:")
        terminal.result(str(page))

    def after_interrupt(self) -> str:
        """How to go on after Ctrl-C."""
        return "No page was written. Repeat the command to continue."
