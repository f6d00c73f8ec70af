"""What a sweep will take: a few steps of every shape and one audit, timed on this machine."""

import dataclasses
import time
from collections.abc import Container
from dataclasses import dataclass

from assay.jobs import one_thread
from assay.sweep.piece import Piece, PieceMember, run_piece
from assay.sweep.pieces import grouped
from assay.sweep.plan import SweepPlan
from assay.sweep.shape import CellShape
from assay.training import fit_many

_STEPS = 10


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a sweep will take.

    **Attributes:**

    - `missing`: the declared cells that are not finished, by name.
    - `cpu_seconds`: of these cells; `refined`: how many more there will be, each counted as one of average size.
    - `processes`: on how many they run.
    """

    missing: tuple[str, ...]
    cpu_seconds: float
    refined: int
    processes: int

    @property
    def wall_seconds(self) -> float:
        """When every process works all the time; starting them is not counted."""
        more = self.refined * self.cpu_seconds / max(1, len(self.missing))
        return (self.cpu_seconds + more) / self.processes


def estimated(plan: SweepPlan, *, processes: int, finished: Container[str] = ()) -> Estimate:
    """Time one audit and a few steps of every shape of piece that is not finished.

    **Raises:** `AssayError` for whatever in the plan does not fit.
    """
    plan.check()
    names = {plan.grid.cell_name(cell): cell for cell in plan.grid.cells()}
    shapes = {name: plan.shape(cell.point) for name, cell in names.items()}
    pieces = grouped([PieceMember(name, plan.recipe(cell)) for name, cell in names.items()], shapes)
    pieces = [piece for piece in pieces if not all(member.name in finished for member in piece)]
    cost: dict[tuple[CellShape, int], float] = {}
    total = 0.0
    with one_thread():
        if pieces:
            _audited(plan, pieces[-1][0])  # whatever is slow only the first time
        for piece in pieces:
            shape = shapes[piece[0].name]
            if (shape, len(piece)) not in cost:
                cost[shape, len(piece)] = _timed(plan, piece, shape.steps)
            total += cost[shape, len(piece)]
    missing = tuple(name for name in names if name not in finished)
    return Estimate(missing=missing, cpu_seconds=total, refined=plan.refine, processes=processes)


def _timed(plan: SweepPlan, members: tuple[PieceMember, ...], steps: int) -> float:
    """CPU seconds of a piece: one audit for each member, and the training from a few steps of it."""
    few, more = 1, 1 + _STEPS
    per_step = max(0.0, _trained(members, more) - _trained(members, few)) / _STEPS
    return len(members) * _audited(plan, members[0]) + per_step * steps


def _trained(members: tuple[PieceMember, ...], steps: int) -> float:
    ready = [_shortened(member, steps).recipe.prepare() for member in members]
    models, tasks, configs = ([getattr(one, name) for one in ready] for name in ("model", "task", "config"))
    start = time.process_time()
    fit_many(models, tasks, configs=configs, strategy="rule")
    return time.process_time() - start


def _audited(plan: SweepPlan, member: PieceMember) -> float:
    """With what is around it: preparing, one step, and all that leads to the outcome."""
    start = time.process_time()
    run_piece(Piece(members=(_shortened(member, 1),), effort=plan.effort, instruments=plan.instruments, checkpoint=None))
    return time.process_time() - start


def _shortened(member: PieceMember, steps: int) -> PieceMember:
    training = {**member.recipe.training, "steps": steps}
    return member._replace(recipe=dataclasses.replace(member.recipe, training=training))
