"""Instruments from before the frame, which measure by themselves: they stay until the verdict is rebuilt."""

from typing import Protocol, runtime_checkable

from torch import Generator

from assay.evidence import Effort, Evidence
from assay.progress import Progress, silent
from assay.subject import Subject
from assay.task import Task


@runtime_checkable
class Measures(Protocol):
    """One line of evidence that makes its own nulls, intervals and evidence.

    **Attributes:**

    - `name`: unique, lower case.
    - `question`: what it answers, as a question a newcomer understands.
    - `cites`: keys of `assay.references`, the work it follows first.
    - `needs`: the abilities (protocols of `assay.task`) a task must have; empty for any task.
    """

    name: str
    question: str
    cites: tuple[str, ...]
    needs: tuple[type, ...]

    def measure(
        self, subject: Subject, task: Task, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        """Measure. The same generator state gives the same bytes; subject and task are left as they were."""
        ...
