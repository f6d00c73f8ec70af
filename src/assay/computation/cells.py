"""Three cells of nodes by what the training set holds of them: the full subgraph, the last step alone, or not even that.

A network that matches subgraphs is right in the first cell, one that knows single steps and strings them together in the first
two, one that runs the operations in all three. Deep subgraphs are rarely seen and hard, whatever a network does, so that cells
are compared within one layer and operation only.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from assay.computation.graph import Computations
from assay.computation.hashing import examples_with, step_hashes, subgraph_hashes
from assay.computation.resampling import resampled_sums

FULL, STEP, NEW, SOURCES = 0, 1, 2, -1
CELLS = ("full subgraph seen", "step seen, full subgraph not", "step not seen")


@dataclass(frozen=True)
class Seen:
    """Of every node: in how many training examples its full computation subgraph, and its last step, occur; and its cell."""

    full: Int[np.ndarray, " v"]
    step: Int[np.ndarray, " v"]
    cell: Int[np.ndarray, " v"]


def seen(trained: Computations, tested: Computations) -> Seen:
    """What a training set holds of the nodes of a table.

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
    """Of every example and cell how many of the counted nodes are right, and how many there are."""
    chosen = np.flatnonzero(counted & (cell >= 0))
    place = computations.example[chosen].astype(np.int64) * len(CELLS) + cell[chosen]
    size = computations.num_examples * len(CELLS)
    every = np.bincount(place, minlength=size).reshape(-1, len(CELLS))
    return np.bincount(place[right[chosen]], minlength=size).reshape(-1, len(CELLS)), every


class Odds(NamedTuple):
    """The logarithm of an odds ratio: above 0 where a node is right more often when its full subgraph was seen.

    `value` with its 95 % interval and standard error, by a bootstrap over examples; NaN without a layer that has both cells,
    and where nothing was wrong or nothing was right.
    `nodes`: how many of either cell were compared.
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
    """Odds of being right where the full subgraph was seen against where only the step was, stratified by layer and operation.

    Mantel and Haenszel's estimate (1959). To each count of a stratum its cell's share of the stratum is added, so that two
    cells without an error have a ratio of 1 whatever their sizes (Sweeting, Sutton and Lambert 2004).
    """
    chosen = np.flatnonzero(counted & ((cell == FULL) | (cell == STEP)))
    if not len(chosen):
        return Odds(np.nan, np.nan, np.nan, np.nan, (0, 0))
    strata = computations.layers[chosen].astype(np.int64) * (len(computations.operations) + 1) + computations.operation[chosen]
    names, stratum = np.unique(strata, return_inverse=True)
    kind = 2 * (cell[chosen] == STEP) + ~right[chosen]
    size = computations.num_examples * len(names) * 4
    place = (computations.example[chosen].astype(np.int64) * len(names) + stratum.reshape(-1)) * 4 + kind
    counts = np.bincount(place, minlength=size).reshape(computations.num_examples, -1)
    total = counts.sum(0).reshape(-1, 4)
    both = (total[:, :2].sum(1) > 0) & (total[:, 2:].sum(1) > 0)
    nodes = (int(total[both, :2].sum()), int(total[both, 2:].sum()))
    wrong, rightly = total[both][:, [1, 3]].sum(), total[both][:, [0, 2]].sum()
    if not wrong or not rightly:  # nothing differs between the cells, and nothing could
        return Odds(np.nan, np.nan, np.nan, np.nan, nodes)
    counts = counts.reshape(-1, len(names), 4)[:, both].reshape(computations.num_examples, -1)
    drawn = _mantel_haenszel(resampled_sums(counts, rng, repeats=repeats).reshape(repeats, -1, 4))
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < repeats / 2:
        return Odds(np.nan, np.nan, np.nan, np.nan, nodes)
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = float(_mantel_haenszel(total[both][None])[0])
    return Odds(value, min(float(low), value), max(float(high), value), float(drawn.std()), nodes)


def _mantel_haenszel(counts: Real[np.ndarray, "r strata 4"]) -> Float[np.ndarray, " r"]:
    a, b, c, d = np.moveaxis(counts.astype(np.float64), 2, 0)
    first = (a + b) / np.maximum(a + b + c + d, 1)  # of an empty stratum 0: it then adds nothing to either sum
    a, b, c, d = a + first, b + first, c + 1 - first, d + 1 - first
    total = a + b + c + d
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample may hold one of the cells alone
        return np.log((a * d / total).sum(1) / (b * c / total).sum(1))
