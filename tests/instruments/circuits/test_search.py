"""Orders of nodes, circuits along them, ablations and compacting, each by a second route."""

import pytest
import torch
from planted_circuits import EDGES, INSIDE, SameSign, subject
from torch import Generator, nn
from torch.nn import functional as F

from assay.errors import AssayError
from assay.instruments.circuits.checks import adversarial_losses, interchanged, roles, stochastic_losses
from assay.instruments.circuits.network import (
    ABLATIONS,
    WiredNetwork,
    answered_units,
    constant_loss,
    each_loss,
)
from assay.instruments.circuits.nodes import wiring_of
from assay.instruments.circuits.search import (
    GateConfig,
    Gates,
    compacted,
    curve,
    first_order_effects,
    order_nodes,
    smallest,
)
from assay.models.transformer import Block
from assay.objective import Classification, Regression, Sequences, Steps
from assay.subject import Subject
from assay.task import Examples
from assay.tasks.code import TwoTokens

TASK = SameSign()
FAST = GateConfig(prices=(0.2, 0.5), steps=(60, 20), batch_size=48, learning_rate=0.01)


def drawn(split: str = "train", n: int = 96) -> Examples:
    return TASK.examples(split, n, generator=Generator().manual_seed(0)).in_canonical_order()


def circuits(of: Subject | None = None, examples: Examples | None = None, objective=TASK.objective) -> WiredNetwork:
    examples, of = examples or drawn(), of or subject()
    wiring = wiring_of(of, examples.inputs)
    return WiredNetwork(of, wiring, objective, reference=examples.inputs, answered=answered_units(objective, examples.targets))


def planted(network: WiredNetwork) -> torch.Tensor:
    kept = torch.zeros(network.wiring.num_nodes, dtype=torch.bool)
    for place, units in INSIDE.items():
        start = network.wiring.starts[[one.name for one in network.wiring.places].index(place)]
        kept[[start + unit for unit in units]] = True
    return kept


