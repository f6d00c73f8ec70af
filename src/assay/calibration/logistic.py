"""Logistic regression that can only rise: weights are never below 0."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

L2 = 1e-3  # per row, on weights of standardised columns: keeps separable classes finite and changes little else


class Logistic(NamedTuple):
    """`logit = weights . x + intercept`, in the units of the columns."""

    weights: Float[np.ndarray, " k"]
    intercept: float

    def logit(self, x: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
        return (x * self.weights).sum(1) + self.intercept  # a matrix product would round a row by its company


def fit_monotone(x: Float[np.ndarray, "n k"], composes: Bool[np.ndarray, " n"]) -> Logistic:
    """The two classes count the same, however many rows they have. Both must be there.

    Columns are standardised within, so that a change of their unit or origin changes no logit.
    """
    return _fitted(x, composes.astype(float), _even(composes), l2=L2)


def in_standard_units(model: Logistic, x: Float[np.ndarray, "n k"], composes: Bool[np.ndarray, " n"]) -> Logistic:
    """The same direction with logits of mean 0 and variance 1 over the two classes, each counting the same.

    How steep a fit is says how far apart the classes of just these rows happen to lie. Among fits that left out one family
    or another it may differ manyfold, and what is calibrated on some of them must hold for the next.
    """
    weight, logit = _even(composes), model.logit(x)
    mean = weight @ logit
    deviation = float(np.sqrt(weight @ (logit - mean) ** 2))
    if deviation < 1e-12:
        return Logistic(np.zeros_like(model.weights), 0.0)
    return Logistic(model.weights / deviation, float((model.intercept - mean) / deviation))


def fit_platt(logits: Float[np.ndarray, " n"], composes: Bool[np.ndarray, " n"]) -> tuple[float, float]:
    """Slope, never below 0, and offset that turn logits into probabilities at even odds of the classes.

    After Platt (1999), with targets a little short of 0 and 1, as far as the rarer class allows, which keep separable
    classes finite. Even odds, because how many networks of each class a zoo holds says nothing of a user's
    network; and since a held-out group takes its own class along, the rates of the rest would betray it.
    """
    short = 1 / (min(composes.sum(), (~composes).sum()) + 2)
    model = _fitted(logits[:, None], np.where(composes, 1 - short, short), _even(composes), l2=0.0)
    return float(model.weights[0]), model.intercept


def _even(composes: np.ndarray) -> np.ndarray:
    return np.where(composes, 0.5 / composes.sum(), 0.5 / (~composes).sum())


def _fitted(x: np.ndarray, target: np.ndarray, weight: np.ndarray, *, l2: float) -> Logistic:
    """Least weighted cross-entropy, by L-BFGS-B with the exact gradient. Weights of rows sum to 1."""
    from scipy.optimize import minimize

    origin = weight @ x
    unit = np.sqrt(weight @ (x - origin) ** 2)
    unit = np.where(unit > 1e-12 * (1 + np.abs(origin)), unit, np.inf)  # a column that does not vary says nothing
    scaled = (x - origin) / unit

    bounds = [(0.0, None)] * x.shape[1] + [(None, None)]
    options = {"ftol": 1e-13, "gtol": 1e-8, "maxiter": 1000}
    start, given = np.zeros(x.shape[1] + 1), (scaled, target, weight, l2)
    theta = minimize(_loss, start, given, method="L-BFGS-B", jac=True, bounds=bounds, options=options).x
    weights = theta[:-1] / unit
    return Logistic(weights, float(theta[-1] - weights @ origin))


def _loss(theta: np.ndarray, x: np.ndarray, target: np.ndarray, weight: np.ndarray, l2: float) -> tuple[float, np.ndarray]:
    """Cross-entropy with its penalty, and the gradient of both."""
    from scipy.special import expit

    z = x @ theta[:-1] + theta[-1]
    residual = weight * (expit(z) - target)
    value = weight @ (np.logaddexp(0, z) - target * z) + l2 / 2 * theta[:-1] @ theta[:-1]
    return float(value), np.append(residual @ x + l2 * theta[:-1], residual.sum())
