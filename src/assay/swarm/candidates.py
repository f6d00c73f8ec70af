"""Batched evaluation of candidates: as rows of one batch, by vmap over weights, or one after the other.

With low-rank changes of linear layers no candidate's weights are formed: the factors of all experts are applied to the whole
batch, and between the two each row is multiplied by the coefficients of its own candidate.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError
from assay.swarm.expert import wide
from assay.swarm.pool import ExpertPool, LowRank

Way = Literal["rows", "vmap", "loop"]
MOST_MERGED = 2**26
"""The most weights of all candidates of a batch that are formed at once."""


def prepared(network: nn.Module, pool: ExpertPool) -> nn.Module:
    """A copy of the network with the base's weights, in evaluation mode. The caller's network is not changed.

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
def candidate_rows(
    network: nn.Module, pool: ExpertPool, coefficients: Float[Tensor, "p K"], *, each: int = 1
) -> Iterator[nn.Module]:
    """Context in which every `each` consecutive rows of a batch are answered by the next row of `coefficients`.

    Batches of a multiple of `p * each` rows, as in beam search, are divided among candidates in the same order. Rows go through
    the factors of all experts or, where that takes fewer multiplications, through the candidate's own weights.

    **Raises:** `AssayError` on exit for a module that was not called, whose weights were thus used in another way, and for an
    input whose first dimension is not the batch.

    Example::

        >>> from assay.swarm.candidates import candidate_rows
        >>> from assay.swarm.expert import Expert, Factors
        >>> from assay.swarm.pool import ExpertPool
        >>> network = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False))
        >>> change = Factors(down=torch.ones(1, 2), up=torch.ones(1, 1), scale=1.0)  # every weight one larger
        >>> expert = Expert(changes={"0.weight": change})
        >>> pool = ExpertPool(network, {"a": expert, "b": expert}, span="linear")
        >>> with candidate_rows(network, pool, torch.tensor([[0.0, 0.0], [1.0, 0.5]])) as rows:
        ...     first, second = rows(torch.ones(2, 2)).flatten().tolist()
        >>> round(second - first, 3)
        3.0
    """
    fits = len(coefficients) * sum(pool.base[weight].numel() for weight in pool.low_rank) <= MOST_MERGED
    layers = [_CandidateLayer(network, pool, weight, coefficients, each=each, fits=fits) for weight in pool.low_rank]
    try:
        for layer in layers:
            layer.module.forward = layer.forward
        yield network
    finally:
        for layer in layers:
            layer.restore()
    if missed := [layer.weight for layer in layers if not layer.called]:
        raise AssayError(
            "modules must be called for their rows to be candidates",
            given=f"{', '.join(missed[:5])}, whose weights are used without calling them",
            next_step="use way='vmap' or way='loop'",
        )


class _CandidateLayer:
    """A linear layer with one candidate per block of rows."""

    def __init__(
        self,
        network: nn.Module,
        pool: ExpertPool,
        weight: str,
        coefficients: Float[Tensor, "p K"],
        *,
        each: int,
        fits: bool,
    ):
        self.pool, self.weight, self.coefficients, self.each = pool, weight, coefficients, each
        self.factors = pool.low_rank[weight]
        self.module = network.get_submodule(weight.rpartition(".")[0])
        self.own, self.overridden = self.module.forward, "forward" in vars(self.module)
        plain = self.factors.transposed or type(self.module).forward is nn.Linear.forward
        self.may_merge = fits and plain and not self.overridden
        self.called = False
        self._weights: Tensor | None = None

    def restore(self) -> None:
        """Restore the module's own forward."""
        if self.overridden:
            self.module.forward = self.own
        else:
            vars(self.module).pop("forward", None)

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Tensor:
        """Outputs of the candidates for their rows."""
        self.called = True
        x = args[0] if args else next(iter(kwargs.values()))
        num = len(self.coefficients)
        if not x.shape[0] or x.shape[0] % (num * self.each):
            raise AssayError(
                "the first dimension of a module's input must be the batch",
                given=f"{x.shape[0]} for {num * self.each} rows in {self.weight}",
            )
        rows = x.reshape(num, -1, x.shape[-1])
        if self._merges(rows.shape[1]):
            return self._merged(rows).reshape(*x.shape[:-1], -1)
        output = self.own(*args, **kwargs)
        return output + self._added(rows).reshape(output.shape)

    def _merges(self, rows: int) -> bool:
        """Whether forming a candidate's own weights takes fewer multiplications than `R` factors: `out * in * R` once, with no
        extra cost to apply them, against `(out + in) * R` per row."""
        sides = self.pool.base[self.weight].shape
        return self.may_merge and rows * sum(sides) > sides.numel()

    def _merged(self, rows: Float[Tensor, "p m i"]) -> Float[Tensor, "p m o"]:
        if self._weights is None:
            change = self.pool.low_rank_change(self.weight, self.coefficients)
            own = cast(Tensor, self.module.weight)
            weights = (wide(own) + change).to(own.dtype)
            self._weights = weights if self.factors.transposed else weights.mT
        bias = getattr(self.module, "bias", None)
        return rows @ self._weights if bias is None else torch.baddbmm(bias, rows, self._weights)

    def _added(self, rows: Float[Tensor, "p m i"]) -> Float[Tensor, "p m o"]:
        factors = self.factors
        c = self.coefficients.to(rows.dtype)[:, None, factors.owner]
        inner = (rows @ factors.down.T.to(rows.dtype)) * c
        if self.pool.space == "factor":
            rank = c.shape[-1] // len(self.pool)
            mixed = factors.scale * inner.unflatten(-1, (-1, rank)).sum(-2, keepdim=True)
            inner = (c.unflatten(-1, (-1, rank)) * mixed).flatten(-2)
        return inner @ factors.up.T.to(rows.dtype)


def vmapped(
    network: nn.Module,
    pool: ExpertPool,
    coefficients: Float[Tensor, "p K"],
    function: Callable[[Any], Float[Tensor, " n"]],
) -> Float[Tensor, "p n"]:
    """`function(network)` of every candidate, by `torch.func.vmap` over their weights. **Raises:** the error of vmap where the
    network does not support it."""

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
        """Call the network with those weights."""
        return torch.func.functional_call(self.network, dict(self.weights), args, kwargs)


def load_changes(network: nn.Module, pool: ExpertPool, changes: Mapping[str, Tensor]) -> None:
    """Load the candidate whose weights differ from the base by `changes` into a prepared network."""
    weights = dict(network.named_parameters()) | dict(network.named_buffers())
    applied = pool.applied(changes)
    with torch.no_grad():
        for name in {*pool.low_rank, *pool.dense, *changes}:
            weights[name].copy_(applied[name])


def _is_linear(network: nn.Module, weight: str, factors: LowRank) -> bool:
    module, _, kind = weight.rpartition(".")
    found = network.get_submodule(module)
    transposed = type(found).__name__ == "Conv1D"  # Conv1D of Hugging Face's GPT-2, a linear layer that stores (in, out)
    return kind == "weight" and (isinstance(found, nn.Linear) or transposed) and factors.transposed == transposed