class Stream(nn.Module):
    """A block, a norm and a head, on vectors at four positions."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.block, self.norm, self.head = Block(8, 2, causal=True), nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.norm(self.block(x)[:, -1]))


def stream(n: int = 20) -> tuple[Subject, Examples]:
    generator = Generator().manual_seed(1)
    inputs = {"x": torch.randn(n, 4, 8, generator=generator)}
    ids = torch.arange(n) % 7
    with torch.random.fork_rng():
        module = Stream().eval()
    return Subject(module), Examples(inputs, torch.randint(3, (n,), generator=generator), {}, ids)


# The search


@pytest.mark.parametrize("config", [GateConfig(steps=(0, 0)), FAST], ids=["effects", "gates"])
def test_the_planted_circuit_is_found_to_the_edge(config: GateConfig):
    network, examples = circuits(), drawn()
    order = order_nodes(network, examples, config, generator=Generator().manual_seed(0))
    found = curve(network, order, examples, points=6)
    target = 0.15 / 0.6931 * constant_loss(TASK.objective, examples.targets)
    best = smallest(network, order, found, examples, target=target)
    assert best is not None
    assert torch.equal(best.kept, planted(network))
    assert best.edges == EDGES
    assert best.loss < 0.01
    assert found[0].edges == 0
    assert found[-1].edges == network.edges.total
    assert smallest(network, order, found, examples, target=-1.0) is None


def test_dead_rows_and_columns_are_left_out_without_another_outcome():
    """Also of the search: gates that are compacted and gates that are not find the same order."""
    network, examples = circuits(), drawn()
    orders = []
    for compact in (True, False):
        config = GateConfig(prices=FAST.prices, steps=FAST.steps, batch_size=48, compact=compact)
        orders.append(order_nodes(network, examples, config, generator=Generator().manual_seed(0)))
    assert torch.equal(orders[0].first(4), orders[1].first(4))
    assert [int(stage.kept.sum()) for stage in orders[0].stages] == [int(stage.kept.sum()) for stage in orders[1].stages]
    of, inputs = stream()
    network = circuits(of, inputs, Classification(3))
    live = torch.rand(network.wiring.num_nodes, generator=Generator().manual_seed(2)) < 0.5
    expected = network.outputs(inputs, live)
    with compacted(of.module, network.wiring, live, network.means):
        assert torch.allclose(network.outputs(inputs, live), expected, atol=1e-5)
    assert not any("forward" in vars(part) for part in of.module.modules())


def test_gates_that_all_close_at_once_are_a_collapsed_path():
    order = order_nodes(
        circuits(), drawn(), GateConfig(prices=(1e6, 2e6), steps=(60, 10)), generator=Generator().manual_seed(0)
    )
    assert order.collapsed
    assert len(order.stages) == 1
    assert sorted(order.nodes.tolist()) == list(range(20))  # ordered all the same


def test_gates_start_the_same_in_another_order_of_nodes():
    rng = Generator().manual_seed(1)
    effects, order = torch.rand(50, generator=rng), torch.randperm(50, generator=rng)
    one, other = (
        Gates(FAST, some, Generator().manual_seed(0), torch.device("cpu")).tau.detach() for some in (effects, effects[order])
    )
    assert torch.equal(one[order], other)
    assert len(one.unique()) == 50


def test_ties_at_the_clamp_are_ordered_by_how_hard_nodes_were_pushed_there():
    gates = Gates(FAST, torch.zeros(2), Generator().manual_seed(0), torch.device("cpu"))
    with torch.no_grad():
        gates.tau.fill_(0.1)
    for slope in ([0.5, 0.5],) * 150 + ([0.5, 0.1],) * 10:
        gates.update(torch.tensor(slope))
    assert gates.tau.tolist() == [-1.0, -1.0]
    assert float(gates.importance()[0]) < float(gates.importance()[1])


def test_prices_must_rise_and_examples_be_there():
    with pytest.raises(AssayError, match="must rise"):
        order_nodes(circuits(), drawn(), GateConfig(prices=(2.0, 1.0)), generator=Generator())
    with pytest.raises(AssayError, match="at least"):
        order_nodes(circuits(), drawn(n=0), FAST, generator=Generator())


def test_first_order_effects_are_those_of_small_steps():
    """Each node moved a thousandth of the way to its mean, one at a time."""
    of, examples = stream(6)
    network = circuits(of, examples, Classification(3))
    effects = first_order_effects(network, examples)
    step = 1e-3
    base = each_loss(network.objective, of(examples.inputs), examples.targets)
    for node in range(0, network.wiring.num_nodes, 9):
        place = next(k for k in range(len(network.wiring.places)) if node < network.wiring.starts[k + 1])
        unit = node - network.wiring.starts[place]
        mean = float(network.means[node])

        def nudged(x: torch.Tensor, unit: int = unit, mean: float = mean) -> torch.Tensor:
            x = x.clone()
            x[..., unit] += step * (mean - x[..., unit])
            return x

        with torch.no_grad():
            moved = each_loss(network.objective, network.run(examples.inputs, {place: nudged}), examples.targets)
        assert float(((base - moved) / step).abs().mean()) == pytest.approx(float(effects[node]), rel=0.05, abs=2e-3)


# Ablations


def test_ablated_nodes_hold_what_the_ablation_says():
    of, examples = stream()
    network = circuits(of, examples, Classification(3))
    held: dict[str, torch.Tensor] = {}
    place = next(k for k, one in enumerate(network.wiring.places) if one.name == "block.mlp.down:in")
    kept = torch.ones(network.wiring.num_nodes, dtype=torch.bool)
    kept[network.wiring.starts[place] : network.wiring.starts[place + 1]] = False
    (states,) = network.states(examples.inputs)[place]
    down = of.module.get_submodule("block.mlp.down")
    for ablation in ABLATIONS:
        handle = down.register_forward_hook(lambda m, args, out: held.update(last=args[0].detach().clone()))
        network.outputs(examples, kept, ablation)
        handle.remove()
        found = held["last"]
        match ablation:
            case "zero":
                assert bool((found == 0).all())
            case "mean":
                assert torch.allclose(found, states.flatten(0, 1).mean(0).expand_as(found), atol=1e-6)
            case "task mean":
                assert torch.allclose(found, states.mean(0).expand_as(found), atol=1e-6)
            case "resample":
                rows = [(states - row).abs().flatten(1).amax(1).argmin() for row in found]
                assert sorted(map(int, rows)) == list(range(len(states)))
                assert sum(int(row) == k for k, row in enumerate(rows)) < 5


def test_all_nodes_kept_is_the_network_itself_and_none_a_constant():
    of, examples = stream()
    network = circuits(of, examples, Classification(3))
    whole = torch.ones(network.wiring.num_nodes, dtype=torch.bool)
    assert torch.equal(network.outputs(examples, whole), of(examples.inputs))
    assert torch.equal(network.outputs(examples, None), of(examples.inputs))
    assert torch.allclose(network.outputs(examples, whole, frozen=True), of(examples.inputs), atol=1e-5)
    constant = network.outputs(examples, ~whole)
    assert torch.allclose(constant, constant[:1].expand_as(constant), atol=1e-5)


def test_frozen_norms_divide_as_in_the_whole_network():
    """With the block silenced the stream is the input, whose norm divides by its own size, or by the whole stream's."""
    of, examples = stream()
    network = circuits(of, examples, Classification(3))
    kept = torch.ones(network.wiring.num_nodes, dtype=torch.bool)
    for k, place in enumerate(network.wiring.places):
        if place.name in ("block.attention.output:out", "block.mlp.down:out"):
            kept[network.wiring.starts[k] : network.wiring.starts[k + 1]] = False
    means = {place.name: part for place, part in zip(network.wiring.places, network.wiring.split(network.means), strict=True)}
    with torch.no_grad():
        module, x = of.module, examples.inputs["x"]
        whole = module.block(x)[:, -1]
        silenced = x[:, -1] + means["block.attention.output:out"] + means["block.mlp.down:out"]
        scale = (whole.var(-1, correction=0, keepdim=True) + module.norm.eps).sqrt()
        own = module.head(F.layer_norm(silenced, (8,), module.norm.weight, module.norm.bias))
        frozen = module.head((silenced - whole.mean(-1, keepdim=True)) / scale * module.norm.weight + module.norm.bias)
    assert torch.allclose(network.outputs(examples, kept), own, atol=1e-5)
    assert torch.allclose(network.outputs(examples, kept, frozen=True), frozen, atol=1e-5)
    assert not torch.allclose(own, frozen, atol=1e-2)


