"""Disorder that was planted is found, to the number where it can be worked out; what changes nothing moves nothing."""

import dataclasses
import math

import pytest
import torch
from torch import Generator, Tensor, nn

from assay.instruments import load_instrument
from assay.instruments.organisation.disorder import Disorder, unit_sites, written
from assay.models.gru import TokenGRU
from assay.models.transformer import Transformer
from assay.subject import Subject
from assay.tasks.modular import Modular
from assay.training.config import TrainingConfig
from assay.training.fit import fit
from assay.zoo.twins import fractured, permuted, rescaled, split, with_cancelling_pairs

TOKENS = {"vocab": 13, "length": 3, "num_outputs": 5}


class Net(nn.Module):
    """Inputs, a hidden layer without biases and one output or more."""

    def __init__(self, first: Tensor, second: Tensor):
        super().__init__()
        sizes = first.shape[1], first.shape[0], second.shape[0]
        self.layers = nn.Sequential(nn.Linear(*sizes[:2], bias=False), nn.ReLU(), nn.Linear(*sizes[1:], bias=False))
        self.load_state_dict({"layers.0.weight": first, "layers.2.weight": second})

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def inputs(num: int = 3, n: int = 64) -> dict[str, Tensor]:
    return {"x": torch.rand(n, num, generator=seeded(4)) + 0.1}


def disorder(module: nn.Module, given: dict[str, Tensor], *, sites: list[str] | None = None, seed: int = 0) -> Disorder:
    subject = Subject(module)
    chosen = unit_sites(subject, given) if sites is None else sites
    return written(subject, given, chosen, num_directions=8, generator=seeded(seed)).disorder()


def test_a_network_of_one_job_for_each_unit_has_none():
    found = disorder(Net(torch.eye(3), torch.tensor([[1.0, 1.0, 1.0]])), inputs())
    assert found.cancellation == pytest.approx(0, abs=1e-6)
    assert found.idle == pytest.approx(0, abs=1e-6)
    assert found.redundancy == 0
    assert found.imbalance < 0.1  # the inputs alone differ


def test_cancellation_is_what_the_sum_loses():
    # Unit 0 sends 2x and unit 1 sends -x of inputs that are equal: of 3x one x is left, between units that are alike.
    x = torch.rand(20, 1, generator=seeded()) + 0.1
    found = disorder(Net(torch.eye(2), torch.tensor([[2.0, -1.0]])), {"x": x.expand(-1, 2)})
    assert found.cancellation == pytest.approx(2 / 3)
    assert found.idle == pytest.approx(2 / 3)
    assert found.redundancy == 1
    # Of independent inputs it cancels too, but nothing is idle.
    found = disorder(Net(torch.eye(2), torch.tensor([[2.0, -1.0]])), inputs(2))
    assert found.cancellation > 0.2
    assert found.idle == pytest.approx(0, abs=1e-6)


def test_redundancy_counts_the_units_that_have_a_double():
    first = torch.cat([torch.eye(3), 2 * torch.eye(3)[:1]])
    found = disorder(Net(first, torch.ones(1, 4)), inputs())
    assert found.redundancy == pytest.approx(2 / 4)
    assert found.idle == pytest.approx(0, abs=1e-6)  # they agree


def test_imbalance_is_the_spread_of_the_factors():
    sizes = torch.tensor([math.e**2, 1.0])  # each of the square root of activation over derivative: e^2 and 1
    plain = disorder(Net(torch.eye(2), torch.ones(1, 2)), {"x": torch.ones(4, 2)})
    found = disorder(Net(torch.diag(sizes), (1 / sizes)[None]), {"x": torch.ones(4, 2)})
    assert plain.imbalance == pytest.approx(0, abs=1e-6)
    assert found.imbalance == pytest.approx(1, abs=1e-5)


def test_units_that_are_not_used_do_not_count():
    first = torch.cat([torch.eye(3), torch.eye(3), -torch.eye(3)])
    second = torch.cat(
        [torch.ones(1, 3), torch.zeros(1, 3), torch.ones(1, 3)], 1
    )  # doubles without readers, units that never fire
    net = Net(first, second)
    own, other = disorder(net, inputs()), disorder(Net(torch.eye(3), torch.ones(1, 3)), inputs())
    assert dataclasses.astuple(own) == pytest.approx(dataclasses.astuple(other), abs=1e-6)
    dead = Net(-torch.eye(3), torch.ones(1, 3))
    assert disorder(dead, inputs()) == Disorder(0.0, 0.0, 0.0, 0.0)


