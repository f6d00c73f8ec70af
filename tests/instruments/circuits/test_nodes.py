"""Nodes and edges of networks whose wiring is known, however they are written."""

import pytest
import torch
from planted_circuits import EDGES, HIDDEN, INSIDE, Planted
from torch import Generator, nn
from torch.nn import functional as F

from assay.instruments.circuits.checks import overlap, random_circuit
from assay.instruments.circuits.nodes import wiring_of
from assay.models import build
from assay.models.transformer import Attention, Block
from assay.subject import Subject
from assay.task import Tokens
from assay.tasks import load_task


class Spelled(nn.Module):
    """A linear map, an activation of some kind, another map."""

    def __init__(self, activation):
        super().__init__()
        self.first, self.second, self.activation = nn.Linear(5, 9), nn.Linear(9, 3), activation

    def forward(self, x):
        return self.second(self.activation(self.first(x)))


class Sideways(Spelled):
    """Its hidden units also reach the answer past the second map."""

    def forward(self, x):
        hidden = self.first(x)
        return self.second(self.activation(hidden)) + hidden[:, :3]


def wired(module: nn.Module, **inputs: torch.Tensor):
    return wiring_of(Subject(module.eval()), inputs)


def x(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(3))


@pytest.mark.parametrize("activation", [F.relu, torch.tanh, lambda h: F.gelu(h) * 2 + 1, lambda h: h])
def test_a_hidden_unit_is_one_node_whatever_the_activation(activation):
    wiring = wired(Spelled(activation), x=x(4, 5))
    assert [(place.name, place.width) for place in wiring.places] == [("first:in", 5), ("second:in", 9)]
    assert [(one.layer, one.source, one.target) for one in wiring.maps] == [("first", 0, 1), ("second", 1, None)]
    assert wiring.unseen == ()
    assert wiring.work == 5 * 9 + 9 * 3


@pytest.mark.parametrize("mixing", [lambda h: F.layer_norm(h, (9,)), lambda h: h.flip(-1), lambda h: F.softmax(h, -1)])
def test_units_that_do_not_arrive_one_by_one_are_nodes_of_their_own(mixing):
    wiring = wired(Spelled(mixing), x=x(4, 5))
    assert [place.name for place in wiring.places] == ["first:in", "second:in", "first:out"]


def test_units_that_also_arrive_elsewhere_are_nodes_of_their_own():
    assert [place.name for place in wired(Sideways(F.relu), x=x(4, 5)).places] == ["first:in", "second:in", "first:out"]


def test_values_that_attention_mixes_over_positions_are_the_units_of_its_output_projection():
    wiring = wired(Attention(8, 2, causal=True), x=x(4, 6, 8))
    names = {place.name: place for place in wiring.places}
    assert set(names) == {"query:in", "output:in", "query:out", "key:out"}
    assert names["query:in"].hooks == (("query", "in"), ("key", "in"), ("value", "in"))
    target = {one.layer: one.target for one in wiring.maps}
    assert wiring.places[target["value"]].name == "output:in"
    assert target["output"] is None


def test_a_block_has_the_eight_places():
    wiring = wired(nn.Sequential(Block(8, 2, causal=True), nn.LayerNorm(8), nn.Linear(8, 4)), input=x(4, 6, 8))
    assert len(wiring.places) == 8 + 1  # and what enters the head
    assert sum(place.width for place in wiring.places) == wiring.num_nodes == 8 * 8 + 24 + 8


def test_weights_of_no_map_are_named():
    task = load_task("modular:p=5,num_first=4,num_second=4,maps=permutation")
    assert isinstance(task.input_spec, Tokens)
    tokens = task.examples("train", 4, generator=Generator().manual_seed(0)).inputs
    wiring = wiring_of(Subject(build("gru", task, generator=Generator().manual_seed(0), width=6)), tokens)
    assert wiring.unseen == ("embedding.weight", "cells.0.weight_ih", "cells.0.weight_hh")
    attention = wired(nn.TransformerEncoderLayer(8, 2, batch_first=True), src=x(4, 6, 8))
    assert "self_attn.in_proj_weight" in attention.unseen


def test_channels_of_convolutions_are_nodes():
    wiring = wired(
        nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Conv2d(5, 3, 3), nn.Flatten(), nn.Linear(48, 2)), input=x(4, 2, 8, 8)
    )
    assert [(place.name, place.width, place.axis) for place in wiring.places][:2] == [("0:in", 2, 1), ("2:in", 5, 1)]
    module = nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Conv2d(5, 3, 3), nn.Flatten(), nn.Linear(48, 2))
    edges = wiring.edges(module, torch.ones(2, dtype=torch.bool))
    assert edges.total == 2 * 5 * 9 + 5 * 3 * 9 + 48 * 2


# Edges


def by_loops(module: Planted, kept: torch.Tensor) -> int:
    first, second = module.layers[0].weight.detach(), module.layers[2].weight.detach()
    count = 0
    for h in range(HIDDEN):
        if kept[6 + h]:
            count += sum(1 for i in range(6) if kept[i] and float(first[h, i]) != 0)
            count += sum(1 for c in range(2) if float(second[c, h]) != 0)
    return count


def test_edges_are_counted_as_loops_count_them():
    module = Planted()
    wiring = wired(module, x=x(4, 6))
    edges = wiring.edges(module, torch.ones(2, dtype=torch.bool))
    for seed in range(5):
        kept = torch.rand(wiring.num_nodes, generator=Generator().manual_seed(seed)) < 0.5
        assert edges.count(kept) == by_loops(module, kept) == int(edges.within(kept).sum()) == len(list(edges.listed(kept)))
    planted = torch.zeros(wiring.num_nodes, dtype=torch.bool)
    for place, units in INSIDE.items():
        start = wiring.starts[[one.name for one in wiring.places].index(place)]
        planted[[start + unit for unit in units]] = True
    assert edges.count(planted) == EDGES
    assert edges.count(torch.zeros_like(planted)) == 0
    assert edges.count(~planted) < edges.total == by_loops(module, torch.ones_like(planted))
    assert edges.degrees().tolist()[0] == HIDDEN
    assert edges.degrees().tolist()[6 + 3] == 3
    assert wiring.name(6 + 3) == "layers.2:in 3"


def test_edges_to_what_is_not_asked_do_not_count():
    module = Spelled(F.relu)
    wiring = wired(module, x=x(4, 5))
    assert wiring.edges(module, torch.tensor([True, False, True])).total == 45 + 18


def test_a_random_circuit_has_as_many_nodes_of_each_place_and_degree():
    module = Planted()
    wiring = wired(module, x=x(4, 6))
    edges = wiring.edges(module, torch.ones(2, dtype=torch.bool))
    kept = torch.rand(wiring.num_nodes, generator=Generator().manual_seed(0)) < 0.4
    drawn = [random_circuit(wiring, edges, kept, generator=Generator().manual_seed(seed)) for seed in range(4)]
    for one in drawn:
        assert [int(part.sum()) for part in wiring.split(one)] == [int(part.sum()) for part in wiring.split(kept)]
    assert len({tuple(one.tolist()) for one in drawn}) > 1
    assert overlap(edges, kept, kept).nodes == overlap(edges, kept, kept).edges == 1.0
    assert overlap(edges, kept, ~kept).nodes == 0.0
