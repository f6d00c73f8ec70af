"""Kinds of novelty: whether a novel combination of a task is a synonym of a trained one, inside 1-coverage, or outside.

`assay.substitution` defines these kinds. Success on a synonym is no evidence of composition, and success inside 1-coverage can
be pattern substitution, so the headline novel score is that outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.objective import Regression
from assay.substitution import Trained, k_coverage, synonyms
from assay.task import Examples, Split, Task

Kind = Literal["synonym", "inside", "outside"]
KINDS: tuple[Kind, ...] = ("synonym", "inside", "outside")
"""Kinds of a novel combination, in the order of reports: a synonym of a trained one; else inside 1-coverage; else outside.

Example::

    >>> from assay.novelty import KINDS, novelty_of
    >>> found = novelty_of(assay.load_task("modular:num_first=12,num_second=12,synonyms=true"))
    >>> {kind: found.kinds.count(kind) for kind in KINDS}
    {'synonym': 23, 'inside': 0, 'outside': 6}
"""
TOLD: dict[Kind, str] = {
    "synonym": "synonyms of trained combinations",
    "inside": "inside 1-coverage",
    "outside": "outside 1-coverage",
}
"""Each of `KINDS` in words, for figures and reports.

Example::

    >>> from assay.novelty import TOLD
    >>> TOLD["inside"]
    'inside 1-coverage'
