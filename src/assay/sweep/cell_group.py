"""A group of cells of one shape, which are trained together in one process, then audited one by one."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from assay.audit import Audit, audit
from assay.errors import AssayError
from assay.evidence import Effort
from assay.instruments import load_instrument
from assay.store import RunRecord
from assay.subject import Subject
from assay.sweep.plan import CellRecipe
from assay.sweep.shape import CellShape
from assay.training import DivergedError, PreparedRun, TrainingRecord, completed, fit_many

MOST_TOGETHER = 16
SMALL = 60e6  # most floating-point operations of one training step of a group


class GroupMember(NamedTuple):
    """One cell of a group: its name and recipe."""

    name: str
    recipe: CellRecipe


@dataclass(frozen=True, kw_only=True)
class CellGroup:
    """A group of cells to train and audit.

    **Attributes:** `checkpoint`: path of the training checkpoint; None for no checkpoints.
    """

    members: tuple[GroupMember, ...]
    effort: Effort
    instruments: tuple[str, ...]
    checkpoint: Path | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished cell, with everything that is stored."""

    name: str
    record: RunRecord
    weights: Mapping[str, Tensor]
    audit: Audit
    audit_seconds: float


@dataclass(frozen=True)
class Failure:
    """A cell that could not be finished, with the reason."""

    name: str
    reason: str


def run_group(group: CellGroup) -> list[Outcome | Failure]:
    """Train and audit every cell, in order. A failure of one cell does not affect the others of its group."""
    failures: dict[str, Failure] = {}
    prepared: dict[str, PreparedRun] = {}
    for member in group.members:
        try:
            prepared[member.name] = member.recipe.prepare()
        except AssayError as error:
            failures[member.name] = Failure(member.name, str(error))
    outcomes = {outcome.name: outcome for outcome in _trained_and_audited(group, prepared)}
    return [failures.get(member.name) or outcomes[member.name] for member in group.members]


def _trained_and_audited(group: CellGroup, prepared: Mapping[str, PreparedRun]) -> list[Outcome | Failure]:
    if not prepared:
        return []
    models, tasks, configs = ([getattr(ready, name) for ready in prepared.values()] for name in ("model", "task", "config"))
    lost: dict[int, str] = {}
    try:
        # The strategy follows a rule and not a timing, so that cells have the same bits on any machine.
        trained = fit_many(models, tasks, configs=configs, strategy="rule", checkpoint=group.checkpoint)
    except DivergedError as error:
        trained, lost = error.records, error.models
    except AssayError as error:
        return [Failure(name, str(error)) for name in prepared]
    return [
        Failure(name, f"the training loss and its gradient must stay finite: {lost[index]}")
        if index in lost
        else _audited(name, ready, trained[index], group)
        for index, (name, ready) in enumerate(prepared.items())
    ]


def _audited(name: str, ready: PreparedRun, trained: TrainingRecord, group: CellGroup) -> Outcome | Failure:
    start = time.process_time()
    subject = Subject(ready.model, name=name)
    instruments = [load_instrument(instrument) for instrument in group.instruments] or None
    try:
        result = audit(
            subject,
            ready.task,
            seed=ready.config.seed,
            effort=group.effort,
            instruments=instruments,
            address=f"runs/{name}",
            progress=None,
        )
        record = completed(ready.record, ready.model, ready.task, trained)
    except AssayError as error:
        return Failure(name, str(error))
    return Outcome(
        name=name,
        record=record,
        weights=ready.model.state_dict(),
        audit=result,
        audit_seconds=time.process_time() - start,
    )


def grouped(members: Sequence[GroupMember], shapes: Mapping[str, CellShape]) -> list[tuple[GroupMember, ...]]:
    """Members grouped by shape; the groups that take longest come first, so that processes end at about the same time.

    The result depends on the arguments only, not on the machine or on finished cells.
    """
    by_shape: dict[CellShape, list[GroupMember]] = {}
    for member in members:
        by_shape.setdefault(shapes[member.name], []).append(member)
    groups = [
        (shape.flops * shape.steps * len(chunk), tuple(chunk))
        for shape, alike in by_shape.items()
        for chunk in _cut(alike, MOST_TOGETHER if shape.flops <= SMALL else 1)
    ]
    return [group for _, group in sorted(groups, key=lambda sized: -sized[0])]


def _cut(members: Sequence[GroupMember], size: int) -> list[Sequence[GroupMember]]:
    return [members[start : start + size] for start in range(0, len(members), size)]
