"""`assay coverage`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from assay.cli.command import Command, Flag
from assay.cli.folder import filling, new_folder
from assay.cli.terminal import Terminal
from assay.errors import AssayError


@dataclass(frozen=True, kw_only=True)
class CoverageCommand(Command):
    """Measure how many novel combinations of a data set follow from its training data by substitution. No model is needed.

    Novel combinations are synonyms of trained ones, or lie inside k-coverage (Chang et al. 2025), or outside it. The command
    prints one sentence and writes a page and its numbers.

    TRAIN and TEST are .jsonl, .csv or .parquet files. A task address, a TOML table and the data sets cogs and slog contain
    both, so TEST is left out.

    Examples:

      assay coverage train.jsonl test.jsonl
      assay coverage train.csv test.csv --parts colour,shape --answer name
      assay coverage modular:coverage=0.8
      assay coverage cogs:pp_recursion --json
    """

    train: Annotated[Positional[str], arg(metavar="TRAIN", help_behavior_hint="(required)")]
    """A file of training rows; or a task address, a TOML table, cogs or slog."""
    test: Annotated[Positional[str | None], arg(metavar="TEST", help_behavior_hint="(with a file of rows only)")] = None
    """A file of test rows."""
    parts: Annotated[str | None, arg(metavar="A,B,...", help_behavior_hint="")] = None
    """Columns that are combined (for a task: its parts). Default: all columns but the answer."""
    answer: Annotated[str | None, arg(metavar="COLUMN", help_behavior_hint="")] = None
    """The column of the answer. Default: the last one."""
    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for coverage.html and coverage.json; new or empty. Default: `coverage`, or none with --json."""
    json: Flag = False
    """Print the numbers as JSON."""

    def run(self, terminal: Terminal) -> None:
        """Measure, print and write."""
        writes = not self.json or self.out is not None
        if writes:
            new_folder(self.out, default="coverage", command="coverage")  # a mistake is reported before anything slow
        from assay.coverage.measure import coverage
        from assay.coverage.page import write_coverage

        found = coverage(self.train, self.test, parts=_names(self.parts), answer=self.answer)
        if self.json:
            import json

            terminal.result(json.dumps(found.to_json(), indent=2))
        else:
            terminal.note(found.definition)
            for note in found.notes:
                terminal.note(note)
            terminal.result(found.sentence)
        if writes:
            with filling(self.out, default="coverage", command="coverage") as folder:
                page = write_coverage(folder, found)
            if not self.json:
                terminal.result(str(page))


def _names(parts: str | None) -> tuple[str, ...] | None:
    if parts is None:
        return None
    names = tuple(name.strip() for name in parts.split(","))
    if not all(names):
        raise AssayError("--parts must be names separated by commas", given=repr(parts))
    return names
