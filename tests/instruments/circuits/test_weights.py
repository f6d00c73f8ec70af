"""Circuits pruned weight by weight: what a cut edge passes on, by second routes, and the planted circuit."""

import pytest
import torch
from planted_circuits import EDGES, SameSign
from test_search import circuits, drawn, planted, stream
from torch import Generator, nn

from assay.instruments.circuits.controls import Sets
from assay.instruments.circuits.network import each_loss
from assay.instruments.circuits.search import GateConfig, order_nodes
from assay.instruments.circuits.weights import WeightedNetwork, order_weights, prunes_weights, smallest_weights
from assay.objective import Classification
from assay.subject import Subject
from assay.task import Examples

EFFECTS = GateConfig(steps=(0, 0))
GATES = GateConfig(prices=(0.5, 2.0), steps=(60, 20), batch_size=48)


def halves() -> Sets:
    return Sets(*(SameSign().examples("train", 96, generator=Generator().manual_seed(seed)) for seed in range(3)))


def test_cutting_all_edges_of_dead_nodes_is_cutting_the_nodes():
    """In a block with attention and norms, for a random half of the nodes."""
    of, examples = stream()
    network = circuits(of, examples, Classification(3))
    kept = torch.rand(network.wiring.num_nodes, generator=Generator().manual_seed(3)) < 0.5
    weights = WeightedNetwork(network, kept)
    assert weights.edges.total == network.edges.count(kept) < network.edges.total
    assert torch.allclose(weights.losses(examples, None), network.losses(examples, kept), atol=1e-5)
    whole = WeightedNetwork(network)
    every = torch.ones(whole.edges.total, dtype=torch.bool)
    assert torch.allclose(whole.losses(examples, every), network.losses(examples, None), atol=1e-6)
    assert torch.allclose(whole.losses_without(examples, ~every), network.losses(examples, None), atol=1e-6)
    assert torch.allclose(whole.losses_without(examples, every), whole.losses(examples, ~every), atol=1e-6)
    assert not any("forward" in vars(part) for part in of.module.modules())


def test_a_cut_edge_passes_on_the_mean_of_its_source():
    """By hand, in a network of one hidden layer; what is outside the nodes stays when the circuit is taken away."""
    network, examples = circuits(), drawn()
    inside = planted(network)
    weights = WeightedNetwork(network, inside)
    kept = torch.ones(weights.edges.total, dtype=torch.bool)
    kept[0] = False  # from bit 0 to hidden unit 3
    first, _, last = network.module.layers
    means = network.means
    x = examples.inputs["x"]
    with torch.no_grad():

        def answered(entering: torch.Tensor) -> torch.Tensor:
            return each_loss(network.objective, last(entering.relu()), examples.targets)

        def hidden(weight: torch.Tensor) -> torch.Tensor:
            return x @ weight.T + means[:6] @ (first.weight - weight).T + first.bias

        alone = torch.zeros_like(first.weight)
        for unit, bit in ((3, 1), (9, 0), (9, 1)):
            alone[unit, bit] = first.weight[unit, bit]
        others = torch.full((14,), True)
        others[[3, 9]] = False
        held = torch.where(others, means[6:], hidden(alone).relu())
        assert torch.allclose(weights.losses(examples, kept), answered(held), atol=1e-5)
        removed = first.weight.clone()
        removed[3, 0] = 0
        assert torch.allclose(weights.losses_without(examples, ~kept), answered(hidden(removed)), atol=1e-5)


def test_first_order_effects_of_edges_are_those_of_small_steps():
    of, examples = stream(6)
    weights = WeightedNetwork(circuits(of, examples, Classification(3)))
    effects = weights.effects(examples)
    base, step = weights.losses(examples, None), 1e-3
    for edge in range(0, weights.edges.total, 61):
        gates = torch.ones(weights.edges.total)
        gates[edge] -= step
        with torch.no_grad(), weights.cut(gates):
            moved = each_loss(weights.network.objective, weights.network.run(examples.inputs, {}), examples.targets)
        assert float(((base - moved) / step).abs().mean()) == pytest.approx(float(effects[edge]), rel=0.05, abs=3e-3)


@pytest.mark.parametrize("config", [EFFECTS, GATES], ids=["effects", "gates"])
def test_the_planted_circuit_is_found_among_single_weights(config: GateConfig):
    """From twice its nodes, the edges of which are no part of it, and from the whole network where nodes have no circuit."""
    network, sets = circuits(), halves()
    order = order_nodes(network, sets.searching, EFFECTS, generator=Generator())
    for least, looser in ((planted(network), (2.0,)), (None, (1.0,))):
        found = smallest_weights(
            network, order, least, sets, config, generator=Generator().manual_seed(0), points=6, looser=looser
        )
        assert found is not None
        assert found.network.edges.total > EDGES
        listed = {(of.layer, o, i) for of, o, i in found.network.listed(found.circuit.kept)}
        assert listed >= {("layers.0", unit, bit) for unit in (3, 9) for bit in (0, 1)} | {
            ("layers.2", 0, 3),
            ("layers.2", 0, 9),
        }
        assert len(listed) == found.circuit.edges <= 2 * EDGES
        assert float(found.network.losses(sets.judging, found.circuit.kept).mean()) < 0.15
        assert float(found.losses_without(sets.judging).mean()) > 0.6
    none = smallest_weights(network, order, None, sets, config, generator=Generator(), points=6, target=-1.0)
    assert none is None


def test_a_search_without_gates_orders_by_effects():
    network, sets = circuits(), halves()
    weights = WeightedNetwork(network)
    order = order_weights(weights, sets.searching, EFFECTS, generator=Generator())
    effects = weights.effects(sets.searching)[order.nodes]
    assert bool((effects[:-1] >= effects[1:]).all())


class Seen(nn.Module):
    """One convolution."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(1, 2, 3)

    def forward(self, x):
        return self.layer(x[:, None]).mean(-1)


def test_weights_of_a_convolution_are_used_at_many_places():
    with torch.random.fork_rng():
        examples = Examples({"x": torch.randn(8, 6)}, torch.arange(8) % 2, {}, torch.arange(8))
        network = circuits(Subject(Seen()), examples, Classification(2))
    assert not prunes_weights(network)
    with pytest.raises(ValueError, match="convolutions"):
        WeightedNetwork(network)
