"""IsSameObject: does a quadratic read-out of the states at two places tell whether one object covers both?

After arXiv 2510.24709 (NeurIPS 2025). It needs no slots, only states at places. Pairs are balanced, half of one object and half
of two objects of one scene, so that chance is .5; the same read-out of what lies at the places of the input (colour), of their
positions, of their distance alone, is its null, and tells how much grouping was there before the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.instruments.binding.states import components, left_out

MOST_UNITS = 16


@dataclass(frozen=True)
class PlacePairs:
    """Pairs of places, `scene`, `first`, `second` `(m,)`, and whether one object covers both, `same`."""

    scene: Int[Tensor, " m"]
    first: Int[Tensor, " m"]
    second: Int[Tensor, " m"]
    same: Float[Tensor, " m"]


def draw_pairs(objects: Int[Tensor, "n places"], num: int, *, generator: Generator) -> PlacePairs:
    """About `num` pairs of places of objects (labels above 0) from every scene, as many of one object as of two.

    A scene that lacks either kind gives none. **Raises:** `AssayError` where no scene has both.
    """
    n, places = objects.shape
    first, second = torch.randint(places, (2, n, 20 * num), generator=generator)
    a, b = objects.gather(1, first), objects.gather(1, second)
    there = (a > 0) & (b > 0) & (first != second)
    kept: list[tuple[Tensor, Tensor]] = []
    for kind in (a == b, a != b):
        fitting = (there & kind).long()
        kept.append((fitting.bool() & (fitting.cumsum(1) <= num // 2), fitting.sum(1)))
    whole = (kept[0][1] >= num // 2) & (kept[1][1] >= num // 2)
    chosen = (kept[0][0] | kept[1][0]) & whole[:, None]
    scene = chosen.nonzero()[:, 0]
    if not len(scene):
        raise AssayError(
            "pairs of places are of one object and of two, in one scene", given=f"{n} scenes without enough of both",
            next_step="take scenes with two objects or more, each over several places",
        )  # fmt: skip
    return PlacePairs(scene, first[chosen], second[chosen], (a == b)[chosen].float())


def quadratic(states: Float[Tensor, "n places d"], pairs: PlacePairs) -> Float[Tensor, "m f"]:
    """Of every pair all products of a unit of the one place with a unit of the other, symmetric, and of each with itself."""
    axes = components(states, MOST_UNITS)
    units = (states.float() - states.float().mean((0, 1))) @ axes
    a, b = units[pairs.scene, pairs.first], units[pairs.scene, pairs.second]
    between = torch.einsum("mi,mj->mij", a, b)
    within = torch.einsum("mi,mj->mij", a, a) + torch.einsum("mi,mj->mij", b, b)
    upper = torch.triu_indices(axes.shape[1], axes.shape[1])
    symmetric = (between + between.mT)[:, upper[0], upper[1]]
    return torch.cat([symmetric, within[:, upper[0], upper[1]]], 1)


def same_object(states: Mapping[str, Float[Tensor, "n places d"]], pairs: PlacePairs) -> dict[str, Float[Tensor, " scenes"]]:
    """Accuracy of every scene by the quadratic read-out of each kind of states, fitted on other scenes.

    **Arguments:** `states`: by name, such as the layers of a network, `colour` and `position`. What has no variance has .5.

    **Raises:** `AssayError` for fewer than five scenes with pairs.
    """
    scenes, number = pairs.scene.unique(return_inverse=True)
    wanted = 2 * pairs.same - 1
    found = {}
    for name, each in states.items():
        features = quadratic(each, pairs)
        if not features.shape[1]:
            found[name] = torch.full((len(scenes),), 0.5)
            continue
        features = features / features.abs().amax().clamp(min=1e-12)
        said = left_out(features, wanted[:, None], pairs.scene)[:, 0]
        hit = (torch.sign(said * wanted) + 1) / 2
        total = torch.zeros(len(scenes)).index_add_(0, number, hit)
        found[name] = total / number.bincount(minlength=len(scenes))
    return found


def at_positions(size: int) -> Float[Tensor, "places 4"]:
    """Rows, columns and their squares of the places of a square: its products with itself hold the distance."""
    row, column = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    return torch.stack([row, column, row.square(), column.square()], 2).flatten(0, 1)
