"""k-coverage of nodes beside matched subgraphs: whether a node follows from trained ones by exchanging fragments that acted
alike.

Being right on a node inside the k-coverage of the training set is substitution, not the operation (the Coverage Principle,
arXiv 2505.20278, with the arguments of an operation as the parts). An argument is a *value*, whatever it was computed from, or
a whole *subgraph*. By values, a node trained as a step is trained; by subgraphs it may be inside or outside, and a network that
matches subgraphs, but knows which of them act alike, is right inside.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int8

from assay.computation.graph import Computations
from assay.computation.hashing import subgraph_hashes
from assay.substitution import KS, Trained, k_coverage

OUTSIDE, KNOWN, NO_STEP = 0, 4, -1
"""Values of `Covered`: outside 1-coverage, trained itself, and a source; otherwise the largest k whose coverage
holds the node."""
assert KS == (1, 2, 3), "KNOWN is larger than every k"
_MOST_STEPS = 200_000  # the most distinct trained rows of one operation for which k-coverage is searched


@dataclass(frozen=True)
class Covered:
    """For every node the reach of substitution: `KNOWN`, the largest k whose coverage holds it, `OUTSIDE`, or `NO_STEP`.

    `by_value`: with values as the arguments of its step; `by_subgraph`: with full computation subgraphs.
    """

    by_value: Int8[np.ndarray, " v"]
    by_subgraph: Int8[np.ndarray, " v"]


def covered(trained: Computations, tested: Computations) -> Covered:
    """How far the substitution of trained values, and of trained subgraphs, reaches each node.

    Example::

        reach = covered(recipe.computations(train), recipe.computations(test))
        outside = reach.by_value == OUTSIDE  # right answers there are not substitution
    """
    values = (trained.values, tested.values)
    subgraphs = tuple(subgraph_hashes(one).view(np.int64) for one in (trained, tested))
    return Covered(_reach(trained, tested, *values), _reach(trained, tested, *subgraphs))


def _reach(
    trained: Computations, tested: Computations, of_trained: Int[np.ndarray, " t"], of_tested: Int[np.ndarray, " v"]
) -> Int8[np.ndarray, " v"]:
    """The reach of substitution, with one number for each possible argument."""
    found = np.full(len(tested), NO_STEP, np.int8)
    number = {operation.name: k for k, operation in enumerate(trained.operations)}
    arity = {name: (one.parents >= 0).sum(1) for name, one in (("trained", trained), ("tested", tested))}
    for k, operation in enumerate(tested.operations):
        of_operation = tested.operation == k
        for arguments in np.unique(arity["tested"][of_operation]).tolist():
            nodes = np.flatnonzero(of_operation & (arity["tested"] == arguments))
            found[nodes] = OUTSIDE
            own = number.get(operation.name)
            if own is None:
                continue
            rows = np.flatnonzero((trained.operation == own) & (arity["trained"] == arguments))
            known = np.column_stack([of_trained[trained.parents[rows, :arguments]], trained.values[rows]])
            found[nodes] = _inside(np.unique(known, axis=0), of_tested[tested.parents[nodes, :arguments]])
    return found


def _inside(known: Int[np.ndarray, "s columns"], wanted: Int[np.ndarray, "n arguments"]) -> Int8[np.ndarray, " n"]:
    """The largest k for each row. `known`: trained arguments followed by the result; `wanted`: arguments."""
    if not len(known):
        return np.full(len(wanted), OUTSIDE, np.int8)
    distinct, back = np.unique(wanted, axis=0, return_inverse=True)
    arguments = wanted.shape[1]
    columns = [np.unique(np.append(known[:, k], distinct[:, k]), return_inverse=True) for k in range(arguments)]
    numbered = np.stack([inverse.reshape(-1) for _, inverse in columns], 1)
    answers = np.unique(known[:, -1], return_inverse=True)[1].reshape(-1)
    table = Trained.of(numbered[: len(known)], answers, [len(values) for values, _ in columns])
    rows = np.concatenate([table.values, numbered[len(known) :]])
    _, group = np.unique(rows, axis=0, return_inverse=True)
    group = group.reshape(-1)
    is_known = np.isin(group[len(table) :], group[: len(table)])
    reach = np.where(is_known, KNOWN, OUTSIDE).astype(np.int8)
    left = np.flatnonzero(~is_known)
    for k in KS if len(known) <= _MOST_STEPS else ():
        if not len(left):
            break
        left = left[k_coverage(table, numbered[len(known) :][left], k).inside]
        reach[left] = k
    return reach[back.reshape(-1)]
