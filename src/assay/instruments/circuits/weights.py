"""Circuits pruned weight by weight: a cut edge passes on the mean of its source node instead of its value.

Cutting all outgoing edges of a node mean-ablates it, so every circuit of nodes is also a circuit of weights. A kept node need
not keep all of its edges, which matters for dense networks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from assay.instruments.circuits.controls import Sets
from assay.instruments.circuits.network import TARGET, WiredNetwork, batches, constant_loss, each_loss
from assay.instruments.circuits.nodes import LinearMap
from assay.instruments.circuits.search import Circuit, GateConfig, Order, curve, gate_path, smallest
from assay.isolation import undisturbed
from assay.masks.maskable import is_transposed
from assay.task import Examples

_AT_ONCE = 16  # number of examples for which the effects of all weights are held in memory
LOOSER = (1.0, 2.0, 4.0)
"""Weights are pruned within the smallest circuit of nodes, and within circuits with so many times its nodes."""


class _Place(NamedTuple):
    """The weights of one map that may be cut, `(outputs, inputs)`, and the means of its inputs."""

    of: LinearMap
    free: Bool[Tensor, "o i"]
    means: Float[Tensor, " i"]


@dataclass(frozen=True)
class WeightCount:
    """Counts kept edges, each once. `total`: the number of edges that may be cut."""

    total: int

    def count(self, kept: Bool[Tensor, " edges"]) -> int:
        """The number of kept edges."""
        return int(kept.sum())


class WeightedNetwork:
    """A network whose single weights may be cut: those between the nodes in `nodes`. All other weights are cut in every
    circuit.

    **Raises:** `ValueError` for networks with convolutions, whose weights are used at many places.

    Example::

        inside = WeightedNetwork(network, found.smallest.kept)
        losses = inside.losses(examples, kept)
    """

    def __init__(self, network: WiredNetwork, nodes: Bool[Tensor, " nodes"] | None = None):
        if not prunes_weights(network):
            raise ValueError("single weights can be cut in linear maps only, not in convolutions")
        self.network, self.device = network, network.device
        self.nodes = torch.ones(network.wiring.num_nodes, dtype=torch.bool) if nodes is None else nodes
        self.edges = WeightCount(sum(int(place.free.sum()) for place in self._places))

    @cached_property
    def _places(self) -> list[_Place]:
        means = self.network.wiring.split(self.network.means)
        return [_Place(of, free, means[of.source]) for of, free in self.network.edges.matrices(self.nodes)]

    def losses(self, examples: Examples, kept: Bool[Tensor, " edges"] | None) -> Float[Tensor, " n"]:
        """The loss of each example with all weights except the kept ones cut; None keeps all that may be kept."""
        kept = torch.ones(self.edges.total, dtype=torch.bool) if kept is None else kept
        return self._losses(examples, kept.float(), outside=0.0)

    def losses_without(self, examples: Examples, kept: Bool[Tensor, " edges"]) -> Float[Tensor, " n"]:
        """The loss of each example when only these weights are cut from the whole network."""
        return self._losses(examples, 1 - kept.float(), outside=1.0)

    def _losses(self, examples: Examples, gates: Float[Tensor, " edges"], *, outside: float) -> Float[Tensor, " n"]:
        found = []
        with undisturbed(self.network.module, 0), torch.no_grad(), self.cut(gates.to(self.device), outside=outside):
            for batch in batches(examples):
                found.append(each_loss(self.network.objective, self.network.run(batch.inputs, {}).cpu(), batch.targets))
        return torch.cat(found)

    def loss(self, batch: Examples, mask: Float[Tensor, " edges"], live: Bool[Tensor, " edges"]) -> Tensor:
        """The mean loss of one batch under gates, with their gradients. `live` is ignored: dead weights save no computation."""
        with self.cut(mask):
            outputs = self.network.run(batch.inputs, {})
        return self.network.objective.loss(outputs, batch.targets.to(outputs.device))

    @contextmanager
    def cut(
        self,
        gates: Float[Tensor, " edges"],
        *,
        outside: float = 0.0,
        seen: Callable[[int, Tensor, Tensor], Tensor] = lambda k, x, y: y,
    ) -> Iterator[None]:
        """A context in which a weight w with gate g acts as w (g x + (1 - g) mean(x)), where x is the unit that it reads.

        **Arguments:** `outside`: the gate of weights that are not candidates for the circuit. `seen`: called with the index of
        a linear layer, its input and its output; returns the output that is used instead.
        """
        changed: list[nn.Module] = []
        sizes = [int(place.free.sum()) for place in self._places]
        try:
            for k, (place, own) in enumerate(zip(self._places, gates.split(sizes), strict=True)):
                layer = self.network.module.get_submodule(place.of.layer)
                full = torch.full(place.free.shape, outside, device=self.device).masked_scatter(place.free.to(self.device), own)
                forward = _gated(layer, full, place.means)
                layer.forward = lambda x, k=k, forward=forward: seen(k, x, forward(x))  # pyrefly: ignore[bad-assignment]
                changed.append(layer)
            yield
        finally:
            for layer in changed:
                del layer.forward

    def listed(self, kept: Bool[Tensor, " edges"]) -> Iterator[tuple[LinearMap, int, int]]:
        """Every kept edge: the map, and the indices of its output and input."""
        start = 0
        for place in self._places:
            ends = place.free.nonzero()
            yield from ((place.of, o, i) for o, i in ends[kept[start : start + len(ends)]].tolist())
            start += len(ends)

    def by_magnitude(self) -> Order:
        """The weights in decreasing order of magnitude: the baseline of magnitude pruning, which uses no examples."""
        layers = [self.network.module.get_submodule(place.of.layer) for place in self._places]
        sizes = [LinearMap.matrix(layer).abs()[place.free] for layer, place in zip(layers, self._places, strict=True)]
        return Order(torch.cat(sizes).cpu().argsort(descending=True, stable=True))

    def effects(self, examples: Examples) -> Float[Tensor, " edges"]:
        """First-order effect on the loss of cutting each edge (edge attribution patching): per example, gradient at its target
        times weight times distance of its source from the mean, summed over positions; then the mean of its absolute value."""
        sums = [torch.zeros(place.free.shape, device=self.device) for place in self._places]
        whole = torch.ones(self.edges.total, device=self.device)
        with undisturbed(self.network.module, 0):
            for start in range(0, len(examples), _AT_ONCE):
                batch = examples.take(torch.arange(start, min(start + _AT_ONCE, len(examples))))
                calls: list[tuple[int, Tensor, Tensor]] = []

                def note(k: int, x: Tensor, y: Tensor, calls: list[tuple[int, Tensor, Tensor]] = calls) -> Tensor:
                    y = y if y.requires_grad else y.requires_grad_()
                    calls.append((k, x.detach(), y))
                    return y

                with torch.enable_grad(), self.cut(whole, seen=note):
                    outputs = self.network.run(batch.inputs, {})
                    loss = self.network.objective.loss(outputs, batch.targets.to(outputs.device)) * len(batch)
                    slopes = torch.autograd.grad(loss, [y for _, _, y in calls], allow_unused=True, materialize_grads=True)
                for (k, x, _), slope in zip(calls, slopes, strict=True):
                    away = (x - self._places[k].means).reshape(len(batch), -1, x.shape[-1])
                    product = torch.einsum("nto,nti->noi", slope.reshape(len(batch), -1, slope.shape[-1]), away)
                    weight = LinearMap.matrix(self.network.module.get_submodule(self._places[k].of.layer))
                    sums[k] += (product * weight).abs().sum(0)
        return torch.cat([total[place.free] for total, place in zip(sums, self._places, strict=True)]).cpu() / len(examples)


def prunes_weights(network: WiredNetwork) -> bool:
    """Whether the single weights of every map can be cut."""
    layers = [network.module.get_submodule(one.layer) for one in network.wiring.maps]
    return all(isinstance(layer, nn.Linear) or is_transposed(layer) for layer in layers)


def _gated(layer: nn.Module, gates: Float[Tensor, "o i"], means: Float[Tensor, " i"]) -> Callable[[Tensor], Tensor]:
    weight, bias = LinearMap.matrix(layer), getattr(layer, "bias", None)
    constant = (weight * (1 - gates)) @ means
    constant = constant if bias is None else constant + bias.detach()
    return lambda x: nn.functional.linear(x, weight * gates, constant)


class PrunedWeights(NamedTuple):
    """A circuit of single weights, and the network in which they were pruned; `circuit.kept` marks its edges. `circuits`: those
    of all sizes, along the order that the search found."""

    network: WeightedNetwork
    circuit: Circuit
    circuits: Sequence[Circuit]

    def losses_without(self, examples: Examples) -> Float[Tensor, " n"]:
        """The loss of each example when only these weights are cut."""
        return self.network.losses_without(examples, self.circuit.kept)


def order_weights(network: WeightedNetwork, examples: Examples, config: GateConfig, *, generator: Generator) -> Order:
    """Order single weights by importance for a task, by the search that orders nodes."""
    effects = network.effects(examples)
    if not config.steps[0]:
        return Order(effects.argsort(descending=True, stable=True))
    with undisturbed(network.network.module, 0):
        return gate_path(network.loss, effects, examples, config, generator=generator, device=network.device)


def smallest_weights(
    network: WiredNetwork,
    order: Order,
    least: Bool[Tensor, " nodes"] | None,
    sets: Sets,
    config: GateConfig,
    *,
    generator: Generator,
    points: int,
    looser: Sequence[float] = LOOSER,
    target: float | None = None,
) -> PrunedWeights | None:
    """The circuit with the fewest weights whose loss is at most the target; None if no circuit reaches it.

    Weights are pruned within circuits of nodes, the smallest one and larger ones along the order, since the circuit with the
    fewest nodes need not contain the one with the fewest edges; within the whole network if no circuit of nodes reaches the
    target.

    **Arguments:** `order`, `least`: from the search for nodes, their order and the smallest circuit. `looser`: multiples of the
    number of its nodes, within which weights are pruned too. `target`: by default `TARGET` times the loss of a constant answer.
    """
    target = TARGET * constant_loss(network.objective, sets.choosing.targets) if target is None else target
    inside: list[Bool[Tensor, " nodes"] | None] = [None]
    if least is not None:
        num = int(least.sum())
        inside = [least if times == 1 else order.first(round(times * num)) for times in looser]
    found: list[PrunedWeights] = []
    for nodes in inside:
        within = WeightedNetwork(network, nodes)
        if within.edges.total:
            weights = order_weights(within, sets.searching, config, generator=generator)
            circuits = curve(within, weights, sets.choosing, points=points)
            best = smallest(within, weights, circuits, sets.choosing, target=target)
            if best is not None:
                found.append(PrunedWeights(within, best, circuits))
    return min(found, key=lambda one: one.circuit.edges, default=None)
