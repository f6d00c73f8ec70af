"""`assay zoo`: networks whose answer is known, and how often the verdict is wrong on them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg, subcommand

from assay.cli.command import Command, Flag
from assay.cli.terminal import Terminal
from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.calibration import Scores
    from assay.zoo.recipe import Member

_Jobs = Annotated[int | None, arg(metavar="INT", help_behavior_hint="(default: all cores)")]


@dataclass(frozen=True, kw_only=True)
class ZooBuild(Command):
    """Train every network of the recipe that the folder does not hold yet."""

    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the networks: new, or a zoo to go on with."""
    slice: Flag = False
    """Only the 60 networks of the fixed slice."""
    jobs: _Jobs = None
    """Groups of networks to train at once."""

    def run(self, terminal: Terminal) -> None:
        """Build, then say what is there."""
        from assay.zoo.build import build

        wanted = _members(only_slice=self.slice)
        with terminal.progress() as progress:
            zoo = build(self.out, wanted, jobs=_cores(self.jobs), progress=progress)
        records = {member.twin_of if member.kind == "W" else member.name: zoo.record(member) for member in wanted}
        lost = [name for name, record in records.items() if record.weights_sha256 is None]
        seconds = sum(record.cpu_seconds for record in records.values())
        more = f", {len(lost)} of them lost in training: {', '.join(lost)}" if lost else ""
        terminal.note(f"{len(records)} networks, {seconds / 60:.0f} minutes of CPU time{more}")
        terminal.result(str(self.out))


@dataclass(frozen=True, kw_only=True)
class ZooList(Command):
    """Count the networks of the recipe by family, kind and architecture."""

    json: Flag = False
    """Print the counts as JSON."""

    def run(self, terminal: Terminal) -> None:
        """Print them."""
        from collections import Counter

        from assay.zoo.recipe import members, recipe_hash, small_slice

        every = members()
        counts = {by: dict(sorted(Counter(getattr(one, by) for one in every).items())) for by in ("family", "kind")}
        architectures = dict(Counter(one.architecture for one in every).most_common())
        if self.json:
            content = {
                "subjects": len(every),
                "slice": len(small_slice()),
                "families": counts["family"],
                "kinds": counts["kind"],
                "architectures": architectures,
                "recipe_sha256": recipe_hash(),
            }
            terminal.result(json.dumps(content, indent=2))
            return
        terminal.show(_cross(every, list(counts["family"]), list(counts["kind"])))
        told = ", ".join(f"{count} {name}" for name, count in architectures.items())
        terminal.result(f"{len(every)} subjects: {told}. Recipe {recipe_hash()[:12]}.")


@dataclass(frozen=True, kw_only=True)
class ZooCalibrate(Command):
    """Measure every network of a zoo, and fit the verdict's calibration to the table of what was found."""

    zoo: Annotated[Path, arg(metavar="DIR")]
    """The folder of `assay zoo build`; what is measured is kept there."""
    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: the package itself)")] = None
    """Folder for evidence.parquet and calibration.json."""
    slice: Flag = False
    """Only the 60 networks of the fixed slice."""
    jobs: _Jobs = None
    """Networks to measure at once."""

    def run(self, terminal: Terminal) -> None:
        """Measure, write the table and the calibration, and print where they are."""
        from assay.zoo.evidence import gather, table
        from assay.zoo.shipped import ship

        wanted = _members(only_slice=self.slice)
        with terminal.progress() as progress:
            gather(self.zoo, wanted, jobs=_cores(self.jobs), progress=progress)
        subjects = table(self.zoo, wanted)
        calibration = ship(subjects, self.out)
        left_out = f"{len(wanted) - len(subjects)} of {len(wanted)} did not learn their task and are left out"
        terminal.note(f"{len(subjects)} subjects; {left_out}. {calibration.error_rates.told()}.")
        terminal.result("the package's own table and calibration" if self.out is None else str(self.out))


