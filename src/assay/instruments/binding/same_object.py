"""IsSameObject: does a quadratic read-out from the states at two places predict whether one object covers both?

After arXiv 2510.24709 (NeurIPS 2025). It needs no slots, only states at places. Half of the pairs lie on one object and half on
two objects of the same scene, so that chance is .5. The nulls are the same read-out from the colours of the input at the two
places, from their positions and from both, and a read-out from their distance alone: the grouping that is possible without the
network.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.instruments.binding.states import components, left_out
from assay.probe import Design

MOST_UNITS = 16
_DRAWS = 200
"""Pairs drawn for each pair wanted, since two places on one small object are rare."""


@dataclass(frozen=True)
class PlacePairs:
    """Pairs of places, `scene`, `first`, `second` `(m,)`, and whether one object covers both, `same`."""

    scene: Int[Tensor, " m"]
    first: Int[Tensor, " m"]
    second: Int[Tensor, " m"]
    same: Float[Tensor, " m"]


def draw_pairs(objects: Int[Tensor, "n places"], num: int, *, generator: Generator) -> PlacePairs:
    """Draw about `num` pairs of places on objects (labels above 0) from every scene, as many on one object as on two.

    A scene without pairs of either kind gives none. **Raises:** `AssayError` if no scene has both kinds.
    """
    n, places = objects.shape
    first, second = torch.randint(places, (2, n, _DRAWS * num), generator=generator)
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
            "some scene must have pairs of places on one object and on two", given=f"{n} scenes without enough of both",
            next_step="take scenes with two objects or more, each over several places",
        )  # fmt: skip
    return PlacePairs(scene, first[chosen], second[chosen], (a == b)[chosen].float())


def quadratic(states: Float[Tensor, "n places d"], pairs: PlacePairs) -> Float[Tensor, "m f"]:
    """Features of each pair: the symmetrised products of each unit at one place with each unit at the other, and the products
    of units within each place."""
    axes = components(states, MOST_UNITS)
    return _products((states.float() - states.float().mean((0, 1))) @ axes, pairs)


def _products(units: Float[Tensor, "n places r"], pairs: PlacePairs) -> Float[Tensor, "m f"]:
    a, b = units[pairs.scene, pairs.first], units[pairs.scene, pairs.second]
    between = torch.einsum("mi,mj->mij", a, b)
    within = torch.einsum("mi,mj->mij", a, a) + torch.einsum("mi,mj->mij", b, b)
    upper = torch.triu_indices(units.shape[2], units.shape[2])
    symmetric = (between + between.mT)[:, upper[0], upper[1]]
    return torch.cat([symmetric, within[:, upper[0], upper[1]]], 1)


def distance(positions: Float[Tensor, "places 4"], pairs: PlacePairs) -> Float[Tensor, "m 3"]:
    """The distance of the places of each pair: in rows, in columns, and the squared Euclidean distance."""
    between = (positions[pairs.first, :2] - positions[pairs.second, :2]).abs()
    return torch.cat([between, between.square().sum(1, keepdim=True)], 1)


def told_right(features: Float[Tensor, "m f"], pairs: PlacePairs) -> Float[Tensor, " scenes"]:
    """Accuracy in every scene with pairs of a linear read-out from features of pairs, fitted on other scenes.

    **Raises:** `AssayError` for fewer than five scenes with pairs.
    """
    scenes, number = pairs.scene.unique(return_inverse=True)
    if not features.shape[1]:
        return torch.full((len(scenes),), 0.5)
    wanted = 2 * pairs.same - 1
    features = features / features.abs().amax(0).clamp(min=1e-12)
    said = left_out(features, wanted[:, None], pairs.scene)[:, 0]
    hit = (torch.sign(said * wanted) + 1) / 2
    total = torch.zeros(len(scenes)).index_add_(0, number, hit)
    return total / number.bincount(minlength=len(scenes))


def same_object(states: Mapping[str, Float[Tensor, "n places d"]], pairs: PlacePairs) -> dict[str, Float[Tensor, " scenes"]]:
    """Accuracy in every scene of the quadratic read-out from each kind of state, fitted on other scenes.

    **Arguments:** `states`: by name, such as the layers of a network. States without variance have accuracy .5.

    **Raises:** `AssayError` for fewer than five scenes with pairs.
    """
    return {name: told_right(quadratic(each, pairs), pairs) for name, each in states.items()}


def of_the_input(
    colours: Float[Tensor, "n places c"], positions: Float[Tensor, "places 4"], pairs: PlacePairs
) -> dict[str, Float[Tensor, " scenes"]]:
    """The nulls of `same_object`, which need no network: read-outs from the colours, the positions, both together, and the
    distance."""
    where = positions.expand(len(colours), -1, -1)
    both = torch.cat([_unit_variance(colours), _unit_variance(where)], 2)
    found = same_object({"colour": colours, "position": where, "colour and position": both}, pairs)
    return {**found, "distance": told_right(distance(positions, pairs), pairs)}


def _unit_variance(states: Float[Tensor, "n places d"]) -> Float[Tensor, "n places d"]:
    return (states - states.mean((0, 1))) / states.std((0, 1)).clamp(min=1e-6)


def at_positions(rows: int, columns: int) -> Float[Tensor, "places 4"]:
    """Row, column and their squares for each place of a grid, from -1 to 1: squared distance is linear in their products."""
    row, column = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
    return torch.stack([row, column, row.square(), column.square()], 2).flatten(0, 1)


@dataclass(frozen=True)
class ReadDirections:
    """Whitened principal components of the states, and the read-out's directions in them.

    **Attributes:** `mean` `(d,)`; `axes` `(d, r)`: the components, with standard deviations `scale` `(r,)`; `directions`
    `(r, r)`: orthonormal in whitened components, in decreasing order of their weight in the read-out.
    """

    mean: Float[Tensor, " d"]
    axes: Float[Tensor, "d r"]
    scale: Float[Tensor, " r"]
    directions: Float[Tensor, "r r"]

    def without(self, states: Float[Tensor, "n places d"], directions: Float[Tensor, "r k"]) -> Float[Tensor, "n places d"]:
        """Ablation: the states with their components along these directions replaced by the mean."""
        whitened = (states - self.mean) @ self.axes / self.scale
        return states - (whitened @ directions @ directions.mT * self.scale) @ self.axes.mT

    def share(self, directions: Float[Tensor, "r k"]) -> float:
        """The share of the variance of the components that ablating these directions removes."""
        removed = directions @ directions.mT * self.scale
        return float(removed.square().sum() / self.scale.square().sum())


def read_directions(states: Float[Tensor, "n places d"], pairs: PlacePairs) -> ReadDirections:
    """The directions of the states that the quadratic read-out, fitted on all pairs, depends on: eigenvectors of the quadratic
    form that joins the two places, in decreasing order of their absolute eigenvalues.

    **Raises:** `AssayError` for states without variance.
    """
    axes = components(states, MOST_UNITS)
    if not axes.shape[1]:
        raise AssayError("the states must vary between places", given="states without variance")
    mean = states.float().mean((0, 1))
    units = (states.float() - mean) @ axes
    scale = units.std((0, 1))
    features = _products(units / scale, pairs)
    wanted = (2 * pairs.same - 1)[None, None, :, None]
    weights = Design.of(features[None, None]).fit(wanted).probe().weights[0, :, 0]
    upper = torch.triu_indices(axes.shape[1], axes.shape[1])
    form = torch.zeros(axes.shape[1], axes.shape[1])
    form[upper[0], upper[1]] = weights[: upper.shape[1]]
    sizes, directions = torch.linalg.eigh(form + form.mT)
    return ReadDirections(mean, axes, scale, directions[:, sizes.abs().argsort(descending=True)])