"""
ENOUGH = 30  # fewest novel combinations of a kind for a score on them

_DRAWN_EACH = 32  # examples of a combination whose answers are compared where inputs are unlimited
_MOST_EXAMPLES, _MOST_EACH = 4_000_000, 1000  # examples of a split, and of one of its combinations on average
_MOST_BYTES = 2**29  # memory of the examples of a split


@dataclass(frozen=True)
class Novelty:
    """Kinds of the novel combinations of a task.

    **Attributes:**

    - `ids`, `kinds`: the id of every novel combination, ascending, and its kind. Both are empty when kinds are not known.
    - `unknown`: why the kinds are not known; empty when they are.
    - `contradictions`: number of trained combinations with more than one answer.
    """

    ids: Int[Tensor, " c"]
    kinds: tuple[Kind, ...]
    unknown: str = ""
    contradictions: int = 0

    def of(self, ids: Int[Tensor, " m"]) -> list[Kind]:
        """The kind of each of these novel combinations."""
        places = torch.searchsorted(self.ids, ids).clamp(max=len(self.ids) - 1)
        assert bool((self.ids[places] == ids).all()), "not a novel combination"
        return [self.kinds[place] for place in places.tolist()]

    def masks(self, ids: Int[Tensor, " m"]) -> dict[Kind, Bool[Tensor, " m"]]:
        """Which of these novel combinations are of each kind."""
        kinds = self.of(ids)
        return {kind: torch.tensor([own == kind for own in kinds], dtype=torch.bool) for kind in KINDS}


def novelty_of(task: Task, combinations: Int[Tensor, "c k"] | None = None) -> Novelty:
    """Kinds of a task's novel combinations, from its trained ones and their answers. No network is involved.

    **Arguments:** `combinations`: untrained ones to classify instead of those that the task lists as novel.

    Kinds are not known for a regression, for unlimited inputs whose targets differ within a combination, for free parts (those
    not in the combination) that are not shown at all their values, for more than 16 parts that vary, and where chains of
    replacements are too many to follow.

    Example::

        >>> from collections import Counter
        >>> from assay.novelty import novelty_of
        >>> found = novelty_of(assay.load_task("modular:num_first=12,num_second=12,synonyms=true"))
        >>> sorted(Counter(found.kinds).items())
        [('outside', 6), ('synonym', 23)]
    """
    if combinations is not None:
        return _novelty(task, combinations)
    if _KEPT in vars(task):
        return vars(task)[_KEPT]
    found = _novelty(task, task.combinations("novel"))
    if not found.unknown:
        vars(task)[_KEPT] = found
    return found


_KEPT = "_novelty"  # takes seconds, and several instruments of an audit need it


def _novelty(task: Task, novel: Int[Tensor, "c k"]) -> Novelty:
    try:
        ((rows, answers),), _ = answered(task, "seen")
        trained = Trained.of(
            rows, np.unique(answers, return_inverse=True)[1], [len(task.part(n).values) for n in task.combines]
        )
        alike = synonyms(trained, novel.numpy()).many
        reach = k_coverage(trained, novel.numpy(), 1)
        if reach.undecided.any():
            raise AssayError(f"{task.address}: chains of replacements must be few enough to follow")
    except AssayError as error:
        return Novelty(torch.zeros(0, dtype=torch.int64), (), unknown=error.rule)
    ids, order = task.combination_id(dict(zip(task.combines, novel.T, strict=True))).sort()
    kinds = np.where(alike, "synonym", np.where(reach.inside, "inside", "outside"))[order.numpy()]
    return Novelty(ids, tuple(kinds.tolist()), contradictions=int(trained.contradicted.sum()))


Answers = tuple[Int[np.ndarray, "r k"], list[str]]
"""Combinations and their answers; a combination with several answers has a row for each."""


def answered(task: Task, *splits: Split) -> tuple[tuple[Answers, ...], str]:
    """Answers of a task to the combinations of the given splits, and a description of what an answer is.

    With free parts (those not in the combination) an answer lists the targets at all of their values. With unlimited inputs it
    is the target that all examples drawn of the combination have.

    **Raises:** `AssayError` for a regression, a split without combinations, unlimited inputs whose targets differ within a
    combination, and a combination that is not shown at every value of the free parts.
    """
    if isinstance(task.objective, Regression):
        raise AssayError(
            f"{task.address}: coverage compares answers, which must be classes or sequences",
            given="a regression on inputs that vary freely",
            next_step="name a task whose answers are classes, or a table of combinations and answers",
        )
    free = [part.name for part in task.parts if part.name not in task.combines and not part.of]
    meaning = f"the targets at every value of {', '.join(free)}, which vary freely beside the combination" if free else ""
    sides = []
    for split in splits:
        examples = None if free else _drawn_alike(task, split)
        if examples is None:
            examples = listed(task, split)
        else:
            meaning = "the target that all examples drawn of a combination have"
        sides.append(examples)
    rows = [np.stack([examples.parts[name].numpy() for name in (*task.combines, *free)], 1) for examples in sides]
    if free:
        _check_whole(task, rows, free)
    sides = [_per_combination(*side, len(task.combines)) if free else side for side in zip(rows, labels_of(sides), strict=True)]
    return tuple((rows, [str(label) for label in labels]) for rows, labels in sides), meaning or "the target of each example"


def labels_of(sides: Sequence[Examples]) -> list[list[int]]:
    """An integer label for every target; equal targets have equal labels."""
    targets = torch.cat([examples.targets.reshape(len(examples), -1) for examples in sides])
    return [found.tolist() for found in targets.unique(dim=0, return_inverse=True)[1].split([len(side) for side in sides])]


def listed(task: Task, split: Split) -> Examples:
    """All examples of a split; for `seen` all that training may have shown.

    **Raises:** `AssayError` for a split without combinations, and for more examples than can be listed.
    """
    combinations = len(task.combinations(split))
    if not combinations:
        raise AssayError(f"{task.address} must have {split} combinations", given="none")
    most = min(_MOST_EXAMPLES, _MOST_EACH * combinations + 1)
    number = min(most, 2 * combinations + 1)
    examples = _drawn(task, split, number)
    while len(examples) >= number:
        if number == most or 4 * number * _bytes_each(examples) > _MOST_BYTES:
            raise AssayError(
                f"{task.address}: coverage needs all answers of a combination, so its examples must be few enough to list, or "
                "all that are drawn of a combination must have one answer",
                given=f"{number:,} examples or more of {combinations:,} {split} combinations",
                next_step="name a task whose answers follow from its parts, or a table of combinations and answers",
            )
        number = min(most, 4 * number)
        examples = _drawn(task, split, number)
    return examples


def _drawn(task: Task, split: Split, n: int) -> Examples:
    generator = Generator().manual_seed(0)
    return task.trained_examples(n, generator=generator) if split == "seen" else task.examples(split, n, generator=generator)


def _bytes_each(examples: Examples) -> float:
    columns = (examples.targets, *examples.inputs.values())
    return sum(column.numel() * column.element_size() for column in columns) / max(1, len(examples))


def _drawn_alike(task: Task, split: Split) -> Examples | None:
    """One example of every combination of unlimited inputs, if all examples drawn of a combination have one target; else
    None."""
    combinations = len(task.combinations(split))
    first = None
    for each in (2, _DRAWN_EACH):  # a few first, which suffice to find most differences
        most = each * combinations + 1
        if first is not None and most * _bytes_each(first) > _MOST_BYTES:
            return None
        examples = _drawn(task, split, most)
        if len(examples) < most:
            return None
        ids, group = examples.combination.unique(return_inverse=True)
        places = torch.full((len(ids),), most).scatter_reduce(0, group, torch.arange(most), "amin")
        targets = examples.targets.reshape(most, -1)
        if not bool((targets == targets[places[group]]).all()):
            return None
        first = examples.take(places)
    return first if first is not None and len(first) == combinations else None


def _check_whole(task: Task, sides: Sequence[Int[np.ndarray, "_ p"]], free: Sequence[str]) -> None:
    """**Raises:** `AssayError` unless every combination is shown at all values of the free parts, else answers cannot be
    compared."""
    num = len(task.combines)
    distinct = [np.unique(rows, axis=0) for rows in sides]
    values = np.unique(np.concatenate([rows[:, num:] for rows in distinct]), axis=0)
    for rows in distinct:
        first, times = np.unique(rows[:, :num], axis=0, return_counts=True)
        if (times < len(values)).any():
            short = int(times.argmin())
            named = zip(task.combines, first[short].tolist(), strict=True)
            raise AssayError(
                f"{task.address}: every combination must be shown at every value of {', '.join(free)}, which varies beside it",
                given=f"{', '.join(f'{name}={task.part(name).values[value]}' for name, value in named)}: {times[short]:,} of "
                f"{len(values):,}",
                next_step=f"combine {', '.join(free)} too, so that each of its values makes another combination",
            )


def _per_combination(rows: Int[np.ndarray, "n p"], labels: Sequence[int], num: int) -> Answers:
    """One row for each combination (the first `num` columns), whose answer lists the labels at all values of the other columns.
    A combination with several labels at one of these has two rows with different answers."""
    labelled = np.unique(np.column_stack([rows, labels]), axis=0)
    changes = (labelled[1:, :-1] != labelled[:-1, :-1]).any(1)
    least, most = (_joined_labels(labelled[place], num) for place in (np.append(True, changes), np.append(changes, True)))
    several = [k for k, (one, other) in enumerate(zip(least[1], most[1], strict=True)) if one != other]
    return np.concatenate([least[0], most[0][several]]), least[1] + [most[1][k] for k in several]


def _joined_labels(labelled: Int[np.ndarray, "n q"], num: int) -> Answers:
    starts = np.flatnonzero(np.append(True, (labelled[1:, :num] != labelled[:-1, :num]).any(1)))
    answers = [
        " ".join(f"{'.'.join(map(str, place))}:{label}" for *place, label in group.tolist())
        for group in np.split(labelled[:, num:], starts[1:])
    ]
    return labelled[starts, :num], answers
