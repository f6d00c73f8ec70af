"""How much of one output element a few inputs give away: relative information gain and Bayes accuracy.

A network that gets an element no better than the best guess from a small set of inputs shows a surface pattern there, not
composition (Dziri et al. 2023, section 2.2).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int


class Surface(NamedTuple):
    """What a set of inputs tells of one output element.

    **Attributes:**

    - `gain`: relative information gain, the share of the element's entropy that the inputs remove, in [0, 1].
    - `accuracy`: of the best guess from the inputs, on the examples that it was found on: an upper end.
    - `held_out`: the same where each example is guessed from all others: a lower end.
    - `mode`: accuracy of the commonest value, without any input.
    """

    gain: float
    accuracy: float
    held_out: float
    mode: float


def contingency(inputs: Int[np.ndarray, "n k"], output: Int[np.ndarray, " n"]) -> Int[np.ndarray, "cells outputs"]:
    """How often each value of the output occurs with each tuple of inputs that occurs."""
    value = _numbered(output)
    if not len(value):
        return np.zeros((0, 0), np.int64)
    cell, width = _cells(inputs), int(value.max()) + 1
    return np.bincount(cell * width + value, minlength=(int(cell.max()) + 1) * width).reshape(-1, width)


def _cells(inputs: Int[np.ndarray, "n k"]) -> Int[np.ndarray, " n"]:
    """A number for every tuple, in `range` of the tuples that occur."""
    cell = np.zeros(len(inputs), np.int64)
    for column in inputs.T:
        value = _numbered(column)
        cell = _numbered(cell * (int(value.max(initial=-1)) + 1) + value)
    return cell


def _numbered(values: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """A number for every value, in ascending order, without sorting where values lie close together."""
    if not len(values):
        return np.zeros(0, np.int64)
    low, high = int(values.min()), int(values.max())
    if high - low >= max(1024, 4 * len(values)):
        return np.unique(values, return_inverse=True)[1].reshape(-1)
    return (np.cumsum(np.bincount(values - low, minlength=high - low + 1) > 0) - 1)[values - low]


def surface(table: Int[np.ndarray, "cells outputs"], *, exhaustive: bool = False) -> Surface:
    """Relative information gain and Bayes accuracy from a contingency table.

    A gain found on N examples is too high, by about cells / (2 N ln 2) bits where inputs tell nothing, since entropies of a
    sample are too low; both are corrected after Miller (1955) for the cells that occur.

    **Arguments:** `exhaustive`: the table counts all possible inputs, so that nothing is estimated.

    Example::

        pairs = np.array([(x, y) for x in range(10) for y in range(10)])
        last = surface(contingency(pairs, pairs[:, 0] * pairs[:, 1] % 10), exhaustive=True)
        assert last.gain == 1.0
    """
    counts = np.asarray(table, np.int64)
    total = int(counts.sum())
    if not total:
        return Surface(*[float("nan")] * 4)
    of_output, of_cell = counts.sum(0), counts.sum(1)
    whole, given = _entropy(of_output, total), _entropy(counts, total) - _entropy(of_cell, total)
    if not exhaustive:
        used, cells, pairs = (int((some > 0).sum()) for some in (of_output, of_cell, counts))
        whole += (used - 1) / (2 * total)
        given += (pairs - cells) / (2 * total)
    gain = 1.0 - given / whole if whole > 0 else 0.0
    best = counts.max(1)
    others = np.where(counts == best[:, None], _second(counts)[:, None], best[:, None])
    # An example is guessed from the others of its cell; of equally common values each is as likely to be the guess.
    left = counts - 1
    right = np.where(left > others, 1.0, np.where((left == others) & (left > 0), 0.5, 0.0)) * counts
    accuracy = float(best.sum() / total)
    held_out = accuracy if exhaustive else float(right.sum() / total)
    return Surface(float(np.clip(gain, 0.0, 1.0)), accuracy, held_out, float(of_output.max() / total))


def _second(counts: Int[np.ndarray, "c o"]) -> Int[np.ndarray, " c"]:
    """The second largest count of every row, 0 with one column."""
    return np.partition(counts, -2, axis=1)[:, -2] if counts.shape[1] > 1 else np.zeros(len(counts), np.int64)


def _entropy(counts: Int[np.ndarray, "..."], total: int) -> float:
    shares = counts[counts > 0] / total
    return float(-(shares * np.log(shares)).sum())


def best_surface(
    inputs: Int[np.ndarray, "n k"], output: Int[np.ndarray, " n"], sets: Sequence[Sequence[int]], *, exhaustive: bool = False
) -> tuple[tuple[int, ...], Surface]:
    """The set of input columns that guesses the output best, and what it tells."""
    found = [(tuple(one), surface(contingency(inputs[:, list(one)], output), exhaustive=exhaustive)) for one in sets]
    return max(found, key=lambda item: (item[1].held_out, item[1].gain))
