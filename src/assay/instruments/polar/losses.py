"""The losses of structural and polar probes, for a stack of probes at once.

`z` `(p, b, n, r)` are the nodes of a batch under `p` probes of rank `r`; every loss is `(p,)`, one for each probe.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from assay.instruments.polar.targets import Batch

SHARPNESS = 10.0  # of the cosine, in the cross-entropy of the prototype form


def squared_distances(z: Float[Tensor, "*p n r"]) -> Float[Tensor, "*p n n"]:
    """|z_i - z_j|^2 of all pairs from one Gram matrix: no difference is ever formed."""
    gram = z @ z.mT
    squares = gram.diagonal(dim1=-2, dim2=-1)
    return (squares[..., :, None] + squares[..., None, :] - 2 * gram).clamp(min=0)


def distance_loss(z: Float[Tensor, "p b n r"], batch: Batch) -> Float[Tensor, " p"]:
    """Mean over texts of sum |T - d| / n^2 (Hewitt and Manning 2019), d the squared distance."""
    return ((batch.distances - squared_distances(z)).abs() * batch.weights).sum((1, 2, 3)) / len(batch.texts)


def depth_loss(z: Float[Tensor, "p b n r"], batch: Batch) -> Float[Tensor, " p"]:
    """Mean over texts of sum |depth - |z|^2| / n (Hewitt and Manning 2019)."""
    per_node = (batch.depths - z.square().sum(-1)).abs() * batch.real
    return (per_node.sum(-1) / batch.real.sum(-1)).mean(-1)


def root_loss(z: Float[Tensor, "p b n r"], root: Float[Tensor, "p r"], batch: Batch) -> Float[Tensor, " p"]:
    """Mean squared error between the vector of every root and the learned one."""
    if not len(batch.roots):
        return z.new_zeros(len(z))
    found = z[:, batch.roots[:, 0], batch.roots[:, 1]]
    return (found - root[:, None]).square().mean((1, 2))


def edge_vectors(z: Float[Tensor, "p b n r"], batch: Batch) -> Float[Tensor, "p e r"]:
    """Head minus dependent of every edge."""
    text, head, dependent = batch.edges.unbind(1)
    return z[:, text, head] - z[:, text, dependent]


def pair_loss(edges: Float[Tensor, "p e r"], relations: Int[Tensor, " e"], num_relations: int) -> Float[Tensor, " p"]:
    """Mean of (1 - cos - t)^2 over all E^2 pairs of edges, t 0 for two of one relation and 1 for others
    (Diego-Simon et al. 2024).

    Pairs of one relation give 1 - 2 cos + cos^2, others cos^2, so with unit edges U the sum is
    |U'U|^2 + sum over relations of (count^2 - 2 |sum of its edges|^2): O(E r^2), and no E x E matrix.
    """
    num = edges.shape[1]
    if not num:
        return edges.new_zeros(len(edges))
    unit = F.normalize(edges, dim=-1)
    sums = unit.new_zeros(len(unit), num_relations, unit.shape[-1]).index_add(1, relations, unit)
    counts = torch.bincount(relations, minlength=num_relations).to(unit)
    everything = (unit.mT @ unit).square().sum((1, 2))
    return (everything + counts.square().sum() - 2 * sums.square().sum((1, 2))) / num**2


def prototype_loss(
    edges: Float[Tensor, "p e r"], relations: Int[Tensor, " e"], prototypes: Float[Tensor, "p c r"]
) -> Float[Tensor, " p"]:
    """Cross-entropy of the relation given `SHARPNESS` times the cosine to every relation's learned prototype."""
    if not edges.shape[1]:
        return edges.new_zeros(len(edges))
    scores = SHARPNESS * F.normalize(edges, dim=-1) @ F.normalize(prototypes, dim=-1).mT
    return F.cross_entropy(scores.mT, relations.expand(len(scores), -1), reduction="none").mean(1)


def child_loss(labels: Float[Tensor, "p b n c"], batch: Batch) -> Float[Tensor, " p"]:
    """Cross-entropy of every node's relation to its head, the last class being the root's (DepProbe,
    Mueller-Eberstein 2022)."""
    text, _, dependent = batch.edges.unbind(1)
    of_edges, of_roots = labels[:, text, dependent], labels[:, batch.roots[:, 0], batch.roots[:, 1]]
    root_class = labels.shape[-1] - 1
    wanted = torch.cat([batch.relations, batch.relations.new_full((len(batch.roots),), root_class)])
    scores = torch.cat([of_edges, of_roots], 1)
    if not scores.shape[1]:
        return labels.new_zeros(len(labels))
    return F.cross_entropy(scores.mT, wanted.expand(len(scores), -1), reduction="none").mean(1)
