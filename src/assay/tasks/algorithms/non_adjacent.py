"""The largest sum of elements no two of which are adjacent, by dynamic programming (Dziri et al. 2023, section 3.1)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from assay.computation import MISSING, Computations, FixedAlgorithm, Operation
from assay.computation.domain import whole_numbers
from assay.errors import AssayError

PICK, SKIP = 1, 2
MOST_ELEMENTS = 17  # the most elements, so that all outputs fit in one number
_SUM = Operation("add", np.add)
Lists = np.ndarray | Sequence[Sequence[int]]
"""One row of whole numbers per list, all of one length."""


def _best(*candidates: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    return np.maximum.reduce(candidates).clip(min=0)


def _best_of(a: Int[np.ndarray, " n"], *later: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """max(d', a + d'', 0) where d' and d'' are those of the next two elements, 0 after the end."""
    after = (*later, *[np.zeros_like(a)] * (2 - len(later)))
    return np.maximum(after[0], a + after[1]).clip(min=0)


def _all(*outputs: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    value, defined = np.zeros_like(outputs[0]), np.ones(len(outputs[0]), bool)
    for output in outputs:
        defined &= (output == PICK) | (output == SKIP)
        value = value * 10 + output.clip(0, 9)
    return np.where(defined, value, MISSING)


def _picked(d: Int[np.ndarray, " n"], a: Int[np.ndarray, " n"], *others: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """1 where the best sum takes the element and the one before was not picked, else 2. `others`: d'' and the output before."""
    after = others[0] if others else np.zeros_like(d)
    before = others[1] if len(others) > 1 else np.full_like(d, SKIP)
    return np.where((d == a + after) & (before != PICK), PICK, SKIP)


_BEST = Operation("best", _best)
_EQUAL = Operation("equal", lambda one, other: (one == other).astype(np.int64))
_AND = Operation("and", lambda one, other: ((one == 1) & (other == 1)).astype(np.int64))
_NOT = Operation("not", lambda one: (one == 0).astype(np.int64))
_OUTPUT = Operation("output", lambda one: np.where(one == 1, PICK, SKIP))
_ALL = Operation("all", _all)
_BEST_OF = Operation("best sum", _best_of)
_PICKED = Operation("pick", _picked)


def non_adjacent_sum(elements: Lists) -> Computations:
    """The finest graph of each list of `k` elements: every sum, maximum, comparison and flag is a node, `7k - 1` in all.

    d_i = max(d_{i+1}, a_i + d_{i+2}, 0) from the right; then from the left an element is picked (1, else 2) when d_i is
    a_i + d_{i+2} and the one before was not picked. Of several best choices this takes the lexicographically smallest.

    Example::

        graph = non_adjacent_sum(np.array([[3, 2, 4]]))
        assert graph.values[graph.find(0, "all")] == 121
    """
    elements = _checked(elements)
    k = elements.shape[1]
    recipe = FixedAlgorithm()
    a = [recipe.source(f"a{i + 1}") for i in range(k)]
    sums, d = dict(enumerate(a)), {}
    for i in reversed(range(k)):
        if i + 2 < k:
            sums[i] = recipe.node(f"sum{i + 1}", _SUM, a[i], d[i + 2])
        d[i] = recipe.node(f"d{i + 1}", _BEST, *([d[i + 1]] if i + 1 < k else []), sums[i])
    may = recipe.constant("may1", 1)
    outputs = []
    for i in range(k):
        equal = recipe.node(f"equal{i + 1}", _EQUAL, d[i], sums[i])
        both = recipe.node(f"and{i + 1}", _AND, equal, may)
        outputs.append(recipe.node(f"o{i + 1}", _OUTPUT, both))
        if i + 1 < k:
            may = recipe.node(f"may{i + 2}", _NOT, both)
    recipe.node("all", _ALL, *outputs)
    return recipe.computations(elements)


def non_adjacent_values(elements: Lists, *, outputs: bool = True, by_place: bool = True) -> Computations:
    """The coarse graph that a short scratchpad writes: elements, best sums d_k to d_1, and the outputs o_1 to o_k.

    **Arguments:**

    - `outputs`: whether o_1 to o_k are nodes.
    - `by_place`: whether steps at different positions, counted from the end, are different operations, as they may be for a
      network that distinguishes positions.

    Example::

        >>> from assay.tasks.algorithms import non_adjacent_values
        >>> graphs = non_adjacent_values([[3, -1]], outputs=False)
        >>> dict(zip(graphs.names, graphs.values.tolist()))
        {'a1': 3, 'a2': -1, 'd2': 0, 'd1': 3}
    """
    elements = _checked(elements)
    k = elements.shape[1]
    recipe = FixedAlgorithm()
    a = [recipe.source(f"a{i + 1}") for i in range(k)]
    d: dict[int, int] = {}
    for i in reversed(range(k)):
        best = Operation(f"best sum {k - i}", _best_of, "best sum") if by_place else _BEST_OF
        d[i] = recipe.node(f"d{i + 1}", best, a[i], *(d[j] for j in (i + 1, i + 2) if j < k))
    zero = recipe.constant("end", 0) if outputs else -1
    before = None
    for i in range(k) if outputs else ():
        given = [d[i], a[i], d.get(i + 2, zero), *([] if before is None else [before])]
        pick = Operation(f"pick {k - i}", _picked, "pick") if by_place else _PICKED
        before = recipe.node(f"o{i + 1}", pick, *given)
    return recipe.computations(elements)


def _checked(elements: Lists) -> Int[np.ndarray, "n k"]:
    rule = f"elements must be lists of one length, each of 1 to {MOST_ELEMENTS} whole numbers"
    found = whole_numbers(elements, rule)
    if found.ndim != 2 or not 1 <= found.shape[1] <= MOST_ELEMENTS:
        raise AssayError(rule, given=f"shape {found.shape}", next_step="give one row for each list")
    return found
