"""Loss barriers between experts, as a check before any search (Frankle et al. 2020).

On the path between two siblings of one base, the score on what both can do stays high; between networks of different
initialisations it falls.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from assay.swarm.evaluate import Evaluator
from assay.swarm.utility import ScoredItems

STEPS = (0.25, 0.5, 0.75)
HIGH = 0.2
"""The least barrier that is a warning: a fifth of the score of both ends is lost between them."""


@dataclass(frozen=True, kw_only=True)
class Barriers:
    """Fall of the score below the straight line between two experts.

    **Attributes:** `pairs` `(K, K)`: the largest fall between two, 0 where there is none. `mean`: the fall at the mean of all,
    below the mean of their scores. `alone` `(K,)`: the score of each.
    """

    names: tuple[str, ...]
    pairs: Float64[np.ndarray, "K K"]
    mean: float
    alone: Float64[np.ndarray, " K"]

    @property
    def warning(self) -> str:
        """One sentence where experts are not connected; empty where they are."""
        first, second = np.unravel_index(int(self.pairs.argmax()), self.pairs.shape)
        if self.pairs[first, second] < HIGH:
            return ""
        num = int((self.pairs[np.triu_indices(len(self.names), 1)] >= HIGH).sum())
        ends, fall = f"{self.names[first]} and {self.names[second]}", self.pairs[first, second]
        return (
            f"Between {ends} the score falls by {fall:.2f}, the worst of {num} such pairs: they have no common coordinates, "
            "like networks of other initialisations, so a search is unlikely to find anything."
        )


def barriers(evaluator: Evaluator, items: ScoredItems | None = None) -> Barriers:
    """Barriers along all pairs and at the mean.

    **Arguments:** `items`: items that all experts can solve, such as the task of their base; by default the validation items,
    on which experts that can do nothing have no barrier. No evaluation is counted.

    Example::

        found = barriers(Evaluator(network, pool, utility=utility), old_items)

        print(found.mean, found.warning)
    """
    size, mine = len(evaluator.pool), items or evaluator.utility.items
    pairs = list(combinations(range(size), 2))
    rows = [np.eye(size)[k] for k in range(size)] + [np.full(size, 1 / size)]
    rows += [(1 - t) * np.eye(size)[i] + t * np.eye(size)[j] for i, j in pairs for t in STEPS]
    values = evaluator.score_items(np.array(rows), mine).mean(1)
    alone, between = values[:size], values[size + 1 :].reshape(len(pairs), len(STEPS))
    found = np.zeros((size, size))
    for (i, j), on_the_way in zip(pairs, between, strict=True):
        line = np.array([(1 - t) * alone[i] + t * alone[j] for t in STEPS])
        found[i, j] = found[j, i] = max(0.0, float((line - on_the_way).max()))
    return Barriers(names=evaluator.pool.names, pairs=found, mean=max(0.0, float(alone.mean() - values[size])), alone=alone)
