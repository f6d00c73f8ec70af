"""From distances and angles to a graph: the paper's edge by edge, a legal directed tree, and DepProbe's."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from assay.instruments.polar.fit import Probes, gather, mapped
from assay.instruments.polar.losses import squared_distances
from assay.instruments.polar.targets import Batch, Sample
from assay.instruments.polar.trees import arborescence, directed_from, spanning_trees

How = Literal["edges", "legal", "depprobe"]
COSINE_WEIGHT = 4.0  # of the cosine against the squared distance, which is about 1 for an edge, in the score of a legal tree
ROOT_WEIGHT = 0.5


@dataclass(frozen=True)
class Decoded:
    """What `p` probes predict for a batch.

    **Attributes:**

    - `edges` `(p, b, n, n)`: 0 where no edge leads from the first node to the second, else 1 plus the index of its relation.
    - `root` `(p, b)`: the predicted root.
    - `types` `(p, e)`: the relation predicted for every gold edge, given its ends and its direction.
    """

    edges: Int[Tensor, "p b n n"]
    root: Int[Tensor, "p b"]
    types: Int[Tensor, "p e"]


def decode(probes: Probes, sample: Sample, batch: Batch, *, how: How, kept: Bool[Tensor, "b n"]) -> Decoded:
    """Predict the graph over the nodes that are `kept`.

    Trees are asked for as trees. Of a graph that is none the pairs nearest to each other are taken, as many as it has edges.

    **Arguments:** `how`:

    - `edges`: minimum spanning tree; every edge has the relation of the nearest prototype by |cos| and its direction by the
      sign (Diego-Simon et al. 2024). A word may end with two heads or none.
    - `legal`: the maximum spanning arborescence over distance and the best signed cosine. Always a tree.
    - `depprobe`: minimum spanning tree hung up at the likeliest root, every edge with its dependent's own relation.
    """
    z = probes.vectors(sample, batch)
    apart = squared_distances(z)
    onto = z @ F.normalize(probes.prototypes, dim=-1)[:, None].mT  # how far along every relation's direction
    rootward = (z - probes.root[:, None, None]).square().sum(-1).masked_fill(~kept, torch.inf)
    root = rootward.argmin(-1)
    types = _types(probes, sample, batch, onto, how)
    trees = torch.tensor([_is_tree(sample, k) for k in batch.texts.tolist()], dtype=torch.bool)
    edges = torch.zeros(*apart.shape, dtype=torch.int64)
    for p in range(len(probes)):
        if how == "legal":
            edges[p] = _legal(apart[p], onto[p], rootward[p], kept & trees[:, None])
        elif how == "edges":
            edges[p] = _edge_by_edge(_skeleton(apart[p], kept & trees[:, None]), onto[p])
        else:
            assert probes.labels is not None, "DepProbe has labels"
            labels = mapped(gather(sample, batch)[p : p + 1], probes.labels[p : p + 1])[0]
            root[p] = labels[..., -1].masked_fill(~kept, -torch.inf).argmax(-1)
            edges[p] = _hung_up(spanning_trees(apart[p], kept & trees[:, None]), root[p], labels)
        if not trees.all():
            edges[p] += _edge_by_edge(_nearest(apart[p], kept & ~trees[:, None], sample, batch), onto[p])
    return Decoded(edges, root, types)


def _is_tree(sample: Sample, text: int) -> bool:
    target = sample.targets[text]
    return target.root >= 0 and len(target.edges) == len(target) - 1 and bool((target.distances >= 0).all())


def _types(probes: Probes, sample: Sample, batch: Batch, onto: Float[Tensor, "p b n c"], how: How) -> Int[Tensor, "p e"]:
    text, head, dependent = batch.edges.unbind(1)
    if not onto.shape[-1]:
        return torch.full((len(probes), len(text)), -1)
    if how == "depprobe" and probes.labels is not None:
        return mapped(gather(sample, batch), probes.labels)[:, text, dependent, :-1].argmax(-1)
    # The length of an edge does not change which cosine is largest.
    return (onto[:, text, head] - onto[:, text, dependent]).argmax(-1)


def _skeleton(apart: Float[Tensor, "b n n"], kept: Bool[Tensor, "b n"]) -> Int[Tensor, "e 3"]:
    """The edges of the spanning trees: place in the batch, and two nodes."""
    parent = spanning_trees(apart, kept)
    text, node = (parent >= 0).nonzero().unbind(1)
    return torch.stack([text, parent[text, node], node], 1)


def _nearest(apart: Float[Tensor, "b n n"], kept: Bool[Tensor, "b n"], sample: Sample, batch: Batch) -> Int[Tensor, "e 3"]:
    """The nearest pairs of every text with a node kept, as many as its graph has edges."""
    found = [torch.zeros(0, 3, dtype=torch.int64)]
    for place, text in enumerate(batch.texts.tolist()):
        nodes = kept[place].nonzero()[:, 0]
        pairs = torch.combinations(nodes, 2)
        order = apart[place][pairs[:, 0], pairs[:, 1]].argsort(stable=True)[: len(sample.targets[text].edges)]
        found.append(torch.cat([torch.full((len(order), 1), place), pairs[order]], 1))
    return torch.cat(found)


def _edge_by_edge(pairs: Int[Tensor, "e 3"], onto: Float[Tensor, "b n c"]) -> Int[Tensor, "b n n"]:
    num, longest, num_relations = onto.shape
    edges = torch.zeros(num, longest, longest, dtype=torch.int64)
    if not num_relations or not len(pairs):
        return edges
    text, one, other = pairs.unbind(1)
    along = onto[text, one] - onto[text, other]
    relation = along.abs().argmax(-1)
    forward = along.gather(1, relation[:, None])[:, 0] > 0
    edges[text, torch.where(forward, one, other), torch.where(forward, other, one)] = relation + 1
    return edges


def _legal(
    apart: Float[Tensor, "b n n"], onto: Float[Tensor, "b n c"], rootward: Float[Tensor, "b n"], kept: Bool[Tensor, "b n"]
) -> Int[Tensor, "b n n"]:
    edges = torch.zeros(*apart.shape, dtype=torch.int64)
    for place in range(len(apart)):
        nodes = kept[place].nonzero()[:, 0]
        if not len(nodes) or not onto.shape[-1]:
            continue
        close, along = apart[place][nodes][:, nodes], onto[place][nodes]
        best, relation = (along[:, None] - along[None]).max(-1)  # of the edge from the first to the second
        scores = COSINE_WEIGHT * best / close.clamp(min=1e-12).sqrt() - close
        heads = torch.tensor(arborescence(scores, -ROOT_WEIGHT * rootward[place][nodes]))
        has = (heads >= 0).nonzero()[:, 0]
        edges[place, nodes[heads[has]], nodes[has]] = relation[heads[has], has] + 1
    return edges


def _hung_up(parent: Int[Tensor, "b n"], root: Int[Tensor, " b"], labels: Float[Tensor, "b n c"]) -> Int[Tensor, "b n n"]:
    num, longest = parent.shape
    edges = torch.zeros(num, longest, longest, dtype=torch.int64)
    relation = labels[..., :-1].argmax(-1) + 1 if labels.shape[-1] > 1 else torch.zeros(num, longest, dtype=torch.int64)
    for place, (joined, start) in enumerate(zip(parent.tolist(), root.tolist(), strict=True)):
        for node, head in enumerate(directed_from(joined, start)):
            if head >= 0:
                edges[place, head, node] = relation[place, node]
    return edges
