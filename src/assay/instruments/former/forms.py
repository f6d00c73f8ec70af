"""Three ways to put one part of a source into the state of a base.

With `e_v` what value v adds to the state, fitted on other combinations, and `P` the projection onto the span of all
`e_v - e_w` in the metric of the site (rank: values minus one):

- `subspace`: `h_base + P (h_source - h_base)`; what the source holds in the part's own subspace takes the place of the base's.
- `prototype`: `h_base + e_source - e_base`; the mean of the source's value stands for the source.
- `prototypes`: the additive model's state of the new combination; nothing of either example is left.

The last two need no metric: they are the same under every linear change of the state.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.instruments.former.states import Design
from assay.spectra import svd

Form = Literal["subspace", "prototype", "prototypes"]
FORMS: tuple[Form, ...] = ("subspace", "prototype", "prototypes")
CUT = 1e-4  # directions with less than this share of the longest one are rounding


class Basis(NamedTuple):
    """The subspace of a part, for each of `k` folds: `directions` `(k, r, d)`, orthonormal in the metric, the `sensors`
    `(k, r, d)` that read a state's coordinates in them, and the `coordinates` `(k, v, r)` of every value. Directions that are
    rounding are 0."""

    directions: Float[Tensor, "k r d"]
    sensors: Float[Tensor, "k r d"]
    coordinates: Float[Tensor, "k v r"]

    @classmethod
    def of(cls, effects: Float[Tensor, "k v d"], weights: Float[Tensor, " d"]) -> "Basis":
        """The span of the differences between effects; of a single one (a graded part) its own."""
        centred = effects - effects.mean(1, keepdim=True) if effects.shape[1] > 1 else effects
        return cls._spanned(centred, weights)

    def random(self, states: Float[Tensor, "n d"], weights: Float[Tensor, " d"], *, generator: Generator) -> "Basis":
        """As many random directions of the span of the states, with this subspace's coordinates; no more than half of those
        that the states take, because all of them together would exchange everything."""
        num, rank, _ = self.directions.shape
        centred = states - states.mean(0)
        mixed = torch.randn(num, rank, len(states), generator=generator) @ centred / len(states) ** 0.5
        directions, sensors, _ = self._spanned(mixed, weights)
        weighted = (centred * weights).double()  # in single precision what is nothing would be above the cut
        gram = weighted.T @ weighted if len(weights) < len(states) else weighted @ weighted.T
        variances = torch.linalg.eigvalsh(gram.double())
        taken = int((variances > variances[-1].clamp(min=1e-20) * CUT**2).sum())
        real = (self.coordinates != 0).any(1) & (torch.arange(rank) < max(1, taken // 2))
        return Basis(directions * real[..., None], sensors * real[..., None], self.coordinates)

    @classmethod
    def _spanned(cls, rows: Float[Tensor, "k v d"], weights: Float[Tensor, " d"]) -> "Basis":
        left, sizes, right = svd(rows * weights)
        real = sizes > sizes[:, :1].clamp(min=1e-20) * CUT
        inverse = real / sizes.where(real, 1.0)
        return cls((left * inverse[:, None]).mT @ rows, right * real[..., None] * weights, left * (sizes * real)[:, None])


def exchanged(
    states: Float[Tensor, "n d"],
    effects: Float[Tensor, "k q d"],
    basis: Basis,
    design: Design,
    base: Int[Tensor, " p"],
    source: Int[Tensor, " p"],
    fold: Int[Tensor, " p"],
) -> dict[Form, Float[Tensor, "p d"]]:
    """The states of the bases with the part of their sources, in every form."""
    moved, rows = design.moved(base, source)[:, : design.num_own], design.table[base]
    here = states[base]
    difference = states[source] - here
    subspace, prototype, model = torch.empty_like(here), torch.empty_like(here), torch.empty_like(here)
    for k in range(len(effects)):
        own = fold == k
        subspace[own] = difference[own] @ basis.sensors[k].T @ basis.directions[k]
        prototype[own] = moved[own] @ basis.coordinates[k] @ basis.directions[k]
        model[own] = rows[own] @ effects[k]
    return {"subspace": here + subspace, "prototype": here + prototype, "prototypes": model + prototype}
