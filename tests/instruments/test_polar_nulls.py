"""Each null is the number that it should be where that is known."""

import dataclasses
from itertools import pairwise

import pytest
import torch
from polar_for_tests import planted, random_tree, sample_of_trees
from torch import Generator

from assay.encoding import Encoded
from assay.encoding.encoded import Refused
from assay.graph import Graph, tree
from assay.graph_controls import chain, control_head_graphs, control_relations, permuted
from assay.instruments.polar.fit import Fitting, fit_distance, fit_polar, unfitted
from assay.instruments.polar.scores import score
from assay.instruments.polar.search import POSITION_WIDTH, in_line, positions
from assay.instruments.polar.targets import sample_of

FITTING = Fitting(rank=16, epochs=10, batch=16, learning_rate=1e-2)


def draws(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def trees(num: int, seed: int = 0) -> list[Graph]:
    generator = draws(seed)
    return [random_tree(3 + k % 5, generator, punctuation=True) for k in range(num)]


def blank(graphs: list[Graph]):
    return sample_of_trees(graphs, torch.zeros(1, sum(map(len, graphs)), 4))


@pytest.mark.parametrize("punctuation", [True, False])
def test_the_chain_is_the_chain(punctuation):
    graphs = trees(30)
    sample = blank(graphs)
    probes = unfitted(in_line(sample), None, generator=draws())
    (found,) = score(probes, in_line(sample), punctuation=punctuation)
    right = total = 0
    for graph in graphs:
        words = [k for k in range(len(graph)) if punctuation or not graph.punctuation[k]]
        next_to = set(pairwise(words))
        gold = [{a, b} for a, b, _ in graph.edges if a in words and b in words]
        right += sum(tuple(sorted(edge)) in next_to for edge in gold)
        total += len(gold)
    assert found.micro("UUAS") == pytest.approx(right / total)
    chains = [chain(graph) for graph in graphs]
    assert score(probes, in_line(blank(chains)))[0].micro("UUAS") == 1


def test_a_probe_of_positions_learns_chains_and_no_more():
    plain = [tree("abcdefg", [-1, 0, 1, 2, 3, 4, 5], relation=["root"] + ["x"] * 6)] * 40
    states = positions(blank(plain))
    assert states.states.shape == (1, 280, POSITION_WIDTH)
    probes = fit_distance(states, fitting=FITTING, generator=draws())
    assert score(probes, states)[0].micro("UUAS") > 0.95
    mixed = trees(200)
    states = positions(blank(mixed))
    probes = fit_distance(states, fitting=FITTING, generator=draws())
    other = trees(100, seed=1)
    assert score(probes, positions(blank(other)))[0].micro("UUAS") < 0.6


def test_permuted_trees_teach_nothing():
    train, test = planted(150, sizes=(6, 8), noise=0.5), planted(50, sizes=(6, 8), seed=1, noise=0.5)
    generator = draws(1)
    wrong = train.asked_for([permuted(graph, generator=generator) for graph in train.graphs])
    assert wrong.states is train.states
    (found,) = score(fit_polar(wrong, angle="prototype", weights=[1.0], fitting=FITTING, generator=draws()), test)
    (real,) = score(fit_polar(train, angle="prototype", weights=[1.0], fitting=FITTING, generator=draws()), test)
    assert found.micro("UUAS") < 0.55 < real.micro("UUAS")
    assert found.micro("LAS") < 0.25


def test_a_control_task_is_learned_from_words_alone():
    """States that are nothing but the word's own code: the control relation of a dependent can be read from them."""
    graphs = trees(150)
    names = {word: k for k, word in enumerate(sorted({word for graph in graphs for word in graph.words}))}
    codes = torch.eye(len(names))
    states = torch.stack([codes[names[word]] for graph in graphs for word in graph.words])[None]
    sample = sample_of_trees(graphs, states)
    control, again = (sample.asked_for(control_relations(graphs, seed=0)) for _ in range(2))
    assert [t.relations.tolist() for t in control.targets] == [t.relations.tolist() for t in again.targets]
    assert all(torch.equal(a.edges, b.edges) for a, b in zip(control.targets, sample.targets, strict=True))
    fits = [fit_polar(one, angle="prototype", weights=[5.0], fitting=FITTING, generator=draws()) for one in (control, sample)]
    of_control, of_real = (score(fit, one)[0] for fit, one in zip(fits, (control, sample), strict=True))
    assert of_control.micro("type accuracy") > of_real.micro("type accuracy") + 0.2


def test_control_heads_are_first_or_last():
    graphs = trees(20)
    control = blank(graphs).asked_for(control_head_graphs(graphs, seed=0))
    for target in control.targets:
        assert all(head in (0, len(target) - 1) for head, _ in target.edges.tolist())
        pairs = [frozenset(edge) for edge in target.edges.tolist()]
        assert len(pairs) == len(set(pairs))


def test_the_probe_of_another_network_and_a_random_one_find_little():
    train, test = planted(150, sizes=(6, 8), noise=0.5), planted(50, sizes=(6, 8), seed=1, noise=0.5)
    real = fit_distance(train, fitting=FITTING, generator=draws())
    turn = torch.linalg.qr(torch.randn(48, 48, generator=draws(3))).Q
    other = fit_distance(train.with_states(train.states @ turn), fitting=FITTING, generator=draws())
    own, moved, random = (
        score(probes, test)[0].micro("UUAS") for probes in (real, other, unfitted(train, 16, generator=draws()))
    )
    assert own > 0.9
    assert moved < 0.6
    assert random < own
    assert score(other, test.with_states(test.states @ turn))[0].micro("UUAS") == pytest.approx(own, abs=0.06)


def test_what_was_refused_is_not_asked_for():
    graphs = trees(3)
    encoded = Encoded(
        torch.zeros(1, len(graphs[0]) + len(graphs[2]), 2, dtype=torch.float16),
        ("0",),
        torch.tensor([0, len(graphs[0]), len(graphs[0]) + len(graphs[2])]),
        (0, 2),
        (Refused(text=1, sentence_id="", why="too long"),),
    )
    sample = sample_of(encoded, graphs, ("subject",))
    assert [len(target) for target in sample.targets] == [len(graphs[0]), len(graphs[2])]
    assert sample.graphs == [graphs[0], graphs[2]]
    with pytest.raises(AssertionError, match="one row a node"):
        dataclasses.replace(sample, targets=sample.targets[:1])
