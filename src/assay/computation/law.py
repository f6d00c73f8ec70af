"""The law of constant error: accuracy by depth if every step failed equally often.

With eps the chance of an error at a node whose ancestors are right, and c that of being right where one is wrong, the share s_n
of right nodes after n steps is at most (1 - eps - c) s_{n-1} + c, and tends to the floor c / (c + eps) (after Dziri et al.
2023, propositions 4.1 and 4.2, which assume constant eps and c). It is fitted as a null model: eps that grows with the layer is
a finding.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from assay.computation.graph import Computations
from assay.computation.labels import Layers
from assay.computation.resampling import resampled_sums

_REPEATS = 1_000


class Rates(NamedTuple):
    """A ratio for each layer, with the ends of its 95 % interval by a bootstrap over examples, whose nodes are dependent."""

    value: Float[np.ndarray, " l"]
    low: Float[np.ndarray, " l"]
    high: Float[np.ndarray, " l"]


def rates(
    numerator: Int[np.ndarray, "n l"], denominator: Int[np.ndarray, "n l"], rng: np.random.Generator, *, repeats: int = _REPEATS
) -> Rates:
    """Ratio of two counts by layer, summed over examples, with bootstrap intervals. NaN where nothing is counted.

    A rate of exactly 0 or 1, for which all resamples agree, gets the exact interval of Clopper and Pearson over the examples
    that have such nodes.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = numerator.sum(0) / denominator.sum(0)
        drawn = _resampled(numerator, denominator, rng, repeats)
    low, high = (np.array([_quantile(column, q) for column in drawn.T]) for q in (0.025, 0.975))
    examples = (denominator > 0).sum(0)
    exact = np.power(0.025, 1 / np.maximum(examples, 1))
    low, high = np.where(value == 1, exact, low), np.where(value == 0, 1 - exact, high)
    return Rates(value, np.where(value == 0, 0.0, low), np.where(value == 1, 1.0, high))


def _quantile(values: Float[np.ndarray, " r"], q: float) -> float:
    values = values[np.isfinite(values)]
    return float(np.quantile(values, q)) if len(values) else float("nan")


def _resampled(
    numerator: np.ndarray, denominator: np.ndarray, rng: np.random.Generator, repeats: int
) -> Float[np.ndarray, "r l"]:
    if not len(numerator):
        return np.full((repeats, numerator.shape[1]), np.nan)
    sums = resampled_sums(np.concatenate([numerator, denominator], 1), rng, repeats=repeats)
    some, every = np.split(sums, 2, axis=1)
    return some / every


class Law(NamedTuple):
    """The law fitted to counts by layer.

    **Attributes:**

    - `error`, `recovery`: eps and c, pooled over layers.
    - `floor`: c / (c + eps), the limit of the share of right nodes with depth.
    - `p`: of the hypothesis that neither changes with the layer: Wald tests with a covariance clustered on examples, the
      smaller of both doubled. None with one layer.
    - `p_error`, `p_recovery`: of each.
    """

    error: float
    recovery: float
    floor: float
    p: float | None
    p_error: float | None
    p_recovery: float | None


def fit_law(layers: Layers, rng: np.random.Generator, *, repeats: int = _REPEATS) -> Law:
    """Fit eps and c, and test whether they are constant over layers.

    Example::

        law = fit_law(by_layer(graph, labels), np.random.default_rng(0))
        print(law.error, law.floor, law.p)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        error = float(layers.wrong_clean.sum() / layers.clean.sum())
        recovery = float(layers.right_unclean.sum() / layers.unclean.sum())
    p_error = _constant(layers.wrong_clean, layers.clean, rng, repeats)
    p_recovery = _constant(layers.right_unclean, layers.unclean, rng, repeats)
    ps = [p for p in (p_error, p_recovery) if p is not None]
    p = min(1.0, len(ps) * min(ps)) if ps else None
    return Law(error, recovery, _floor(error, recovery), p, p_error, p_recovery)


def _floor(error: float, recovery: float) -> float:
    if error == 0 or np.isnan(error):
        return 1.0 if error == 0 else float("nan")
    return 0.0 if np.isnan(recovery) else recovery / (recovery + error)


_FEWEST = 20  # least nodes of a layer for its rate to be compared


def _constant(wrong: np.ndarray, of: np.ndarray, rng: np.random.Generator, repeats: int) -> float | None:
    """p of one constant rate against a rate of its own at each layer."""
    kept = of.sum(0) >= _FEWEST
    if kept.sum() < 2:
        return None
    from scipy.stats import chi2

    wrong, of = wrong[:, kept], of[:, kept]
    value, total = wrong.sum(0) / of.sum(0), of.sum(0)
    # A half is added to both counts, so that a rate of 0 or 1 has a variance too.
    smooth = (wrong.sum(0) + 0.5) / (total + 1)
    drawn = _resampled(wrong, of, rng, repeats)
    covariance = np.cov(drawn[np.isfinite(drawn).all(1)].T)
    covariance += np.diag(np.maximum(smooth * (1 - smooth) / total - np.diag(covariance), 0.0))
    inverse = np.linalg.inv(covariance)
    common = (inverse @ value).sum() / inverse.sum()
    distance = value - common
    return max(float(chi2.sf(distance @ inverse @ distance, len(value) - 1)), float(np.finfo(np.float64).tiny))


def predicted_right(
    computations: Computations, law: Law, rng: np.random.Generator, *, repeats: int = 20
) -> Float[np.ndarray, " l"]:
    """The share of right nodes at each layer that the law predicts on these graphs, by `repeats` simulations.

    A law fitted on shallow graphs can predict deeper ones.
    """
    recovery = 0.0 if np.isnan(law.recovery) else law.recovery
    found = []
    for _ in range(repeats):
        right, clean = np.ones(len(computations), bool), np.ones(len(computations), bool)
        shares = []
        for nodes in computations.by_layer():
            for column in computations.parents[nodes].T:
                there = column >= 0
                clean[nodes[there]] &= right[column[there]] & clean[column[there]]
            drawn = rng.random(len(nodes))
            right[nodes] = np.where(clean[nodes], drawn >= law.error, drawn < recovery)
            shares.append(right[nodes].mean())
        found.append(shares)
    return np.mean(found, 0)
