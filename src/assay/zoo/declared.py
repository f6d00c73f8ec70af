"""Wrong declarations: a task as it is, with one of its parts told as something that no network needs to compute.

In place of a combined part v stands another, u, of as many values: for every value of the other combined parts the values of v
are renamed in another way. Nothing is lost: v follows from u and the others, and so does what an exchange of parts leads to.
The declaration is consistent and useless. Derived parts that follow from v are left out, since they would tell the truth.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.objective import Classification
from assay.stats import keyed_generator
from assay.task import Examples, InputSpec, Part, Split, Swapped, Task
from assay.tasks.slots import SlotTask
from assay.tasks.tuples import ravel

How = Literal["entangled", "dealt"]


def declared(task: SlotTask, how: str) -> "WronglyDeclared":
    """The task under a wrong declaration, written `entangled:part` or `dealt:part`.

    `entangled`: u = (v + w) mod size of v, with w the combined part after v. `dealt`: a permutation of v drawn anew for every
    value of all other combined parts.

    **Raises:** `AssayError` for another declaration, or a part that is not combined.
    """
    way, _, part = how.partition(":")
    if way not in get_args(How):
        raise AssayError("a wrong declaration is one of its kinds", given=how, choices=[f"{one}:part" for one in get_args(How)])
    if part not in task.combines:
        raise AssayError("a wrong declaration replaces a combined part", given=part, choices=task.combines)
    others = [task.part(name) for name in task.combines if name != part]
    size, num = len(task.part(part).values), math.prod(len(other.values) for other in others)
    if way == "dealt":
        generator = keyed_generator(0, f"dealt {task.address} {part}")
        names = torch.stack([torch.randperm(size, generator=generator) for _ in range(num)])
    else:
        position = task.combines.index(part)
        after = task.combines[(position + 1) % len(task.combines)]
        place = [other.name for other in others].index(after)
        shift = torch.arange(num) // math.prod(len(other.values) for other in others[place + 1 :]) % len(others[place].values)
        names = (torch.arange(size) + shift[:, None]) % size
    return WronglyDeclared(task, how, part, names)


@dataclass(frozen=True, eq=False)
class WronglyDeclared(Task):
    """**Attributes:**

    - `task`: as it is.
    - `how`: the declaration, as written.
    - `part_replaced`: v, whose name u takes.
    - `names`: the value of u for every value of the other combined parts, read as digits, and every value of v.
    """

    task: SlotTask
    how: str
    part_replaced: str
    names: Int[Tensor, "others values"]

    @property
    def address(self) -> str:
        return f"{self.task.address} declared {self.how}"

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for part in self.task.parts if self.part_replaced not in part.of)

    @property
    def combines(self) -> tuple[str, ...]:
        return self.task.combines

    @property
    def input_spec(self) -> InputSpec:
        return self.task.input_spec

    @property
    def objective(self) -> Classification:
        return self.task.objective

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        rows = self.task.combinations(split)
        renamed = self._renamed(dict(zip(self.combines, rows.unbind(1), strict=True)))
        return torch.stack([renamed[name] for name in self.combines], 1)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        drawn = self.task.examples(split, n, generator=generator)
        parts = self._told(self._renamed(drawn.parts))
        return Examples(drawn.inputs, drawn.targets, parts, self.combination_id(parts))

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        """What the task answers to the tuple that the exchanged declaration stands for."""
        exchanged = self.part(part).of or (part,)
        told = {name: (source if name in exchanged else base).parts[name] for name in self._slots()}
        meant = Examples(base.inputs, base.targets, self._renamed(told, back=True), base.combination)
        after = self.task.swap(meant, meant, self._slots()[0])
        parts = self._told(self._renamed(after.parts))
        return Swapped(after.targets, parts, self.combination_id(parts))

    def _slots(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.task.parts if not part.of)

    def _told(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {part.name: parts[part.name] for part in self.parts}

    def _renamed(self, parts: Mapping[str, Tensor], *, back: bool = False) -> dict[str, Tensor]:
        """With u in place of v, or v in place of u."""
        others = [name for name in self.combines if name != self.part_replaced]
        row = ravel([parts[name] for name in others], [len(self.task.part(name).values) for name in others])
        names = self.names.argsort(1) if back else self.names
        return {**parts, self.part_replaced: names[row, parts[self.part_replaced]]}
