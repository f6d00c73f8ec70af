"""Segments of a picture from interactions between its cells in the outputs, for networks without masks or feature maps.

Two cells interact as far as their effects on the outputs do not add: `|f - f_i - f_j + f_ij|`, where `f_i` are the outputs
after cell i is replaced by that of the mean picture. A network that treats objects one by one adds the effects of different
objects; within an object, colour, edges and shape interact. Cells are grouped by spectral clustering (Ng, Jordan and Weiss
2002).
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.instruments.binding.pictures import blind_grid, clusters
from assay.subject import Subject

_EXACT = 1e-6
"""Interactions below this share of the largest norm of the outputs are taken as rounding errors."""
SIDE = 4
"""Cells along each side: 16 cells make 120 pairs, so that a network is run on 137 pictures for each scene."""


def cells(rows: int, columns: int) -> Int[Tensor, "rows columns"]:
    """The index of the cell that holds each pixel."""
    return blind_grid(rows, columns, SIDE**2)


def removed(
    network: Subject, inputs: Mapping[str, Tensor], gone: Bool[Tensor, "#n m rows columns"]
) -> Float[Tensor, "n m outputs"]:
    """The outputs for every picture after each set of pixels is replaced by the mean picture's. `inputs`: one image."""
    ((name, image),) = inputs.items()
    without = torch.where(gone[:, :, None], image.mean(0), image[:, None])
    return network({name: without.flatten(0, 1)}).float().flatten(1).unflatten(0, without.shape[:2])


def interactions(network: Subject, inputs: Mapping[str, Tensor], cell: Int[Tensor, "rows columns"]) -> Float[Tensor, "n p p"]:
    """The interaction of every two cells in the outputs; 0 on the diagonal."""
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
    """Spectral clustering: k-means of the rows of the leading eigenvectors, scaled to unit length."""
    degree = affinity.sum(2).clamp(min=1e-12).rsqrt()
    vectors = torch.linalg.eigh(affinity * degree[:, None] * degree[..., None]).eigenvectors[..., -k:]
    return clusters(torch.nn.functional.normalize(vectors, dim=2), k)


def from_interactions(
    network: Subject, inputs: Mapping[str, Tensor], k: int
) -> tuple[Int[Tensor, "n rows columns"], Float[Tensor, "n k outputs"]]:
    """Segments, and as the state of each the change of the outputs when it is removed."""
    ((_, image),) = inputs.items()
    cell = cells(*image.shape[2:])
    segments = grouped(interactions(network, inputs, cell), k)[:, cell]
    gone = torch.stack([segments == each for each in range(k)], 1)
    return segments, network(inputs).float().flatten(1)[:, None] - removed(network, inputs, gone)
