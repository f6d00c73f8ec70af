"""Segmentations of pictures, from a network's masks or feature maps, and baselines that need no network."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.instruments.binding.segmentation import partition
from assay.site import Site
from assay.subject import Inputs, Subject

PlaceGrid = tuple[int, int]
_ROUNDS = 15
_LEAST_SIDE = 4


def mask_sites(states: dict[str, Float[Tensor, "n *shape"]], rows: int, columns: int) -> list[str]:
    """The sites that hold masks: nonnegative maps `(n, k, rows, columns)` that sum to 1 over k at every place."""
    found = []
    for name, each in states.items():
        whole = each.ndim == 4 and each.shape[1] > 1 and tuple(each.shape[2:]) == (rows, columns)
        if whole and float(each.amin()) >= 0 and bool((each.sum(1) - 1).abs().amax() < 1e-3):
            found.append(name)
    return found


def grid_of(site: Site, rows: int, columns: int) -> PlaceGrid | None:
    """The grid of a site that holds a feature map at the resolution of the picture or a coarser one; None for other sites.

    Maps are `(d, r, c)`, or tokens `(r c, d)` in the order of the patches, with at most one further token in front (a class
    token). Tokens must fill at least four rows and columns: fewer vectors are slots and no map.
    """
    if site.calls != 1:
        return None
    if len(site.shape) == 3:
        _, r, c = site.shape
        return (r, c) if 2 <= r <= rows and 2 <= c <= columns and r * columns == c * rows else None
    if len(site.shape) != 2:
        return None
    for r in range(_LEAST_SIDE, rows + 1):
        c, rest = divmod(r * columns, rows)
        if not rest and c >= _LEAST_SIDE and site.shape[0] - r * c in (0, 1):
            return r, c
    return None


def map_at(states: Float[Tensor, "n *shape"], grid: PlaceGrid) -> Float[Tensor, "n d r c"]:
    """The activations of a site with a grid, as a map."""
    if states.ndim == 4:
        return states
    return states[:, states.shape[1] - grid[0] * grid[1] :].mT.unflatten(2, grid)


def read_maps(
    network: Subject, inputs: Inputs, sites: Sequence[Site], rows: int, columns: int
) -> dict[str, Float[Tensor, "n d r c"]]:
    """A network's feature maps of pictures, by site, without the sites whose activation is the picture itself."""
    grids = {site.name: grid for site in sites if (grid := grid_of(site, rows, columns))}
    read = network.read(inputs, list(grids))
    return {
        name: map_at(each, grids[name])
        for name, each in read.items()
        if not any(torch.equal(each, given) for given in inputs.values())
    }


def clusters(features: Float[Tensor, "n places d"], k: int) -> Int[Tensor, "n places"]:
    """k-means within each picture. The first centre is the place farthest from the mean; each further one is the place
    farthest from the centres so far."""
    n, places, _ = features.shape
    rows = torch.arange(n)
    first = (features - features.mean(1, keepdim=True)).square().sum(2).argmax(1)
    centres = [features[rows, first]]
    nearest = torch.full((n, places), torch.inf)
    for _ in range(k - 1):
        nearest = torch.minimum(nearest, (features - centres[-1][:, None]).square().sum(2))
        centres.append(features[rows, nearest.argmax(1)])
    middle = torch.stack(centres, 1)
    label = torch.cdist(features, middle).argmin(2)
    for _ in range(_ROUNDS):
        member = torch.nn.functional.one_hot(label, k).to(features)
        count = member.sum(1)[..., None]
        moved = torch.einsum("npk,npd->nkd", member, features) / count.clamp(min=1)
        middle = torch.where(count > 0, moved, middle)
        label = torch.cdist(features, middle).argmin(2)
    return label


def positions(rows: int, columns: int) -> Float[Tensor, "places 2"]:
    """Row and column of every place."""
    row, column = torch.meshgrid(torch.linspace(0, 1, rows), torch.linspace(0, 1, columns), indexing="ij")
    return torch.stack([row, column], 2).flatten(0, 1)


def blind_grid(rows: int, columns: int, k: int) -> Int[Tensor, "rows columns"]:
    """`k` cells in a grid, with as many along one side as along the other or one more."""
    high = max(1, int(k**0.5))
    wide = -(-k // high)
    row = torch.arange(rows) * high // rows
    column = torch.arange(columns) * wide // columns
    return (row[:, None] * wide + column).clamp(max=k - 1)


def blind(
    image: Float[Tensor, "n channels rows columns"], segments: Int[Tensor, "n rows columns"], k: int
) -> dict[str, Int[Tensor, "n rows columns"]]:
    """Baselines with `k` segments: cells of a grid, the network's segments of another scene, and clusters of the positions
    and of the colours of the input."""
    n, _, rows, columns = image.shape
    place = positions(rows, columns).expand(1, -1, -1)
    return {
        "blind grid": blind_grid(rows, columns, k).expand(n, -1, -1),
        "another scene's": segments.roll(1, 0),
        "positions": clusters(place, k).view(1, rows, columns).expand(n, -1, -1),
        "colours": clusters(image.flatten(2).mT.contiguous(), k).view(n, rows, columns),
    }


def from_masks(masks: Float[Tensor, "n k rows columns"]) -> Int[Tensor, "n rows columns"]:
    """The segments: at every place the index of the largest mask."""
    return partition(masks)


def from_maps(maps: Float[Tensor, "n d r c"], k: int, rows: int, columns: int) -> Int[Tensor, "n rows columns"]:
    """The segments: clusters of the states of a map, enlarged to the size of the picture."""
    n, _, r, c = maps.shape
    label = clusters(torch.nn.functional.normalize(maps.flatten(2).mT, dim=2), k).view(n, 1, r, c)
    return torch.nn.functional.interpolate(label.float(), size=(rows, columns), mode="nearest")[:, 0].long()
