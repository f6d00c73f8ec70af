"""Labels that say nothing of the network's task: the same search must not find circuits for them that are as small."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Generator, Tensor

from assay.task import Examples

MOST_ANSWERS = 256
"""Different targets, beyond which answers are not exchanged for each other one by one."""


@dataclass(frozen=True)
class Sets:
    """Examples of one labelling: to search on, to choose a size on, and to judge on."""

    searching: Examples
    choosing: Examples
    judging: Examples

    def map(self, change) -> "Sets":
        return Sets(change(self.searching), change(self.choosing), change(self.judging))

    @property
    def every(self) -> tuple[Examples, ...]:
        return self.searching, self.choosing, self.judging


def permuted_labels(sets: Sets, *, generator: Generator) -> Sets:
    """Every combination has the answer of an example drawn at random, always the same."""
    ids = torch.cat([examples.combination for examples in sets.every]).unique()
    pool = sets.searching.targets
    answers = pool[torch.randint(len(pool), (len(ids),), generator=generator)]
    return sets.map(lambda one: replace(one, targets=answers[torch.searchsorted(ids, one.combination)]))


def wrong_labels(sets: Sets) -> Sets | None:
    """Every answer is exchanged for the next one; None where there are too many, or one alone."""
    answers = torch.cat([examples.targets for examples in sets.every]).unique(dim=0)
    if not 1 < len(answers) <= MOST_ANSWERS:
        return None
    return sets.map(lambda one: replace(one, targets=answers[(_numbers(one.targets, answers) + 1) % len(answers)]))


def constant_labels(sets: Sets) -> Sets:
    """One answer for all."""
    first = sets.searching.targets[:1]
    return sets.map(lambda one: replace(one, targets=first.expand(one.targets.shape).clone()))


def _numbers(targets: Tensor, answers: Tensor) -> Tensor:
    """Which of the answers every target is."""
    flat, known = targets.reshape(len(targets), -1), answers.reshape(len(answers), -1)
    return (flat[:, None] == known[None]).all(-1).long().argmax(1)


def _within(part: str, low: int, high: int, examples: Examples) -> Examples:
    """Those in which a part has one of these values."""
    return examples.take((examples.parts[part] >= low) & (examples.parts[part] < high))


@dataclass(frozen=True)
class Condition:
    """Examples in which a part has some of its values."""

    part: str
    values: str
    sets: Sets


def conditions(sets: Sets, parts: Mapping[str, Sequence[str]], *, least: int) -> list[tuple[Condition, Condition]]:
    """For every part two conditions, the first and the second half of its values, where both have examples and two answers."""
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
