"""Access level 0: instruments read the network in a process that has drawn data but cannot reach the task.

The process gets the network, the instruments and plain tensors. It cannot import `assay.tasks`, so an object that holds a task
cannot be unpickled there.
"""

import json
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from importlib.abc import MetaPathFinder
from traceback import walk_tb
from types import ModuleType
from typing import Any, NamedTuple

from assay.children import end_with, run_python_with_progress, unpicklable
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
from assay.progress import SECONDS_BETWEEN_UPDATES, Progress, following, paced, silent, stage
from assay.subject import Subject
from assay.task import Task
from assay.views import NoNovelInputs, TrainedOnly

FORBIDDEN = "assay.tasks"
_DRAWING = 0.02  # share of the progress that drawing takes, for each instrument


def judged_apart(
    instruments: Sequence[Instrument],
    subject: Subject,
    task: Task,
    *,
    effort: Effort,
    seed: int,
    progress: Progress = silent,
) -> list[Evidence | Failed | None]:
    """Evidence of the instruments, from their drawn data alone, in a process that cannot reach the task. It is equal, to the
    bit, to that of `run` on the task without its novel inputs. An entry is None where an instrument draws novel inputs or its
    data hold the task, and a `Failed` where it raises; the others are not affected.

    **Raises:** `AssayError` when the network cannot be sent or loaded without its task.
    """
    view = TrainedOnly(task)
    subject, kept = with_running(subject, view)

    def drawn(k: int, instrument: Instrument) -> _DrawnInstrument | Evidence | None:
        try:
            with following(progress), stage(instrument.name, k * _DRAWING, (k + 1) * _DRAWING):
                found = draw(instrument, subject, view, effort=effort, seed=seed)
        except NotEnough as reason:
            return not_enough(instrument, reason)
        except NoNovelInputs:
            return None
        return _DrawnInstrument(instrument, _sendable(found, task))

    found = [attempt(instrument.name, partial(drawn, k, instrument)) for k, instrument in enumerate(instruments)]
    pieces = [piece for piece in found if isinstance(piece, _DrawnInstrument)]
    if not pieces:
        return [one for one in found if not isinstance(one, _DrawnInstrument)]
    start = len(instruments) * _DRAWING

    def hear(line: str) -> None:
        doing, share = json.loads(line)
        progress(doing, start + (1 - start) * share)

    judged = iter(_judged((subject, pieces, effort, seed, kept), hear))
    return [next(judged) if isinstance(one, _DrawnInstrument) else one for one in found]


def _sendable(found: object, task: Task) -> bytes:
    """Drawn data, pickled; functions that cannot be imported by name, such as a `lambda` as executor, by value.

    **Raises:** `AssayError` naming the attributes of the task that cannot be pickled.
    """
    from cloudpickle import dumps

    for dump in (pickle.dumps, dumps):
        try:
            return dump(found)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            failed = error
    faults = [(name, value, unpicklable({name: value}, "")) for name, value in vars(task).items()]
    named = [
        f"its {name.lstrip('_')} {getattr(value, 'name', '')}: {fault.given}".replace(" :", ":")
        for name, value, fault in faults
        if fault
    ]
    raise AssayError(
        "at access level 0 data drawn from a task are sent to another process, so it must be possible to pickle them",
        given=", ".join(named) or f"{type(failed).__name__}: {failed}",
        next_step="let an executor be a function at the top of a module that keeps no lock, generator or open file, or audit "
        "at level 1 or 2",
    ) from failed


