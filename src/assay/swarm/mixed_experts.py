"""Mixtures of experts of different architectures with one vocabulary: of next-token distributions, not of weights.

Feng et al. 2024 run the same search on a vector with one number for each model. Here this vector is the only weight of a
network that contains them all, so that all engines, nulls and figures of a pool apply unchanged.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError
from assay.swarm.expert import Expert
from assay.swarm.pool import ExpertPool, Span
from assay.swarm.scores import outputs_of

MIXTURE = "mixture"
_LEAST = 1e-9  # floor of probabilities, which negative coefficients could make negative


class TokenMixture(nn.Module):
    """A network whose distribution over the next token is `sum over k of mixture[k] * distribution of network k`.

    **Arguments:** `networks`: by name, each called with the same inputs; of any architecture. `vocabulary`: number of tokens.

    **Attributes:** `mixture` `(K, vocabulary)`: coefficient of each network for each token. The pool of `mixture_of` has one
    coefficient per network; random directions, the null, have one per token.
    """

    def __init__(self, networks: Mapping[str, nn.Module], *, vocabulary: int):
        super().__init__()
        self.names = tuple(networks)
        self.networks = nn.ModuleList(networks.values())
        self.mixture = nn.Parameter(torch.zeros(len(networks), vocabulary))

    def forward(self, *args: Any, **kwargs: Any) -> Float[Tensor, "n *length v"]:
        """Logarithms of the mixed distribution. **Raises:** `AssayError` for a network with another vocabulary."""
        each = []
        for name, network in zip(self.names, self.networks, strict=True):
            logits = outputs_of(network, kwargs or args)
            if logits.shape[-1] != self.mixture.shape[1]:
                raise AssayError(
                    "networks whose tokens are mixed must share one vocabulary",
                    given=f"{logits.shape[-1]} tokens of {name}, where {self.mixture.shape[1]} were declared",
                )
            each.append(logits.softmax(-1))
        mixed = (torch.stack(each, -2) * self.mixture.to(each[0])).sum(-2)
        return mixed.clamp(min=_LEAST).log()


def mixture_of(networks: Mapping[str, nn.Module], *, vocabulary: int, span: Span = "affine") -> tuple[TokenMixture, ExpertPool]:
    """The mixture and its pool, in which each expert is one network alone, as input to a `Problem` or an `Evaluator`.

    **Arguments:** `span`: in the affine span probabilities sum to 1.

    **Raises:** `AssayError` for fewer than two networks.

    Example::

        >>> from assay.swarm.mixed_experts import mixture_of
        >>> first = torch.nn.Embedding(5, 5)
        >>> second = torch.nn.Sequential(torch.nn.Embedding(5, 2), torch.nn.Linear(2, 5))
        >>> network, pool = mixture_of({"first": first, "second": second}, vocabulary=5)
        >>> pool.names, network(torch.tensor([[0, 3, 1]])).shape
        (('first', 'second'), torch.Size([1, 3, 5]))
    """
    network = TokenMixture(networks, vocabulary=vocabulary)
    experts = {name: Expert(changes={MIXTURE: _alone(k, network.mixture)}) for k, name in enumerate(networks)}
    return network, ExpertPool({MIXTURE: network.mixture.detach()}, experts, space="full", span=span)


def _alone(k: int, mixture: Tensor) -> Float[Tensor, "K v"]:
    """The mixture of one network alone."""
    found = torch.zeros_like(mixture)
    found[k] = 1.0
    return found
