"""What is planted is found at every layer that has it; what is not there is not; the scores are what counting gives."""

import dataclasses

import pytest
import torch
from polar_for_tests import planted, planted_states, random_tree, sample_of_trees
from torch import Generator

from assay.graph import tree
from assay.instruments.polar.fit import Fitting, Probes, fit_depprobe, fit_depth, fit_distance, fit_polar, unfitted
from assay.instruments.polar.scores import RATES, correlations, influence, length_mean, score
from assay.instruments.polar.search import search
from assay.instruments.polar.targets import TextStates
from assay.stats import mean_interval

FITTING = Fitting(rank=16, epochs=12, batch=16, learning_rate=1e-2)


def draws(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def samples():
    """Trees in layers 0 and 2 (times 100), noise in layer 1."""
    found = []
    for num, seed in ((240, 0), (60, 1)):
        sample = planted(num, sizes=(3, 7), seed=seed, noise=0.5)
        noise = torch.randn(sample.states.shape, generator=draws(seed))
        found.append(sample.with_states(torch.cat([sample.states, noise, 100 * sample.states])))
    return found


def test_the_layer_that_is_chosen_holds_directions_too():
    """Layer 0 has exact distances in every text, and no direction from text to text; layer 1 has both, in noise."""
    found = []
    for num, first in ((200, 0), (60, 1000)):
        graphs = [random_tree(4 + k % 3, draws(first + k)) for k in range(num)]
        planted_in = [planted_states(graph, 6) for graph in graphs]
        turned = torch.cat([(-1) ** (k // 3) * states.roll(6 * k, 1) for k, states in enumerate(planted_in)])
        noisy = torch.cat(planted_in)
        noisy = noisy + 0.35 * torch.randn(noisy.shape, generator=draws(first))
        found.append(sample_of_trees(graphs, torch.stack([turned, noisy])))
    chosen = search(TextStates(*found, found[1], ("0", "1")), fitting=FITTING, generator=draws())
    exact, noisy = (scored.micro("UUAS") for scored in score(chosen.distance, found[1], punctuation=False))
    assert exact > noisy
    assert chosen.layer == 1


def test_planted_trees_are_found_at_their_layers_alone(samples):
    train, test = samples
    probes = fit_polar(train, angle="prototype", weights=[1.0] * 3, fitting=FITTING, generator=draws())
    first, noise, scaled = score(probes, test)
    assert first.micro("UUAS") > 0.9
    assert first.micro("LAS") > 0.85
    assert first.micro("type accuracy") > 0.9
    assert noise.micro("UUAS") < 0.5
    assert noise.micro("LAS") < 0.2
    assert scaled.micro("LAS") == pytest.approx(first.micro("LAS"), abs=0.05)  # the unit of states does not matter
    for how in ("edges", "legal"):
        assert score(probes.at([0]), test.at([0]), how=how)[0].micro("LAS") > 0.85


def test_every_kind_of_probe_finds_what_is_planted(samples):
    train, test = (sample.at([0]) for sample in samples)
    pair = score(fit_polar(train, angle="pair", weights=[10.0], fitting=FITTING, generator=draws()), test)[0]
    alone = score(fit_distance(train, fitting=FITTING, generator=draws()), test)[0]
    dep = score(fit_depprobe(train, fitting=FITTING, generator=draws()), test, how="depprobe")[0]
    assert pair.micro("type accuracy") > 0.85
    assert alone.micro("UUAS") > 0.9
    assert dep.micro("UUAS") > 0.9
    assert float(dep.root.nanmean()) > 0.3


def test_stacked_probes_are_those_fitted_alone(samples):
    train, _ = samples
    train = train.first(40)
    small = dataclasses.replace(FITTING, epochs=1)
    together = fit_distance(train.at([0, 0]), fitting=small, generator=draws())
    assert together.maps.shape == (2, 42, 16)
    again = fit_distance(train.at([0, 0]), fitting=small, generator=draws())
    assert torch.equal(together.maps, again.maps)
    assert not torch.equal(together.maps, fit_distance(train.at([0, 0]), fitting=small, generator=draws(1)).maps)


def test_depth_is_found():
    train, test = planted(240, sizes=(3, 7), noise=0.0), planted(40, sizes=(3, 7), seed=1, noise=0.0)
    probe = fit_depth(train, fitting=FITTING, generator=draws())
    norms = torch.cat([(test.states[0] @ probe.maps[0]).square().sum(-1)])
    depth = torch.cat([target.depths for target in test.targets]).float()
    assert float(torch.corrcoef(torch.stack([norms, depth]))[0, 1]) > 0.9


def exact(graphs) -> tuple[Probes, object]:
    """States that are the answer, and the identity."""
    room = max(len(graph) for graph in graphs)
    sample = sample_of_trees(graphs, torch.cat([planted_states(graph, room) for graph in graphs])[None])
    return unfitted(sample, None, generator=draws()), sample


def test_scores_are_counted_edge_by_edge():
    # A chain of states 0, 1, 3 on a line: the spanning tree is 0-1-2 whatever the graph.
    graphs = [
        tree(["a", "b", "c"], [-1, 0, 1], relation=["root", "x", "x"]),
        tree(["a", "b", "c"], [-1, 0, 0], relation=["root", "x", "y"], punctuation=[False, False, True]),
    ]
    sample = sample_of_trees(graphs, torch.tensor([0.0, 1.0, 3.0, 0.0, 1.0, 3.0])[None, :, None])
    probes = unfitted(sample, None, generator=draws())
    (found,) = score(probes, sample)
    right = {rate: found.counts(rate)[0].tolist() for rate in RATES}
    # Every edge points the same way, so x (three of four edges) and y have one direction; the first wins.
    assert right["UUAS"] == [2, 1]
    assert right["UAS"] == [2, 1]
    assert right["LAS"] == [2, 1]
    assert right["type accuracy"] == [2, 1]
    assert found.micro("UUAS") == 3 / 4
    assert found.macro("UUAS") == pytest.approx((1 + 1 / 2) / 2)
    assert found.balanced() == pytest.approx((1 + 0) / 2)
    assert found.span.tolist() == [1, 1, 1, 2]
    assert found.depth.tolist() == [1, 2, 1, 1]
    (without,) = score(probes, sample, punctuation=False)
    assert without.counts("UUAS")[1].tolist() == [2, 1]
    assert without.micro("UUAS") == 1


def test_exact_states_score_one_and_punctuation_out_joins_the_rest():
    graphs = [random_tree(n, draws(n), punctuation=True) for n in (2, 4, 6, 8)]
    probes, sample = exact(graphs)
    assert score(probes, sample)[0].micro("UUAS") == 1
    # Rounding parts distances that tie, which costs a little.
    assert float(correlations(probes, sample)[0, -1]) == pytest.approx(1, abs=0.03)
    assert length_mean(correlations(probes, sample)[0], sample) == pytest.approx(1, abs=0.03)


def test_a_relation_unseen_in_training_is_wrong_but_counted():
    graphs = [tree(["a", "b"], [-1, 0], relation=["root", "x"])]
    probes, sample = exact([random_tree(2, draws(1))])
    other = dataclasses.replace(sample, targets=sample_of_trees(graphs, torch.zeros(1, 2, 6)).targets)
    other = other.asked_for(graphs)
    (found,) = score(probes, other)
    assert found.relation.tolist() == [-1]
    assert (found.micro("UUAS"), found.micro("LAS"), found.micro("type accuracy")) == (1, 0, 0)


def test_graphs_that_are_no_trees_have_their_nearest_pairs():
    from assay.graph import Graph

    ring = Graph(
        words=tuple("abcd"),
        mentions=((0,), (1,), (2,), (3,)),
        edges=((0, 1, "x"), (1, 2, "x"), (2, 3, "x"), (3, 0, "x")),
        punctuation=(False,) * 4,
    )
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    sample = sample_of_trees([ring], corners[None])
    (found,) = score(unfitted(sample, None, generator=draws()), sample)
    assert found.micro("UUAS") == 1
    assert found.root.isnan().all()


@pytest.mark.parametrize("num", [0, 1])
def test_no_text_and_one(num):
    sample = planted(num)
    probes = fit_polar(
        planted(4), angle="prototype", weights=[1.0], fitting=dataclasses.replace(FITTING, epochs=1), generator=draws()
    )
    (found,) = score(probes, sample)
    assert len(found.root) == num
    assert mean_interval(found.units("UUAS")) is None


def test_the_interval_of_a_rate_is_the_bootstraps():
    generator = draws()
    total = torch.randint(3, 30, (400,), generator=generator).double()
    right = torch.binomial(total, torch.rand(400, generator=generator).double() ** 0.5, generator=generator)
    interval = mean_interval(influence(right, total), bounds=(0.0, 1.0))
    assert float(influence(right, total).mean()) == pytest.approx(float(right.sum() / total.sum()))
    rows = torch.randint(400, (4_000, 400), generator=generator)
    resampled = right[rows].sum(1) / total[rows].sum(1)
    low, high = resampled.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    assert interval.low == pytest.approx(low, abs=0.003)
    assert interval.high == pytest.approx(high, abs=0.003)
    assert mean_interval(right / total).low != pytest.approx(interval.low, abs=0.003)  # macro is another number
