"""Forecast of accuracy at the next layer from the errors at the layers before it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from assay.computation.cells import CELLS
from assay.computation.graph import Computations
from assay.computation.labels import Labels
from assay.computation.resampling import resampled_sums

_KINDS = len(CELLS) + 1  # kinds of nodes: with right ancestors by cell, and with a wrong one
_LEVEL, _SLOPE, _SCATTER = 3.0, 0.5, 0.5
"""Prior standard deviations in log odds: of a rate, of its change from layer to layer, and of how far a
layer lies from that line."""


class Forecast(NamedTuple):
    """Forecast of the share of right nodes at layer `depth + 1`.

    **Attributes:**

    - `depth`: errors up to this layer were used.
    - `value`, `low`, `high`: the predicted share, and the ends of its 95 % prediction interval.
    - `observed`: the observed share.
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
    changing: bool = False,
    repeats: int = 1_000,
) -> Forecast:
    """Predict the share of right nodes at layer `depth + 1` from the nodes up to layer `depth`.

    A node with right ancestors fails at the rate of its cell (full subgraph trained, step trained, or neither); one with a
    wrong ancestor is right at a rate of its own. These four rates are fitted at the layers up to `depth` and applied to the
    actual nodes of the next layer. If depth causes errors only through what was trained, constant rates predict them; if steps
    become harder with depth themselves, constant rates predict too high a share, and changing rates may predict it.

    The interval covers the uncertainty of the rates (a bootstrap over examples, and a posterior, so that no rate is known to be
    0) and the draw of the predicted nodes. Where nodes are of a kind that did not occur before, it allows for all of them wrong
    and for all of them right.

    **Arguments:**

    - `cell`: of every node, as in `Seen.cell`.
    - `changing`: the log odds of each rate follow a line in the layer, with scatter of layers around it, instead of a constant.

    Example::

        >>> import numpy as np
        >>> from assay.computation.cells import seen
        >>> from assay.computation.forecast import forecast
        >>> from assay.computation.labels import labelled
        >>> from assay.tasks.algorithms import non_adjacent_values
        >>> rng = np.random.default_rng(0)
        >>> lists = rng.integers(-3, 4, (60, 5))
        >>> trained, tested = non_adjacent_values(lists[:30]), non_adjacent_values(lists[30:])
        >>> wrong = rng.random(len(tested.values)) < 0.1
        >>> labels = labelled(tested, np.where(wrong, tested.values + 1, tested.values))
        >>> found = forecast(tested, labels, seen(trained, tested).cell, depth=2, rng=rng)
        >>> found.low <= found.value <= found.high
        True
    """
    num = computations.num_examples
    judged = labels.read & ~computations.is_source
    kind = np.where(labels.clean, cell, len(CELLS))
    failed = np.where(labels.clean, ~labels.right, labels.right)  # for unclean nodes right ones are counted
    before = judged & (computations.layers <= depth)
    ahead = judged & (computations.layers == depth + 1)
    total = int(ahead.sum())
    if not total or not before.any():
        return Forecast(depth, *[float("nan")] * 4)

    def counts(chosen: Bool[np.ndarray, " v"]) -> Int[np.ndarray, "n l k"]:
        layer = computations.layers[chosen].astype(np.int64) - 1
        place = (computations.example[chosen].astype(np.int64) * depth + layer) * _KINDS + kind[chosen]
        return np.bincount(place, minlength=num * depth * _KINDS).reshape(num, depth, _KINDS)

    every, events = counts(before), counts(before & failed)
    if not changing:
        every, events = every.sum(1, keepdims=True), events.sum(1, keepdims=True)
    sums = resampled_sums(np.concatenate([every, events], 2).reshape(num, -1), rng, repeats=repeats)
    of, happened = np.split(sums.reshape(repeats, every.shape[1], -1), 2, axis=2)
    if changing:
        point, rate = _at_next(every.sum(0)[None], events.sum(0)[None], None)[0], _at_next(of, happened, rng)
    else:
        rate = rng.beta(happened[:, 0] + 0.5, of[:, 0] - happened[:, 0] + 0.5)
        point = (events.sum((0, 1)) + 0.5) / (every.sum((0, 1)) + 1)
    next_nodes = np.bincount(kind[ahead], minlength=_KINDS)
    unmet = every.sum((0, 1)) == 0
    right = rng.binomial(next_nodes, np.where(unmet, 0.0, _right(rate))).sum(1)
    low, high = np.quantile(right, [0.025, 0.975]) / total
    high += next_nodes[unmet].sum() / total
    value = next_nodes @ np.where(unmet, 0.5, _right(point)) / total
    return Forecast(depth, float(value), float(low), float(high), float(labels.right[ahead].mean()))


def _right(rate: Float[np.ndarray, "*r k"]) -> Float[np.ndarray, "*r k"]:
    """Rates of being right, from the rates of failure of clean nodes and of being right of unclean ones."""
    return np.concatenate([1 - rate[..., :-1], rate[..., -1:]], -1)


def _at_next(
    of: Real[np.ndarray, "r l k"], happened: Real[np.ndarray, "r l k"], rng: np.random.Generator | None
) -> Float[np.ndarray, "r k"]:
    """Each rate at the next layer, by a logistic regression on the layer with normal priors: at its mode, or with an `rng` a
    draw from the normal approximation around it.

    Fitted are a level, a slope, and each layer's distance from the line.
    """
    layers = of.shape[1]
    line = np.stack([np.ones(layers), np.arange(1.0 - layers, 1.0)], 1)  # so that the level is that of the last layer
    design = np.concatenate([line, np.eye(layers)], 1)
    prior = np.diag([_LEVEL**-2, _SLOPE**-2, *[_SCATTER**-2] * layers])
    pooled = (happened.sum(1) + 0.5) / (of.sum(1) + 1)
    beta = np.zeros((*pooled.shape, layers + 2))
    beta[..., 0] = np.log(pooled / (1 - pooled))
    curvature = np.zeros((*beta.shape, layers + 2))
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(np.einsum("rkc,lc->rlk", beta, design), -30, 30)))
        gradient = np.einsum("rlk,lc->rkc", happened - of * p, design) - beta @ prior
        curvature = np.einsum("rlk,lc,ld->rkcd", of * p * (1 - p), design, design, optimize=True) + prior
        move = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        beta = beta + move / np.maximum(1.0, np.abs(move).max(-1, keepdims=True))
    scatter = np.zeros(pooled.shape)
    if rng is not None:
        root = np.linalg.cholesky(np.linalg.inv(curvature))
        beta = beta + np.einsum("rkcd,rkd->rkc", root, rng.standard_normal(beta.shape))
        scatter = _SCATTER * rng.standard_normal(pooled.shape)
    return 1 / (1 + np.exp(-np.clip(beta[..., :2].sum(-1) + scatter, -30, 30)))


_STEPS = 25  # steps of Newton's method, each at most 1 in log odds