# Checks


def test_a_faithful_circuit_withstands_adversary_and_chance_and_another_does_not():
    network, examples = circuits(), drawn()
    true, none = planted(network), torch.zeros(network.wiring.num_nodes, dtype=torch.bool)
    wrong = true.clone()
    wrong[6 + 9] = False  # one of its two hidden units
    for each in (False, True):
        assert float(adversarial_losses(network, true, examples, steps=4, each=each).mean()) < 0.05
        worst = adversarial_losses(network, wrong, examples, steps=4, each=each)
        assert float(worst.mean()) > float(network.losses(examples, wrong).mean()) - 1e-6
        assert float(worst.mean()) > 0.5
    shared, each = (adversarial_losses(network, none, examples, steps=6, each=flag) for flag in (False, True))
    assert float(each.mean()) > 1.05 * float(shared.mean())  # it sees the label of each
    chance = stochastic_losses(network, wrong, examples, draws=3, generator=Generator().manual_seed(0))
    assert float(chance.mean()) > 10 * float(stochastic_losses(network, true, examples, draws=3, generator=Generator()).mean())


def test_an_ablation_of_nothing_is_no_ablation():
    network, examples = circuits(), drawn()
    whole = torch.ones(network.wiring.num_nodes, dtype=torch.bool)
    own = network.losses(examples, None)
    assert torch.allclose(adversarial_losses(network, whole, examples, steps=2, each=False), own)
    assert torch.allclose(stochastic_losses(network, whole, examples, draws=2, generator=Generator()), own)
    assert torch.allclose(roles(network, whole, examples), torch.ones(20, dtype=torch.float64))


def test_nodes_of_the_planted_circuit_keep_their_role():
    network, examples = circuits(), drawn()
    assert torch.allclose(roles(network, planted(network), examples), torch.ones(4, dtype=torch.float64))
    losses = interchanged(network, planted(network), examples, generator=Generator().manual_seed(0))
    assert max(losses) - min(losses) < 1e-6
    alone = torch.zeros(network.wiring.num_nodes, dtype=torch.bool)
    alone[6 + 3] = True  # a hidden unit whose bits are ablated is constant in the circuit
    assert roles(network, alone, examples).tolist() == [0.0]
    assert roles(network, ~torch.ones_like(alone), examples).tolist() == []


# Losses


@pytest.mark.parametrize(
    ("objective", "targets", "expected"),
    [
        (Classification(2), torch.tensor([0, 1, 1, 1]), 0.5623),
        (Classification(3), torch.tensor([2, 2, 2]), 0.0),
        (Steps(2), torch.tensor([[0, -1], [1, -1]]), 0.6931),
        (Sequences(3), torch.tensor([[1, 2], [2, 1]]), 0.6931),
        (TwoTokens(5, pair=(3, 4)), torch.tensor([[-1, 3], [-1, 4]]), 0.6931),
        (Regression(1, 1.0), torch.tensor([[1.0], [3.0]]), 1.0),
    ],
)
def test_the_loss_of_the_best_constant_answer(objective, targets, expected):
    assert constant_loss(objective, targets) == pytest.approx(expected, abs=1e-3)


def test_units_of_the_answer_that_are_asked_about():
    assert answered_units(TwoTokens(5, pair=(3, 1)), torch.tensor([[-1, 3], [-1, 1]])).tolist() == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert answered_units(Classification(3), torch.tensor([0, 1])).all()
    assert answered_units(Regression(2, 1.0), torch.tensor([[1.0, 2.0], [0.0, 1.0]])).tolist() in ([False, False], [True, True])
