"""Error kinds of predicted nodes (Dziri et al. 2023, section 2.3), and their rates by layer."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from assay.computation.domain import MISSING
from assay.computation.graph import Computations

KINDS = ("correct", "local", "propagation", "restoration", "unparsed")
CORRECT, LOCAL, PROPAGATION, RESTORATION, UNPARSED = range(5)


@dataclass(frozen=True)
class Labels:
    """Error kind of every node. Sources are given, and count as right.

    **Attributes:**

    - `kind`: an index of `KINDS`.
    - `right`: whether the predicted value is the right one.
    - `clean`: whether all ancestors are right, so that an error is the node's own.
    - `read`: whether the node could be judged: it was read, and so were its ancestors as far as they matter.
    """

    kind: Int[np.ndarray, " v"]
    right: Bool[np.ndarray, " v"]
    clean: Bool[np.ndarray, " v"]
    read: Bool[np.ndarray, " v"]


def labelled(computations: Computations, predicted: Int[np.ndarray, " v"]) -> Labels:
    """The error kind of every node, from the value that was predicted there (`MISSING` where none could be read).

    - *correct*: right, and so are all ancestors.
    - *local*: wrong, and not what the operation gives for the predicted values of the parents.
    - *propagation*: wrong, and equal to what the operation gives for them.
    - *restoration*: right although an ancestor is wrong.
    - *unparsed*: not read; or wrong where a parent was not read; or right where an ancestor was not read and none is wrong. The
      paper's code counts these as restorations or local errors, which overestimates both.

    Example::

        labels = labelled(graph, graph.values)
        assert (labels.kind == CORRECT).all()
    """
    sources = computations.is_source
    given = np.where(sources, computations.values, predicted)
    missing = given == MISSING
    right = given == computations.values
    fits = from_own_parts(computations, predicted) == given
    wrong_above, missing_above = np.zeros(len(right), bool), np.zeros(len(right), bool)
    parent_missing = np.zeros(len(right), bool)
    for nodes in computations.by_layer():
        for column in computations.parents[nodes].T:
            there = column >= 0
            own, parent = nodes[there], column[there]
            wrong_above[own] |= wrong_above[parent] | ~(right[parent] | missing[parent])
            missing_above[own] |= missing_above[parent] | missing[parent]
            parent_missing[own] |= missing[parent]
    clean = ~wrong_above & ~missing_above
    kind = np.full(len(right), UNPARSED, np.int8)
    kind[right & clean] = CORRECT
    kind[right & wrong_above] = RESTORATION
    wrong = ~right & ~missing & ~parent_missing
    kind[wrong & fits] = PROPAGATION
    kind[wrong & ~fits] = LOCAL
    return Labels(kind, right, clean, kind != UNPARSED)


def from_own_parts(computations: Computations, predicted: Int[np.ndarray, " v"]) -> Int[np.ndarray, " v"]:
    """The result of every node's operation on the predicted values of its parents; sources keep their own."""
    return computations.follow(np.where(computations.is_source, computations.values, predicted))


class Layers(NamedTuple):
    """Counts of nodes by example and layer, from which all rates and intervals are computed.

    `kinds`: `(examples, layers, 5)`, layers from 1. `wrong_clean`, `clean`: nodes with right ancestors, and the wrong ones
    among them. `right_unclean`, `unclean`: nodes with a wrong ancestor, and the right ones among them.
    """

    kinds: Int[np.ndarray, "n l 5"]
    wrong_clean: Int[np.ndarray, "n l"]
    clean: Int[np.ndarray, "n l"]
    right_unclean: Int[np.ndarray, "n l"]
    unclean: Int[np.ndarray, "n l"]

    def ratios(self) -> Float[np.ndarray, "l 5"]:
        """The shares of kinds at every layer, which sum to 1; NaN without nodes."""
        counts = self.kinds.sum(0)
        with np.errstate(invalid="ignore"):
            return counts / counts.sum(1, keepdims=True)

    def error(self) -> Float[np.ndarray, " l"]:
        """eps(l), the share of wrong nodes among those with right ancestors."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.wrong_clean.sum(0) / self.clean.sum(0)

    def recovery(self) -> Float[np.ndarray, " l"]:
        """c(l), the share of right nodes among those with a wrong ancestor."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.right_unclean.sum(0) / self.unclean.sum(0)

    def above(self, most: int) -> "Layers":
        """The same with all layers from `most` up joined into one."""

        def pooled(counts: np.ndarray) -> np.ndarray:
            if counts.shape[1] <= most:
                return counts
            return np.concatenate([counts[:, : most - 1], counts[:, most - 1 :].sum(1, keepdims=True)], 1)

        return Layers(*map(pooled, self))


def by_layer(computations: Computations, labels: Labels) -> Layers:
    """Counts of labelled nodes by example and layer. Nodes that could not be judged count in `kinds` alone."""
    span = int(computations.layers.max(initial=0))
    nodes = np.flatnonzero(~computations.is_source)
    cell = computations.example[nodes].astype(np.int64) * span + computations.layers[nodes] - 1
    size = computations.num_examples * span
    kind, right, clean, read = (column[nodes] for column in (labels.kind, labels.right, labels.clean, labels.read))

    def counted(chosen: Bool[np.ndarray, " some"]) -> Int[np.ndarray, "n l"]:
        return np.bincount(cell[chosen], minlength=size).reshape(computations.num_examples, span)

    kinds = np.bincount(cell * 5 + kind, minlength=size * 5).reshape(computations.num_examples, span, 5)
    return Layers(
        kinds,
        counted(clean & read & ~right),
        counted(clean & read),
        counted(~clean & read & right),
        counted(~clean & read),
    )


def collision_rate(computations: Computations, nodes: Int[np.ndarray, " some"]) -> float:
    """Chance rate of restoration: how often a value drawn from all right values of the same operation would be right at these
    nodes.

    A maximum with 0 or a remainder collides often, so restorations up to this rate are chance.
    """
    if not len(nodes):
        return float("nan")
    inner = np.flatnonzero(~computations.is_source)
    keys = np.stack([computations.operation[inner].astype(np.int64), computations.values[inner]], 1)
    pairs, inverse, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    share = counts / np.bincount(computations.operation[inner])[pairs[:, 0]]
    of_node = np.full(len(computations), np.nan)
    of_node[inner] = share[inverse.reshape(-1)]
    return float(of_node[nodes].mean())