def _judged(content: object, hear: Callable[[str], None]) -> list[Evidence | Failed | None]:
    """Results of the child process. A user's module that defines the network's class and also imports tasks cannot be imported
    there: its classes and functions, with the module variables that they use, are then pickled by value."""
    with ExitStack() as stack:
        sent: set[str] = set()
        while True:
            child = run_python_with_progress("-m", "assay.access", given=_packed(content), hear=hear)
            if child.returncode or not child.stdout:
                last = (child.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
                raise AssayError("the process without the task must finish", given=f"exit status {child.returncode}: {last}")
            result = pickle.loads(child.stdout)
            if isinstance(result, BaseException):
                raise result
            if isinstance(result, list):
                return result
            said, module = result
            if module in sent or module not in sys.modules:
                raise AssayError(
                    "at access level 0 the network must be loaded without its task",
                    given=f"{f'module {module}: ' if module else 'what is sent holds a task: '}{said}",
                    next_step="let no method of the network, and no `fresh`, use a task or what makes one (assay.Table, "
                    "assay.load_task), or move the network's class into a module that imports none; or audit at level 1 or 2",
                )
            sent.add(module)
            stack.enter_context(_pickled_by_value(sys.modules[module]))


@contextmanager
def _pickled_by_value(module: ModuleType) -> Iterator[None]:
    from cloudpickle import list_registry_pickle_by_value, register_pickle_by_value, unregister_pickle_by_value

    if module.__name__ in list_registry_pickle_by_value():
        yield
        return
    register_pickle_by_value(module)
    try:
        yield
    finally:
        unregister_pickle_by_value(module)


class _DrawnInstrument(NamedTuple):
    """One instrument and its drawn data, pickled."""

    instrument: Instrument
    drawn: bytes


class _NoTasks(MetaPathFinder):
    """Import hook that refuses `assay.tasks`."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == FORBIDDEN or fullname.startswith(f"{FORBIDDEN}."):
            raise ImportError(f"{fullname} cannot be imported at access level 0", name=fullname)


def _packed(content: object) -> bytes:
    from cloudpickle import dumps

    try:
        return dumps(content)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise AssayError(
            "at access level 0 the network is sent to another process, so it must be possible to pickle it",
            given=str(error),
            next_step="define its class at the top of a module, or audit at level 1 or 2",
        ) from error


def _judge_all(given: bytes) -> list[Evidence | Failed | None] | BaseException | tuple[str, str]:
    """Evidence of every instrument, within the child process. Where unpickling imports a task: the message of that error and
    the module that imports it."""
    try:
        subject, pieces, effort, seed, kept = pickle.loads(given)
    except ImportError as error:
        return (str(error), _importing(error)) if str(error.name).startswith(FORBIDDEN) else error

    def judge(k: int, piece: _DrawnInstrument) -> Evidence | None:
        data, name = _loaded(piece.drawn), piece.instrument.name
        with weights_kept(subject.module, name), stage(name, k / len(pieces), (k + 1) / len(pieces)):
            found = None if data is None else read(piece.instrument, subject, data, effort=effort, seed=seed)
        return found and replace(found, warnings=(*found.warnings, *kept))

    try:
        with one_thread(), uncompiled():
            return [attempt(piece.instrument.name, partial(judge, k, piece)) for k, piece in enumerate(pieces)]
    except MemoryError as error:
        return error


def _importing(error: ImportError) -> str:
    """The outermost module that was being imported; empty where none was."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__) if frame.f_code.co_name == "<module>"]
    names = [frame.f_globals.get("__name__", "") for frame in frames]
    return next((name for name in names if name != "__main__"), "")


def _loaded(drawn: bytes) -> Any:
    """Drawn data, unpickled; None where that imports a task."""
    try:
        return pickle.loads(drawn)
    except ImportError as error:
        if str(error.name).startswith(FORBIDDEN):
            return None
        raise


def _main(progress_file: str, parent: str) -> None:
    end_with(int(parent))
    assert not any(name.startswith(FORBIDDEN) for name in sys.modules), "a task was imported before it was forbidden"
    sys.meta_path.insert(0, _NoTasks())
    with open(os.dup(1), "wb") as found:
        os.dup2(2, 1)  # output printed by the network or an instrument must not mix with the results
        with open(int(progress_file), "w", encoding="utf-8") as lines:

            def tell(doing: str, done: float) -> None:
                print(json.dumps([doing, done]), file=lines, flush=True)

            with following(paced(SECONDS_BETWEEN_UPDATES, tell)):
                judged = _judge_all(sys.stdin.buffer.read())
        found.write(pickle.dumps(judged))


if __name__ == "__main__":
    _main(*sys.argv[1:])
