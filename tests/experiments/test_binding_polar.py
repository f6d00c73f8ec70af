"""The graph of a list by distance and angle: found where attributes carry their entity, and nowhere by place alone."""

import pytest
import torch
from torch import Generator, nn
from torch.nn import functional as F

from assay.instruments.polar.search import positions
from assay.subject import Subject
from assay.tasks import load_task
from experiments import binding_polar

TASK = load_task("lists:num_entities=8,num_attributes=8,largest=3,free=0")
SITE = "held:out"


class Carrying(nn.Module):
    """Every token holds itself and, where it `carries`, the one in front of it; nothing else."""

    def __init__(self, carries: bool):
        super().__init__()
        self.carries, self.held = carries, nn.Identity()

    def forward(self, tokens):
        own = F.one_hot(tokens, TASK.input_spec.vocab).float()
        states = self.held(torch.cat([own, self.carries * own.roll(1, 1)], 2))
        return states[:, -1, : TASK.num_attributes]


def samples(carries):
    network = Subject(Carrying(carries))
    kinds = ("fitted", "trained"), ("trained", "trained"), ("all", "all")
    drawn = {
        name: TASK.contexts(200, size=3, pairs=pairs, generator=Generator().manual_seed(k))
        for k, (name, pairs) in enumerate(kinds)
    }
    return {name: binding_polar.nodes(network, TASK, contexts, [SITE]) for name, contexts in drawn.items()}


def test_nodes_are_entities_where_they_are_asked_for_and_attributes_where_they_stand():
    contexts = TASK.contexts(20, size=3, pairs="trained", generator=Generator().manual_seed(0))
    sample = binding_polar.nodes(Subject(Carrying(carries=False)), TASK, contexts, [SITE])
    said = sample.states[0].argmax(1).view(20, 7)
    assert set(said[:, 0].tolist()) == {2}
    assert torch.equal(said[:, 1:4], contexts.entities + 3)
    assert torch.equal(said[:, 4:], contexts.attributes + 3 + TASK.num_entities)
    graph = sample.graphs[0]
    assert graph.is_tree
    assert graph.edges[3:] == ((1, 4, "has"), (2, 5, "has"), (3, 6, "has"))
    assert len({graph.mentions[k] for k in (1, 2, 3)}) == 1
    assert len({graph.mentions[k] for k in (4, 5, 6)}) == 3


@pytest.mark.parametrize(("carries", "least", "most"), [(True, 0.95, 1.0), (False, 0.0, 0.45)])
def test_new_pairs_are_found_where_an_attribute_carries_its_entity(carries, least, most):
    found = binding_polar.bound(samples(carries))
    assert least <= float(found["all", "legal"].mean()) <= most


def test_neither_places_nor_permuted_graphs_find_what_is_carried():
    held = samples(carries=True)
    of_places = binding_polar.bound({name: positions(sample) for name, sample in held.items()})
    assert float(of_places["trained", "legal"].mean()) < 0.4
    of_permuted = binding_polar.bound(held | {"fitted": binding_polar.permuted(held["fitted"])})
    assert float(of_permuted["trained", "legal"].mean()) < 0.6
    kept = sorted(held["fitted"].graphs[0].edges[:3])
    assert sorted(binding_polar.permuted(held["fitted"]).graphs[0].edges[:3]) == kept