@dataclass(frozen=True, kw_only=True)
class ZooScore(Command):
    """Print how often the verdict is wrong on networks with a known answer, each family judged by fits to the others."""

    table: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: the table that ships)")] = None
    """A folder that `assay zoo calibrate --out` wrote."""
    sealed: Flag = False
    """Score the sealed family too, once per release; the result is written down."""
    record: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: sealed-VERSION.json)")] = None
    """Where to write down what --sealed gave: a file that is not there yet."""
    json: Flag = False
    """Print everything as JSON: figures, intervals, groups, error rates."""

    def run(self, terminal: Terminal) -> None:
        """Score the table from scratch."""
        from torch import Generator

        from assay.calibration import score
        from assay.zoo.recipe import recipe_hash
        from assay.zoo.shipped import shipped_table
        from assay.zoo.targets import held, plain

        record = self._record() if self.sealed else None
        subjects, calibration = shipped_table(self.table)
        scores = score(subjects, generator=Generator().manual_seed(0), open_sealed=self.sealed)
        rows = held(scores)
        hashes = {"recipe_sha256": calibration.recipe_sha256, "table_sha256": calibration.table_sha256}
        content = scores.to_dict() | {"targets": plain(rows), **hashes}
        if record is not None:
            _write_down(record, content)
            terminal.note(f"The sealed family is opened; written to {record}")
        if self.json:
            terminal.result(json.dumps(content, indent=2))
            return
        terminal.show(_figures(scores))
        terminal.show(_baselines(scores))
        if calibration.recipe_sha256 != recipe_hash():
            terminal.note("The recipe has changed since this table was made.")
        if scores.sealed:
            terminal.note(f"{scores.sealed} networks of the sealed family are left out of everything.")

    def _record(self) -> Path:
        from assay.versions import versions_of

        path = self.record or Path(f"sealed-{versions_of('assay')['assay']}.json")
        if path.exists():
            raise AssayError(
                "the sealed family is opened once, and what it gave is not written over",
                given=f"{path}, which exists",
                next_step="read it, or name another --record",
            )
        return path


@dataclass(frozen=True, kw_only=True)
class Zoo(Command):
    """Build networks with a known answer, and see how often the verdict is wrong on them.

    The recipe of the networks, the table of what was measured on them and the calibration ship with Assay; the weights do not.
    A build or a measurement that was stopped goes on when the same command is repeated.

    Examples:

      assay zoo list
      assay zoo score
      assay zoo build --out zoo --jobs 2
      assay zoo calibrate --zoo zoo --out calibration
    """

    action: (
        Annotated[ZooBuild, subcommand("build")]
        | Annotated[ZooList, subcommand("list")]
        | Annotated[ZooCalibrate, subcommand("calibrate")]
        | Annotated[ZooScore, subcommand("score")]
    )

    def run(self, terminal: Terminal) -> None:
        """Run the action."""
        self.action.run(terminal)

    def after_interrupt(self) -> str:
        """How to go on after Ctrl-C."""
        return "Repeat the same command to go on; what is finished is kept."


def _members(*, only_slice: bool) -> tuple["Member", ...]:
    from assay.zoo.recipe import members, small_slice

    return small_slice() if only_slice else members()


def _cores(jobs: int | None) -> int:
    import os

    return jobs if jobs is not None else os.cpu_count() or 1


def _cross(every: tuple["Member", ...], families: list[str], kinds: list[str]) -> object:
    from rich.table import Table

    shown = Table("family", *kinds, "all", box=None, header_style="bold")
    for column in shown.columns[1:]:
        column.justify = "right"
    for family in families:
        counts = [sum(one.family == family and one.kind == kind for one in every) for kind in kinds]
        shown.add_row(family, *(str(count or "") for count in counts), str(sum(counts)))
    return shown


def _figures(scores: "Scores") -> object:
    from rich.table import Table

    from assay.zoo.targets import held

    head = ("composes or imitates", "value", "95 %", "must", "aim", "reached")
    shown = Table(*head, box=None, header_style="bold")
    shown.columns[0].no_wrap = shown.columns[2].no_wrap = True
    for row in held(scores):
        value = "" if row.value is None else f"{row.value:.3f}"
        ends = "" if row.interval is None else f"{row.interval[0]:.2f}-{row.interval[1]:.2f}"
        reached = f"{row.reached}; {row.note}" if row.note else row.reached
        shown.add_row(row.target.says, value, ends, f"{row.target.must:.2f}", f"{row.target.aim:.2f}", reached)
    return shown


def _baselines(scores: "Scores") -> object:
    from rich.table import Table

    head = ("baseline, same networks", "AUROC", "best sign", "ours above", "missing")
    shown = Table(*head, box=None, header_style="bold")
    for row in scores.baselines():
        values = (row.raw_auroc and row.raw_auroc.value, row.raw_auroc_either_sign, row.gain and row.gain.value)
        shown.add_row(row.line, *("" if value is None else f"{value:.3f}" for value in values), str(row.missing or ""))
    return shown


def _write_down(path: Path, content: dict[str, object]) -> None:
    from datetime import UTC, datetime

    from assay.store import write_bytes_atomically
    from assay.versions import versions_of

    opened = {"opened": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions_of("assay", "torch", "numpy")}
    write_bytes_atomically(path, json.dumps(opened | content, indent=2).encode() + b"\n")
