"""Nonsense labels, unrelated to the task: the same search must not find circuits of the same size for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Generator, Tensor

from assay.task import Examples

MOST_ANSWERS = 256
"""Largest number of different targets for which wrong labels are made."""


@dataclass(frozen=True)
class Sets:
    """Examples with one labelling: for the search, for the choice of a size, and for evaluation."""

    searching: Examples
    choosing: Examples
    judging: Examples

    def map(self, change) -> "Sets":
        return Sets(change(self.searching), change(self.choosing), change(self.judging))

    @property
    def every(self) -> tuple[Examples, ...]:
        return self.searching, self.choosing, self.judging


def permuted_labels(sets: Sets, *, generator: Generator) -> Sets:
    """Permuted labels: every combination has the answer of an example drawn at random, the same wherever it occurs."""
    ids = torch.cat([examples.combination for examples in sets.every]).unique()
    pool = sets.searching.targets
    answers = pool[torch.randint(len(pool), (len(ids),), generator=generator)]
    return sets.map(lambda one: replace(one, targets=answers[torch.searchsorted(ids, one.combination)]))


def wrong_labels(sets: Sets) -> Sets | None:
    """Wrong labels: every answer is replaced by the next one. None if there are too many different answers, or only one."""
    answers = torch.cat([examples.targets for examples in sets.every]).unique(dim=0)
    if not 1 < len(answers) <= MOST_ANSWERS:
        return None
    return sets.map(lambda one: replace(one, targets=answers[(_numbers(one.targets, answers) + 1) % len(answers)]))


def constant_labels(sets: Sets) -> Sets:
    """Constant labels: one answer for all examples."""
    first = sets.searching.targets[:1]
    return sets.map(lambda one: replace(one, targets=first.expand(one.targets.shape).clone()))


def _numbers(targets: Tensor, answers: Tensor) -> Tensor:
    """The index of every target among the answers."""
    flat, known = targets.reshape(len(targets), -1), answers.reshape(len(answers), -1)
    return (flat[:, None] == known[None]).all(-1).long().argmax(1)


def _within(part: str, low: int, high: int, examples: Examples) -> Examples:
    """The examples in which a part has one of the values `low` to `high`."""
    return examples.take((examples.parts[part] >= low) & (examples.parts[part] < high))


@dataclass(frozen=True)
class Condition:
    """A condition: the examples in which a part has some of its values."""

    part: str
    values: str
    sets: Sets


def conditions(sets: Sets, parts: Mapping[str, Sequence[str]], *, least: int) -> list[tuple[Condition, Condition]]:
    """Two conditions for every part, the first and the second half of its values, if both have enough examples and at least two
    different answers."""
    found = []
    for part, values in parts.items():
        half = len(values) // 2
        sides = []
        for low, high in ((0, half), (half, len(values))):
            some = sets.map(partial(_within, part, low, high))
            enough = min(map(len, some.every)) >= least
            two = enough and all(len(one.targets.unique(dim=0)) > 1 for one in some.every)
            if two:
                sides.append(Condition(part, ", ".join(values[low:high]), some))
        if len(sides) == 2:
            found.append((sides[0], sides[1]))
    return found
