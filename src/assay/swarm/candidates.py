"""Networks of many candidates at once: candidates as rows of one batch, by vmap over weights, or one after the other.

With low-rank changes of linear layers no candidate's weights are ever made: the factors of all experts are applied to the whole
batch, and between the two each row is multiplied by the coefficients of its own candidate.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError
from assay.swarm.pool import ExpertPool, LowRank

Way = Literal["rows", "vmap", "loop"]


def prepared(network: nn.Module, pool: ExpertPool) -> nn.Module:
    """A copy of the network with the base's weights, in evaluation mode: whatever is done to it, the caller's stays as it was.

    **Raises:** `AssayError` when the network has other weights than the pool's base, or shares one that experts change.
    """
    copied = copy.deepcopy(network).eval().requires_grad_(False)
    own = copied.state_dict()
    lacking = [name for name in (*pool.low_rank, *pool.dense) if name not in own or own[name].shape != pool.base[name].shape]
    if lacking:
        raise AssayError(
            "the network must be the base of the pool", given=f"one without {', '.join(lacking[:5])} or of another shape"
        )
    names: dict[int, str] = {}
    for name, parameter in copied.named_parameters(remove_duplicate=False):
        other = names.setdefault(id(parameter), name)
        if other != name and {name, other} & {*pool.low_rank, *pool.dense}:
            raise AssayError(
                "a weight that experts change must belong to one module",
                given=f"{name}, which is also {other}",
                next_step="untie them in base and experts",
            )
    copied.load_state_dict({**own, **{name: tensor for name, tensor in pool.base.items() if name in own}})
    return copied


def can_be_rows(network: nn.Module, pool: ExpertPool) -> bool:
    """Whether every change is a low-rank one of a linear layer."""
    return not pool.dense and all(_is_linear(network, weight, factors) for weight, factors in pool.low_rank.items())


@contextmanager
def candidate_rows(network: nn.Module, pool: ExpertPool, coefficients: Float[Tensor, "b K"]) -> Iterator[nn.Module]:
    """Inside, row `i` of a batch of `b` is answered by the candidate of coefficients `i`.

    A batch of a multiple of `b` rows, as beam search makes them, has so many rows of each in turn.

    **Raises:** `AssayError` at the end for a module that was not called, so that its weights were used in another way, and for
    an input whose first dimension is no batch.
    """
    called: set[str] = set()
    hooks = [
        network.get_submodule(weight.rpartition(".")[0]).register_forward_hook(
            partial(_add, weight, factors, pool, coefficients, called), with_kwargs=True
        )
        for weight, factors in pool.low_rank.items()
    ]
    try:
        yield network
    finally:
        for hook in hooks:
            hook.remove()
    if missed := [weight for weight in pool.low_rank if weight not in called]:
        raise AssayError(
            "modules must be called for their rows to be candidates",
            given=f"{', '.join(missed[:5])}, whose weights are used without calling them",
            next_step="use way='vmap' or way='loop'",
        )


def _add(
    weight: str,
    factors: LowRank,
    pool: ExpertPool,
    coefficients: Float[Tensor, "b K"],
    called: set[str],
    module: nn.Module,
    args: tuple[Tensor, ...],
    kwargs: Mapping[str, Tensor],
    output: Tensor,
) -> Tensor:
    """The module's output and what the candidate of each row adds."""
    called.add(weight)
    x = args[0] if args else kwargs["input"]
    times, rest = divmod(x.shape[0], len(coefficients))
    if rest or not times:
        raise AssayError(
            "the first dimension of a module's input must be the batch",
            given=f"{x.shape[0]} for {len(coefficients)} rows in {weight}",
        )
    c = coefficients.to(x.dtype)[:, factors.owner]
    c = c.repeat_interleave(times, 0) if times > 1 else c
    c = c.reshape(c.shape[0], *[1] * (x.ndim - 2), c.shape[1])
    inner = (x @ factors.down.T.to(x.dtype)) * c
    if pool.space == "factor":
        rank = c.shape[-1] // len(pool)
        mixed = factors.scale * inner.unflatten(-1, (-1, rank)).sum(-2, keepdim=True)
        inner = (c.unflatten(-1, (-1, rank)) * mixed).flatten(-2)
    return output + inner @ factors.up.T.to(x.dtype)


def vmapped(
    network: nn.Module,
    pool: ExpertPool,
    coefficients: Float[Tensor, "p K"],
    function: Callable[[Any], Float[Tensor, " n"]],
) -> Float[Tensor, "p n"]:
    """`function(network)` of every candidate, by `torch.func.vmap` over their weights. **Raises:** what vmap cannot follow."""

    def one(changes: dict[str, Tensor]) -> Tensor:
        return function(
            Functional(network, {name: pool.base[name] + changes[name].to(pool.base[name].dtype) for name in changes})
        )

    each = [pool.changes(c) for c in coefficients]
    return torch.func.vmap(one)({name: torch.stack([changes[name] for changes in each]) for name in each[0]})


class Functional:
    """A network called with other weights."""

    def __init__(self, network: nn.Module, weights: Mapping[str, Tensor]):
        self.network, self.weights = network, weights

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The answer with those weights."""
        return torch.func.functional_call(self.network, dict(self.weights), args, kwargs)


def load_changes(network: nn.Module, pool: ExpertPool, changes: Mapping[str, Tensor]) -> None:
    """Make a prepared network the one candidate whose weights differ from the base by `changes`."""
    weights = dict(network.named_parameters()) | dict(network.named_buffers())
    applied = pool.applied(changes)
    with torch.no_grad():
        for name in {*pool.low_rank, *pool.dense, *changes}:
            weights[name].copy_(applied[name])


def _is_linear(network: nn.Module, weight: str, factors: LowRank) -> bool:
    module, _, kind = weight.rpartition(".")
    found = network.get_submodule(module)
    transposed = type(found).__name__ == "Conv1D"  # of Hugging Face's GPT-2: a linear layer that stores (in, out)
    return kind == "weight" and (isinstance(found, nn.Linear) or transposed) and factors.transposed == transposed
