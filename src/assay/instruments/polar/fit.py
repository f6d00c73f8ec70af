"""Structural and polar probes: their losses, and the fit of a stack of probes at once, in which every layer, seed or loss
weight is one row of a batched product.

`z` `(p, b, n, r)` are the mapped nodes of a batch under `p` probes of rank `r`; every loss is `(p,)`, one value per probe.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.instrument import report
from assay.instruments.polar.targets import UNSEEN, Batch, Sample, in_order
from assay.optimisers import Adam

Angle = Literal["prototype", "pair"]
Seen = Callable[[str], Float[Tensor, "p b n r"]]
"""The nodes of a batch under the learned maps of the given name, from states that are scaled to unit variance."""
SHARPNESS = 10.0  # factor of the cosine (inverse temperature) in the cross-entropy of the prototype loss
_TYPICAL_DISTANCE = 4.0  # squared distance of two nodes before training: about the mean path length in a sentence's tree
_MOST_RANDOM = 10_000


# Losses


def squared_distances(z: Float[Tensor, "*p n r"]) -> Float[Tensor, "*p n n"]:
    """|z_i - z_j|^2 of all pairs, from one Gram matrix and without forming the differences."""
    gram = z @ z.mT
    squares = gram.diagonal(dim1=-2, dim2=-1)
    return (squares[..., :, None] + squares[..., None, :] - 2 * gram).clamp(min=0)


def distance_loss(z: Float[Tensor, "p b n r"], batch: Batch) -> Float[Tensor, " p"]:
    """Mean over texts of sum |T - d| / n^2 (Hewitt and Manning 2019), where T is the path length and d the squared distance."""
    return ((batch.distances - squared_distances(z)).abs() * batch.weights).sum((1, 2, 3)) / len(batch.texts)


def depth_loss(z: Float[Tensor, "p b n r"], batch: Batch) -> Float[Tensor, " p"]:
    """Mean over texts of sum |depth - |z|^2| / n (Hewitt and Manning 2019)."""
    per_node = (batch.depths - z.square().sum(-1)).abs() * batch.real
    return (per_node.sum(-1) / batch.real.sum(-1)).mean(-1)


def root_loss(z: Float[Tensor, "p b n r"], root: Float[Tensor, "p r"], batch: Batch) -> Float[Tensor, " p"]:
    """Mean squared error between the vector of every root and the learned root vector."""
    if not len(batch.roots):
        return z.new_zeros(len(z))
    found = z[:, batch.roots[:, 0], batch.roots[:, 1]]
    return (found - root[:, None]).square().mean((1, 2))


def edge_vectors(z: Float[Tensor, "p b n r"], batch: Batch) -> Float[Tensor, "p e r"]:
    """Head minus dependent of every edge."""
    text, head, dependent = batch.edges.unbind(1)
    return z[:, text, head] - z[:, text, dependent]


def pair_loss(edges: Float[Tensor, "p e r"], relations: Int[Tensor, " e"], num_relations: int) -> Float[Tensor, " p"]:
    """Mean of (1 - cos - t)^2 over all E^2 pairs of edges, where t is 0 for two edges of one relation and 1 for others
    (Diego-Simon et al. 2024).

    Pairs of one relation give (1 - cos)^2 = 1 - 2 cos + cos^2, other pairs cos^2. With unit edges U the sum is therefore
    |U'U|^2 + sum over relations of (count^2 - 2 |sum of its edges|^2): O(E r^2) operations, without an E x E matrix.
    """
    unit = F.normalize(edges, dim=-1)
    sums = unit.new_zeros(len(unit), num_relations, unit.shape[-1]).index_add(1, relations, unit)
    counts = torch.bincount(relations, minlength=num_relations).to(unit)
    everything = (unit.mT @ unit).square().sum((1, 2))
    return (everything + counts.square().sum() - 2 * sums.square().sum((1, 2))) / max(1, edges.shape[1]) ** 2


def prototype_loss(
    edges: Float[Tensor, "p e r"], relations: Int[Tensor, " e"], prototypes: Float[Tensor, "p c r"]
) -> Float[Tensor, " p"]:
    """Cross-entropy of the relation, with `SHARPNESS` times the cosine to each relation's learned prototype as logits."""
    return _cross_entropy(SHARPNESS * F.normalize(edges, dim=-1) @ F.normalize(prototypes, dim=-1).mT, relations)


def child_loss(labels: Float[Tensor, "p b n c"], batch: Batch) -> Float[Tensor, " p"]:
    """Cross-entropy of every node's relation to its head; the last class is that of the root (DepProbe, Mueller-Eberstein
    2022)."""
    text, node = torch.cat([batch.edges[:, [0, 2]], batch.roots]).unbind(1)
    root = batch.relations.new_full((len(batch.roots),), labels.shape[-1] - 1)
    return _cross_entropy(labels[:, text, node], torch.cat([batch.relations, root]))


