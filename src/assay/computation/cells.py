"""Cells of nodes by what the training set contains: the full subgraph, the last step alone, or neither.

A network that matches subgraphs is right in the first cell, one that chains single steps in the first two, one that runs the
operations in all three. Deep subgraphs are rarely seen and hard for any network, so cells are compared within one layer only,
and their odds within one step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from assay.computation.graph import Computations
from assay.computation.hashing import examples_with, step_hashes, subgraph_hashes

FULL, STEP, NEW, SOURCES = 0, 1, 2, -1
CELLS = ("full subgraph seen", "step seen, full subgraph not", "step not seen")


@dataclass(frozen=True)
class Seen:
    """For every node the number of training examples with its full computation subgraph and with its last step, and its
    cell."""

    full: Int[np.ndarray, " v"]
    step: Int[np.ndarray, " v"]
    cell: Int[np.ndarray, " v"]


def seen(trained: Computations, tested: Computations) -> Seen:
    """Occurrences of the nodes of a table in a training set.

    Example::

        found = seen(recipe.computations(train), recipe.computations(test))
        print(np.bincount(found.cell[found.cell >= 0]))
    """
    full = examples_with(subgraph_hashes(trained), trained.example, subgraph_hashes(tested))
    step = examples_with(step_hashes(trained), trained.example, step_hashes(tested))
    cell = np.where(full > 0, FULL, np.where(step > 0, STEP, NEW))
    return Seen(full, step, np.where(tested.is_source, SOURCES, cell))


def counts_in(
    computations: Computations, cell: Int[np.ndarray, " v"], right: Bool[np.ndarray, " v"], counted: Bool[np.ndarray, " v"]
) -> tuple[Int[np.ndarray, "n 3"], Int[np.ndarray, "n 3"]]:
    """For every example and cell the number of right nodes and of all, among the counted ones."""
    chosen = np.flatnonzero(counted & (cell >= 0))
    place = computations.example[chosen].astype(np.int64) * len(CELLS) + cell[chosen]
    size = computations.num_examples * len(CELLS)
    every = np.bincount(place, minlength=size).reshape(-1, len(CELLS))
    return np.bincount(place[right[chosen]], minlength=size).reshape(-1, len(CELLS)), every


class Odds(NamedTuple):
    """Logarithm of an odds ratio: above 0 where a node is right more often when its full subgraph was seen.

    `value` with its 95 % interval and standard error, by a bootstrap over examples; NaN without a step that has both cells in
    one layer, and where no node or every node is right. `nodes`: the number compared of each cell.
    """

    value: float
    low: float
    high: float
    error: float
    nodes: tuple[int, int]


def odds_ratio(
    computations: Computations,
    cell: Int[np.ndarray, " v"],
    right: Bool[np.ndarray, " v"],
    counted: Bool[np.ndarray, " v"],
    rng: np.random.Generator,
    *,
    repeats: int = 1_000,
) -> Odds:
    """Odds of being right where the full subgraph was seen against where only the step was, stratified by layer and step.

    Within a stratum operation and argument values are equal, and only the computation before them differs. Strata by operation
    alone would hold other values in each cell, some easier for any network, so that another training set would have an effect
    too.

    Mantel and Haenszel's estimate (1959), which holds for many strata of few nodes. One node is added to each cell, spread over
    the strata by their size and there over right and wrong by the cells' shares, so that two cells without an error have a
    ratio of 1 whatever their sizes (after Sweeting, Sutton and Lambert 2004).
    """
    from scipy.sparse import csr_array

    nodes = np.flatnonzero(counted & ((cell == FULL) | (cell == STEP)))
    steps = np.stack([computations.layers[nodes].astype(np.uint64), step_hashes(computations)[nodes]], 1)
    stratum = np.unique(steps, axis=0, return_inverse=True)[1].reshape(-1)
    size = np.stack([np.bincount(stratum[cell[nodes] == one], minlength=stratum.max(initial=-1) + 1) for one in (FULL, STEP)])
    both = size.min(0) > 0
    kept = both[stratum]
    nodes, stratum = nodes[kept], (np.cumsum(both) - 1)[stratum[kept]]
    compared = (int(size[0, both].sum()), int(size[1, both].sum()))
    if right[nodes].all() or not right[nodes].any():  # no difference between the cells is possible
        return Odds(np.nan, np.nan, np.nan, np.nan, compared)
    place = 4 * stratum + 2 * (cell[nodes] == STEP) + ~right[nodes]
    num, columns = computations.num_examples, 4 * int(both.sum())
    counts = csr_array((np.ones(len(nodes)), (computations.example[nodes], place)), shape=(num, columns))
    value = float(_mantel_haenszel(np.asarray(counts.sum(0))[None])[0])
    drawn = np.concatenate([_mantel_haenszel(weights @ counts) for weights in _resamples(num, repeats, columns, rng)])
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < repeats / 2:
        return Odds(np.nan, np.nan, np.nan, np.nan, compared)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Odds(value, min(float(low), value), max(float(high), value), float(drawn.std()), compared)


_MOST_COUNTS = 4_000_000  # counts of the resamples held in memory at once


def _resamples(num: int, repeats: int, columns: int, rng: np.random.Generator) -> Iterator[Float[np.ndarray, "_ n"]]:
    """Bootstrap weights: how often each example is drawn, in `repeats` resamples, in batches."""
    at_once = max(1, _MOST_COUNTS // max(columns, num))
    for start in range(0, repeats, at_once):
        yield rng.multinomial(num, np.full(num, 1 / num), size=min(at_once, repeats - start)).astype(np.float64)


def _mantel_haenszel(counts: Float[np.ndarray, "r columns"]) -> Float[np.ndarray, " r"]:
    a, b, c, d = np.moveaxis(counts.reshape(len(counts), -1, 4), 2, 0)
    total = a + b + c + d
    added = total / np.maximum(total.sum(1, keepdims=True), 1)  # sums to 1, with 0 for empty strata
    of_first = added * (a + b) / np.maximum(total, 1)
    a, b, c, d = a + of_first, b + of_first, c + added - of_first, d + added - of_first
    total = np.maximum(total + 2 * added, 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample may lack one of the cells
        return np.log((a * d / total).sum(1) / (b * c / total).sum(1))
