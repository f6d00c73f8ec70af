"""Relative information gain and Bayes accuracy: the published and recomputed figures, and what bias correction is for."""

import numpy as np
import pytest

from assay.computation.information import best_surface, contingency, surface
from assay.tasks.algorithms import multiplication, non_adjacent_values


def digits(values, k):
    return np.stack([values // 10**i % 10 for i in reversed(range(k))], 1)


def products(n):
    """All pairs of n-digit numbers: digits of both, and of the product, padded to 2n."""
    own = np.arange(10 ** (n - 1), 10**n)
    x, y = (side.ravel() for side in np.meshgrid(own, own, indexing="ij"))
    return np.concatenate([digits(x, n), digits(y, n)], 1), digits(x * y, 2 * n)


# 6b of the note: inputs (places in x, y), output digit, gain for two and three digits
RIG = [
    ("xn", "last", 0.223, 0.223),
    ("x1", "first", 0.198, 0.199),
    ("x1y1", "first", 0.788, 0.792),
    ("xnyn", "last", 1.0, 1.0),
    ("xnyn", "last but one", 0.110, 0.101),
]
PLACES = {"first": 0, "second": 1, "last": -1, "last but one": -2, "third last": -3}


@pytest.mark.parametrize("n", [2, 3])
def test_the_table_of_gains(n):
    inputs, output = products(n)
    columns = {"xn": [n - 1], "x1": [0], "x1y1": [0, n], "xnyn": [n - 1, 2 * n - 1]}
    for name, place, *gains in RIG:
        found = surface(contingency(inputs[:, columns[name]], output[:, PLACES[place]]), exhaustive=True)
        assert found.gain == pytest.approx(gains[n - 2], abs=0.002), (name, place)


def test_two_leading_or_trailing_digits_of_three():
    inputs, output = products(3)
    for columns, wanted in {
        (0, 1, 3, 4): {"first": 0.979, "second": 0.819},
        (1, 2, 4, 5): {"last": 1, "third last": 0.11},
    }.items():
        for place, gain in wanted.items():
            found = surface(contingency(inputs[:, list(columns)], output[:, PLACES[place]]), exhaustive=True)
            assert found.gain == pytest.approx(gain, abs=0.002), place
    accuracies = [surface(contingency(inputs[:, [0, 3]], output[:, 0]), exhaustive=True).accuracy]
    accuracies += [surface(contingency(inputs[:, [0, 1, 3, 4]], output[:, k]), exhaustive=True).accuracy for k in (0, 1, 2)]
    assert accuracies == pytest.approx([0.80, 0.98, 0.80, 0.17], abs=0.005)


def test_outputs_of_the_sum_leak_from_their_own_element():
    elements = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 6, indexing="ij"), -1).reshape(-1, 6)[::7]
    outputs = non_adjacent_values(elements).values.reshape(len(elements), -1)[:, -6:]
    gains = [surface(contingency(elements[:, [k]], outputs[:, k])).gain for k in range(6)]
    assert gains == pytest.approx([0.69, 0.45, 0.52, 0.50, 0.47, 0.61], abs=0.006)
    windows = [[(j, j + 1) for j in range(5)], [(j, j + 1, j + 2) for j in range(4)]]
    best = [[best_surface(elements, outputs[:, k], sets)[1].accuracy for k in range(6)] for sets in windows]
    assert [min(best[0]), max(best[0])] == pytest.approx([0.89, 0.97], abs=0.006)
    assert [min(best[1]), max(best[1])] == pytest.approx([0.93, 0.99], abs=0.006)


def test_inputs_that_tell_nothing_gain_nothing():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        inputs, output = rng.integers(0, 10, (3_000, 2)), rng.integers(0, 10, 3_000)
        table = contingency(inputs, output)
        found.append((surface(table).gain, surface(table, exhaustive=True).gain, surface(table).held_out))
    corrected, raw, held_out = np.mean(found, 0)
    expected = 81 * 10 / (2 * 3_000 * np.log(10))  # cells x outputs / 2 N, in units of the entropy
    assert raw == pytest.approx(expected, rel=0.25)
    assert corrected < raw / 5
    assert held_out == pytest.approx(0.1, abs=0.01)
    assert surface(table).accuracy > 0.15  # of the examples that the guess was found on


