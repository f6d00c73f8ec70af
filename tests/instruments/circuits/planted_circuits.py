"""A task on six bits of which two decide, and a network made by hand whose circuit for it is known to the edge."""

from dataclasses import dataclass

import torch
from torch import Generator, nn

from assay.objective import Classification
from assay.subject import Subject
from assay.task import Examples, Part, Task, Vector, draw_rows
from assay.tasks.tuples import unravel

BITS = 6
HIDDEN = 14
INSIDE = {"layers.0:in": {0, 1}, "layers.2:in": {3, 9}}
"""The nodes of the circuit: two bits, and the units that see them both on and both off."""
EDGES = 6


@dataclass(frozen=True, kw_only=True)
class SameSign(Task):
    """Whether bits 0 and 1 agree. `few`: so many seen and novel combinations."""

    few: tuple[int, int] = (48, 16)
    combines = tuple(f"bit {k}" for k in range(BITS))
    input_spec = Vector(BITS)
    objective = Classification(2)
    address = "bits that agree"

    @property
    def parts(self):
        return tuple(Part(name, ("off", "on")) for name in self.combines)

    def combinations(self, split):
        order = torch.randperm(2**BITS, generator=Generator().manual_seed(0))
        chosen = order[48:][: self.few[1]] if split == "novel" else order[:48][: self.few[0]]
        return unravel(chosen, [2] * BITS)

    def examples(self, split, n, *, generator):
        chosen = self.combinations(split).repeat(8 if split != "train" else 1, 1)
        bits = chosen[draw_rows(len(chosen), n, replacement=split == "train", generator=generator)]
        parts = dict(zip(self.combines, bits.unbind(1), strict=True))
        targets = (bits[:, 0] != bits[:, 1]).long()
        return Examples({"x": 2.0 * bits - 1}, targets, parts, self.combination_id(parts))


class Planted(nn.Module):
    """Six bits, fourteen hidden units of which two decide, two classes. The others read all bits and push the classes alike."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(BITS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))
        with torch.no_grad():
            self.layers[0].weight.normal_(0, 1, generator=Generator().manual_seed(1))
            self.layers[0].bias.zero_()
            self.layers[2].weight.copy_(torch.randn(1, HIDDEN, generator=Generator().manual_seed(2)).expand(2, -1))
            self.layers[2].weight[1].mul_(1.001)
            for unit, sign in ((3, 1.0), (9, -1.0)):
                self.layers[0].weight[unit] = torch.tensor([sign, sign, 0, 0, 0, 0])
                self.layers[0].bias[unit] = -1.0
                self.layers[2].weight[:, unit] = torch.tensor([12.0, 0.0])
            self.layers[2].bias.copy_(torch.tensor([-6.0, 0.0]))

    def forward(self, x):
        return self.layers(x)


def subject() -> Subject:
    return Subject(Planted().eval(), name="planted")
