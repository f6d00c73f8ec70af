"""Partition of a picture by what acts together in a network's outputs: for networks that hold no masks and no map.

Two cells interact where their effects on the outputs do not add: `|f - f_i - f_j + f_ij|`, with `f_i` the outputs for the
picture whose cell i is the mean picture's. A network that treats objects one by one adds what it makes of each; inside an
object colour, edges and shape act together. Cells are grouped by spectral clustering (Ng, Jordan and Weiss 2002).
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.instruments.binding.pictures import blind_grid, clusters
from assay.subject import Subject

_EXACT = 1e-6
"""Of the largest norm of the outputs: less is rounding."""
SIDE = 4
"""Cells along a side: of 16 cells there are 120 pairs, and a network is run on 137 pictures for each scene."""


def cells(rows: int, columns: int) -> Int[Tensor, "rows columns"]:
    """The cell of every pixel."""
    return blind_grid(rows, columns, SIDE**2)


def removed(
    network: Subject, inputs: Mapping[str, Tensor], gone: Bool[Tensor, "#n m rows columns"]
) -> Float[Tensor, "n m outputs"]:
    """What the network says of every picture with each set of pixels those of the mean picture. `inputs`: one image."""
    ((name, image),) = inputs.items()
    without = torch.where(gone[:, :, None], image.mean(0), image[:, None])
    return network({name: without.flatten(0, 1)}).float().flatten(1).unflatten(0, without.shape[:2])


def interactions(network: Subject, inputs: Mapping[str, Tensor], cell: Int[Tensor, "rows columns"]) -> Float[Tensor, "n p p"]:
    """How far the effects of every two cells on the outputs do not add; 0 on the diagonal."""
    num = int(cell.max()) + 1
    one = torch.nn.functional.one_hot(cell.flatten(), num).mT.unflatten(1, cell.shape).bool()
    first, second = torch.triu_indices(num, num, offset=1)
    said = removed(network, inputs, torch.cat([torch.zeros_like(one[:1]), one, one[first] | one[second]])[None])
    whole, alone, both = said.split([1, num, len(first)], 1)
    apart = (whole - alone[:, first] - alone[:, second] + both).norm(dim=2)
    apart = torch.where(apart > _EXACT * said.norm(dim=2).amax(1, keepdim=True), apart, 0.0)
    found = apart.new_zeros(len(apart), num, num)
    found[:, first, second] = found[:, second, first] = apart
    return found


def grouped(affinity: Float[Tensor, "n p p"], k: int) -> Int[Tensor, "n p"]:
    """Spectral clusters: k-means of the rows of the leading eigenvectors, each of unit length."""
    degree = affinity.sum(2).clamp(min=1e-12).rsqrt()
    vectors = torch.linalg.eigh(affinity * degree[:, None] * degree[..., None]).eigenvectors[..., -k:]
    return clusters(torch.nn.functional.normalize(vectors, dim=2), k)


def from_interactions(
    network: Subject, inputs: Mapping[str, Tensor], k: int
) -> tuple[Int[Tensor, "n rows columns"], Float[Tensor, "n k outputs"]]:
    """Segments, and of each, as its state, what the outputs lose without it."""
    ((_, image),) = inputs.items()
    cell = cells(*image.shape[2:])
    segments = grouped(interactions(network, inputs, cell), k)[:, cell]
    gone = torch.stack([segments == each for each in range(k)], 1)
    return segments, network(inputs).float().flatten(1)[:, None] - removed(network, inputs, gone)