def _cross_entropy(scores: Float[Tensor, "p e c"], classes: Int[Tensor, " e"]) -> Float[Tensor, " p"]:
    """Mean cross-entropy; 0 where there is nothing to classify."""
    if not len(classes):
        return scores.new_zeros(len(scores))
    return F.cross_entropy(scores.mT, classes.expand(len(scores), -1), reduction="none").mean(1)


# Fits


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """Settings of the fit: Adam with a cosine schedule on batches of texts of similar length."""

    rank: int = 64
    epochs: int = 12
    batch: int = 32
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class Probes:
    """A stack of `p` fitted probes.

    **Attributes:**

    - `maps` `(p, width, rank)`: linear maps from states to the vectors whose distances and angles are used.
    - `root` `(p, rank)`: the mean vector of roots.
    - `prototypes` `(p, relations, rank)`: the mean edge, head minus dependent, of every relation in the training graphs.
    - `labels` `(p, width, relations + 1)`: DepProbe's classifier of a node's relation to its head, the root last; None for
      other probes.
    """

    maps: Float[Tensor, "p width rank"]
    root: Float[Tensor, "p rank"]
    prototypes: Float[Tensor, "p relations rank"]
    labels: Float[Tensor, "p width labels"] | None = None

    def __len__(self) -> int:
        return len(self.maps)

    def at(self, rows: Sequence[int]) -> "Probes":
        """The probes at some rows of the stack."""
        rows = list(rows)
        labels = None if self.labels is None else self.labels[rows]
        return Probes(self.maps[rows], self.root[rows], self.prototypes[rows], labels)

    def after(self, change: Float[Tensor, "p other width"]) -> "Probes":
        """The same probes for other states, which `change` maps to the states of these probes."""
        return Probes(change @ self.maps, self.root, self.prototypes, None if self.labels is None else change @ self.labels)

    def vectors(self, sample: Sample, batch: Batch) -> Float[Tensor, "p b n r"]:
        """The vectors of all nodes of a batch under every probe; probe `k` reads layer `k`."""
        return mapped(gather(sample, batch), self.maps)


def mapped(x: Float[Tensor, "p b n width"], maps: Float[Tensor, "p width rank"]) -> Float[Tensor, "p b n rank"]:
    """States times maps, one matrix product for each probe: broadcasting would copy the map for every text."""
    return (x.flatten(1, 2) @ maps).unflatten(1, tuple(x.shape[1:3]))


def gather(sample: Sample, batch: Batch) -> Float[Tensor, "layers b n width"]:
    """The states of a batch in float32; padded rows hold the state of some other node."""
    return sample.states[:, batch.rows.flatten()].float().unflatten(1, tuple(batch.rows.shape))


def fit_distance(sample: Sample, *, fitting: Fitting, generator: Generator) -> Probes:
    """Fit structural probes of distance, one for each layer of the sample."""
    return fit_polar(
        sample, angle="prototype", weights=[0.0] * len(sample.states), beta=0.0, fitting=fitting, generator=generator
    )


def fit_polar(
    sample: Sample, *, angle: Angle, weights: Sequence[float], beta: float = 0.01, fitting: Fitting, generator: Generator
) -> Probes:
    """Fit polar probes, one for each layer of the sample, by the loss distance + `beta` * root + weight * angle (Diego-Simon et
    al. 2024).

    **Arguments:**

    - `angle`: `pair`, the published loss over all pairs of edges, or `prototype`, with a learned direction for every relation.
    - `weights`: weight of the angle loss for each layer.
    """
    num, num_relations = len(sample.states), len(sample.relations)
    weight = torch.tensor(weights, dtype=torch.float32)
    assert len(weight) == num, "one weight for each layer"
    learned = {
        "maps": _random_maps(sample, fitting.rank, generator),
        "root": torch.zeros(num, fitting.rank),
        "prototypes": torch.randn(num, num_relations, fitting.rank, generator=generator),
    }
    turns = bool((weight > 0).any()) and num_relations > 0

    def loss(seen: Seen, batch: Batch) -> Tensor:
        z = seen("maps")
        total = distance_loss(z, batch)
        if beta:
            total = total + beta * root_loss(z, learned["root"], batch)
        if turns:
            edges, known = edge_vectors(z, batch), batch.relations != UNSEEN
            edges, relations = edges[:, known], batch.relations[known]
            if angle == "pair":
                total = total + weight * pair_loss(edges, relations, num_relations)
            else:
                total = total + weight * prototype_loss(edges, relations, learned["prototypes"])
        return total

    return _fitted(sample, learned, loss, fitting, generator)


