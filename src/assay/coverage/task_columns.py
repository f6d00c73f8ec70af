"""The combinations and answers of a task as columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.errors import AssayError
from assay.task import Task

_MOST_EXAMPLES, _MOST_EACH = 4_000_000, 1000  # of a split, and of one of its combinations on average


def from_task(task: Task, named: Sequence[str] | None) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The combinations of a task. Parts that vary freely beside them are arguments: the answer is what is answered at all of
    them. Named parts are taken as they are, one row for each example."""
    import torch
    from torch import Generator

    from assay.objective import Regression

    if isinstance(task.objective, Regression):
        raise AssayError(
            f"{task.address}: coverage compares answers, which must be classes or sequences",
            given="a regression on inputs that vary freely",
            next_step="name a task whose answers are classes, or a table of combinations and answers",
        )
    free = [part.name for part in task.parts if part.name not in task.combines and not part.of]
    chosen = tuple(named or task.combines)
    for name in chosen:
        task.part(name)
    tables = []
    for split in ("seen", "novel"):
        combinations = len(task.combinations(split))
        if not combinations:
            raise AssayError(f"{task.address} must have {split} combinations", given="none")
        most = min(_MOST_EXAMPLES, _MOST_EACH * combinations + 1)
        examples = task.examples(split, most, generator=Generator().manual_seed(0))
        if len(examples) >= most:
            raise AssayError(
                f"{task.address}: coverage needs all answers of a combination, so its examples must be few enough to list",
                given=f"{most:,} examples or more of {combinations:,} {split} combinations",
                next_step="name a task whose inputs follow from its parts, or a table of combinations and answers",
            )
        targets = examples.targets.reshape(len(examples), -1)
        columns = {name: examples.parts[name] for name in (*chosen, *free)}
        tables.append((columns, targets))
    answers = torch.cat([targets for _, targets in tables]).unique(dim=0, return_inverse=True)[1]
    split_at = len(tables[0][1])
    sides = [
        ({name: column.numpy() for name, column in columns.items()}, labels.numpy())
        for (columns, _), labels in zip(tables, (answers[:split_at], answers[split_at:]), strict=True)
    ]
    arguments = [name for name in free if name not in chosen]
    told = f"Parts: {', '.join(chosen)}, as the task declares them."
    if not arguments or named is not None:
        told += " Answer: the target of each example."
        if arguments:
            told += f" Left out: {', '.join(arguments)}."
        first, second = (_as_table(task, chosen, *side) for side in sides)
        return first, second, told
    told += f" Answer: the targets at every value of {', '.join(arguments)}, which vary freely beside the combination."
    first, second = (_as_table(task, chosen, *_at_all(columns, labels, chosen, arguments)) for columns, labels in sides)
    return first, second, told


def _as_table(
    task: Task, chosen: Sequence[str], columns: Mapping[str, np.ndarray], labels: np.ndarray | list[str]
) -> dict[str, Any]:
    import pyarrow

    def named(part: str) -> Any:
        names = pyarrow.array(task.part(part).values, pyarrow.string())
        return pyarrow.chunked_array([names.take(pyarrow.array(columns[part]))])

    answers = pyarrow.array([str(label) for label in labels] if not isinstance(labels, list) else labels, pyarrow.string())
    return {**{part: named(part) for part in chosen}, "answer": pyarrow.chunked_array([answers])}


def _at_all(
    columns: Mapping[str, np.ndarray], labels: np.ndarray, chosen: Sequence[str], arguments: Sequence[str]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """One row for each combination, whose answer lists what is answered at every argument."""
    order = np.lexsort([columns[name] for name in (*arguments[::-1], *chosen[::-1])])
    keys = np.stack([columns[name][order] for name in chosen], 1)
    starts = np.flatnonzero(np.append(True, (keys[1:] != keys[:-1]).any(1)))
    at = np.stack([columns[name][order] for name in arguments], 1)
    answers = []
    for where, what in zip(np.split(at, starts[1:]), np.split(labels[order], starts[1:]), strict=True):
        answers.append(
            " ".join(f"{'.'.join(map(str, place))}:{label}" for place, label in zip(where.tolist(), what.tolist(), strict=True))
        )
    return {name: keys[starts, column] for column, name in enumerate(chosen)}, answers
