"""The forward of many models at once: a chain of known layers with their weights stacked, or any module under `vmap`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from assay.keywords import as_taken
from assay.outputs import answer_of
from assay.training.cohort import Forward

Weights = Mapping[str, Tensor]
_Stage = Callable[[Weights, Tensor], Tensor]
_ELEMENTWISE = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Identity)


@dataclass(frozen=True)
class ModuleCall:
    """One call of a module without children during a forward: what it is, and which tensors it read and made.

    A tensor is told from others by its id and version, which an operation in place changes.
    """

    name: str
    module: nn.Module
    read: tuple[int, int] | None
    made: tuple[int, int] | None
    num_values: int


@dataclass(frozen=True)
class ForwardTrace:
    """One forward: the calls in order, what it was given and what it returned."""

    calls: Sequence[ModuleCall]
    given: tuple[int, int] | None
    returned: tuple[int, int] | None


def trace(module: nn.Module, inputs: Mapping[str, Tensor]) -> ForwardTrace:
    """Run the module and note every call of its innermost modules."""
    calls: list[ModuleCall] = []
    kept: list[object] = []  # alive, so that no two tensors of this forward share an id
    reads: list[tuple[int, int] | None] = []

    def before(called: nn.Module, args: tuple[object, ...], named: Mapping[str, object]) -> None:
        read = [*args, *named.values()]
        kept.extend(read)
        reads.append(_identity(read[0]) if len(read) == 1 else None)

    def after(name: str) -> Callable[[nn.Module, object, object], None]:
        def note(called: nn.Module, args: object, out: object) -> None:
            kept.append(out)
            calls.append(ModuleCall(name, called, reads.pop(), _identity(out), out.numel() if isinstance(out, Tensor) else 0))

        return note

    innermost = [(name, part) for name, part in module.named_modules() if not list(part.children())]
    handles = [part.register_forward_pre_hook(before, with_kwargs=True) for _, part in innermost]
    handles += [part.register_forward_hook(after(name)) for name, part in innermost]
    try:
        given = [_identity(value) for value in inputs.values()]
        returned = module(**as_taken(module, inputs))
    finally:
        for handle in handles:
            handle.remove()
    return ForwardTrace(calls, given[0] if len(given) == 1 else None, _identity(returned))


def stacked_chain(module: nn.Module, traced: ForwardTrace) -> Forward | None:
    """The forward of many such modules, where one forward is a chain of Linear, Embedding, LayerNorm and layers without
    weights that treat every row alike; None where it is anything else.

    A chain is recognised by what its layers read and made, so nothing but layers can have been in between. Whether a layer
    without weights does treat every row alike is for the caller to find out by comparing with the plain modules.
    """
    if any(part._forward_hooks or part._forward_pre_hooks for part in module.modules()):
        return None
    flowing = traced.given
    stages: list[_Stage] = []
    for call in traced.calls:
        stage = _stage(call.name, call.module)
        if stage is None or flowing is None or call.read != flowing:
            return None
        chain = stages[-1] if stages and isinstance(stages[-1], _StackedLayers) else None
        if isinstance(stage, _Linear):
            stages += [] if chain else [chain := _StackedLayers([])]
            chain.layers.append(stage)
        elif chain and type(call.module) is nn.ReLU:
            chain.layers[-1] = dataclasses.replace(chain.layers[-1], rectified=True)
        else:
            stages.append(stage)
        flowing = call.made
    if not stages or flowing is None or flowing != traced.returned:
        return None

    def forward(weights: Weights, buffers: Weights, inputs: Weights) -> Tensor:
        (x,) = inputs.values()
        for stage in stages:
            x = stage(weights, x)
        return x

    return forward


def vmapped(module: nn.Module) -> Forward:
    """The forward of many such modules by `torch.vmap`."""

    def one(weights: Weights, buffers: Weights, inputs: Weights) -> Tensor:
        return answer_of(functional_call(module, (dict(weights), dict(buffers)), kwargs=dict(as_taken(module, inputs))))

    batched = torch.vmap(one)

    def forward(weights: Weights, buffers: Weights, inputs: Weights) -> Tensor:
        # The fused kernel of attention has no batching rule on the CPU: vmap would warn and call it model by model.
        with sdpa_kernel(SDPBackend.MATH):
            return batched(weights, buffers, inputs)

    return forward


def _identity(value: object) -> tuple[int, int] | None:
    return (id(value), value._version) if isinstance(value, Tensor) else None


def _within(name: str, parameter: str) -> str:
    return f"{name}.{parameter}" if name else parameter


def _stage(name: str, layer: nn.Module) -> "_Stage | _Linear | None":
    """The layer on `(models, batch, ...)`, or None when it is of no known kind."""
    if type(layer) is nn.Linear:
        return _Linear(_within(name, "weight"), _within(name, "bias") if layer.bias is not None else None)
    if type(layer) is nn.Embedding:
        plain = layer.padding_idx is None and layer.max_norm is None and not layer.scale_grad_by_freq and not layer.sparse
        return (lambda weights, x: _embedding(weights[_within(name, "weight")], x)) if plain else None
    if type(layer) is nn.LayerNorm:
        return lambda weights, x: _layer_norm(layer, name, weights, x)
    if type(layer) in _ELEMENTWISE:
        return lambda weights, x: layer(x)
    if next(layer.parameters(), None) is None and next(layer.buffers(), None) is None:
        return lambda weights, x: layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])
    return None


@dataclass(frozen=True)
class _Linear:
    """Names of the weights of a linear layer, and whether a ReLU comes behind it."""

    weight: str
    bias: str | None
    rectified: bool = False


@dataclass(frozen=True)
class _StackedLayers:
    """Linear layers of many models, one behind the other, and the tensors that every step fills anew."""

    layers: list[_Linear]
    _kept: dict[tuple[str, int], Tensor] = field(default_factory=dict)

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        rows = x.flatten(1, -2) if x.ndim > 3 else x
        names = [name for layer in self.layers for name in (layer.weight, layer.bias)]
        out = _Backward.apply(rows, self, *(weights[name] if name else None for name in names))
        return out.unflatten(1, x.shape[1:-1]) if x.ndim > 3 else out

    def kept(self, what: str, k: int, like: Tensor, *shape: int) -> Tensor:
        found = self._kept.get((what, k))
        if found is None or found.shape != shape:
            found = self._kept[what, k] = like.new_empty(shape)
        return found


class _Backward(Function):
    """The gradients of `torch.baddbmm` and ReLU by hand, to the bit.

    Autograd's own takes a new tensor for every state and gradient, and a transposed copy of the gradient of every weight:
    a fifth of a step. For the same reason gradients are left in `grad` here: handed back, they would be copied.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, chain: _StackedLayers, *tensors: Tensor | None) -> Tensor:
        pairs: list[Any] = list(zip(tensors[::2], tensors[1::2], strict=True))
        ctx.chain, ctx.pairs, ctx.states = chain, pairs, [rows]
        for k, (layer, (weight, bias)) in enumerate(zip(chain.layers, pairs, strict=True)):
            out = chain.kept("state", k, rows, *rows.shape[:2], weight.shape[1])
            if bias is None:
                torch.bmm(ctx.states[-1], weight.mT, out=out)
            else:
                torch.baddbmm(bias[:, None], ctx.states[-1], weight.mT, out=out)
            ctx.states.append(out.relu_() if layer.rectified else out)
        return ctx.states[-1].detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        last = len(ctx.pairs) - 1
        for k, (weight, bias) in reversed(list(enumerate(ctx.pairs))):
            below, above = ctx.states[k : k + 2]
            if ctx.chain.layers[k].rectified:
                into = gradient if k < last else torch.empty_like(gradient)  # the last is not ours to change
                gradient = torch.ops.aten.threshold_backward.grad_input(gradient, above, 0, grad_input=into)
            if weight.requires_grad:
                _leave(weight, _of_weight(below, gradient, ctx.chain.kept("weight", k, weight, *weight.shape)))
            if bias is not None and bias.requires_grad:
                _leave(bias, torch.sum(gradient, 1, out=ctx.chain.kept("bias", k, bias, *bias.shape)))
            if k or ctx.needs_input_grad[0]:
                gradient = torch.bmm(gradient, weight, out=ctx.chain.kept("gradient", k, below, *below.shape))
        return gradient if ctx.needs_input_grad[0] else None, None, *[None] * (2 * len(ctx.pairs))


