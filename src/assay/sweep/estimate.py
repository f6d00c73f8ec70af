"""What a sweep will take: a few steps of every shape and one audit, timed on this machine."""

import dataclasses
import time
from collections.abc import Container
from dataclasses import dataclass

from assay.parallel import one_thread
from assay.sweep.piece import Member, Piece, run_piece
from assay.sweep.pieces import grouped
from assay.sweep.plan import SweepPlan
from assay.sweep.shape import Shape

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
    pieces = grouped([Member(name, plan.recipe(cell)) for name, cell in names.items()], shapes)
    pieces = [piece for piece in pieces if not all(member.name in finished for member in piece)]
    cost: dict[tuple[Shape, int], float] = {}
    total = 0.0
    with one_thread():
        if pieces:
            _run(plan, pieces[-1][:1], 1)  # whatever is slow only the first time
        for piece in pieces:
            shape = shapes[piece[0].name]
            if (shape, len(piece)) not in cost:
                cost[shape, len(piece)] = _timed(plan, piece, shape.steps)
            total += cost[shape, len(piece)]
    missing = tuple(name for name in names if name not in finished)
    return Estimate(missing=missing, cpu_seconds=total, refined=plan.refine, processes=processes)


def _timed(plan: SweepPlan, members: tuple[Member, ...], steps: int) -> float:
    """CPU seconds of a piece: its audit as it is, its training from a few steps of it."""
    few, more = (min(count, steps) for count in (1, 1 + _STEPS))
    short, longer = (_run(plan, members, count) for count in (few, more))
    per_step = max(0.0, longer - short) / max(1, more - few)
    return short + per_step * (steps - few)


def _run(plan: SweepPlan, members: tuple[Member, ...], steps: int) -> float:
    cut = tuple(
        member._replace(recipe=dataclasses.replace(member.recipe, training={**member.recipe.training, "steps": steps}))
        for member in members
    )
    start = time.process_time()
    run_piece(Piece(members=cut, effort=plan.effort, instruments=plan.instruments, checkpoint=None))
    return time.process_time() - start