def fit_depth(sample: Sample, *, fitting: Fitting, generator: Generator) -> Probes:
    """Fit structural probes of depth, which predict it by the squared norm of a node's vector."""
    learned = {"maps": _random_maps(sample, fitting.rank, generator)}
    return _fitted(sample, learned, lambda seen, batch: depth_loss(seen("maps"), batch), fitting, generator)


def fit_depprobe(sample: Sample, *, fitting: Fitting, generator: Generator) -> Probes:
    """Fit DepProbe (Mueller-Eberstein, van der Goot and Plank 2022): one map for distances, one for each node's relation to its
    head."""
    num_labels = len(sample.relations) + 1
    learned = {name: _random_maps(sample, k, generator) for name, k in (("maps", fitting.rank), ("labels", num_labels))}

    def loss(seen: Seen, batch: Batch) -> Tensor:
        return distance_loss(seen("maps"), batch) + child_loss(seen("labels"), batch)

    return _fitted(sample, learned, loss, fitting, generator)


def unfitted(sample: Sample, rank: int | None, *, generator: Generator) -> Probes:
    """Probes whose maps are not fitted: the identity if `rank` is None, else random projections. Their prototypes are still the
    mean edges of the relations."""
    num, _, width = sample.states.shape
    maps = torch.eye(width).expand(num, -1, -1) if rank is None else _random_maps(sample, rank, generator)
    return _read_off(sample, {"maps": maps * scales(sample)})


def _random_maps(sample: Sample, rank: int, generator: Generator) -> Float[Tensor, "num width rank"]:
    """Random maps, scaled so that the expected squared distance of two nodes of unit variance is the same for any width and
    rank."""
    num, _, width = sample.states.shape
    most = math.sqrt(3 * _TYPICAL_DISTANCE / (2 * width * rank))
    return (2 * torch.rand(num, width, rank, generator=generator) - 1) * most


def scales(sample: Sample) -> Float[Tensor, "layers 1 1"]:
    """The factor for each layer that gives the entries of its states unit variance on average."""
    some = sample.states[:, : min(_MOST_RANDOM, sample.states.shape[1])].float()
    variance = some.var(1, correction=0).mean(1) if some.shape[1] else torch.ones(len(some))
    return torch.where(variance > 0, variance, 1.0).rsqrt()[:, None, None]


def _fitted(
    sample: Sample, learned: dict[str, Tensor], loss: Callable[[Seen, Batch], Tensor], fitting: Fitting, generator: Generator
) -> Probes:
    """Train maps of scaled states in place, and return them as probes of the unscaled states."""
    scale = scales(sample)[:, None]
    for tensor in learned.values():
        tensor.requires_grad_()
    optimiser = Adam(learned.values(), lr=fitting.learning_rate, fused=True)
    batches = list(in_order(sample, fitting.batch, generator))  # padded once: padding a batch costs as much as a step
    total = fitting.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * step / max(1, total))))
    for epoch in range(fitting.epochs):
        report("fitting probes", epoch / fitting.epochs)
        for k in torch.randperm(len(batches), generator=generator).tolist():
            batch = batches[k]
            x = gather(sample, batch)
            optimiser.zero_grad(set_to_none=True)
            loss(lambda name, x=x: mapped(x, learned[name]) * scale, batch).sum().backward()
            optimiser.step()
            schedule.step()
    return _read_off(sample, {name: learned[name].detach() * scale[:, 0] for name in ("maps", "labels") if name in learned})


def _read_off(sample: Sample, learned: dict[str, Tensor]) -> Probes:
    """The probes, with the mean edge of every relation and the mean root computed from the sample."""
    maps = learned["maps"]
    num, num_relations = len(maps), len(sample.relations)
    sums, counts = torch.zeros(num, num_relations, maps.shape[2]), torch.zeros(num_relations)
    roots, num_roots = torch.zeros(num, maps.shape[2]), 0
    for batch in in_order(sample):
        z = mapped(gather(sample, batch), maps)
        known = batch.relations != UNSEEN
        sums.index_add_(1, batch.relations[known], edge_vectors(z, batch)[:, known])
        counts += torch.bincount(batch.relations[known], minlength=num_relations)
        roots += z[:, batch.roots[:, 0], batch.roots[:, 1]].sum(1)
        num_roots += len(batch.roots)
    return Probes(maps, roots / max(1, num_roots), sums / counts.clamp(min=1)[:, None], learned.get("labels"))