def _of_weight(rows: Tensor, gradient: Tensor, out: Tensor) -> Tensor:
    if rows.shape[2] % 16 or gradient.shape[2] % 16:
        return out.copy_(torch.bmm(rows.mT, gradient).mT)  # autograd's order, which gives other bits here
    return torch.bmm(gradient.mT, rows, out=out)


def _leave(weight: Tensor, gradient: Tensor) -> None:
    weight.grad = gradient if weight.grad is None else weight.grad + gradient  # of a layer that is used twice


def _embedding(weight: Tensor, tokens: Tensor) -> Tensor:
    num_models, vocab = weight.shape[:2]
    if not bool(((tokens >= 0) & (tokens < vocab)).all()):
        raise IndexError("index out of range in self")  # as torch says it; else the next model's rows would be read
    starts = torch.arange(num_models, device=tokens.device) * vocab
    return F.embedding(tokens + starts.view(-1, *[1] * (tokens.ndim - 1)), weight.flatten(0, 1))


def _layer_norm(layer: nn.LayerNorm, name: str, weights: Weights, x: Tensor) -> Tensor:
    x = F.layer_norm(x, layer.normalized_shape, eps=layer.eps)
    for parameter, apply in (("weight", torch.mul), ("bias", torch.add)):
        if getattr(layer, parameter) is not None:
            value = weights[_within(name, parameter)]
            x = apply(x, value.view(len(value), *[1] * (x.ndim - value.ndim), *value.shape[1:]))
    return x
