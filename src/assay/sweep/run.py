"""Run of a sweep: unfinished cells are trained and audited on an engine, stored on arrival, and refined in rounds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.arguments import checked
from assay.display import DataFrameColumns, brief, number, page, table, words
from assay.errors import AssayError
from assay.jobs import Engine, run_unordered
from assay.progress import Progress, Shown, shown
from assay.sweep.cell_group import CellGroup, Failure, GroupMember, grouped, run_group
from assay.sweep.directory import SweepDirectory
from assay.sweep.grid import Cell, Point
from assay.sweep.plan import SweepPlan
from assay.sweep.refine import NUM_ROUNDS, next_cells
from assay.sweep.rows import NOVEL, SEEN, Row, table_of, write_table


@dataclass(frozen=True, kw_only=True)
class Sweep(DataFrameColumns):
    """A finished sweep.

    **Attributes:**

    - `plan`: its plan.
    - `rows`: every finished cell, declared ones first, then round by round.
    - `failures`: every cell that could not be finished, with the reason.

    Example::

        >>> plan = assay.SweepPlan(
        ...     task="modular-addition:p=7", over={"coverage": ("0.5",)}, seeds=1, settings={"steps": "5"},
        ...     instruments=("systematicity",),
        ... )
        >>> result = assay.sweep(plan, out="sweep", progress=None)
        >>> len(result.rows), len(result.failures)
        (1, 0)
        >>> sorted(result.columns())[:3]  # result.to_pandas() makes a data frame of them
        ['audit_seconds', 'axis_coverage', 'basis']
    """

    __repr__ = brief

    path: Path
    plan: SweepPlan
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...] = ()

    def columns(self) -> dict[str, list[Any]]:
        """One row for every network, as in `results.csv`: axes as `axis_NAME`, then what the network is, then every
        headline measure with its interval and its nulls.
        """
        return table_of(self.rows)

    def _repr_html_(self) -> str:
        shown = (SEEN, NOVEL)
        rows = [
            (*row.point.values(), str(row.seed), *(_score_text(row.values.get(name)) for name in shown), row.verdict)
            for row in self.rows
        ]
        failed = [words(f"Not finished: {failure.name}: {failure.reason}") for failure in self.failures]
        header = (*self.plan.over, "seed", *(name.replace("_", " ") for name in shown), "verdict")
        return page(words(f"{len(self.rows)} networks on {self.plan.task}"), table(header, rows), *failed)


def _score_text(value: float | None) -> str:
    return "not enough data" if value is None else number(value)


@checked
def sweep(plan: SweepPlan, *, out: Path | str, engine: Engine | None = None, progress: Shown = "bar") -> Sweep:
    """Train and audit every cell of the plan that `out` does not hold yet, and write `results.csv`.

    An interrupted sweep is continued by the same call. On the CPU, results do not depend on the engine, the number of processes
    or interruptions, since the plan determines which cells are trained together.

    **Arguments:**

    - `out`: a new or empty folder, or that of the same sweep.
    - `engine`: where cells run; one process by default.
    - `progress`: as for `audit`.

    **Raises:** `AssayError` for an invalid plan, before anything is written, and when the engine fails; finished cells are
    kept. A cell that cannot be finished is listed in `failures`, and is tried again when the sweep is continued.

    Example::

        >>> plan = assay.SweepPlan(
        ...     task="modular-addition:p=7", over={"coverage": ("0.5",)}, seeds=1, settings={"steps": "5"},
        ...     instruments=("systematicity",),
        ... )
        >>> (row,) = assay.sweep(plan, out="sweep", progress=None).rows
        >>> row.point, row.seed
        ({'coverage': '0.5'}, 0)
    """
    with shown(progress) as report:
        return _sweep(plan, Path(out), engine or Engine(jobs=1), report)


def _sweep(plan: SweepPlan, out: Path, engine: Engine, progress: Progress) -> Sweep:
    plan.check()
    directory = SweepDirectory.begin(out, plan)
    total = len(plan.grid.cells()) + plan.refine
    progress(f"{total} networks", 0.0)
    failures: list[Failure] = []

    def finish(cells: Sequence[Cell], round: int) -> None:
        failures.extend(_run_missing(directory, plan, cells, round=round, engine=engine, total=total, progress=progress))

    finish(plan.grid.cells(), 0)
    for index, cells in enumerate(directory.record().rounds):
        finish(cells, index + 1)
    while cells := _next_round(directory, plan):
        directory.add_round(tuple(cells))
        finish(cells, len(directory.record().rounds))
    directory.drop_checkpoints()
    rows = tuple(rows_of(directory, plan))
    write_table(directory.path / "results.csv", rows)
    progress("done", 1.0)
    return Sweep(path=directory.path, plan=plan, rows=rows, failures=tuple(failures))


def rows_of(directory: SweepDirectory, plan: SweepPlan) -> Iterable[Row]:
    """Every finished cell of the sweep, declared ones first, then round by round."""
    every = (*plan.grid.cells(), *(cell for cells in directory.record().rounds for cell in cells))
    for name in dict.fromkeys(map(plan.grid.cell_name, every)):  # a refined cell may have been declared since
        if directory.has(name):
            yield directory.row(name)


def _run_missing(
    directory: SweepDirectory,
    plan: SweepPlan,
    cells: Sequence[Cell],
    *,
    round: int,
    engine: Engine,
    total: int,
    progress: Progress,
) -> list[Failure]:
    """Run the groups with an unfinished cell. A group is always run as a whole, so that it trains the same cells together."""
    names = {plan.grid.cell_name(cell): cell for cell in cells}
    shapes = {name: plan.shape(cell.point) for name, cell in names.items()}
    groups = [
        CellGroup(
            members=members,
            effort=plan.effort,
            instruments=plan.instruments,
            checkpoint=directory.checkpoint(member.name for member in members) if engine.backend == "loky" else None,
        )
        for members in grouped([GroupMember(name, plan.recipe(cell)) for name, cell in names.items()], shapes)
        if not all(directory.has(member.name) for member in members)
    ]
    failures: list[Failure] = []
    done = sum(1 for _ in (directory.path / "runs").glob("*/cell.json"))
    for _, results in run_unordered(run_group, groups, engine=engine):
        for result in results:
            if isinstance(result, Failure):
                failures.append(result)
            elif not directory.has(result.name):
                point = dict(zip(plan.over, names[result.name].point, strict=True))
                directory.store(result, point, round=round)
                done += 1
        progress(f"{done} of {total} networks", min(done / total, 1.0))
    return failures


def _next_round(directory: SweepDirectory, plan: SweepPlan) -> list[Cell]:
    rounds = directory.record().rounds
    left = plan.refine - sum(map(len, rounds))
    if left <= 0:
        return []
    every = [*plan.grid.cells(), *(cell for cells in rounds for cell in cells)]
    scores = {}
    for cell in every:
        name = plan.grid.cell_name(cell)
        score = directory.row(name).values.get(NOVEL) if directory.has(name) else None
        if score is not None:
            scores[cell] = score
    num = min(left, math.ceil(plan.refine / NUM_ROUNDS))
    return next_cells(
        plan.grid, scores, level=plan.success, num=num, taken=every, possible=lambda point: _can_be_made(plan, point)
    )


def _can_be_made(plan: SweepPlan, point: Point) -> bool:
    try:
        plan.shape(point)
    except AssayError:  # a number between two valid ones may be invalid
        return False
    return True
