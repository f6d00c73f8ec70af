"""Information about one output element in a few inputs: relative information gain and Bayes accuracy.

A network that gets an element no better than the best guess from a small set of inputs shows a surface pattern there, not
composition (Dziri et al. 2023, section 2.2).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

_DENSE = 8  # entries of a contingency table per example up to which it is counted without sorting


class Surface(NamedTuple):
    """Information about one output element in a set of inputs.

    **Attributes:**

    - `gain`: relative information gain, the share of the element's entropy that the inputs remove, in [0, 1].
    - `accuracy`: of the best guess from the inputs, on the examples that it was fitted on: an upper bound.
    - `held_out`: with each example guessed from all others: a lower bound.
    - `mode`: accuracy of the commonest value, without any input.
    """

    gain: float
    accuracy: float
    held_out: float
    mode: float


def contingency(inputs: Int[np.ndarray, "n k"], output: Int[np.ndarray, " n"]) -> Int[np.ndarray, "cells outputs"]:
    """Contingency table: how often each value of the output occurs with each tuple of inputs that occurs."""
    value = _numbered(output)
    if not len(value):
        return np.zeros((0, 0), np.int64)
    cell, width = _cells(inputs), int(value.max()) + 1
    return np.bincount(cell * width + value, minlength=(int(cell.max()) + 1) * width).reshape(-1, width)


def _cells(inputs: Int[np.ndarray, "n k"]) -> Int[np.ndarray, " n"]:
    """The index of every row among the distinct tuples."""
    cell = np.zeros(len(inputs), np.int64)
    for column in inputs.T:
        value = _numbered(column)
        cell = _numbered(cell * (int(value.max(initial=-1)) + 1) + value)
    return cell


def _numbered(values: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The index of every value among the distinct ones in ascending order, without sorting where values lie close together."""
    if not len(values):
        return np.zeros(0, np.int64)
    low, high = int(values.min()), int(values.max())
    if high - low >= max(1024, 4 * len(values)):
        return np.unique(values, return_inverse=True)[1].reshape(-1)
    return (np.cumsum(np.bincount(values - low, minlength=high - low + 1) > 0) - 1)[values - low]


def _pairs(
    inputs: Int[np.ndarray, "n k"], output: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
    """The nonzero entries of `contingency`, cell by cell: cell, value and count. There are at most as many as examples."""
    value = _numbered(output)
    if not len(value):
        return value, value, value
    cell, width = _cells(inputs), int(value.max()) + 1
    key = cell * width + value
    if (int(cell.max()) + 1) * width <= _DENSE * len(key):
        every = np.bincount(key)
        found = np.flatnonzero(every)
        counts = every[found]
    else:
        found, counts = np.unique(key, return_counts=True)
    return found // width, found % width, counts


def surface(table: Int[np.ndarray, "cells outputs"], *, exhaustive: bool = False) -> Surface:
    """Relative information gain and Bayes accuracy from a contingency table.

    A gain estimated from N examples is too high, by about cells / (2 N ln 2) bits for uninformative inputs, since entropies of
    a sample are too low; both are corrected after Miller (1955) for the cells that occur.

    **Arguments:** `exhaustive`: the table counts all possible inputs, so that nothing is estimated.

    Example::

        >>> import numpy as np
        >>> from assay.computation.information import contingency, surface
        >>> pairs = np.array([(x, y) for x in range(10) for y in range(10)])
        >>> table = contingency(pairs[:, :1], (pairs[:, 0] + pairs[:, 1]) // 10)  # what one summand tells of the carry
        >>> found = surface(table, exhaustive=True)
        >>> round(found.gain, 2), found.accuracy
        (0.29, 0.75)
    """
    counts = np.asarray(table, np.int64)
    cell, value = np.nonzero(counts)
    return _surface(_numbered(cell), _numbered(value), counts[cell, value], exhaustive)


def _surface(
    cell: Int[np.ndarray, " p"], value: Int[np.ndarray, " p"], counts: Int[np.ndarray, " p"], exhaustive: bool
) -> Surface:
    """`surface` of pairs of cell and value, cells in ascending order."""
    total = int(counts.sum())
    if not total:
        return Surface(*[float("nan")] * 4)
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    of_output, of_cell = np.bincount(value, counts).astype(np.int64), np.add.reduceat(counts, starts)
    whole, given = _entropy(of_output, total), _entropy(counts, total) - _entropy(of_cell, total)
    if not exhaustive:
        used, cells, pairs = (int((some > 0).sum()) for some in (of_output, of_cell, counts))
        whole += (used - 1) / (2 * total)
        given += (pairs - cells) / (2 * total)
    gain = 1.0 - given / whole if whole > 0 else 0.0
    best = np.maximum.reduceat(counts, starts)
    is_best = counts == best[cell]
    several = np.add.reduceat(is_best.astype(np.int64), starts) > 1
    second = np.where(several, best, np.maximum.reduceat(np.where(is_best, 0, counts), starts))
    others = np.where(is_best, second[cell], best[cell])
    # Each example is guessed from the others of its cell; ties between values are broken at random.
    left = counts - 1
    right = np.where(left > others, 1.0, np.where((left == others) & (left > 0), 0.5, 0.0)) * counts
    accuracy = float(best.sum() / total)
    held_out = accuracy if exhaustive else float(right.sum() / total)
    return Surface(float(np.clip(gain, 0.0, 1.0)), accuracy, held_out, float(of_output.max() / total))


def _entropy(counts: Int[np.ndarray, "..."], total: int) -> float:
    shares = counts[counts > 0] / total
    return float(-(shares * np.log(shares)).sum())


def best_surface(
    inputs: Int[np.ndarray, "n k"], output: Int[np.ndarray, " n"], sets: Sequence[Sequence[int]], *, exhaustive: bool = False
) -> tuple[tuple[int, ...], Surface]:
    """The set of input columns from which the output is guessed best, and its `Surface`."""
    found = [(tuple(one), _surface(*_pairs(inputs[:, list(one)], output), exhaustive)) for one in sets]
    return max(found, key=lambda item: (item[1].held_out, item[1].gain))