def test_a_sample_brackets_the_exact_accuracy():
    inputs, output = products(2)
    exact = surface(contingency(inputs[:, [0, 2]], output[:, 0]), exhaustive=True)
    rows = np.random.default_rng(0).integers(0, len(inputs), 2_000)
    sample = surface(contingency(inputs[rows][:, [0, 2]], output[rows, 0]))
    assert sample.held_out - 0.02 <= exact.accuracy <= sample.accuracy + 0.02
    assert sample.gain == pytest.approx(exact.gain, abs=0.02)


def test_held_out_accuracy_is_that_of_guessing_each_example_from_the_others():
    rng = np.random.default_rng(1)
    inputs, output = rng.integers(0, 3, (40, 1)), rng.integers(0, 3, 40)
    shares = []
    for k in range(40):
        others = (inputs[:, 0] == inputs[k, 0]) & (np.arange(40) != k)
        counts = np.bincount(output[others], minlength=3)
        best = counts == counts.max()
        shares.append(best[output[k]] / best.sum() if counts.max() else 0.0)
    assert surface(contingency(inputs, output)).held_out == pytest.approx(np.mean(shares), abs=0.04)


def test_constant_and_empty():
    one = surface(contingency(np.zeros((5, 1), np.int64), np.zeros(5, np.int64)))
    assert (one.gain, one.accuracy, one.mode) == (0.0, 1.0, 1.0)
    assert np.isnan(surface(contingency(np.zeros((0, 1), np.int64), np.zeros(0, np.int64))).gain)


def test_the_graph_gives_the_digits_too():
    graph = multiplication(np.array([35]), np.array([90]), 2, 2)
    assert graph.values[graph.find(0, "row 2")] == 315


def _by_hand(cells, values):
    """Gain without correction, and accuracies, counted example by example."""
    rows = list(zip(cells, values, strict=True))

    def guessed(known, value):
        counts = {one: known.count(one) for one in known}
        best = [one for one, num in counts.items() if num == max(counts.values())]
        return (value in best) / (len(best) if len(best) == 1 else 2) if value in best else 0.0

    held = [
        guessed([v for j, (c, v) in enumerate(rows) if c == cell and j != k], value) for k, (cell, value) in enumerate(rows)
    ]
    top = sum(max([v for c, v in rows if c == cell].count(v) for v in set(values)) for cell in set(cells))
    return top / len(rows), sum(held) / len(rows)


@pytest.mark.parametrize("alphabet", [1, 2, 5, 3_000])
def test_few_pairs_of_many_values_are_counted_as_by_hand(alphabet):
    draws = np.random.default_rng(alphabet)
    for num in (1, 2, 40):
        inputs, output = draws.integers(0, alphabet, (num, 2)) // 2, draws.integers(0, alphabet, num)
        _, found = best_surface(inputs, output, [(0, 1)])
        accuracy, held_out = _by_hand([tuple(row) for row in inputs.tolist()], output.tolist())
        assert found.accuracy == pytest.approx(accuracy)
        assert found.held_out == pytest.approx(held_out)
        assert found == pytest.approx(surface(contingency(inputs, output)))


def test_a_large_alphabet_takes_no_table_of_all_its_pairs():
    """Of 3,000 x 3,000 inputs and a million outputs a table would have 10^12 entries."""
    inputs = np.random.default_rng(0).integers(0, 3_000, (2_000, 2))
    chosen, found = best_surface(inputs, inputs[:, 0] * 3_000 + inputs[:, 1] // 3, [(0,), (1,), (0, 1)])
    assert (chosen, found.accuracy) == ((0, 1), 1.0)
    _, none = best_surface(inputs[:0], inputs[:0, 0], [(0,)])
    assert np.isnan(none.held_out)
