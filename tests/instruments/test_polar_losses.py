"""Losses against their definitions, pair by pair, and what must not change them."""

import pytest
import torch
from polar_for_tests import planted, planted_states, random_tree, sample_of_trees
from torch import Generator
from torch.nn import functional as F

from assay.graph import relations_of, tree
from assay.instruments.polar import fit as losses
from assay.instruments.polar.targets import UNSEEN, Batch, Target, in_order


def draws(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_gram_distances_are_the_distances_of_differences():
    z = torch.randn(2, 3, 7, 5, generator=draws(), dtype=torch.float64)
    by_hand = (z[..., :, None, :] - z[..., None, :, :]).square().sum(-1)
    assert torch.allclose(losses.squared_distances(z), by_hand)


@pytest.mark.parametrize("num", [1, 2, 40])
def test_pair_loss_is_the_mean_over_the_whole_matrix_of_pairs(num):
    edges = torch.randn(2, num, 6, generator=draws(), dtype=torch.float64)
    relations = torch.randint(4, (num,), generator=draws())
    unit = F.normalize(edges, dim=-1)
    cosine = unit @ unit.mT
    different = (relations[:, None] != relations[None]).double()
    by_matrix = (1 - cosine - different).square().mean((1, 2))
    assert torch.allclose(losses.pair_loss(edges, relations, 5), by_matrix, atol=1e-12)


def test_pair_loss_is_nought_for_orthogonal_relations_and_one_for_opposite_edges():
    eye = torch.eye(3)[None]
    assert float(losses.pair_loss(eye.repeat(1, 2, 1), torch.tensor([0, 1, 2, 0, 1, 2]), 3)) == pytest.approx(0, abs=1e-6)
    opposite = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])
    assert float(losses.pair_loss(opposite, torch.tensor([0, 0]), 1)) == pytest.approx((0 + 4 + 4 + 0) / 4)


def test_losses_of_planted_trees_are_nought():
    graphs = [random_tree(n, draws(n)) for n in (2, 5, 6)]
    states = torch.cat([planted_states(graph, 6) for graph in graphs])
    sample = sample_of_trees(graphs, states[None])
    (batch,) = in_order(sample)
    z = states[batch.rows][None]
    assert float(losses.distance_loss(z, batch)) == pytest.approx(0, abs=1e-6)
    assert float(losses.distance_loss(2**0.5 * z, batch)) == pytest.approx(float((batch.distances * batch.weights).sum() / 3))
    assert float(losses.depth_loss(z, batch)) == pytest.approx(0, abs=1e-6)  # the root stands at nought
    assert float(losses.root_loss(z, torch.zeros(1, z.shape[-1]), batch)) == 0


def test_distance_loss_is_the_published_sum():
    sample = planted(3)
    (batch,) = in_order(sample)
    z = torch.randn(1, *batch.rows.shape, 4, generator=draws())
    by_hand = 0.0
    for place, text in enumerate(batch.texts.tolist()):
        true = sample.targets[text].distances
        own = z[0, place, : len(true)]
        by_hand += float((true - torch.cdist(own, own).square()).abs().sum()) / len(true) ** 2 / 3
    assert float(losses.distance_loss(z, batch)) == pytest.approx(by_hand, rel=1e-4)


def test_padding_and_rotation_change_no_loss():
    sample = planted(6, sizes=(2, 9))
    turn = torch.linalg.qr(torch.randn(54, 54, generator=draws())).Q
    (whole,) = in_order(sample)
    z = 1.3 * sample.states[0][whole.rows][None]
    for one in (losses.distance_loss, losses.depth_loss):
        alone = [one(1.3 * sample.states[0][b.rows][None], b) for b in in_order(sample, 1)]
        assert float(one(z, whole)) == pytest.approx(float(torch.stack(alone).mean()), rel=1e-4)
        assert float(one(z @ turn, whole)) == pytest.approx(float(one(z, whole)), rel=1e-4)


def test_prototype_loss_prefers_the_right_direction():
    edges = torch.eye(3)[None]
    right = losses.prototype_loss(edges, torch.tensor([0, 1, 2]), torch.eye(3)[None] * 7)
    wrong = losses.prototype_loss(edges, torch.tensor([1, 2, 0]), torch.eye(3)[None])
    assert float(right) == pytest.approx(2 * torch.e ** -torch.tensor(10.0).item(), rel=1e-2)
    assert float(wrong) == pytest.approx(10, rel=1e-2)


@pytest.mark.parametrize("loss", [lambda e, r: losses.pair_loss(e, r, 2), lambda e, r: losses.prototype_loss(e, r, e[:, :0])])
def test_no_edges_cost_nothing(loss):
    assert loss(torch.zeros(2, 0, 3), torch.zeros(0, dtype=torch.int64)).tolist() == [0, 0]


def test_child_loss_knows_the_root_apart():
    graph = tree(["a", "b"], [-1, 0], relation=["root", "x"])
    (batch,) = in_order(sample_of_trees([graph], torch.zeros(1, 2, 1)))
    labels = torch.tensor([[[[-20.0, 20.0], [20.0, -20.0]]]])  # a is the root, b an x
    assert float(losses.child_loss(labels, batch)) == pytest.approx(0, abs=1e-6)
    assert float(losses.child_loss(labels.flip(2), batch)) == pytest.approx(40)


def test_targets_say_what_graphs_say():
    graph = tree(
        ["a", "b", ".", "c"], [1, -1, 1, 1], relation=["x:sub", "root", "punct", "y"], punctuation=[False, False, True, False]
    )
    target = Target.of(graph, ("x", "punct"))
    assert target.edges.tolist() == [[1, 0], [1, 2], [1, 3]]
    assert target.relations.tolist() == [0, 1, UNSEEN]
    assert (target.root, target.depths.tolist(), target.content.tolist()) == (1, [1, 0, 1, 1], [True, True, False, True])
    assert relations_of([graph, tree(["a", "b"], [-1, 0], relation=["root", "y"])]) == ("y", "punct", "x")


def test_every_text_is_in_one_batch():
    sample = planted(50)
    for batches in (list(in_order(sample, 8, draws())), list(in_order(sample, 8))):
        assert sorted(k for batch in batches for k in batch.texts.tolist()) == list(range(50))
        rows = torch.cat([batch.rows[batch.real] for batch in batches])
        assert rows.sort().values.tolist() == list(range(len(rows)))
    assert list(in_order(planted(0), 8, draws())) == []
    assert len(Batch.of(planted(1), [0]).texts) == 1
