"""What an instrument is: one line of evidence, and what it may ask of a task."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Generator

from assay.evidence import Effort, Evidence, Source
from assay.subject import Subject
from assay.task import Task

Progress = Callable[[str, float], None]
"""Called with what is being done and the share that is done, in [0, 1]."""


def silent(doing: str, done: float) -> None:
    """The progress that says nothing."""


@runtime_checkable
class Instrument(Protocol):
    """One line of evidence.

    **Attributes:**

    - `name`: unique, lower case.
    - `question`: what it answers, as a question a newcomer understands.
    - `source`: the published work it follows.
    - `needs`: the abilities (protocols of `assay.task`) a task must have; empty for any task.
    """

    name: str
    question: str
    source: Source
    needs: tuple[type, ...]

    def measure(
        self, subject: Subject, task: Task, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        """Measure. The same generator state gives the same bytes; subject and task are left as they were."""
        ...


@runtime_checkable
class RunsInProcesses(Protocol):
    """An instrument that shares its own work out over processes, since it takes longer than others."""

    def in_processes(self, jobs: int) -> Instrument:
        """The same instrument with at most `jobs` processes. The bytes of its result do not depend on them."""
        ...


def missing_abilities(instrument: Instrument, task: Task) -> tuple[str, ...]:
    """Names of the abilities that `instrument` needs and `task` lacks."""
    return tuple(need.__name__ for need in instrument.needs if not isinstance(task, need))
