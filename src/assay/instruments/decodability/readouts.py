"""Readouts: the value of a part, its presence, or its amount given presence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.task import Examples, Task


@dataclass(frozen=True)
class Readout:
    """A target of a linear probe.

    **Attributes:**

    - `part`, `kind`: such as part `i` and `value`; graded parts give `presence` and `amount given present`.
    - `labels`: `(n,)`, class indices or amounts.
    - `num_classes`: 0 for an amount.
    - `rows`: `(n,)`, the examples on which it is defined.
    - `combination`: `(n,)`, the id of the combination.
    - `units`: `(n,)`, the id of the unit that shares one label: the combination, one draw of amounts, or the example.
    """

    part: str
    kind: Literal["value", "presence", "amount given present"]
    labels: Tensor
    num_classes: int
    rows: Bool[Tensor, " n"]
    combination: Int[Tensor, " n"]
    units: Int[Tensor, " n"]

    @property
    def name(self) -> str:
        return self.part if self.kind == "value" else f"{self.part} {self.kind}"

    @property
    def unit(self) -> str:
        return "accuracy" if self.num_classes else "R2 given present"

    def deal(self, repeats: int, generator: Generator) -> Int[Tensor, "r n"]:
        """Random permutations of labels over units: for every example, the example whose label it gets. Examples of one unit
        keep a common label; examples on which the readout is not defined keep their own."""
        rows = self.rows.nonzero()[:, 0]
        ids, inverse = self.units[rows].unique(return_inverse=True)
        first = torch.zeros(len(ids), dtype=torch.int64).scatter_(0, inverse.flip(0), rows.flip(0))
        order = torch.stack([torch.randperm(len(ids), generator=generator) for _ in range(repeats)])
        dealt = torch.arange(len(self.rows)).repeat(repeats, 1)
        dealt[:, rows] = first[order[:, inverse]]
        return dealt


def readouts(task: Task, examples: Examples) -> list[Readout]:
    """The readouts of every declared part on these examples."""
    everywhere = torch.ones(len(examples), dtype=torch.bool)
    draws = _draws(examples)
    found = []
    for part in task.parts:
        values = examples.parts[part.name]
        if not part.graded:
            units = _carrier(values, examples.combination)
            found.append(Readout(part.name, "value", values, len(part.values), everywhere, examples.combination, units))
            continue
        present = values == 1
        amounts = examples.amounts[part.name].float()
        found.append(Readout(part.name, "presence", values, 2, everywhere, examples.combination, examples.combination))
        if bool(present.any()) and float(amounts[present].std(correction=0)) > 0:
            found.append(Readout(part.name, "amount given present", amounts, 0, present, examples.combination, draws))
    return found


def find(candidates: Sequence[Readout], wanted: Readout) -> Readout | None:
    """The readout of the same part and kind, None without examples."""
    for candidate in candidates:
        if (candidate.part, candidate.kind) == (wanted.part, wanted.kind) and bool(candidate.rows.any()):
            return candidate
    return None


def _draws(examples: Examples) -> Int[Tensor, " n"]:
    """Ids of draws: examples with equal combination and equal amounts share one."""
    columns = [examples.combination.double(), *(amounts.double() for amounts in examples.amounts.values())]
    return torch.stack(columns, 1).unique(dim=0, return_inverse=True)[1]


def _carrier(values: Int[Tensor, " n"], combination: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """The unit of each label: the combination where it fixes the value, else the example."""
    _, inverse = combination.unique(return_inverse=True)
    size = int(inverse.max()) + 1 if len(inverse) else 0
    lowest = torch.full((size,), 2**62).scatter_reduce_(0, inverse, values, "amin")
    highest = torch.full((size,), -1).scatter_reduce_(0, inverse, values, "amax")
    return combination if torch.equal(lowest, highest) else torch.arange(len(values))
