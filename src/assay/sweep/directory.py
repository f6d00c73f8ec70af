"""Folder of a sweep: its plan, and a run directory for every finished cell."""

import hashlib
import itertools
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from assay.errors import AssayError
from assay.report.schema import FILE_NAME, report_bytes
from assay.store import RunDirectory, is_unused, read_json, write_bytes_atomically, write_json
from assay.sweep.cell_group import Outcome
from assay.sweep.grid import Cell
from assay.sweep.plan import SweepPlan
from assay.sweep.rows import Row, numbers_of, row_of
from assay.versions import versions_of

RECORD = "sweep.json"
CELL = "cell.json"
CHECKPOINTS = "checkpoints"
PACKAGES = ("assay", "torch", "numpy")  # packages on which a network's bits depend, besides the plan


class SweepRecord(BaseModel):
    """Content of `sweep.json`: the plan, the versions at its start, and the cells of every round of refinement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2] = 2
    plan: SweepPlan
    versions: dict[str, str]
    rounds: tuple[tuple[Cell, ...], ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "SweepRecord":
        """Check that refinement has only declared values and numbers between them; other text could inject settings, such as
        another task."""
        for cell in itertools.chain.from_iterable(self.rounds):
            for name, value in zip(self.plan.over, cell.point, strict=True):
                if value not in self.plan.over[name] and numbers_of([value]) is None:
                    raise ValueError(f"a refined {name} must be a number or a declared value; given {value!r}")
        return self


class SweepDirectory:
    """A folder that holds one sweep. Every file in it is written under a temporary name and renamed."""

    def __init__(self, path: Path | str):
        self.path = Path(path)

    @classmethod
    def begin(cls, path: Path | str, plan: SweepPlan) -> "SweepDirectory":
        """Create a folder with this plan, or reopen that of the same sweep to continue it.

        **Raises:** `AssayError` when the folder holds anything else, or a sweep that this plan does not continue.
        """
        directory = cls(path)
        if directory.holds_sweep():
            there = directory.record()
            plan.continues(there.plan)
            if there.versions != versions_of(*PACKAGES):
                raise AssayError(
                    "a sweep must be continued with the versions it was begun with, or its cells could not be compared",
                    given=f"{there.versions} there and {versions_of(*PACKAGES)} now",
                    next_step="install those versions, or choose another --out; nothing in it was changed",
                )
            if there.plan != plan:
                write_json(directory.path / RECORD, there.model_copy(update={"plan": plan}))
            return directory
        if directory.path.exists() and not (directory.path.is_dir() and is_unused(directory.path)):
            raise AssayError(
                "--out must be a new or empty folder, or a sweep to continue",
                given=f"{path}, which holds other files" if directory.path.is_dir() else f"{path}, which is a file",
                next_step="choose another --out; nothing in it was changed",
            )
        directory.path.mkdir(parents=True, exist_ok=True)
        write_json(directory.path / RECORD, SweepRecord(plan=plan, versions=versions_of(*PACKAGES)))
        return directory

    def holds_sweep(self) -> bool:
        return (self.path / RECORD).is_file()

    def record(self) -> SweepRecord:
        """The record. **Raises:** `AssayError` when it is missing or damaged."""
        if not self.holds_sweep():
            raise AssayError(f"a sweep's folder must hold {RECORD}", given=self.path, next_step="make one with `assay sweep`")
        record = read_json(self.path / RECORD, SweepRecord)
        axes = len(record.plan.grid.axes)
        if any(len(cell.point) != axes for cells in record.rounds for cell in cells):
            raise AssayError(
                f"every cell in {self.path / RECORD} must have a value for each of its {axes} axes",
                given="one with more or fewer",
                next_step="restore the file, or make the sweep again",
            )
        return record

    def add_round(self, cells: tuple[Cell, ...]) -> None:
        """Record the cells of a round of refinement, before any of them is trained."""
        record = self.record()
        write_json(self.path / RECORD, record.model_copy(update={"rounds": (*record.rounds, cells)}))

    def checkpoint(self, names: Iterable[str]) -> Path:
        """Path of the training checkpoint shared by the cells of exactly these names."""
        return self.path / CHECKPOINTS / hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]

    def drop_checkpoints(self) -> None:
        """Delete the checkpoints, once every cell that can be finished is."""
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)

    def has(self, name: str) -> bool:
        """Whether the cell of that name is finished."""
        return (self.path / "runs" / name / CELL).is_file()

    def row(self, name: str) -> Row:
        """The row of a finished cell. **Raises:** `AssayError` when it is damaged."""
        return read_json(self.path / "runs" / name / CELL, Row)

    def store(self, outcome: Outcome, point: dict[str, str], *, round: int) -> None:
        """Write a finished cell: the run, the report of its audit, and last the row, which marks both as complete."""
        run = RunDirectory(self.path / "runs" / outcome.name)
        run.path.mkdir(parents=True, exist_ok=True)
        run.finish(outcome.record, outcome.weights)
        write_bytes_atomically(run.path / FILE_NAME, report_bytes(outcome.audit))
        write_json(run.path / CELL, row_of(outcome, point, round=round))


def finished(path: Path | str) -> set[str]:
    """Names of the finished cells in a folder; empty where it is no sweep."""
    return {row.parent.name for row in Path(path).glob(f"runs/*/{CELL}")}
