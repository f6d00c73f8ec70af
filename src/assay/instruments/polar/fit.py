"""Fit a stack of probes at once: every layer, seed or weight of a loss is one more row of a batched product."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.instruments.polar import losses
from assay.instruments.polar.targets import UNSEEN, Batch, Sample, grouped, in_order
from assay.optimisers import Adam

Angle = Literal["prototype", "pair"]
Seen = Callable[[str], Float[Tensor, "p b n r"]]
"""The nodes of a batch, their states brought to unit variance, under the learned maps of this name."""
_TYPICAL_DISTANCE = 4.0  # squared, between two nodes before training: about the mean path length in a sentence's tree
_MOST_RANDOM = 10_000


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How probes are fitted: Adam with a cosine schedule on batches of texts of like length."""

    rank: int = 64
    epochs: int = 12
    batch: int = 32
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class Probes:
    """A stack of `p` linear maps with what belongs to them.

    **Attributes:**

    - `maps` `(p, width, rank)`: node states times it are the vectors whose distances and angles are read.
    - `root` `(p, rank)`: where the root of a tree should lie.
    - `prototypes` `(p, relations, rank)`: the mean edge, head minus dependent, of every relation in the training graphs.
    - `labels` `(p, width, relations + 1)`: of DepProbe, the relation of a node to its head, the root last; None for others.
    """

    maps: Float[Tensor, "p width rank"]
    root: Float[Tensor, "p rank"]
    prototypes: Float[Tensor, "p relations rank"]
    labels: Float[Tensor, "p width labels"] | None = None

    def __len__(self) -> int:
        return len(self.maps)

    def at(self, rows: Sequence[int]) -> "Probes":
        """Some of the stack."""
        rows = list(rows)
        return Probes(
            self.maps[rows], self.root[rows], self.prototypes[rows], None if self.labels is None else self.labels[rows]
        )

    def after(self, change: Float[Tensor, "p other width"]) -> "Probes":
        """The probes of states that `change` turns into those of these probes."""
        return Probes(change @ self.maps, self.root, self.prototypes, None if self.labels is None else change @ self.labels)

    def vectors(self, sample: Sample, batch: Batch) -> Float[Tensor, "p b n r"]:
        """Every node of the batch under every probe; probe `k` reads layer `k`."""
        return mapped(gather(sample, batch), self.maps)


def mapped(x: Float[Tensor, "p b n width"], maps: Float[Tensor, "p width rank"]) -> Float[Tensor, "p b n rank"]:
    """One product for each probe: broadcasting would copy the map for every text."""
    return (x.flatten(1, 2) @ maps).unflatten(1, tuple(x.shape[1:3]))


def gather(sample: Sample, batch: Batch) -> Float[Tensor, "layers b n width"]:
    """The states of a batch in float32; a padded place holds another node's."""
    return sample.states[:, batch.rows.flatten()].float().unflatten(1, tuple(batch.rows.shape))


def fit_distance(sample: Sample, *, fitting: Fitting, generator: Generator) -> Probes:
    """Structural probes of distance, one for each layer of the sample."""
    return fit_polar(
        sample, angle="prototype", weights=[0.0] * len(sample.states), beta=0.0, fitting=fitting, generator=generator
    )


def fit_polar(
    sample: Sample, *, angle: Angle, weights: Sequence[float], beta: float = 0.01, fitting: Fitting, generator: Generator
) -> Probes:
    """Polar probes: distance + `beta` root + weight * angle (Diego-Simon et al. 2024), one for each layer of the sample.

    **Arguments:**

    - `angle`: `pair` is the published loss over all pairs of edges, `prototype` learns a direction for every relation.
    - `weights`: of the angle loss, one for each layer.
    """
    num, width, rank, num_relations = len(sample.states), sample.states.shape[2], fitting.rank, len(sample.relations)
    weight = torch.tensor(weights, dtype=torch.float32)
    assert len(weight) == num, "one weight for each layer"
    learned = {
        "maps": initial(num, width, rank, generator),
        "root": torch.zeros(num, rank),
        "prototypes": torch.randn(num, num_relations, rank, generator=generator),
    }
    turns = bool((weight > 0).any()) and num_relations > 0

    def loss(seen: Seen, batch: Batch) -> Tensor:
        z = seen("maps")
        total = losses.distance_loss(z, batch)
        if beta:
            total = total + beta * losses.root_loss(z, learned["root"], batch)
        if turns:
            edges, known = losses.edge_vectors(z, batch), batch.relations != UNSEEN
            edges, relations = edges[:, known], batch.relations[known]
            if angle == "pair":
                total = total + weight * losses.pair_loss(edges, relations, num_relations)
            else:
                total = total + weight * losses.prototype_loss(edges, relations, learned["prototypes"])
        return total

    return _read_off(sample, _minimised(sample, learned, loss, fitting, generator))


