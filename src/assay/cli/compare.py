"""`assay compare`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from assay.cli.command import Command
from assay.cli.folder import filling, new_folder
from assay.cli.terminal import Terminal
from assay.errors import AssayError


@dataclass(frozen=True, kw_only=True)
class CompareCommand(Command):
    """Write one page that compares the reports of several audits.

    Examples:

      assay compare decay-report no-decay-report --out both
    """

    reports: Annotated[Positional[tuple[Path, ...]], arg(metavar="DIR [DIR ...]", help_behavior_hint="(required)")]
    """Folders written by `assay audit`, two or more."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the page; new or empty."""

    def run(self, terminal: Terminal) -> None:
        """Write the page and print its path."""
        if len(self.reports) < 2:
            raise AssayError(
                "a comparison needs at least two reports",
                given=", ".join(map(str, self.reports)) or "none",
                next_step="make them with `assay audit`",
            )
        new_folder(self.out, default="", command="compare")
        from assay.report import read_report, write_comparison

        audits = [read_report(report) for report in self.reports]
        with filling(self.out, default="", command="compare") as folder:
            page = write_comparison(folder, audits)
        terminal.result(str(page))
