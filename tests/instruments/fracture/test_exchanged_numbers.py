"""The exchange of the numbers of `digits`: exact by declaration, and copies for each order told from one thing for both."""

from dataclasses import replace

import pytest
import torch
from torch import Generator, nn
from torch.nn import functional as F

from assay.instrument import draw, run
from assay.instruments.fracture import Fracture
from assay.instruments.fracture.coherence import coherence
from assay.models import build
from assay.regularity import DeclaresRegularities
from assay.responses import balanced, read_layers
from assay.subject import Subject
from assay.tasks.digits import Digits

TASK = Digits(base=4, coverage=0.8)
BASE, POSITIONS = TASK.base, TASK.digits + 1


def _regular(task=TASK, n=120):
    return task.regular(n, generator=Generator().manual_seed(0))


def test_an_exchange_moves_the_numbers_and_no_answer():
    assert isinstance(TASK, DeclaresRegularities)
    found = _regular()
    assert 100 < len(found.examples) <= 120
    (exchange,) = found.regularities
    move, tokens = exchange.rows[1], found.examples.inputs["tokens"]
    assert torch.equal(tokens[move], tokens[:, [2, 3, 0, 1, 4]])
    assert torch.equal(found.examples.targets[move], found.examples.targets)
    rows = set(map(tuple, TASK.combinations("seen").tolist()))
    assert set(map(tuple, tokens[:, :4].tolist())) <= rows
    for k in range(POSITIONS):
        assert torch.equal(found.parts[f"position {k + 1}"], (tokens[:, 4:] == BASE + k).expand(-1, BASE))
    every = _regular(n=10**6).examples.combination.unique()
    assert len(every) == sum((*row[2:], *row[:2]) in rows for row in rows)  # all that are closed, each once
    assert len(_regular(n=0).examples) == 0


@pytest.mark.parametrize("given", [{"operation": "times"}, {"targets": "table"}, {"cue": "free"}])
def test_nothing_is_declared_where_an_exchange_changes_what_is_right(given):
    task = Digits(base=4, coverage=0.8, **given)
    assert _regular(task).regularities == ()
    module = Sums(copies=1)
    assert "declares no regularity" in run(Fracture(), Subject(module), task, effort="quick").not_enough


class Sums(nn.Module):
    """A function of the sums of the digits and the position, by one module or by one for each order of the numbers."""

    def __init__(self, copies):
        super().__init__()
        torch.manual_seed(0)
        one = nn.Sequential(nn.Linear(2 * BASE + POSITIONS, 16), nn.ReLU(), nn.Linear(16, BASE))
        self.copies = nn.ModuleList(one for _ in range(copies))
        for k in range(1, copies):
            self.copies[k] = nn.Sequential(nn.Linear(2 * BASE + POSITIONS, 16), nn.ReLU(), nn.Linear(16, BASE))
            self.copies[k].load_state_dict(one.state_dict())

    def forward(self, tokens):
        digits = F.one_hot(tokens[:, :4], BASE + POSITIONS).float()
        at = digits.new_zeros(len(tokens), POSITIONS).scatter(1, tokens[:, 4:5] - BASE, 1)
        x = torch.cat([(digits[:, :2] + digits[:, 2:])[..., :BASE].flatten(1), at], 1)
        first, second = tokens[:, 0] * BASE + tokens[:, 1], tokens[:, 2] * BASE + tokens[:, 3]
        outputs = [copy(x) for copy in self.copies]
        return torch.where((first < second)[:, None], outputs[-1], outputs[0])


@pytest.mark.parametrize(("copies", "shared"), [(1, 1.0), (2, 0.0)])
def test_a_copy_for_each_order_is_told_from_one_for_both(copies, shared):
    regular = _regular(n=400)
    read = read_layers(Subject(Sums(copies)), regular.examples.inputs, centred=True)
    found = coherence([balanced(layer) for layer in read.layers], read.outputs, regular.regularities[0])
    assert found.of_outputs == pytest.approx(1)
    assert float(found.sharing()[0].mean()) == shared
    twice = found.sizes == 2
    assert float(found.kept.sum(0)[twice].sum() / found.total.sum(0)[twice].sum()) == pytest.approx((1 + shared) / 2)


def test_a_network_with_many_responses_is_read_on_fewer_examples():
    """Weights of a transformer act at every token, and the response of each to each example is formed."""
    quick = replace(Fracture().budgets["quick"], products=1e6)
    taken = {}
    for name in ("mlp", "transformer"):
        subject = Subject(build(name, TASK, generator=Generator().manual_seed(0), width=16))
        data = draw(Fracture(budgets={"quick": quick}), subject, TASK, effort="quick", seed=0)
        taken[name] = len(data.regular.examples)
    least = 16 * 4 * 16 + 2 * 16 * 64  # weights of the attention and the feed-forward layer of one block
    assert taken["mlp"] > 100
    assert 12 <= taken["transformer"] <= 1e6 / (BASE * least)


def test_a_network_is_read_on_as_many_examples_as_its_gradients_have_room_for():
    quick = replace(Fracture().budgets["quick"], gradients=2e5)
    subject = Subject(build("transformer", TASK, generator=Generator().manual_seed(0), width=16))
    data = draw(Fracture(budgets={"quick": quick}), subject, TASK, effort="quick", seed=0)
    layers = read_layers(subject, data.inputs, centred=True).layers
    assert 1e5 < sum(layer.gradients.numel() for layer in layers) <= 2e5


def test_where_no_exchange_was_trained_there_is_not_enough_data():
    task = Digits(base=3, digits=2, coverage=0.04)
    subject = Subject(build("transformer", task, generator=Generator().manual_seed(0), width=16))
    assert "0 orbits" in run(Fracture(), subject, task, effort="quick").not_enough


def test_no_pair_of_numbers_is_in_two_orbits():
    found = _regular(n=10**6)
    assert len(found.examples.combination.unique()) == len(found.examples)
    at = torch.stack([mask[:, 0] for mask in found.parts.values()]).sum(1)
    assert int(at.max() - at.min()) <= 4, "positions are taken in turn"
