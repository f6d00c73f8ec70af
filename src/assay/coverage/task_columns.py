"""Columns of a task's combinations and answers."""

from collections.abc import Sequence

import numpy as np

from assay.coverage.columns import CodedColumn
from assay.errors import AssayError
from assay.novelty import answered, labels_of, listed
from assay.task import LACKS, Task


def from_task(task: Task, named: Sequence[str] | None) -> tuple[dict[str, CodedColumn], dict[str, CodedColumn], str]:
    """Combinations of a task and their answers, as in `assay.novelty.answered`. With named parts there is one row for each
    example, with its target as the answer."""
    if task.level < 2:
        raise AssayError(
            "coverage compares the answers of novel combinations with those of trained ones, so a task must have both",
            given=f"{task.address}, which {LACKS[task.level]}",
            next_step="add novel rows with answers",
        )
    if named is None:
        sides, definition = answered(task, "seen", "novel")
        first, second = (_as_table(task, task.combines, *side) for side in sides)
        return first, second, f"Parts: {', '.join(task.combines)}, as the task declares them. Answer: {definition}."
    for name in named:
        task.part(name)
    both = [listed(task, "seen"), listed(task, "novel")]
    first, second = (
        _as_table(task, named, np.stack([examples.parts[name].numpy() for name in named], 1), [str(label) for label in labels])
        for examples, labels in zip(both, labels_of(both), strict=True)
    )
    left_out = [part.name for part in task.parts if part.name not in (*task.combines, *named) and not part.of]
    definition = f"Parts: {', '.join(named)}, as the task declares them. Answer: the target of each example."
    return first, second, definition + (f" Left out: {', '.join(left_out)}." if left_out else "")


def _as_table(task: Task, parts: Sequence[str], rows: np.ndarray, answers: list[str]) -> dict[str, CodedColumn]:
    columns = {part: [task.part(part).values[code] for code in codes] for part, codes in zip(parts, rows.T, strict=True)}
    return {name: CodedColumn.of(cells, name) for name, cells in {**columns, "answer": answers}.items()}
