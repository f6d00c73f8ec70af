"""One context beside another: how alike two of them respond in every layer."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.instrument import Metric, Values
from assay.instruments.fracture.coherence import Coherence
from assay.instruments.fracture.estimates import values_around
from assay.regularity import MOST_ELEMENTS, Regular, Regularity
from assay.responses import Layer, overlap_of_rows

BETWEEN = {
    how: Metric(
        key=f"contexts_{how}", title=f"likeness of two contexts where it is {how}", unit="cosine of responses",
        better="neither", level=0, of="group of orbits", bounds=(-1.0, 1.0),
    )
    for how in ("least", "most")
}  # fmt: skip
FEWEST = 3  # contexts: one shared module and copies were planted for three

COUNTS = 1e-4
"""Share of all response energy from which on a layer counts: where large weights silence a copy, other layers have 1e-6 of it,
and a module that gives a tenth of the output has 1e-3 (experiments/fracture/third_question.py)."""


def context_of(regular: Regular, regularity: Regularity) -> tuple[str, int]:
    """The declared part that the regularity changes while it leaves all others as they are, and how many of its values the
    examples of an orbit have, at least; `("", 0)` where it changes several parts or none, or one of more than 64 values.

    Example::

        name, values = context_of(regular, regular.regularities[0])  # such as ("speaker", 3)
    """
    changed = {
        name: values for name, values in regular.examples.parts.items() if bool((values[regularity.rows] != values).any())
    }
    orbits, number, sizes = regularity.orbits().unique(return_inverse=True, return_counts=True)
    if len(changed) != 1 or not bool((sizes > 1).any()):
        return "", 0
    ((name, values),) = changed.items()
    if len(values.unique()) > MOST_ELEMENTS:
        return "", 0
    pairs = torch.stack([number, values], 1).unique(dim=0)
    different = pairs[:, 0].bincount(minlength=len(orbits))
    return name, int(different[sizes > 1].min())


def between_contexts(
    layers: Sequence[Layer], regularity: Regularity, context: Int[Tensor, " n"], groups: Int[Tensor, " n"]
) -> tuple[Float[Tensor, "g l k k"], Float[Tensor, "g l k k"]]:
    """For every group of examples, layer and two contexts: the overlap of responses of examples that the regularity takes to
    each other, and their mean energy, both summed."""
    values, side = context.unique(return_inverse=True)
    num, own = len(values), torch.arange(len(side))
    shape = (int(groups.max()) + 1, len(layers), num, num)
    overlaps, energies = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
    for depth, layer in enumerate(layers):
        energy = overlap_of_rows(layer)
        for rows, outputs in zip(regularity.rows, regularity.outputs, strict=True):
            moved = (rows != own).nonzero()[:, 0]
            place = groups[moved], torch.full_like(moved, depth), side[moved], side[rows[moved]]
            overlaps.index_put_(place, overlap_of_rows(layer, rows, outputs)[moved], accumulate=True)
            energies.index_put_(place, ((energy + energy[rows]) / 2)[moved], accumulate=True)
    return overlaps, energies


def least_and_most(overlaps: Float[Tensor, "l k k"], energies: Float[Tensor, "l k k"]) -> Mapping[str, float]:
    """The cosine of the two contexts that are least alike in any layer that counts, and of the two that are most: near 0 where
    either has weights of its own, 1 where one thing serves both. Empty where nothing responds."""
    total = energies.sum()
    counts = (energies.sum((1, 2)) >= COUNTS * total)[:, None, None] & (energies > COUNTS**2 * total)
    if not float(total) > 0 or not bool(counts.any()):
        return {}
    cosines = (overlaps[counts] / energies[counts]).clamp(-1, 1)
    return {"least": float(cosines.min()), "most": float(cosines.max())}


def likeness(gauged: Sequence[Layer], regular: Regular, groups: Int[Tensor, " n"]) -> list[Values]:
    """The least and the greatest likeness of two contexts, for every regularity that exchanges at least three."""
    found = []
    for regularity in regular.regularities:
        name, num = context_of(regular, regularity)
        if num < FEWEST:
            continue
        sums = between_contexts(gauged, regularity, regular.examples.parts[name], groups)
        whole = least_and_most(*(one.sum(0) for one in sums))
        left = [least_and_most(*(one.sum(0) - one[group] for one in sums)) for group in range(len(sums[0]))]
        about = {"regularity": regularity.name, "context": name}
        found += [
            values_around(metric, about, whole.get(how), [one.get(how) for one in left]) for how, metric in BETWEEN.items()
        ]
    return [one for one in found if one is not None]


def settings_of(regular: Regular, found: Mapping[str, Coherence]) -> Mapping[str, str | int | float | None]:
    """For every regularity its context, how many values of it there are, and how far the outputs have the regularity: None
    where they do not vary."""
    settings: dict[str, str | int | float | None] = {}
    for regularity in regular.regularities:
        name, num = context_of(regular, regularity)
        settings |= {f"context_{regularity.name}": name, f"contexts_{regularity.name}": num}
        one = found[regularity.name]
        settings[f"outputs_{regularity.name}"] = one.of_outputs if one.varies else None
    return settings
