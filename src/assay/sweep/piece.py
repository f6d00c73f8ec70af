"""A piece of a sweep: cells of one shape that are trained together in one process, then audited one by one."""

import time
from collections.abc import Mapping
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
from assay.training import DivergedError, PreparedRun, TrainingRecord, completed, fit_many


class PieceMember(NamedTuple):
    """One cell of a piece: its name, and what it is made of."""

    name: str
    recipe: CellRecipe


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Cells to train and audit.

    **Attributes:** `checkpoint`: the folder in which the state of the training is kept, so that a kill costs little; None
    where nothing may be written.
    """

    members: tuple[PieceMember, ...]
    effort: Effort
    instruments: tuple[str, ...]
    checkpoint: Path | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished cell: everything that is stored of it."""

    name: str
    record: RunRecord
    weights: Mapping[str, Tensor]
    audit: Audit
    audit_seconds: float


@dataclass(frozen=True)
class Failure:
    """A cell that could not be finished, and why."""

    name: str
    reason: str


def run_piece(piece: Piece) -> list[Outcome | Failure]:
    """Train and audit every cell, in order. What one cell of a piece does wrong is told of that cell alone."""
    failures: dict[str, Failure] = {}
    prepared: dict[str, PreparedRun] = {}
    for member in piece.members:
        try:
            prepared[member.name] = member.recipe.prepare()
        except AssayError as error:
            failures[member.name] = Failure(member.name, str(error))
    outcomes = {outcome.name: outcome for outcome in _trained_and_audited(piece, prepared)}
    return [failures.get(member.name) or outcomes[member.name] for member in piece.members]


def _trained_and_audited(piece: Piece, prepared: Mapping[str, PreparedRun]) -> list[Outcome | Failure]:
    if not prepared:
        return []
    models, tasks, configs = ([getattr(ready, name) for ready in prepared.values()] for name in ("model", "task", "config"))
    lost: dict[int, str] = {}
    try:
        # By rule and not by timing: the same cells must give the same bits on any machine.
        trained = fit_many(models, tasks, configs=configs, strategy="rule", checkpoint=piece.checkpoint)
    except DivergedError as error:
        trained, lost = error.records, error.models
    except AssayError as error:
        return [Failure(name, str(error)) for name in prepared]
    return [
        Failure(name, f"the training loss and its gradient must stay finite: {lost[index]}")
        if index in lost
        else _audited(name, ready, trained[index], piece)
        for index, (name, ready) in enumerate(prepared.items())
    ]


def _audited(name: str, ready: PreparedRun, trained: TrainingRecord, piece: Piece) -> Outcome | Failure:
    start = time.process_time()
    subject = Subject(ready.model, name=name)
    instruments = [load_instrument(instrument) for instrument in piece.instruments] or None
    try:
        result = audit(
            subject,
            ready.task,
            seed=ready.config.seed,
            effort=piece.effort,
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
