"""Merkle hashes of full computation subgraphs, and the number of training examples with each.

The full computation subgraph of a node is the node with all its ancestors, operations and values (Dziri et al. 2023, section
3.2.2). Two nodes have the same hash when their unfolded subgraphs are equal, so counting is exact; the paper's code searches
the text of scratchpads for lines that need not be connected.
"""

import hashlib
from itertools import pairwise

import numpy as np
from jaxtyping import Int, UInt64

from assay.computation.graph import SOURCE, Computations

Hashes = UInt64[np.ndarray, " v"]
_ODD = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_STEP = np.uint64(0x9E3779B97F4A7C15)
_TOGETHER = 1 << 16
"""Nodes per batch of hashing, few enough for their parents to stay in the processor's cache."""


def _mixed(values: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection of 64-bit numbers; in place."""
    values ^= values >> np.uint64(30)
    values *= _ODD[0]
    values ^= values >> np.uint64(27)
    values *= _ODD[1]
    values ^= values >> np.uint64(31)
    return values


def _seeds(computations: Computations) -> UInt64[np.ndarray, " operations"]:
    """A number for every operation, by its name, and a last one for sources."""
    names = [*(operation.name for operation in computations.operations), ""]
    return np.array([int.from_bytes(hashlib.blake2b(n.encode(), digest_size=8).digest(), "big") for n in names], np.uint64)


def subgraph_hashes(computations: Computations) -> Hashes:
    """The hash of every node's full computation subgraph: of operation, value, and the hashes of its parents in order.

    Among n different subgraphs the probability of a collision is n^2 / 2^65: 3e-8 for a million.

    Example::

        train, test = recipe.computations(a), recipe.computations(b)
        counts = examples_with(subgraph_hashes(train), train.example, subgraph_hashes(test))
    """
    hashes = computations.domain.codes(computations.values) + _seeds(computations)[computations.operation]
    hashes = _mixed(hashes)
    for start, end in pairwise(_pieces(computations.example)):
        for nodes in computations.by_layer(start, end):
            hashes[nodes] = _joined(hashes[nodes], hashes, computations.parents[nodes])
    return hashes


def _pieces(example: Int[np.ndarray, " v"]) -> list[int]:
    """Cuts of the rows between examples, with about `_TOGETHER` rows in each piece."""
    apart = (example[1:] < example[:-1]).any()
    starts = [] if apart else np.searchsorted(example, example[::_TOGETHER]).tolist()
    return sorted({0, *starts, len(example)})


def step_hashes(computations: Computations, values: Int[np.ndarray, " v"] | None = None) -> Hashes:
    """The hash of every node's one-hop pattern: its operation and the values of its parents, by default the right ones."""
    values = computations.values if values is None else values
    codes = _mixed(computations.domain.codes(values).copy())
    nodes = np.flatnonzero(computations.operation != SOURCE)
    hashes = _mixed(_seeds(computations)[computations.operation])
    hashes[nodes] = _joined(hashes[nodes], codes, computations.parents[nodes])
    return hashes


def _joined(
    own: UInt64[np.ndarray, " some"], of_parents: Hashes, parents: Int[np.ndarray, "some arguments"]
) -> UInt64[np.ndarray, " some"]:
    """Own hashes mixed with those of the parents in order, so that order and number of parents matter."""
    for column in parents.T:
        there = column >= 0
        if there.all():
            own = _mixed((own + _STEP) ^ of_parents[column])
        elif there.any():
            own[there] = _mixed((own[there] + _STEP) ^ of_parents[column[there]])
    return own


def examples_with(hashes: Hashes, example: Int[np.ndarray, " v"], wanted: UInt64[np.ndarray, " w"]) -> Int[np.ndarray, " w"]:
    """The number of examples with each wanted hash; several nodes of one example with the same hash count once."""
    if not len(hashes):
        return np.zeros(len(wanted), np.int64)
    if len(example) > 1 and (np.diff(example) < 0).any():
        by_example = np.argsort(example, kind="stable")
        hashes, example = hashes[by_example], example[by_example]
    order = np.argsort(hashes, kind="stable")  # stable, so that equal hashes stay in the order of their examples
    ordered, owner = hashes[order], example[order]
    other = np.append(True, ordered[1:] != ordered[:-1])
    first = other | np.append(True, owner[1:] != owner[:-1])
    starts = np.flatnonzero(other)
    keys, counts = ordered[starts], np.add.reduceat(first.astype(np.int64), starts)
    in_order = np.argsort(wanted)  # in ascending order the search stays in the cache
    at = np.empty(len(wanted), np.int64)
    at[in_order] = np.minimum(np.searchsorted(keys, wanted[in_order]), len(keys) - 1)
    return np.where(keys[at] == wanted, counts[at], 0)
