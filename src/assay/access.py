"""Judging where no novel input can be made: from what was drawn, in a process that cannot reach the task.

The process gets the network, the instruments and plain tensors. It cannot import `assay.tasks`, so whatever would bring a
task along cannot be loaded there.
"""

import os
import pickle
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.abc import MetaPathFinder
from typing import Any, NamedTuple

from assay.children import end_with, run_python
from assay.compiled import uncompiled
from assay.errors import AssayError
from assay.evidence import Effort, Evidence
from assay.failed import Failed, attempt
from assay.instrument import (
    Instrument,
    NotEnough,
    draw,
    not_enough,
    read,
    with_running,
)
from assay.integrity import weights_kept
from assay.jobs import one_thread
from assay.subject import Subject
from assay.task import Task
from assay.views import NoNovelInputs, TrainedOnly

FORBIDDEN = "assay.tasks"


def judged_apart(
    instruments: Sequence[Instrument], subject: Subject, task: Task, *, effort: Effort, seed: int
) -> list[Evidence | Failed | None]:
    """What the instruments find when only what they drew is sent to a process that cannot reach the task: the same
    evidence, to the bit, as from `run` on the task without its novel inputs. None of one that draws such, or takes the task
    along. One that breaks off loses no other's.

    **Raises:** `AssayError` when the network cannot be sent or loaded without its task.
    """
    view = TrainedOnly(task)
    subject, kept = with_running(subject, view)

    def drawn(instrument: Instrument) -> _Piece | Evidence | None:
        try:
            found = draw(instrument, subject, view, effort=effort, seed=seed)
        except NotEnough as reason:
            return not_enough(instrument, reason)
        except NoNovelInputs:
            return None
        return _Piece(instrument, pickle.dumps(found))

    found = [attempt(instrument.name, partial(drawn, instrument)) for instrument in instruments]
    pieces = [piece for piece in found if isinstance(piece, _Piece)]
    if not pieces:
        return [one for one in found if not isinstance(one, _Piece)]
    child = run_python("-m", "assay.access", given=_packed((subject, pieces, effort, seed, kept)))
    if child.returncode or not child.stdout:
        last = (child.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise AssayError("the process without the task must finish", given=f"exit status {child.returncode}: {last}")
    result = pickle.loads(child.stdout)
    if isinstance(result, BaseException):
        raise result
    judged = iter(result)
    return [next(judged) if isinstance(one, _Piece) else one for one in found]


class _Piece(NamedTuple):
    """One instrument and what it drew, pickled."""

    instrument: Instrument
    drawn: bytes


class _NoTasks(MetaPathFinder):
    """Refuses to import the families of tasks."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == FORBIDDEN or fullname.startswith(f"{FORBIDDEN}."):
            raise ImportError(f"{fullname} is not to be had where a network is judged without its task", name=fullname)


def _packed(content: object) -> bytes:
    from cloudpickle import dumps

    try:
        return dumps(content)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise AssayError(
            "at access level 0 the network is sent to a process of its own, so it must be possible to pickle it",
            given=str(error),
            next_step="define its class at the top of a module, or audit at level 1 or 2",
        ) from error


def _judge_all(given: bytes) -> list[Evidence | Failed | None] | BaseException:
    """What the process does, once it can no longer reach the task."""
    try:
        subject, pieces, effort, seed, kept = pickle.loads(given)
    except ImportError as error:
        if not str(error.name).startswith(FORBIDDEN):
            return error
        return AssayError(
            "at access level 0 the network must be loaded without its task",
            given=str(error),
            next_step="give the subject a `fresh` that holds no task, or none",
        )

    def judge(piece: _Piece) -> Evidence | None:
        data = _loaded(piece.drawn)
        with weights_kept(subject.module, piece.instrument.name):
            found = None if data is None else read(piece.instrument, subject, data, effort=effort, seed=seed)
        return found and replace(found, warnings=(*found.warnings, *kept))

    try:
        with one_thread(), uncompiled():
            return [attempt(piece.instrument.name, partial(judge, piece)) for piece in pieces]
    except MemoryError as error:
        return error


def _loaded(drawn: bytes) -> Any:
    """What was drawn, None where that leads to the task."""
    try:
        return pickle.loads(drawn)
    except ImportError as error:
        if str(error.name).startswith(FORBIDDEN):
            return None
        raise


def _main(parent: str) -> None:
    end_with(int(parent))
    assert not any(name.startswith(FORBIDDEN) for name in sys.modules), "a task was imported before it was forbidden"
    sys.meta_path.insert(0, _NoTasks())
    with open(os.dup(1), "wb") as found:
        os.dup2(2, 1)  # what the network or an instrument prints must not mix with what was found
        found.write(pickle.dumps(_judge_all(sys.stdin.buffer.read())))


if __name__ == "__main__":
    _main(*sys.argv[1:])
