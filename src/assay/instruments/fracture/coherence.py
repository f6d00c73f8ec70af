"""First-order responses summed over all weights: the share that a group preserves, and their distribution over declared
parts."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.display import brief
from assay.regularity import Regularity
from assay.responses import Layer, overlap_of_rows, overlap_of_weights

AS_ONE = 0.25
"""The mean cosine above which the examples of an orbit respond as one. It was chosen on two seeds so that the share of such
orbits depends little on the training recipe, and confirmed on others (experiments/fracture/recipes.py)."""
_SMALL = 1e-12  # a response below this share of the largest counts as none


@dataclass(frozen=True)
class Coherence:
    """The share of the first-order change of the outputs, over all weights, that respects a regularity.

    **Attributes:**

    - `kept`, `total`: `(l, o)`: energy of the responses that the group preserves, and total energy, for every layer and orbit.
    - `orbits`, `sizes`: `(o,)`: the smallest index of an example in each orbit, and the number of its examples.
    - `elements`: number of elements of the group.
    - `of_outputs`: the share of the outputs' variance that respects the regularity: 1 if the function has it.
    - `varies`: whether the outputs vary at all.
    """

    __repr__ = brief

    kept: Float[Tensor, "l o"]
    total: Float[Tensor, "l o"]
    orbits: Int[Tensor, " o"]
    sizes: Int[Tensor, " o"]
    elements: int
    of_outputs: float
    varies: bool = True

    @property
    def value(self) -> float:
        """Coherence, from 1/k for a group of k elements, where each example has its own weights, to 1."""
        return float(self.kept.sum() / self.total.sum())

    @property
    def units(self) -> Float[Tensor, " o"]:
        """Influence values of the orbits. Their mean is the value, and their spread gives the standard error of the ratio of
        sums."""
        kept, total = self.kept.sum(0), self.total.sum(0)
        return self.value + (kept - self.value * total) / total.mean()

    @property
    def is_regular(self) -> bool:
        """Whether the outputs vary and have the regularity: their share is at least halfway between 1/k, that of any function,
        and 1."""
        least = 1 / self.elements
        return self.varies and self.of_outputs >= least + (1 - least) / 2

    def sharing(self) -> tuple[Float[Tensor, " u"], Int[Tensor, " u"]]:
        """For each orbit 1 if its examples respond as one and 0 if not; and the indices of these orbits.

        The responses of two examples of an orbit have a mean cosine c of 0 if each has its own copy and of 1 if one module
        serves all; for m examples the share (1 + (m - 1) c) / m is preserved. They respond as one if c exceeds `AS_ONE`. Orbits
        of one example, and orbits without response, are left out.
        """
        kept, total = self.kept.sum(0), self.total.sum(0)
        live = (self.sizes > 1) & (total > _SMALL * total.mean())
        as_one = kept > (1 + (self.sizes - 1) * AS_ONE) / self.sizes * total
        return as_one[live].double(), self.orbits[live]

    def shares(self) -> list[float]:
        """The share of the total energy in each layer."""
        return (self.total.sum(1) / self.total.sum()).tolist()

    def by_layer(self) -> list[float | None]:
        """The coherence of each layer by itself; None where nothing responds."""
        pairs = zip(self.kept.sum(1).tolist(), self.total.sum(1).tolist(), strict=True)
        return [kept / total if total > 0 else None for kept, total in pairs]


def coherence(layers: Sequence[Layer], outputs: Float[Tensor, "n c"], regularity: Regularity) -> Coherence:
    """Coherence of a network, in the gauge of the given layers.

    The responses to one weight are a vector over examples and outputs. Its mean over the group is the preserved part; the share
    of its squared length is the mean over group elements of the overlap with the transformed vector.

    Example::

        found = coherence([balanced(layer) for layer in read.layers], read.outputs, flip)
        print(found.value, found.of_outputs)
    """
    orbits, number, sizes = regularity.orbits().unique(return_inverse=True, return_counts=True)
    moves = list(zip(regularity.rows, regularity.outputs, strict=True))
    kept, total = [], []
    for layer in layers:
        own = overlap_of_rows(layer)
        shared = own + sum(overlap_of_rows(layer, rows, moved) for rows, moved in moves[1:])
        for sums, rows in ((kept, shared / len(moves)), (total, own)):
            sums.append(torch.zeros(len(orbits), dtype=torch.float64).index_add_(0, number, rows))
    share, varies = kept_share(outputs, regularity), bool((outputs != outputs[:1]).any())
    return Coherence(torch.stack(kept), torch.stack(total), orbits, sizes, len(moves), share, varies)


def kept_share(values: Float[Tensor, "n c"], regularity: Regularity) -> float:
    """The share of the variance of values `(n, c)` that respects a regularity; 1 if they do not vary."""
    centred = values.double() - values.double().mean(0)
    moved = sum(centred[rows][:, outputs] for rows, outputs in zip(regularity.rows, regularity.outputs, strict=True))
    total = float(centred.square().sum())
    return float((centred * moved).sum()) / len(regularity.rows) / total if total > 0 else 1.0


# Distribution over declared parts


def energies_over(layer: Layer, masks: Bool[Tensor, "k n c"], groups: Int[Tensor, " n"]) -> Float[Tensor, "g k j i"]:
    """Energy of the responses to every weight within each mask and group of examples."""
    found = []
    for group in range(int(groups.max()) + 1):
        rows = (groups == group).nonzero()[:, 0]
        found.append(overlap_of_weights(layer.take(rows), within=masks[:, rows]))
    return torch.stack(found)


def participation(energies: Sequence[Float[Tensor, "k ..."]]) -> float | None:
    """The effective number of parts on which a weight, or a unit, acts: 1 / sum p_k^2 for its shares p_k of energy, averaged
    with energy as weight, and scaled from 0 for one part to 1 for all parts equally. None where nothing responds."""
    flat = torch.cat([energy.flatten(1) for energy in energies], 1)
    total = flat.sum(0)
    live = total > _SMALL * total.max()
    if not bool(live.any()):
        return None
    shares = flat[:, live] / total[live]
    parts = 1 / shares.square().sum(0)
    return float(((parts - 1) * total[live]).sum() / total[live].sum()) / (len(flat) - 1)


def one_sidedness(energies: Sequence[Float[Tensor, "k _j _i"]]) -> float | None:
    """How far each unit acts on one side alone: sqrt((k sum p^2 - 1) / (k - 1)) for its shares of energy on the k sides,
    averaged with energy as weight; for two sides |left - right| / (left + right). None where nothing responds."""
    flat = torch.cat([energy.sum(-1) for energy in energies], 1)
    total = flat.sum(0)
    live = total > _SMALL * total.max()
    if not bool(live.any()):
        return None
    num = len(flat)
    apart = (num * (flat[:, live] / total[live]).square().sum(0) - 1).clamp(min=0) / (num - 1)
    return float((apart.sqrt() * total[live]).sum() / total[live].sum())
