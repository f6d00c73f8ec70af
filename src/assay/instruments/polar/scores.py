"""Decoding of graphs from probes (edge by edge, as a legal directed tree, or as in DepProbe), and their scores by edge and by
text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from assay.instrument import Metric
from assay.instruments.polar.fit import Probes, gather, mapped, squared_distances
from assay.instruments.polar.targets import Batch, Sample, in_order
from assay.spanning import arborescence, directed_from, spanning_forest
from assay.stats import cluster_means, rank_correlation

How = Literal["edges", "legal", "depprobe"]
COSINE_WEIGHT = 4.0  # weight of the cosine in the score of a legal tree, where the squared distance of an edge is about 1
ROOT_WEIGHT = 0.5
ROOT, CORRELATION = "root accuracy of depth", "depth correlation"
RATES = ("UUAS", "UAS", "LAS", "type accuracy")
LENGTHS = (5, 50)  # lengths of the texts that enter DSpr and NSpr
Edges = tuple[Int[Tensor, "b n"], Int[Tensor, "b n"]]
"""The head of every node, negative where it has none, and its relation to that head."""


def decode(
    probes: Probes, sample: Sample, batch: Batch, *, how: How, kept: Bool[Tensor, "b n"]
) -> tuple[Int[Tensor, "p b n n"], Int[Tensor, "p b"], Int[Tensor, "p e"]]:
    """Predict the graph over the `kept` nodes.

    For a tree a tree is predicted. For any other graph the nearest pairs are taken, as many as it has edges.

    **Arguments:** `how`:

    - `edges`: minimum spanning tree; every edge gets its relation from the nearest prototype by |cos|, and its direction from
      the sign (Diego-Simon et al. 2024). A word may get two heads or none.
    - `legal`: the maximum spanning arborescence over distance and the best signed cosine. Always a directed tree.
    - `depprobe`: minimum spanning tree, directed away from the most likely root; every edge has the relation predicted for its
      dependent.

    **Returns:** for every probe the edges, 0 where there is none from the first node to the second, else 1 plus the index of
    its relation; the root; and the predicted relation of every gold edge, given its ends and its direction.
    """
    z = probes.vectors(sample, batch)
    apart = squared_distances(z)
    onto = z @ F.normalize(probes.prototypes, dim=-1)[:, None].mT  # projection onto the direction of every relation
    rootward = -(z - probes.root[:, None, None]).square().sum(-1)
    labels = mapped(gather(sample, batch), probes.labels) if how == "depprobe" and probes.labels is not None else None
    likely = rootward if labels is None else labels[..., -1]
    root = likely.masked_fill(~kept, -torch.inf).argmax(-1)
    trees = kept & torch.tensor([sample.targets[text].graph.is_tree for text in batch.texts.tolist()])[:, None]
    edges = torch.zeros(*apart.shape, dtype=torch.int64)
    for p in range(len(probes) if onto.shape[-1] else 0):
        pairs = _nearest(apart[p], kept & ~trees, sample, batch)
        if how == "edges":
            pairs = torch.cat([pairs, spanning_forest(apart[p], trees)])
        else:
            found = (
                _legal(apart[p], onto[p], likely[p], trees) if labels is None else _hung_up(apart[p], labels[p], root[p], trees)
            )
            place, node = (found[0] >= 0).nonzero().unbind(1)
            edges[p, place, found[0][place, node], node] = found[1][place, node] + 1
        # The relation and the direction of a pair are those with the largest cosine.
        place, one, other = pairs.unbind(1)
        along = onto[p, place, one] - onto[p, place, other]
        relation = along.abs().argmax(-1)
        forward = along.gather(1, relation[:, None])[:, 0] > 0
        edges[p, place, torch.where(forward, one, other), torch.where(forward, other, one)] = relation + 1
    text, head, dependent = batch.edges.unbind(1)
    # The length of an edge does not change which cosine is largest.
    scores = onto[:, text, head] - onto[:, text, dependent] if labels is None else labels[:, text, dependent, :-1]
    types = scores.argmax(-1) if scores.shape[-1] else torch.full(scores.shape[:2], -1)
    return edges, root, types


def _nearest(apart: Float[Tensor, "b n n"], kept: Bool[Tensor, "b n"], sample: Sample, batch: Batch) -> Int[Tensor, "e 3"]:
    """The nearest pairs of nodes of every text, as many as its graph has edges: index of the text in the batch, and two
    nodes."""
    found = [torch.zeros(0, 3, dtype=torch.int64)]
    for place in kept.any(1).nonzero()[:, 0].tolist():
        pairs = torch.combinations(kept[place].nonzero()[:, 0], 2)
        num = len(sample.targets[int(batch.texts[place])].edges)
        nearest = pairs[apart[place, pairs[:, 0], pairs[:, 1]].argsort(stable=True)[:num]]
        found.append(torch.cat([torch.full((len(nearest), 1), place), nearest], 1))
    return torch.cat(found)


def _legal(
    apart: Float[Tensor, "b n n"], onto: Float[Tensor, "b n c"], rootward: Float[Tensor, "b n"], kept: Bool[Tensor, "b n"]
) -> Edges:
    heads, relations = torch.full(kept.shape, -1), torch.zeros(kept.shape, dtype=torch.int64)
    for place in kept.any(1).nonzero()[:, 0].tolist():
        nodes = kept[place].nonzero()[:, 0]
        close, along = apart[place][nodes][:, nodes], onto[place][nodes]
        best, relation = (along[:, None] - along[None]).max(-1)  # for the edge from the first node to the second
        scores = COSINE_WEIGHT * best / close.clamp(min=1e-12).sqrt() - close
        head = arborescence(scores, ROOT_WEIGHT * rootward[place][nodes])
        heads[place, nodes] = torch.where(head >= 0, nodes[head], -1)
        relations[place, nodes] = relation[head, torch.arange(len(head))]
    return heads, relations


def _hung_up(
    apart: Float[Tensor, "b n n"], labels: Float[Tensor, "b n c"], root: Int[Tensor, " b"], kept: Bool[Tensor, "b n"]
) -> Edges:
    pairs, num = spanning_forest(apart, kept), kept.shape[1]
    heads = [directed_from(pairs[pairs[:, 0] == place, 1:], start, num=num) for place, start in enumerate(root.tolist())]
    return torch.stack(heads), labels[..., :-1].argmax(-1)


# Gold edges


@dataclass(frozen=True)
class ScoredEdges:
    """The gold edges of a sample, scored under one probe. Each rate and breakdown is a mean over some of these edges.

    **Attributes:**

    - `text`, `relation`, `span` (|i - j|), `depth` (of the dependent), `length` (of the text): `(e,)`, one for every edge.
    - `right` `(4, e)`, in the order of `RATES`: found in either direction; found in the right direction; found with its
      relation; and classified with the right relation when its ends are given.
    - `root` `(texts,)`: whether the root is right; NaN for a text without a root.
    """

    text: Int[Tensor, " e"]
    relation: Int[Tensor, " e"]
    span: Int[Tensor, " e"]
    depth: Int[Tensor, " e"]
    length: Int[Tensor, " e"]
    right: Bool[Tensor, "4 e"]
    root: Float[Tensor, " texts"]

    def counts(self, rate: str) -> tuple[Float[Tensor, " texts"], Float[Tensor, " texts"]]:
        """The number of right edges, and of all edges, in every text."""
        right = self.right[RATES.index(rate)].double()
        zero = torch.zeros(len(self.root), dtype=torch.float64)
        return zero.index_add(0, self.text, right), zero.index_add(0, self.text, torch.ones_like(right))

    def units(self, rate: str) -> Float[Tensor, " texts"]:
        """The contribution of every text to the rate over all edges; see `influence`."""
        return influence(*self.counts(rate))

    def micro(self, rate: str) -> float:
        """The rate over all edges. NaN if there are none."""
        return float(self.right[RATES.index(rate)].double().mean())

    def macro(self, rate: str) -> float:
        """The mean of the rate over texts that have edges."""
        return float(cluster_means(self.right[RATES.index(rate)].double(), self.text).means.mean())

    def balanced(self) -> float:
        """Balanced type accuracy: the mean over relations that occur here and were seen in training."""
        seen = self.relation >= 0
        return float(cluster_means(self.right[3, seen].double(), self.relation[seen]).means.mean())


def score(probes: Probes, sample: Sample, *, how: How = "edges", punctuation: bool = True) -> list[ScoredEdges]:
    """Predict the graph of every text and score it, for every probe of the stack.

    **Arguments:** `punctuation`: whether the gold and predicted graphs include punctuation nodes and their edges.
    """
    columns = [torch.zeros(5, 0, dtype=torch.int64)]
    right = [torch.zeros(len(probes), 4, 0, dtype=torch.bool)]
    roots = torch.full((len(probes), len(sample)), torch.nan)
    for batch in in_order(sample, 64):
        kept = batch.real.clone()
        for place, text in enumerate(batch.texts.tolist()):
            kept[place, : len(sample.targets[text])] &= punctuation | sample.targets[text].content
        edges, root, types = decode(probes, sample, batch, how=how, kept=kept)
        place, head, dependent = batch.edges.unbind(1)
        asked = kept[place, head] & kept[place, dependent]
        depth, length = batch.depths[place, dependent].long(), batch.real.sum(1)[place]
        columns.append(torch.stack([batch.texts[place], batch.relations, (head - dependent).abs(), depth, length])[:, asked])
        forward, backward = edges[:, place, head, dependent], edges[:, place, dependent, head]
        labelled = (forward > 0) & (forward == batch.relations + 1)
        typed = (types == batch.relations) & (batch.relations >= 0)
        right.append(torch.stack([(forward > 0) | (backward > 0), forward > 0, labelled, typed], 1)[..., asked])
        has_root, gold = batch.roots.unbind(1)
        roots[:, batch.texts[has_root]] = (root[:, has_root] == gold).float()
    described, found = torch.cat(columns, 1), torch.cat(right, 2)
    return [ScoredEdges(*described, right=found[p], root=roots[p]) for p in range(len(probes))]


def influence(right: Float[Tensor, " texts"], total: Float[Tensor, " texts"]) -> Float[Tensor, " texts"]:
    """The contribution of each text to a rate over all edges; the mean of the contributions over texts is the rate.

    A rate is a ratio of sums. To first order it is the mean of the values (right - rate * total) / mean total + rate, so that
    intervals and tests of means apply to it (the delta method; a test checks that the bootstrap over texts agrees).
    """
    if not total.sum():
        return right.new_zeros(0)
    rate = right.sum() / total.sum()
    return rate + (right - rate * total) / total.mean()


# The order of distances and of depths


def correlations(probes: Probes, sample: Sample) -> Float[Tensor, "p texts"]:
    """For every text, Spearman's correlation between the predicted and the true distances of a node to all nodes, averaged over
    nodes, punctuation included (Hewitt and Manning 2019, section 3.1). NaN where all distances of every node are equal, or some
    distance is unknown."""
    found = torch.full((len(probes), len(sample)), torch.nan)
    for batch in in_order(sample, 64):
        apart = squared_distances(probes.vectors(sample, batch)).numpy()
        for place, text in enumerate(batch.texts.tolist()):
            true = sample.targets[text].distances.numpy()
            if (true >= 0).all():
                rows = rank_correlation(apart[:, place, : len(true), : len(true)], true[None])
                found[:, text] = torch.from_numpy(rows).nanmean(-1).float()
    return found


def length_mean(values: Float[Tensor, " texts"], sample: Sample) -> float:
    """The mean over texts of each length, averaged over lengths 5 to 50. NaN if there are no such texts."""
    lengths = sample.starts.diff()
    asked = (lengths >= LENGTHS[0]) & (lengths <= LENGTHS[1]) & ~values.isnan()
    return float(cluster_means(values[asked], lengths[asked]).means.mean())


def deep(probes: Probes, sample: Sample) -> list[dict[str, Float[Tensor, " texts"]]]:
    """Scores of every depth probe of the stack on every text; NaN where the gold graph does not define the score.

    Root accuracy: whether the node with the smallest predicted depth is the root, among two or more nodes other than
    punctuation. Depth correlation: Spearman's, between predicted and true depths of all nodes; 0 where all predicted depths are
    equal.
    """
    root, correlation = (torch.full((len(probes), len(sample)), torch.nan) for _ in range(2))
    for batch in in_order(sample, 64):
        norms = probes.vectors(sample, batch).square().sum(-1)
        for place, text in enumerate(batch.texts.tolist()):
            target = sample.targets[text]
            found = norms[:, place, : len(target)]
            if target.root >= 0 and target.content[target.root] and target.content.sum() > 1:
                least = found.masked_fill(~target.content, torch.inf).argmin(1)
                root[:, text] = (least == target.root).float()
            if (target.depths >= 0).all() and target.depths.unique().numel() > 1:
                ranks = rank_correlation(found.numpy(), target.depths.numpy()[None])
                correlation[:, text] = torch.from_numpy(ranks).float().nan_to_num(0.0)
    return [{ROOT: root[p], CORRELATION: correlation[p]} for p in range(len(probes))]


# All scores of one fit


def metric(title: str, unit: str = "", bounds: tuple[float, float] = (0.0, 1.0), *, of: str = "text", **options: Any) -> Metric:
    """A metric on held-out texts and their gold graphs. `options`: further arguments of `Metric`."""
    key = title.lower().replace(" ", "_")
    return Metric(key=key, title=title, unit=unit, level=2, of=of, bounds=bounds, **options)


class Fitted(NamedTuple):
    """One probe of each kind, each as a stack of one."""

    distance: Probes
    polar: Probes
    depth: Probes


class Scores(NamedTuple):
    """The scores of one fit: the distance probe without punctuation, the polar probe with it, decoded as legal trees.

    **Attributes:** `units`: by title of the metric, the contribution of every text; their mean is the rate over all edges, or
    the mean over the texts for which the metric is defined.
    """

    structural: ScoredEdges
    polar: ScoredEdges
    units: Mapping[str, Float[Tensor, " some"]]


def score_fit(fit: Fitted, sample: Sample) -> Scores:
    """Score all three probes on a sample of one layer."""
    (structural,), (polar,) = score(fit.distance, sample, punctuation=False), score(fit.polar, sample, how="legal")
    (depth,) = deep(fit.depth, sample)
    units = {"UUAS": structural.units("UUAS"), **{rate: polar.units(rate) for rate in RATES[1:]}}
    return Scores(structural, polar, units | {title: values[~values.isnan()].double() for title, values in depth.items()})