def test_one_example_and_none():
    net = Net(torch.eye(3), torch.ones(1, 3))
    assert disorder(net, inputs(n=1)).redundancy == 0  # a constant is like nothing
    found = written(Subject(net), inputs(), ["layers.1:out"], num_directions=8, generator=seeded())
    assert found.disorder(torch.zeros(64, dtype=torch.bool)) == Disorder(0.0, 0.0, 0.0, 0.0)
    assert found.disorder(torch.ones(64, dtype=torch.bool)) == found.disorder()
    some = torch.arange(64) < 20
    assert found.disorder(some) == disorder(net, {"x": inputs()["x"][some]})


@pytest.mark.parametrize("architecture", [Transformer, TokenGRU])
def test_what_twins_do_is_seen_and_permuting_is_not(architecture):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = architecture(**TOKENS, width=16, depth=1)
    task = Modular(p=5, num_first=4, num_second=4, coverage=0.7)
    fit(module, task, config=TrainingConfig(steps=200, batch_size=64, learning_rate=1e-2))
    given = dict(task.examples("seen", 50, generator=seeded()).inputs)
    own = disorder(module, given)
    assert own.redundancy < 0.1
    assert dataclasses.astuple(disorder(permuted(module, seeded()), given)) == pytest.approx(dataclasses.astuple(own), abs=1e-4)
    doubled, paired = disorder(split(module, seeded()), given), disorder(with_cancelling_pairs(module, seeded(), num=8), given)
    assert doubled.redundancy > 0.5
    assert min(doubled.idle, paired.idle) > 0.02 > own.idle
    assert min(doubled.cancellation, paired.cancellation) > own.cancellation
    scaled = disorder(rescaled(module, seeded()), given)
    assert (scaled.imbalance > own.imbalance + 0.4) == (architecture is Transformer)  # a state can only change its sign
    assert scaled.redundancy == own.redundancy
    twin = fractured(module, seeded())
    assert 0 <= disorder(twin, given).score < 0.3 < 0.6 < own.score <= 1
    found, other = (
        load_instrument("organisation").measure(Subject(net), task, effort="quick", generator=seeded())
        for net in (module, twin)
    )
    tidy, messy = (item.measure("organisation") for item in (found, other))
    assert tidy.interval.low > messy.interval.high
    assert messy.value < min(messy.nulls[0].values)
    assert tidy.p is None, "neither side of the copies, where training starts, is tested"
    assert [row[0] for row in found.figures[0].rows][-2:] == ["mean over sites", "untrained copies"]


def test_measuring_leaves_the_network_alone_and_repeats():
    net = Net(torch.randn(6, 3, generator=seeded(1)), torch.randn(2, 6, generator=seeded(2))).requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert disorder(net, inputs(), seed=7) == disorder(net, inputs(), seed=7)
    assert disorder(net, inputs(), seed=7) != disorder(net, inputs(), seed=8)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(part._forward_hooks for part in net.modules())


def test_sites_can_be_named():
    net = Net(torch.eye(3), torch.ones(1, 3))
    assert disorder(net, inputs(), sites=["layers.2:in"]) == disorder(net, inputs())


class Functional(nn.Module):
    """The same network with a function for its non-linearity."""

    def __init__(self, net: Net):
        super().__init__()
        self.first, self.second = net.layers[0], net.layers[2]

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x)))


def test_where_activations_are_functions_units_enter_the_next_matrix():
    net = Net(torch.randn(6, 3, generator=seeded(1)), torch.randn(2, 6, generator=seeded(2)))
    assert unit_sites(Subject(Functional(net)), inputs()) == ["second:in"]
    assert disorder(Functional(net), inputs()) == disorder(net, inputs())
    assert unit_sites(Subject(nn.Sequential(nn.Linear(3, 3))), {"input": inputs()["x"]}) == []


class Deaf(nn.Module):
    """Answers without looking."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.ReLU())

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layers(tokens.float()).detach()[:, :1].expand(-1, 5) * 0


@pytest.mark.parametrize("module", [Deaf(), nn.Sequential(nn.Flatten())])
def test_a_network_without_units_that_matter_is_refused(module):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, tokens: Tensor) -> Tensor:
            return self.inner(tokens).float()[:, :1].expand(-1, 5)

    task = Modular(p=5, num_first=4, num_second=4, coverage=0.7)
    found = load_instrument("organisation").measure(Subject(Named()), task, effort="quick", generator=seeded())
    assert found.not_enough
    assert not found.measures


def test_the_interval_is_the_jackknifes():
    """Of a mean the jackknife's pseudo-values are the values themselves; here the score is checked against its formula."""
    task = Modular(p=5, num_first=4, num_second=4, coverage=0.7)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = Transformer(**TOKENS, width=16, depth=1)
    found = load_instrument("organisation").measure(Subject(module), task, effort="quick", generator=seeded())
    measure = found.measure("organisation")
    assert measure.value == pytest.approx(sum(measure.repeats) / len(measure.repeats))
    assert measure.units == len(measure.repeats) == len(task.combinations("seen"))
    assert measure.interval.low <= measure.value <= measure.interval.high
