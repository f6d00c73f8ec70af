"""Merges without a search, or with a grid of one or two numbers: baselines of every search, with their evaluations counted.

Formulas are from the papers. Merges are tensor by tensor where the published code does so.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Generator, Tensor

from assay.swarm.evaluate import Evaluator
from assay.swarm.pool import ExpertPool

SCALES = tuple(np.linspace(0, 1.5, 31).tolist())
DENSITIES = (0.1, 0.2, 0.5)
WEIGHTS = (0.3, 0.5, 0.7, 1.0, 1.3)
POINTS = tuple(np.linspace(0.1, 0.9, 9).tolist())
DROPS, SEEDS = (0.3, 0.5, 0.7, 0.9), 3


@dataclass(frozen=True, kw_only=True)
class Merge:
    """A merged network.

    **Attributes:** `coefficients`: in the pool, or None for a merge outside its span, given by `changes` of weights instead.
    `value`: over validation. `evaluations`: the cost of choosing it.
    """

    name: str
    value: float
    evaluations: float
    coefficients: Float64[np.ndarray, " K"] | None = None
    changes: Mapping[str, Tensor] | None = None


def merges(evaluator: Evaluator, *, budget: int, seed: int = 0) -> list[Merge]:
    """All merges that the budget allows, each on its own: no merge uses the evaluations of another.

    Grids are cut at the budget. Values are of the utility's score, whatever a search maximises.
    """
    found = []
    for name, method in METHODS.items():
        before = evaluator.fresh()
        merge = method(before, budget, seed)
        if merge is not None:
            coefficients, changes = merge
            value = _value(before, coefficients, changes) if name not in FREE else np.nan
            found.append(
                Merge(name=name, value=value, evaluations=before.evaluations, coefficients=coefficients, changes=changes)
            )
    return found


Made = tuple[Float64[np.ndarray, " K"] | None, Mapping[str, Tensor] | None] | None


def best_expert(evaluator: Evaluator, budget: int, seed: int) -> Made:
    """The expert that is best on validation."""
    return _best(evaluator, np.eye(len(evaluator.pool)), budget)


def scaled_expert(evaluator: Evaluator, budget: int, seed: int) -> Made:
    """The best of all experts, each at many sizes: the best along single directions."""
    size = len(evaluator.pool)
    return _best(evaluator, np.vstack([np.eye(size), *(s * np.eye(size) for s in np.linspace(0.25, 2.5, 10))]), budget)


def uniform_soup(evaluator: Evaluator, budget: int, seed: int) -> Made:
    """The mean of the experts (Wortsman et al. 2022)."""
    size = len(evaluator.pool)
    return np.full(size, 1 / size), None


def greedy_soup(evaluator: Evaluator, budget: int, seed: int) -> Made:
    """Experts from best to worst, each added to the mean unless it lowers the value (Wortsman et al. 2022)."""
    size = len(evaluator.pool)
    alone = evaluator.score_values(np.eye(size))
    kept: list[int] = []
    best = -np.inf
    for k in np.argsort(-alone, kind="stable"):
        c = np.zeros((1, size))
        c[0, [*kept, k]] = 1 / (len(kept) + 1)
        if evaluator.evaluations + 1 > budget:
            break
        value = float(evaluator.score_values(c)[0])
        if value >= best:
            kept, best = [*kept, int(k)], value
    return np.isin(np.arange(size), kept) / len(kept), None


def slerp(evaluator: Evaluator, budget: int, seed: int) -> Made:
    """Spherical interpolation of the changes of the two best experts (Shoemake 1985), by one angle over all weights."""
    size = len(evaluator.pool)
    first, second = np.argsort(-evaluator.score_values(np.eye(size)), kind="stable")[:2]
    cosine = _cosines(evaluator.pool)[first, second]
    angle = np.arccos(np.clip(cosine, -1 + 1e-9, 1 - 1e-9))
    rows = np.zeros((len(POINTS), size))
    for row, t in zip(rows, POINTS, strict=True):
        row[first], row[second] = np.sin((1 - t) * angle) / np.sin(angle), np.sin(t * angle) / np.sin(angle)
    return _best(evaluator, rows, budget)


def task_arithmetic(evaluator: Evaluator, budget: int, seed: int) -> Made:
    """The sum of all changes times one number (Ilharco et al. 2023)."""
    return _best(evaluator, np.array(SCALES)[:, None] * np.ones(len(evaluator.pool)), budget)


def similarity(evaluator: Evaluator, budget: int, seed: int) -> Made:
    """The merge `similar`, chosen without an evaluation."""
    return similar(evaluator.pool), None


def model_stock(evaluator: Evaluator, budget: int, seed: int) -> Made:
    """The merge `stock_changes`, chosen without an evaluation."""
    return None, stock_changes(evaluator.pool)


def similar(pool: ExpertPool) -> Float64[np.ndarray, " K"]:
    """The merge in which every expert's own direction has its original length.

    Orthogonal changes are summed and equal ones averaged. After SimMerge (arXiv 2601.09473), which predicts a merge from
    similarity by a trained model; this is a formula for its two extremes.
    """
    gram = pool.gram()
    return np.linalg.lstsq(gram, np.diag(gram), rcond=1e-6)[0]


def stock_changes(pool: ExpertPool) -> dict[str, Tensor]:
    """Changes between base and mean, weight by weight, at the ratio `K cos / (1 + (K - 1) cos)` of the experts' mean angle
    (Jang et al. 2024)."""
    changes = {}
    for name, stack in _stacks(pool):
        flat = stack.flatten(1).double()
        unit = flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-30)
        inner, num = unit @ unit.T, len(flat)
        cosine = float(inner.sum() - inner.diagonal().sum()) / (num * (num - 1))
        ratio = num * cosine / (1 + (num - 1) * cosine)
        changes[name] = stack.mean(0) * min(max(ratio, 0.0), 1.0)
    return changes


def ties(evaluator: Evaluator, budget: int, seed: int) -> Made:
    """TIES (Yadav et al. 2023): the largest entries of each change, the sign with the larger sum, the mean of the entries with
    it."""
    return _best_changes(
        evaluator,
        ((lambda density=density, weight=weight: ties_changes(evaluator.pool, density=density, weight=weight))
         for density, weight in itertools.product(DENSITIES, WEIGHTS)),
        budget,
    )  # fmt: skip


def dare(evaluator: Evaluator, budget: int, seed: int) -> Made:
    """DARE (Yu et al. 2024): entries dropped at random and the rest rescaled, then task arithmetic."""
    return _best_changes(
        evaluator,
        ((lambda d=drop, w=weight, s=each: dare_changes(evaluator.pool, drop=d, weight=w, rng=_generator(seed, s)))
         for drop, weight, each in itertools.product(DROPS, (0.3, 0.5, 1.0), range(SEEDS))),
        budget,
    )  # fmt: skip


def ties_changes(pool: ExpertPool, *, density: float, weight: float) -> dict[str, Tensor]:
    """Changes of TIES with one density, the share of entries that is kept, and one weight of the sum.

    Example::

        base = {"w": torch.zeros(1, 2)}
        pool = ExpertPool(base, {"a": {"w": torch.tensor([[1.0, 2.0]])}, "b": {"w": torch.tensor([[3.0, -1.0]])}}, space="full")
        assert ties_changes(pool, density=1.0, weight=1.0)["w"].tolist() == [[2.0, 2.0]]
    """
    changes = {}
    for name, stack in _stacks(pool):
        flat = stack.flatten(1)
        kept = max(1, round(density * flat.shape[1]))
        threshold = flat.abs().kthvalue(flat.shape[1] - kept + 1, dim=1, keepdim=True).values
        trimmed = flat.where(flat.abs() >= threshold, 0.0)
        sign = trimmed.sum(0).sign()
        agree = (trimmed.sign() == sign) & (trimmed != 0)
        merged = (trimmed * agree).sum(0) / agree.sum(0).clamp(min=1)
        changes[name] = weight * merged.reshape(stack.shape[1:])
    return changes


def dare_changes(pool: ExpertPool, *, drop: float, weight: float, rng: Generator) -> dict[str, Tensor]:
    """Changes of DARE with one share of dropped entries, and one weight of the sum."""
    changes = {}
    for name, stack in _stacks(pool):
        kept = torch.rand(stack.shape, generator=rng) >= drop
        changes[name] = weight * (stack * kept).sum(0) / (1 - drop)
    return changes


def _stacks(pool: ExpertPool) -> Iterable[tuple[str, Tensor]]:
    """Every weight with its changes `(K, ...)`, one at a time, since all of a large network would not fit into memory."""
    yield from ((name, pool.stacked(name)) for name in (*pool.low_rank, *pool.dense))


def _cosines(pool: ExpertPool) -> Float64[np.ndarray, "K K"]:
    gram = pool.gram()
    norms = np.sqrt(np.diag(gram))
    return gram / np.outer(norms, norms)


def _best(evaluator: Evaluator, rows: Float64[np.ndarray, "n K"], budget: int) -> Made:
    rows = rows[: int(budget - evaluator.evaluations)]
    return (rows[int(np.argmax(evaluator.score_values(rows)))], None) if len(rows) else None


def _best_changes(evaluator: Evaluator, makers: Iterable[Callable[[], Mapping[str, Tensor]]], budget: int) -> Made:
    best: tuple[float, Mapping[str, Tensor]] | None = None
    for make in itertools.islice(makers, int(budget)):
        changes = make()
        value = float(evaluator.utility.value(evaluator.score_changes(changes), groups=evaluator.utility.groups))
        if best is None or value > best[0]:
            best = value, changes
    return (None, best[1]) if best else None


def _value(evaluator: Evaluator, coefficients: Float64[np.ndarray, " K"] | None, changes: Mapping[str, Tensor] | None) -> float:
    """The value of the merge that a method has chosen. It counts as an evaluation only for methods without a choice by
    evaluation; the others have counted it already."""
    if coefficients is not None:
        return float(evaluator.score_values(coefficients[None])[0])
    scores = evaluator.fresh().score_changes(changes or {})
    return float(evaluator.utility.value(scores, groups=evaluator.utility.groups))


def _generator(seed: int, k: int) -> Generator:
    return Generator().manual_seed(1000 * seed + k)


FREE = ("similarity", "model stock")
"""Methods without a choice by evaluation, whose value is therefore not inflated by one."""

METHODS: dict[str, Callable[[Evaluator, int, int], Made]] = {
    "best expert": best_expert,
    "scaled expert": scaled_expert,
    "uniform soup": uniform_soup,
    "greedy soup": greedy_soup,
    "SLERP": slerp,
    "task arithmetic": task_arithmetic,
    "similarity": similarity,
    "model stock": model_stock,
    "TIES": ties,
    "DARE": dare,
}
