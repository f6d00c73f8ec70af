"""Dependence among test items: items on one fact, text or template are right or wrong together.

The mean over items is unchanged; its variance is that of the totals of clusters (Cameron and Miller 2015). If a hundred items
test nine facts, a network that knows one fact is right on one independent unit, not on eleven. Where items are clustered in
several ways, each clustering is computed, and the most conservative result counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64

from assay.evidence import Interval
from assay.stats import fitted_interval

ITEM = "item"


@dataclass(frozen=True)
class Clustering:
    """One clustering of items.

    **Attributes:** `name`: of one cluster, such as `text`. `ids` `(n,)`: of each item; None where items are independent.
    """

    name: str
    ids: np.ndarray | None = None

    def __call__(self, scores: Float64[np.ndarray, "*s n"]) -> Float64[np.ndarray, "*s g"]:
        """Values of clusters, whose plain mean is the mean over items and whose variance is that of cluster totals.

        Example::

            of_texts = Clustering("text", np.array([0, 0, 0, 1]))
            assert of_texts(np.array([1.0, 1.0, 1.0, 0.0])).tolist() == [1.125, 0.375]
        """
        if self.ids is None:
            return scores
        _, members = np.unique(self.ids, return_inverse=True)
        inside = np.eye(members.max() + 1)[members]  # (n, g)
        mean = scores.mean(-1, keepdims=True)
        return mean + (scores - mean) @ inside * (inside.shape[1] / len(members))

    def of(self, items: Bool[np.ndarray, " n"]) -> "Clustering":
        """The same clustering of some items."""
        return self if self.ids is None else Clustering(self.name, self.ids[items])


class Clusterings:
    """All clusterings of items; the most conservative counts.

    **Arguments:** `shared`: by the name of what is shared, the id of each item. Empty where items are independent.
    """

    def __init__(self, shared: Mapping[str, Sequence[int] | np.ndarray]):
        self.each = [Clustering(name, np.asarray(ids)) for name, ids in shared.items()] or [Clustering(ITEM)]

    def of(self, items: Bool[np.ndarray, " n"]) -> "Clusterings":
        """The same clusterings of some items."""
        some = Clusterings({})
        some.each = [one.of(items) for one in self.each]
        return some

    def fewest(self, scores: Float64[np.ndarray, "s n"]) -> tuple[int, str]:
        """The number of units and their name, under the clustering with the fewest."""
        return min((one(scores).shape[-1], one.name) for one in self.each)

    def p(self, test: Callable[..., float | None], *scores: Float64[np.ndarray, "_ n"]) -> float | None:
        """The largest p of a test over the clusterings; None where any has none.

        **Arguments:** `test`: a function of one tensor of units for each of `scores`.
        """
        found = [test(*(torch.from_numpy(one(each)) for each in scores)) for one in self.each]
        return None if any(p is None for p in found) else max(p for p in found if p is not None)

    def interval(self, scores: Float64[np.ndarray, "s n"], bounds: tuple[float, float]) -> Interval | None:
        """The widest interval of the mean over fits and units. None with fewer than five units."""
        each = [one(scores) for one in self.each]
        # rounding must not exceed the bounds where all values are equal
        found = [fitted_interval(torch.from_numpy(u.clip(*bounds) if np.ptp(u) < 1e-9 else u), bounds=bounds) for u in each]
        known = [interval for interval in found if interval is not None]
        return max(known, key=lambda one: one.high - one.low) if len(known) == len(found) else None

    def variance(self, scores: Float64[np.ndarray, "s n"]) -> float:
        """The largest squared standard error, over the clusterings, of the mean over units and fits."""
        units = [one(scores.mean(0)) for one in self.each]
        return max(float(each.var(ddof=1)) / len(each) for each in units)
