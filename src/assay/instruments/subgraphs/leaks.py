"""Information about every node in one or two inputs: the surface pattern that could pass for composition."""

from itertools import combinations

import numpy as np
from jaxtyping import Int

from assay.computation.analysis import Analysis
from assay.computation.graph import Computations
from assay.computation.information import best_surface
from assay.figure import DetailTable

_MOST_EXAMPLES, _MOST_INPUTS = 5_000, 12
_MOST_READ = 2e7  # product of examples, sets of inputs and nodes: about a second


def leaks_table(trained: Computations, own: Analysis) -> tuple[DetailTable, ...]:
    """Relative information gain and Bayes accuracy of the best single input and pair of inputs for every node, over trained
    examples, beside the network's accuracy there. Empty where examples have different nodes, or many inputs.
    """
    tested = own.computations
    known, nodes = _nodes(trained), _nodes(tested)
    if known is None or nodes is None or trained.names != tested.names:
        return ()
    order = np.random.default_rng(0).permutation(len(known))  # trained examples are sorted by combination
    values = trained.values[known[np.sort(order[:_MOST_EXAMPLES])]]
    source = tested.is_source[nodes[0]]
    inputs = [k for k in np.flatnonzero(source).tolist() if len(np.unique(values[:, k])) > 1]
    if not 0 < len(inputs) <= _MOST_INPUTS:
        return ()
    sets_of_all = len(inputs) * (len(inputs) + 1) // 2 * int((~source).sum())
    if (most := max(1, int(_MOST_READ // max(1, sets_of_all)))) < len(values):
        values = trained.values[known[np.sort(order[:most])]]

    def called(column: int) -> str:
        return tested.names[tested.name[nodes[0, column]]]

    layers, right = tested.layers[nodes[0]], own.labels.right[nodes]
    rows = []
    for k in sorted(np.flatnonzero(~source).tolist(), key=lambda one: int(layers[one])):
        cells: list[str | float | None] = []
        for size in (1, 2):
            sets = list(combinations(range(len(inputs)), size))
            if not sets:
                cells += ["", None, None]
                continue
            chosen, found = best_surface(values[:, inputs], values[:, k], sets)
            cells += [" ".join(called(inputs[one]) for one in chosen), found.gain, found.held_out]
        wrong = float(right[~own.exact, k].mean()) if not own.exact.all() else None
        commonest = float(np.unique(values[:, k], return_counts=True)[1].max() / len(values))
        rows.append((called(k), str(int(layers[k])), float(right[:, k].mean()), wrong, *cells, commonest))
    note = (
        "Right: the share of right nodes, computed from the network's own values, in all examples and in those with a wrong "
        f"node. The other columns are over {len(values):,} of {len(known):,} trained examples. They give the one input and the "
        "two inputs that guess the node best; the gain, or share of the node's entropy that these remove, corrected for bias; "
        "and how often the best guess from them is right on an example left out. If the network is right no more often than "
        "this guess, a pattern of the surface explains the node. The same holds for wrong answers that are right only there."
    )
    of_one, of_two = ("input", "gain", "best guess"), ("two inputs", "gain of two", "best guess of two")
    columns = ("node", "layer", "right", "right in wrong answers", *of_one, *of_two, "commonest value")
    return (DetailTable(name="What a few inputs give away", columns=columns, rows=tuple(rows), note=note, level=2),)


def _nodes(graphs: Computations) -> Int[np.ndarray, "n names"] | None:
    """The node of each name in every example; None where some example lacks one."""
    found = np.full((graphs.num_examples, len(graphs.names)), -1)
    found[graphs.example, graphs.name] = np.arange(len(graphs))
    return found if found.size and (found >= 0).all() else None
