"""Wrong declarations: a task as it is, with one of its parts told as something that no network needs to compute.

In place of the last part v stands u = (v + w) mod its number of values, where w is the first part, or a permutation of v that
is dealt anew for every value of w. Nothing is lost, since v follows from u and w: the declaration is consistent and useless.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.objective import Classification, Steps
from assay.stats import keyed_generator
from assay.task import Examples, Part, Split, Swapped, Task
from zoo.families import SymbolTask

How = Literal["shifted", "dealt"]


@dataclass(frozen=True, eq=False)
class WronglyDeclared(Task):
    """A task of symbols under a wrong declaration."""

    task: SymbolTask
    how: How
    input_spec = None

    @property
    def address(self) -> str:
        return f"{self.task.address} declared {self.how}"

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.task.parts

    @property
    def combines(self) -> tuple[str, ...]:
        return self.task.combines

    @property
    def objective(self) -> Classification | Steps:
        return self.task.objective

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        rows = self.task.combinations(split)
        told = self._told(dict(zip(self.combines, rows.unbind(1), strict=True)))
        return torch.stack([told[name] for name in self.combines], 1)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        drawn = self.task.examples(split, n, generator=generator)
        parts = self._told(drawn.parts)
        return Examples(drawn.inputs, drawn.targets, parts, self.combination_id(parts))

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        """What the task answers to the combination that the exchanged declaration stands for."""
        self.part(part)
        parts = {**base.parts, part: source.parts[part]}
        meant = self.task.combination_id(self._told(parts, back=True))
        return Swapped(self.task.answers[meant], parts, self.combination_id(parts))

    @cached_property
    def _names(self) -> Int[Tensor, "first last"]:
        """u for every value of the first part and every v."""
        first, last = self.task.sizes[0], self.task.sizes[-1]
        if self.how == "shifted":
            return (torch.arange(last) + torch.arange(first)[:, None]) % last
        generator = keyed_generator(self.task.seed, "dealt")
        return torch.stack([torch.randperm(last, generator=generator) for _ in range(first)])

    def _told(self, parts: Mapping[str, Tensor], *, back: bool = False) -> dict[str, Tensor]:
        first, last = self.combines[0], self.combines[-1]
        names = self._names.argsort(1) if back else self._names
        return {**parts, last: names[parts[first], parts[last]]}
