"""Numbers of a network that know nothing of novel combinations: what the verdict must rank better than."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import nnls
from torch import Generator, Tensor, nn

from assay.stats import keyed_generator
from assay.subject import Subject
from assay.task import Examples, Task

EXAMPLES, HELD = 600, 0.2
RIDGE = 1e-3  # of the mean squared length of a state
MANIFOLDS, POINTS, DRAWS = 12, 10, 40
TINY = 1e-9


def decodability(subject: Subject, task: Task, *, depth: int, seed: int) -> float:
    """Accuracy of linear probes for the parts at one cut, on trained combinations on which they were not fitted; the mean over
    parts. Ridge regression on indicators of the values, solved through the products of examples, so that wide cuts cost little.
    """
    seen = task.examples("seen", EXAMPLES, generator=keyed_generator(seed, "probes")).in_canonical_order()
    fitted = _fitted(seen, keyed_generator(seed, "probes held out"))
    states = subject.cuts({name: value[:16] for name, value in seen.inputs.items()}).read(seen.inputs, depth).flat().double()
    states = states - states[fitted].mean(0)
    gram = states[fitted] @ states[fitted].T
    solver = torch.linalg.inv(gram + RIDGE * gram.diagonal().mean().clamp(min=TINY) * torch.eye(len(gram)))
    right = []
    for part in task.parts:
        if part.name not in task.combines:
            continue
        values = seen.parts[part.name]
        targets = nn.functional.one_hot(values[fitted], len(part.values)).double()
        scores = states[~fitted] @ states[fitted].T @ solver @ (targets - targets.mean(0)) + targets.mean(0)
        right.append(float((scores.argmax(1) == values[~fitted]).double().mean()))
    return sum(right) / len(right)


def _fitted(seen: Examples, generator: Generator) -> Bool[Tensor, " n"]:
    ids, group = seen.combination.unique(return_inverse=True)
    held = torch.randperm(len(ids), generator=generator)[: max(1, round(HELD * len(ids)))]
    return ~torch.isin(group, held)


def penultimate(subject: Subject, inputs: Mapping[str, Tensor]) -> Float[Tensor, "n f"] | None:
    """What the last `nn.Linear` that is called reads; None where there is none."""
    read: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        read[:] = [given[0].detach()]

    hooks = [one.register_forward_pre_hook(keep) for one in subject.module.modules() if isinstance(one, nn.Linear)]
    try:
        count = len(subject(inputs))
    finally:
        for hook in hooks:
            hook.remove()
    return read[0].reshape(count, -1) if read and len(read[0]) % count == 0 else None


def geometry(subject: Subject, task: Task, *, seed: int) -> dict[str, float]:
    """Effective dimension D and utility Psi of the classes of answers at the penultimate layer, in trained inputs
    (arXiv 2603.01879, which takes them from GLUE, "geometry linked to untangling efficiency"). Empty where a network has no
    such layer.

    The definitions are those of GLUE as we know them, not checked against 2603.01879 itself. For Gaussian t and random signs
    of the classes, t is projected onto the directions that separate the classes with these signs; the points that stand in the
    way are the anchors S, one a class, S0 their mean over draws and S1 = S - S0. With a = (S1 t)'(S1 S1')^+(S1 t),
    b = (S1 t)'(S0 S0' + S1 S1')^+(S1 t) and c = (S t)'(S S')^+(S t), D is the mean of a over the number of classes and Psi the
    mean of b over that of c. Of sequences the first answer is the class.
    """
    seen = task.examples("seen", EXAMPLES, generator=keyed_generator(seed, "manifolds")).in_canonical_order()
    states = penultimate(subject, seen.inputs)
    if states is None:
        return {}
    classes = seen.targets.reshape(len(seen), -1)[:, 0]
    return effective(states.double(), classes, keyed_generator(seed, "dichotomies"))


def effective(states: Float[Tensor, "n f"], classes: Int[Tensor, " n"], generator: Generator) -> dict[str, float]:
    """`D_eff` and `Psi_eff` of classes of states."""
    kinds, counts = classes.unique(return_counts=True)
    chosen = kinds[counts >= 2]
    chosen = chosen[torch.randperm(len(chosen), generator=generator)[:MANIFOLDS]]
    if len(chosen) < 2:
        return {}
    groups = [states[(classes == one).nonzero()[:POINTS, 0]] for one in chosen.tolist()]
    ends = np.cumsum([0, *map(len, groups)])
    points = torch.cat(groups).numpy()
    anchors, directions = [], []
    for _ in range(DRAWS):
        signs = (2 * torch.randint(0, 2, (len(groups),), generator=generator) - 1).double().numpy()
        direction = torch.randn(points.shape[1], generator=generator, dtype=torch.float64).numpy()
        signed = points * np.repeat(signs, np.diff(ends))[:, None]
        weights, _ = nnls(-signed.T, direction, maxiter=30 * len(points))
        anchors.append([_anchor(weights[start:end], points[start:end]) for start, end in pairwise(ends)])
        directions.append(direction)
    found = np.array(anchors)
    centre = found.mean(0)
    between = centre @ centre.T
    a, b, c = np.mean([_terms(one, one - centre, between, t) for one, t in zip(found, directions, strict=True)], 0)
    return {"D_eff": float(a / len(groups)), "Psi_eff": float(b / c) if c > TINY else 0.0}


def _anchor(weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The mean of the points of one class that stand in the way; zero where none does."""
    total = weights.sum()
    return weights @ points / total if total > TINY else np.zeros(points.shape[1])


def _terms(anchors: np.ndarray, moved: np.ndarray, between: np.ndarray, direction: np.ndarray) -> tuple[float, float, float]:
    own, around = anchors @ direction, moved @ direction
    within = moved @ moved.T
    a = around @ np.linalg.pinv(within, hermitian=True) @ around
    b = around @ np.linalg.pinv(within + between, hermitian=True) @ around
    c = own @ np.linalg.pinv(anchors @ anchors.T, hermitian=True) @ own
    return float(a), float(b), float(c)
