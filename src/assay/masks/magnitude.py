"""Magnitude pruning: the largest weights in absolute value are kept (Han et al. 2015, arXiv 1506.02626)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from assay.errors import AssayError
from assay.masks.mask import Mask
from assay.masks.unit_kinds import Units


def largest(units: Units, weights: Mapping[str, Tensor], *, share: float, by_layer: bool = False) -> Mask:
    """The mask that keeps the share of units with the largest weights.

    The size of a unit is the root mean square of its weights, which for a single weight is its absolute value.

    **Arguments:** `share`: of all units or, with `by_layer`, of those of each layer; rounded to the nearest number.

    **Raises:** `AssayError` for a share outside [0, 1].

    Example::

        >>> from assay.masks import largest, units_of, weights_of
        >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> weights = weights_of(network)
        >>> largest(units_of(network), weights, share=0.25).density(weights)
        0.25
    """
    if not 0 <= share <= 1:
        raise AssayError("the share of units to keep must be in [0, 1]", given=share)
    squares = {place.parameter: weights[place.parameter].double().square() for place in units.places}
    sizes = units.gather(squares).cpu() / units.sizes()
    group = units.layer if by_layer else torch.zeros_like(units.layer)
    kept = torch.zeros(len(units), dtype=torch.bool)
    for layer in group.unique():
        members = (group == layer).nonzero()[:, 0]
        order = sizes[members].argsort(descending=True, stable=True)
        kept[members[order[: round(share * len(members))]]] = True
    return units.mask(kept)
