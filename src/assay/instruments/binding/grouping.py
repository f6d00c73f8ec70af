"""IsSameObject at every site of a network that holds a feature map, beside its nulls, and the ablation of what it reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.entities import ObjectScenes
from assay.errors import AssayError
from assay.instrument import Control, Random, Values
from assay.instruments.binding import metrics
from assay.instruments.binding.pictures import PlaceGrid, map_at, read_maps
from assay.instruments.binding.same_object import (
    PlacePairs,
    at_positions,
    draw_pairs,
    of_the_input,
    read_directions,
    same_object,
)
from assay.instruments.binding.states import components
from assay.site import thinned
from assay.stats import MIN_UNITS
from assay.subject import Subject

PAIRS = 24
"""Pairs of places drawn from every scene."""
MOST_REMOVED = 4
"""Number of directions that are ablated, unless that is more than half of all directions."""
_CANDIDATES, _RANDOM = 400, 8
"""Number of random subspaces drawn, and how many of them are ablated: the closest in the variance that they remove."""
HOW = {
    "colour": "the same read-out, from the colours of the input at both places",
    "position": "the same read-out, from the positions of both places",
    "colour and position": "the same read-out, from colours and positions together",
    "distance": "a linear read-out from the distance between the places",
    "random directions": f"as many random directions of the states that remove about as much variance, {_RANDOM} times",
}


@dataclass(frozen=True)
class PlaceSite:
    """A site that holds one state at every place of a grid, and that grid."""

    name: str
    grid: PlaceGrid


@dataclass(frozen=True)
class Ablation:
    """Ablation of the directions that the read-out weighs most, beside that of random directions.

    **Attributes:**

    - `removed`: number of directions removed; `share`, `share_of_random`: the share of the states' variance that went with
      them.
    - `moved`, `by_random`: squared change of the outputs for every scene, as a share of their variance, after the ablation
      `(n,)` and after that of random directions `(r, n)`.
    - `left`, `left_by_random`: accuracy of the read-out, fitted again after the ablation.
    """

    removed: int
    moved: Float[Tensor, " n"]
    by_random: Float[Tensor, "r n"]
    left: float
    left_by_random: float
    share: float
    share_of_random: float


@dataclass(frozen=True)
class Grouping:
    """IsSameObject of one network.

    **Attributes:**

    - `site`: the site with the highest accuracy on one half of the scenes.
    - `scenes`, `right`: the scenes of the other half that have pairs, and the accuracy in each at this site; `nulls`: the same
      accuracy from the input alone.
    - `by_site`, `nulls_by_site`: mean accuracies on the half on which the site was chosen.
    """

    site: PlaceSite
    scenes: Int[Tensor, " n"]
    right: Float[Tensor, " n"]
    nulls: Mapping[str, Float[Tensor, " n"]]
    by_site: Mapping[str, float]
    nulls_by_site: Mapping[str, Mapping[str, float]]
    ablation: Ablation | None


def grouping(network: Subject, scenes: ObjectScenes, rng: Random, *, most: int, own: PlaceSite | None) -> Grouping | str:
    """Read IsSameObject at up to `most` sites that hold a map, or at the site `own` alone.

    **Arguments:** `own`: for an untrained copy, the site that was chosen for the network under test.

    **Returns:** a sentence that says why there is no result, where scenes or sites are too few.
    """
    half = torch.arange(len(scenes)) % 2 == 0
    choosing, judging = scenes.take(half), scenes.take(~half)
    by_site: dict[str, float] = {}
    nulls_by_site: dict[str, dict[str, float]] = {}
    site = own
    if site is None:
        found = _by_site(network, choosing, rng("pairs", "choosing"), most)
        if not found:
            return (
                "no site holds a map of four rows and columns in which pairs of places on one and on two objects can be drawn"
            )
        by_site = {one.name: right for one, (right, _) in found.items()}
        nulls_by_site = {one.name: nulls for one, (_, nulls) in found.items()}
        site = max(found, key=lambda one: found[one][0])
    try:
        pairs = _pairs(judging, site.grid, rng("pairs", "judging"))
    except AssayError as error:
        return error.rule
    states = _states(network, judging, site)
    right = same_object({"own": states}, pairs)["own"]
    nulls = _nulls(judging, site.grid, pairs)
    # Ablation is done in the network under test only: in an untrained copy it would tell nothing about the network.
    ablation = None if own else _ablated(network, judging, site, states, pairs, rng("ablation"))
    return Grouping(site, pairs.scene.unique(), right, nulls, by_site, nulls_by_site, ablation)


def values_of_grouping(found: Grouping | str) -> list[Values]:
    """The measures of IsSameObject and of its ablation, each beside its nulls."""
    if isinstance(found, str):
        return [Values(metric=metrics.SAME_OBJECT.key, units=torch.zeros(0), reason=found)]
    nulls = tuple(Control(name=name, how=HOW[name], values=units[None]) for name, units in found.nulls.items())
    note = f"at {found.site.name}"
    values = [Values(metric=metrics.SAME_OBJECT.key, units=found.right, ids=found.scenes, controls=nulls, note=note)]
    if found.ablation is not None:
        random = Control(name="random directions", how=HOW["random directions"], values=found.ablation.by_random)
        values.append(Values(metric=metrics.ABLATION.key, units=found.ablation.moved, controls=(random,), note=note))
    return values


def cells(objects: Int[Tensor, "n rows columns"], grid: PlaceGrid) -> Int[Tensor, "n places"]:
    """The label that covers most of each cell of a grid; of equally frequent labels the lowest."""
    labels = torch.nn.functional.one_hot(objects).permute(0, 3, 1, 2).float()
    return torch.nn.functional.adaptive_avg_pool2d(labels, grid).argmax(1).flatten(1)


def _by_site(
    network: Subject, scenes: ObjectScenes, generator: Generator, most: int
) -> dict[PlaceSite, tuple[float, dict[str, float]]]:
    rows, columns = scenes.objects.shape[1:]
    sites = network.sites(scenes.inputs)
    few = {name: column[:2] for name, column in scenes.inputs.items()}
    held = {name: (each.shape[2], each.shape[3]) for name, each in read_maps(network, few, sites, rows, columns).items()}
    fine = [site for site in sites if min(held.get(site.name, (0, 0))) >= 4]
    found = {}
    drawn: dict[PlaceGrid, tuple[PlacePairs, dict[str, float]] | None] = {}
    for site in thinned(fine, most):
        place = PlaceSite(site.name, held[site.name])
        if place.grid not in drawn:
            try:
                pairs = _pairs(scenes, place.grid, generator)
                drawn[place.grid] = pairs, {k: float(v.mean()) for k, v in _nulls(scenes, place.grid, pairs).items()}
            except AssayError:
                drawn[place.grid] = None
        if (known := drawn[place.grid]) is not None:
            right = same_object({"own": _states(network, scenes, place)}, known[0])["own"]
            found[place] = float(right.mean()), known[1]
    return found


def _pairs(scenes: ObjectScenes, grid: PlaceGrid, generator: Generator) -> PlacePairs:
    pairs = draw_pairs(cells(scenes.objects, grid), PAIRS, generator=generator)
    if len(pairs.scene.unique()) < MIN_UNITS:
        raise AssayError(f"{MIN_UNITS} scenes with pairs of places on one object and on two are needed")
    return pairs


def _states(network: Subject, scenes: ObjectScenes, site: PlaceSite) -> Float[Tensor, "n places d"]:
    return map_at(network.read(scenes.inputs, [site.name])[site.name].float(), site.grid).flatten(2).mT


def _nulls(scenes: ObjectScenes, grid: PlaceGrid, pairs: PlacePairs) -> dict[str, Float[Tensor, " n"]]:
    image = next(iter(scenes.inputs.values())).float()
    colours = torch.nn.functional.adaptive_avg_pool2d(image, grid).flatten(2).mT
    return of_the_input(colours, at_positions(*grid), pairs)


def _ablated(
    network: Subject,
    scenes: ObjectScenes,
    site: PlaceSite,
    states: Float[Tensor, "n places d"],
    pairs: PlacePairs,
    generator: Generator,
) -> Ablation | None:
    """The ablation, or None where the states vary along fewer than two directions."""
    if components(states, 2).shape[1] < 2:
        return None
    read = read_directions(states, pairs)
    rank = read.axes.shape[1]
    own = read.directions[:, : min(MOST_REMOVED, rank // 2)]
    drawn = torch.linalg.qr(torch.randn(_CANDIDATES, rank, own.shape[1], generator=generator))[0]
    share = torch.tensor([read.share(one) for one in drawn])
    nearest = drawn[(share - read.share(own)).abs().argsort(stable=True)[:_RANDOM]]
    plain = network(scenes.inputs).float()
    variance = (plain - plain.mean(0)).square().flatten(1).sum(1).mean().clamp(min=1e-12)
    whole = network.read(scenes.inputs, [site.name])[site.name]

    def moved(directions: Tensor) -> Float[Tensor, " n"]:
        patched = _put(whole, read.without(states, directions), site.grid)
        return (network(scenes.inputs, replace={site.name: patched}).float() - plain).square().flatten(1).sum(1) / variance

    def left(directions: Tensor) -> float:
        return float(same_object({"own": read.without(states, directions)}, pairs)["own"].mean())

    return Ablation(
        own.shape[1], moved(own), torch.stack([moved(one) for one in nearest]), left(own),
        _mean([left(one) for one in nearest]), read.share(own), _mean([read.share(one) for one in nearest]),
    )  # fmt: skip


def _put(whole: Float[Tensor, "n *shape"], states: Float[Tensor, "n places d"], grid: PlaceGrid) -> Float[Tensor, "n *shape"]:
    """The activations of a site, with the states at its places replaced."""
    if whole.ndim == 4:
        return states.mT.unflatten(2, grid).to(whole.dtype)
    new = whole.clone()
    new[:, whole.shape[1] - states.shape[1] :] = states.to(whole.dtype)
    return new


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
