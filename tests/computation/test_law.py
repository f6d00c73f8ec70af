"""The law of constant error: fitted where it holds, rejected where it does not, and its prediction of deeper graphs."""

import numpy as np
import pytest

from assay.computation import FixedAlgorithm, Operation
from assay.computation.labels import by_layer, labelled
from assay.computation.law import fit_law, predicted_right, rates
from assay.computation.resampling import resampled_sums

STEP = Operation("step", lambda v: (v * 7 + 3) % 101)


def chains(length, num, seed):
    recipe = FixedAlgorithm()
    node = recipe.source("x")
    for k in range(length):
        node = recipe.node(f"v{k}", STEP, node)
    return recipe.computations(np.random.default_rng(seed).integers(0, 101, (num, 1)))


def noisy(graph, error, recovery, rng):
    """Values with an error of its own at `error(layer)` of the nodes, and the right value at `recovery` of those behind one."""
    values = graph.values.copy()
    for layer, nodes in enumerate(graph.by_layer(), 1):
        values[nodes] = graph.follow(values, nodes)
        own = rng.random(len(nodes)) < error(layer)
        values[nodes] = np.where(own, (values[nodes] + rng.integers(1, 101, len(nodes))) % 101, values[nodes])
        wrong_before = values[graph.parents[nodes, 0]] != graph.values[graph.parents[nodes, 0]]
        values[nodes] = np.where(wrong_before & (rng.random(len(nodes)) < recovery), graph.values[nodes], values[nodes])
    return values


def layers_of(graph, values):
    return by_layer(graph, labelled(graph, values))


def test_a_law_that_holds_is_fitted_and_not_rejected():
    rng, ps = np.random.default_rng(0), []
    for seed in range(20):
        graph = chains(8, 400, seed)
        law = fit_law(layers_of(graph, noisy(graph, lambda _: 0.1, 0.0, rng)), rng, repeats=300)
        ps.append(law.p_error)
        assert law.error == pytest.approx(0.1, abs=0.03)
    assert sum(p < 0.05 for p in ps) <= 4
    assert np.mean(ps) > 0.25


def test_errors_that_grow_with_the_layer_are_found():
    rng = np.random.default_rng(0)
    graph = chains(8, 400, 0)
    law = fit_law(layers_of(graph, noisy(graph, lambda layer: 0.03 * layer, 0.0, rng)), rng)
    assert law.p < 1e-4


def test_a_perfect_one_has_no_floor_below_one():
    graph = chains(3, 50, 0)
    law = fit_law(layers_of(graph, graph.values), np.random.default_rng(0))
    assert (law.error, law.floor) == (0.0, 1.0)
    assert law.p == pytest.approx(1.0, abs=0.01)
    assert fit_law(layers_of(chains(1, 50, 0), chains(1, 50, 0).values), np.random.default_rng(0)).p is None


def test_the_floor():
    rng = np.random.default_rng(1)
    graph = chains(30, 300, 0)
    layers = layers_of(graph, noisy(graph, lambda _: 0.2, 0.1, rng))
    law = fit_law(layers, rng, repeats=100)
    assert law.floor == pytest.approx(law.recovery / (law.recovery + law.error))


def test_accuracy_of_deeper_graphs_is_predicted_from_shallow_ones():
    rng = np.random.default_rng(2)
    shallow, deep = chains(5, 2_000, 0), chains(9, 2_000, 1)
    law = fit_law(layers_of(shallow, noisy(shallow, lambda _: 0.08, 0.0, rng)), rng)
    layers = layers_of(deep, noisy(deep, lambda _: 0.08, 0.0, rng))
    predicted = predicted_right(deep, law, rng)
    assert predicted == pytest.approx(0.92 ** np.arange(1, 10), abs=0.02)  # chains: one clean step after the other
    assert predicted == pytest.approx(layers.ratios()[:, [0, 3]].sum(1), abs=0.04)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng, inside = np.random.default_rng(3), []
    for _ in range(200):
        per_example = rng.beta(2, 6, 80)  # nodes of one example share its rate, so that nodes are dependent
        of = np.full((80, 1), 10)
        found = rates(rng.binomial(10, per_example)[:, None], of, rng, repeats=200)
        inside.append(found.low[0] <= 0.25 <= found.high[0])
    assert 0.88 <= np.mean(inside) <= 0.99


def test_rates_at_the_ends_and_without_nodes():
    ones = np.ones((40, 1), np.int64)
    rng = np.random.default_rng(0)
    high, low, none = rates(ones, ones, rng), rates(ones * 0, ones, rng), rates(ones * 0, ones * 0, rng)
    assert high.low[0] == pytest.approx(0.025 ** (1 / 40))
    assert (high.high[0], low.low[0]) == (1.0, 0.0)
    assert low.high[0] == pytest.approx(1 - 0.025 ** (1 / 40))
    assert np.isnan([none.value[0], none.low[0], none.high[0]]).all()
    assert np.isnan(rates(ones[:0], ones[:0], rng).value[0])


# Resampling


def test_resampled_sums_are_those_of_examples_drawn_with_replacement():
    """Their mean and covariance have a closed form, whether or not rows are alike."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 3, (300, 2))
    sums = resampled_sums(counts, rng, repeats=20_000)
    assert sums.mean(0) == pytest.approx(counts.sum(0), rel=0.01)
    assert np.cov(sums.T) == pytest.approx(300 * np.cov(counts.T, bias=True), rel=0.05, abs=6)
    assert (sums == sums.round()).all()


def test_one_example_or_many_alike_are_drawn_without_change():
    rng = np.random.default_rng(0)
    assert resampled_sums(np.array([[2, 5]]), rng, repeats=3).tolist() == [[2, 5]] * 3
    assert resampled_sums(np.full((40, 1), 2), rng, repeats=3).tolist() == [[80]] * 3
