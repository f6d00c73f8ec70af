"""Scores of a network on items, one number for each: accuracy, exact match, log-probability, or any function of this form."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

IGNORED = -100
"""Target of positions that are not scored, as in `torch.nn.functional.cross_entropy`."""


def outputs_of(network: Any, inputs: Any) -> Float[Tensor, "n *length classes"]:
    """Logits of a network. Inputs in a mapping are named arguments, in a tuple positional ones; of an output with `logits`, as
    of Hugging Face models, these are taken."""
    if isinstance(inputs, Mapping):
        answer = network(**inputs)
    else:
        answer = network(*inputs) if isinstance(inputs, tuple) else network(inputs)
    return getattr(answer, "logits", answer)


def accuracy(network: Any, inputs: Any, targets: Tensor) -> Float[Tensor, " n"]:
    """Whether the largest logit is the target's; over several positions, the share of right ones.

    Example::

        assert accuracy(torch.nn.Identity(), torch.eye(2), torch.tensor([0, 0])).tolist() == [1.0, 0.0]
    """
    right, counted = _right(outputs_of(network, inputs), targets)
    return (right & counted).float().sum(1) / counted.float().sum(1).clamp(min=1.0)


def exact_match(network: Any, inputs: Any, targets: Tensor) -> Float[Tensor, " n"]:
    """Whether the largest logits are the target at every position.

    Example::

        >>> from assay.swarm.scores import exact_match
        >>> logits = torch.eye(3)[torch.tensor([[0, 1], [0, 2]])]  # of two items with two positions each
        >>> exact_match(torch.nn.Identity(), logits, torch.tensor([[0, 1], [0, 1]])).tolist()
        [1.0, 0.0]
    """
    right, counted = _right(outputs_of(network, inputs), targets)
    return (right | ~counted).all(1).float()


def log_probability(network: Any, inputs: Any, targets: Tensor) -> Float[Tensor, " n"]:
    """Log-probability of the target, averaged over its positions. Differentiable.

    Example::

        >>> from assay.swarm.scores import log_probability
        >>> scores = log_probability(torch.nn.Identity(), torch.tensor([[0.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1]))
        >>> [round(score, 3) for score in scores.tolist()]
        [-0.693, -0.313]
    """
    logits = outputs_of(network, inputs)
    each = _positions(targets)
    losses = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), each.reshape(-1), ignore_index=IGNORED, reduction="none")
    return -losses.reshape(each.shape).sum(1) / (each != IGNORED).float().sum(1).clamp(min=1.0)


def _positions(targets: Tensor) -> Tensor:
    return targets.reshape(len(targets), -1)


def _right(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    each = _positions(targets)
    return logits.argmax(-1).reshape(each.shape) == each, each != IGNORED


def chance(targets: Tensor) -> float:
    """Chance level: the score of the best constant answer, the share of the commonest target."""
    _, counts = torch.unique(_positions(targets), dim=0, return_counts=True)
    return float(counts.max()) / len(targets)
