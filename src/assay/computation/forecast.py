"""Accuracy at the next layer, predicted from the errors up to one: does what happens at small depth say what happens deeper?"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from assay.computation.cells import CELLS
from assay.computation.graph import Computations
from assay.computation.labels import Labels
from assay.computation.resampling import resampled_sums


class Forecast(NamedTuple):
    """Right nodes at the layer behind `depth`.

    **Attributes:**

    - `depth`: errors up to this layer were used.
    - `value`, `low`, `high`: the predicted share of right nodes, and the ends of its 95 % prediction interval.
    - `observed`: the share that there is.
    """

    depth: int
    value: float
    low: float
    high: float
    observed: float

    @property
    def within(self) -> bool:
        """Whether the observed share lies in the interval."""
        return self.low <= self.observed <= self.high


def forecast(
    computations: Computations,
    labels: Labels,
    cell: Int[np.ndarray, " v"],
    depth: int,
    rng: np.random.Generator,
    *,
    repeats: int = 1_000,
) -> Forecast:
    """Predict the share of right nodes at layer `depth + 1` from the nodes up to layer `depth`.

    A node with right ancestors fails at the rate of its cell: as a node does whose full subgraph was trained, whose step was,
    or neither. One with a wrong ancestor is right at one rate. These four are counted at the layers up to `depth`, and meet the
    nodes of the next layer as they are. If depth makes errors only by way of what was trained, the prediction holds; if steps
    become harder with depth by themselves, it is too high. The interval covers the rates (bootstrap over examples, and
    Jeffreys' prior, so that no rate is known to be 0) and the draw of the nodes that are predicted.

    **Arguments:** `cell`: of every node, as `Seen.cell` has it.

    Example::

        known = seen(trained, tested)
        for depth in range(1, 6):
            print(forecast(tested, labels, known.cell, depth, np.random.default_rng(0)))
    """
    num, kinds = computations.num_examples, len(CELLS) + 1  # and nodes with a wrong ancestor
    judged = labels.read & ~computations.is_source
    kind = np.where(labels.clean, cell, len(CELLS))
    failed = np.where(labels.clean, ~labels.right, labels.right)  # of unclean nodes what is counted is being right

    def counts(chosen: np.ndarray) -> np.ndarray:
        place = computations.example[chosen].astype(np.int64) * kinds + kind[chosen]
        return np.bincount(place, minlength=num * kinds).reshape(num, kinds)

    before = judged & (computations.layers <= depth)
    ahead = judged & (computations.layers == depth + 1)
    total = int(ahead.sum())
    if not total or not before.any():
        return Forecast(depth, *[float("nan")] * 4)
    every, events = counts(before), counts(before & failed)
    of, happened = np.split(resampled_sums(np.concatenate([every, events], 1), rng, repeats=repeats), 2, axis=1)
    rate = rng.beta(happened + 0.5, of - happened + 0.5)
    rate[:, :-1] = 1 - rate[:, :-1]  # from failing to being right
    next_nodes = counts(ahead).sum(0)
    drawn = rng.binomial(next_nodes, rate).sum(1) / total
    point = (events.sum(0) + 0.5) / (every.sum(0) + 1)
    point[:-1] = 1 - point[:-1]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Forecast(depth, float(next_nodes @ point / total), float(low), float(high), float(labels.right[ahead].mean()))