def fit_depth(sample: Sample, *, fitting: Fitting, generator: Generator) -> Probes:
    """Structural probes of depth: the squared norm of a node's vector."""
    learned = {"maps": initial(len(sample.states), sample.states.shape[2], fitting.rank, generator)}

    def loss(seen: Seen, batch: Batch) -> Tensor:
        return losses.depth_loss(seen("maps"), batch)

    return _read_off(sample, _minimised(sample, learned, loss, fitting, generator))


def fit_depprobe(sample: Sample, *, fitting: Fitting, generator: Generator) -> Probes:
    """DepProbe (Mueller-Eberstein, van der Goot and Plank 2022): a map of distances, and one of every node's own relation."""
    num, width = len(sample.states), sample.states.shape[2]
    learned = {
        "maps": initial(num, width, fitting.rank, generator),
        "labels": initial(num, width, len(sample.relations) + 1, generator),
    }

    def loss(seen: Seen, batch: Batch) -> Tensor:
        return losses.distance_loss(seen("maps"), batch) + losses.child_loss(seen("labels"), batch)

    return _read_off(sample, _minimised(sample, learned, loss, fitting, generator))


def unfitted(sample: Sample, rank: int | None, *, generator: Generator) -> Probes:
    """Maps that were not fitted: the identity where `rank` is None, else random projections. Prototypes are read off all
    the same."""
    num, width = len(sample.states), sample.states.shape[2]
    maps = torch.eye(width).expand(num, -1, -1) if rank is None else initial(num, width, rank, generator)
    return _read_off(sample, {"maps": maps * scales(sample)})


def initial(num: int, width: int, rank: int, generator: Generator) -> Float[Tensor, "num width rank"]:
    """Random maps under which two nodes of unit variance are a typical distance apart, whatever width and rank."""
    most = math.sqrt(3 * _TYPICAL_DISTANCE / (2 * width * rank))
    return (2 * torch.rand(num, width, rank, generator=generator) - 1) * most


def scales(sample: Sample) -> Float[Tensor, "layers 1 1"]:
    """What every layer's states are multiplied by, so that their entries have unit variance in the mean."""
    some = sample.states[:, : min(_MOST_RANDOM, sample.states.shape[1])].float()
    variance = some.var(1, correction=0).mean(1) if some.shape[1] else torch.ones(len(some))
    return torch.where(variance > 0, variance, 1.0).rsqrt()[:, None, None]


def _minimised(
    sample: Sample,
    learned: dict[str, Tensor],
    loss: Callable[[Seen, Batch], Tensor],
    fitting: Fitting,
    generator: Generator,
) -> dict[str, Tensor]:
    """Train in place; the maps are given back for the states as they are."""
    scale = scales(sample)[:, None]
    for tensor in learned.values():
        tensor.requires_grad_()
    optimiser = Adam(learned.values(), lr=fitting.learning_rate, fused=True)
    batches = grouped(sample, fitting.batch, generator)
    total = fitting.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * step / max(1, total))))
    for _ in range(fitting.epochs):
        for k in torch.randperm(len(batches), generator=generator).tolist():
            batch = batches[k]
            x = gather(sample, batch)
            optimiser.zero_grad(set_to_none=True)
            loss(lambda name, x=x: mapped(x, learned[name]) * scale, batch).sum().backward()
            optimiser.step()
            schedule.step()
    found = {name: tensor.detach() for name, tensor in learned.items()}
    return {name: tensor * scale[:, 0] if name in ("maps", "labels") else tensor for name, tensor in found.items()}


def _read_off(sample: Sample, learned: dict[str, Tensor]) -> Probes:
    """The probes with the mean edge of every relation, and the mean root where none was learned."""
    maps = learned["maps"]
    num, num_relations = len(maps), len(sample.relations)
    sums, counts = torch.zeros(num, num_relations, maps.shape[2]), torch.zeros(num_relations)
    roots, num_roots = torch.zeros(num, maps.shape[2]), 0
    blank = Probes(maps, roots, sums, learned.get("labels"))
    for batch in in_order(sample):
        z = blank.vectors(sample, batch)
        known = batch.relations != UNSEEN
        sums.index_add_(1, batch.relations[known], losses.edge_vectors(z, batch)[:, known])
        counts += torch.bincount(batch.relations[known], minlength=num_relations)
        roots += z[:, batch.roots[:, 0], batch.roots[:, 1]].sum(1)
        num_roots += len(batch.roots)
    root = roots / max(1, num_roots)
    return Probes(maps, root, sums / counts.clamp(min=1)[:, None], learned.get("labels"))


def in_parts(num: int, most: int) -> list[list[int]]:
    """The numbers below `num` in runs of at most `most`."""
    return [list(range(start, min(start + most, num))) for start in range(0, num, most)]
