"""Estimate of a sweep's cost, from a few timed steps of every shape and one audit on this machine."""

import dataclasses
import time
from collections.abc import Container
from dataclasses import dataclass

from assay.jobs import one_thread
from assay.sweep.cell_group import CellGroup, GroupMember, grouped, run_group
from assay.sweep.plan import SweepPlan
from assay.sweep.shape import CellShape
from assay.training import fit_many

_STEPS = 10


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Estimated cost of a sweep.

    **Attributes:**

    - `missing`: the declared cells that are not finished, by name.
    - `cpu_seconds`: of these cells; `refined`: number of cells still to be chosen by refinement, each counted as an average
      one.
    - `processes`: number of processes.
    """

    missing: tuple[str, ...]
    cpu_seconds: float
    refined: int
    processes: int

    @property
    def wall_seconds(self) -> float:
        """Wall time with all processes busy, without their start."""
        more = self.refined * self.cpu_seconds / max(1, len(self.missing))
        return (self.cpu_seconds + more) / self.processes


def estimated(plan: SweepPlan, *, processes: int, finished: Container[str] = ()) -> Estimate:
    """Time one audit and a few steps of every shape of group that is not finished.

    **Raises:** `AssayError` for an invalid plan.
    """
    plan.check()
    names = {plan.grid.cell_name(cell): cell for cell in plan.grid.cells()}
    shapes = {name: plan.shape(cell.point) for name, cell in names.items()}
    groups = grouped([GroupMember(name, plan.recipe(cell)) for name, cell in names.items()], shapes)
    groups = [group for group in groups if not all(member.name in finished for member in group)]
    cost: dict[tuple[CellShape, int], float] = {}
    total = 0.0
    with one_thread():
        if groups:
            _audited(plan, groups[-1][0])  # warm-up, so that one-time costs are not measured
        for group in groups:
            shape = shapes[group[0].name]
            if (shape, len(group)) not in cost:
                cost[shape, len(group)] = _timed(plan, group, shape.steps)
            total += cost[shape, len(group)]
    missing = tuple(name for name in names if name not in finished)
    return Estimate(missing=missing, cpu_seconds=total, refined=plan.refine, processes=processes)


def _timed(plan: SweepPlan, members: tuple[GroupMember, ...], steps: int) -> float:
    """CPU seconds of a group: one audit for each member, and training extrapolated from a few steps."""
    few, more = 1, 1 + _STEPS
    per_step = max(0.0, _trained(members, more) - _trained(members, few)) / _STEPS
    return len(members) * _audited(plan, members[0]) + per_step * steps


def _trained(members: tuple[GroupMember, ...], steps: int) -> float:
    ready = [_shortened(member, steps).recipe.prepare() for member in members]
    models, tasks, configs = ([getattr(one, name) for one in ready] for name in ("model", "task", "config"))
    start = time.process_time()
    fit_many(models, tasks, configs=configs, strategy="rule")
    return time.process_time() - start


def _audited(plan: SweepPlan, member: GroupMember) -> float:
    """CPU seconds of one audit, with preparation, one training step and the outcome."""
    start = time.process_time()
    run_group(CellGroup(members=(_shortened(member, 1),), effort=plan.effort, instruments=plan.instruments, checkpoint=None))
    return time.process_time() - start


def _shortened(member: GroupMember, steps: int) -> GroupMember:
    training = {**member.recipe.training, "steps": steps}
    return member._replace(recipe=dataclasses.replace(member.recipe, training=training))
