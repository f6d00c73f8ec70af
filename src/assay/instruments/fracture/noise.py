"""Noise on all weights: the size of the change of the outputs, the share of it that respects a regularity, and the loss."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.display import brief
from assay.objective import Objective
from assay.regularity import Regularity
from assay.subject import Subject

Convention = Literal["layer", "weight"]
CONVENTIONS: Mapping[Convention, str] = {
    "layer": "noise relative to the root mean square weight of each matrix",
    "weight": "noise relative to the magnitude of each weight, so that a weight of 0 stays 0",
}
MATCHED = (0.01, 0.1)
"""Sizes of change, as shares of the outputs' variance, at which networks are compared."""


@dataclass(frozen=True)
class Shaken:
    """Effects of noise at each scale, averaged over draws.

    **Attributes:** `scales`; `size`: mean square change of the outputs over their variance; `kept`: the share of the change
    that respects the regularity; `loss`: loss of the task.
    """

    __repr__ = brief

    scales: tuple[float, ...]
    size: tuple[float, ...]
    kept: tuple[float, ...]
    loss: tuple[float, ...]

    def at(self, size: float) -> float | None:
        """The share at a given size of change, interpolated between scales on a logarithmic axis; None beyond them."""
        points = [(torch.tensor(s).log().item(), k) for s, k in zip(self.size, self.kept, strict=True) if s > 0]
        wanted = torch.tensor(size).log().item()
        for (low, first), (high, second) in pairwise(points):
            if low <= wanted <= high and high > low:
                return first + (second - first) * (wanted - low) / (high - low)
        return None


@torch.no_grad()
def shake(
    network: Subject,
    inputs: Mapping[str, Tensor],
    targets: Tensor,
    objective: Objective,
    *,
    regularity: Regularity,
    scales: Sequence[float],
    draws: int,
    convention: Convention,
    generator: Generator,
) -> Shaken:
    """Add normal noise to the weight matrices of a copy of the network, `draws` times, with the same noise at every scale."""
    before = network(inputs)
    flat = before.flatten(1).double()
    variance = float((flat - flat.mean(0)).square().sum(1).mean())
    moved = network.twin(copy.deepcopy(network.module), name=f"{network.name}, with noise")
    matrices = [weight for weight in moved.module.parameters() if weight.ndim >= 2]
    kept = [weight.clone() for weight in matrices]
    noises = [[torch.randn(one.shape, generator=generator) for one in kept] for _ in range(draws)]
    rows = []
    for scale in scales:
        found = []
        for noise in noises:
            for weight, own, each in zip(matrices, kept, noise, strict=True):
                size = own.abs() if convention == "weight" else own.square().mean().sqrt()
                weight.copy_(own + scale * size * each.to(own))
            after = moved(inputs)
            change = after.flatten(1).double() - flat
            size = float(change.square().sum(1).mean()) / variance if variance > 0 else 0.0
            found.append((size, _kept_of(change, regularity), float(objective.loss(after, targets))))
        rows.append(torch.tensor(found, dtype=torch.float64).mean(0).tolist())
    size, share, loss = zip(*rows, strict=True)
    return Shaken(tuple(scales), size, share, loss)


def _kept_of(change: Float[Tensor, "n c"], regularity: Regularity) -> float:
    """The share of the change that respects the regularity. The change is not centred: unlike for outputs, 0 has a meaning."""
    pairs = zip(regularity.rows, regularity.outputs, strict=True)
    total = float(change.square().sum())
    moved = sum(change[rows][:, outputs] for rows, outputs in pairs)
    return float((change * moved).sum()) / len(regularity.rows) / total if total > 0 else 0.0
