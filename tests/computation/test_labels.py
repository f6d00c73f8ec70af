"""Error kinds: planted errors are found under their name, and rates are those of a plain count."""

import numpy as np
import pytest

from assay.computation import MISSING, FixedAlgorithm, Operation
from assay.computation.labels import (
    CORRECT,
    KINDS,
    LOCAL,
    PROPAGATION,
    RESTORATION,
    UNPARSED,
    by_layer,
    collision_rate,
    labelled,
)
from assay.tasks.algorithms import non_adjacent_values


def chain(length=5, modulus=10):
    """x, then x + 1, x + 2, ..."""
    recipe = FixedAlgorithm()
    node = recipe.source("x")
    add = Operation("next", lambda v: (v + 1) % modulus)
    for k in range(length):
        node = recipe.node(f"v{k + 1}", add, node)
    return recipe.computations(np.array([[3]]))


GRAPH = chain()  # 3 | 4 5 6 7 8


@pytest.mark.parametrize(
    ("predicted", "kinds"),
    [
        ([4, 5, 6, 7, 8], "ccccc"),
        ([4, 9, 0, 1, 2], "clppp"),
        ([4, 9, 6, 7, 8], "clrrr"),
        ([4, 9, 9, 7, 8], "cllrr"),
        ([4, 9, MISSING, 7, 8], "clurr"),  # an ancestor is wrong, whatever was not read
        ([4, MISSING, 6, 7, 8], "cuuuu"),  # no error is known, and none is ruled out
        ([4, MISSING, 9, 0, 8], "cuupr"),
        ([MISSING] * 5, "uuuuu"),
    ],
)
def test_planted_errors(predicted, kinds):
    labels = labelled(GRAPH, np.array([7, *predicted]))  # what is predicted of a source does not matter
    names = {"c": CORRECT, "l": LOCAL, "p": PROPAGATION, "r": RESTORATION, "u": UNPARSED}
    assert labels.kind[1:].tolist() == [names[letter] for letter in kinds]
    assert labels.kind[0] == CORRECT


def brute(graph, predicted):
    """Counts by example, layer and kind, node by node, with sets of ancestors."""
    found = np.zeros((graph.num_examples, graph.layers.max(), 5), int)
    above = {}
    for node in np.argsort(graph.layers, kind="stable").tolist():
        parents = [p for p in graph.parents[node].tolist() if p >= 0]
        above[node] = set(parents).union(*(above[p] for p in parents))
        if not parents:
            continue
        value = {n: graph.values[n] if graph.layers[n] == 0 else predicted[n] for n in {node, *above[node]}}
        wrong = any(value[n] not in (graph.values[n], MISSING) for n in above[node])
        missing = any(value[n] == MISSING for n in above[node])
        arguments = [np.array([value[p]]) for p in parents]
        fits = graph.operations[graph.operation[node]](*arguments)[0] == value[node]
        if value[node] == MISSING:
            kind = UNPARSED
        elif value[node] == graph.values[node]:
            kind = RESTORATION if wrong else UNPARSED if missing else CORRECT
        elif any(value[p] == MISSING for p in parents):
            kind = UNPARSED
        else:
            kind = PROPAGATION if fits else LOCAL
        found[graph.example[node], graph.layers[node] - 1, kind] += 1
    return found


def test_random_errors_are_counted_as_node_by_node():
    rng = np.random.default_rng(0)
    graph = non_adjacent_values(rng.integers(-5, 6, (60, 5)))
    predicted = np.where(rng.random(len(graph)) < 0.15, rng.integers(0, 8, len(graph)), graph.values)
    predicted[rng.random(len(graph)) < 0.05] = MISSING
    labels = labelled(graph, predicted)
    layers = by_layer(graph, labels)
    assert np.array_equal(layers.kinds, brute(graph, predicted))
    assert all(count > 0 for count in layers.kinds.sum((0, 1)))
    assert layers.ratios().sum(1) == pytest.approx(1.0)
    # eps and c from the kinds alone, where all could be read
    whole = np.where(predicted == MISSING, graph.values, predicted)
    layers = by_layer(graph, labelled(graph, whole))
    correct, local, propagation, restoration, _ = np.moveaxis(layers.kinds, 2, 0)
    assert np.array_equal(layers.clean - layers.wrong_clean, correct)
    assert np.array_equal(layers.right_unclean, restoration)
    assert np.array_equal(layers.unclean + layers.clean, correct + local + propagation + restoration)


def test_layers_above_are_pooled():
    graph = chain(5)
    layers = by_layer(graph, labelled(graph, graph.values))
    assert layers.above(3).clean.tolist() == [[1, 1, 3]]
    assert layers.above(9) is not None
    assert layers.above(9).clean.tolist() == [[1] * 5]
    assert len(KINDS) == layers.kinds.shape[2]


def test_no_example_has_no_rate():
    graph = non_adjacent_values(np.zeros((0, 3), np.int64))
    assert by_layer(graph, labelled(graph, graph.values)).ratios().shape == (0, 5)


def test_the_collision_rate_is_that_of_values_drawn_from_the_others():
    rng = np.random.default_rng(0)
    graph = non_adjacent_values(rng.integers(-5, 6, (4_000, 4)), outputs=False)
    nodes = np.flatnonzero(graph.layers == 3)
    inner = graph.values[~graph.is_source]
    drawn = rng.choice(inner, (20, len(nodes)))
    assert collision_rate(graph, nodes) == pytest.approx((drawn == graph.values[nodes]).mean(), abs=0.01)
    assert np.isnan(collision_rate(graph, nodes[:0]))
