"""A copy of any module with fresh weights, for subjects that do not say how they are made."""

import inspect
from collections.abc import Callable

import torch
from torch import Generator, nn
from torch.nn.utils.weight_norm import WeightNorm

from assay.attributes import copied
from assay.compiled import wraps
from assay.errors import AssayError


def redrawn(module: nn.Module, generator: Generator) -> nn.Module:
    """A copy whose weights are drawn again: by each submodule's own initialiser, and whatever none of them changes by
    shuffling the entries of the trained tensor, which keeps their distribution and destroys what was learned. An initialiser
    that needs arguments is not called.

    **Raises:** `AssayError` for a module that cannot be copied, and naming the submodule whose initialiser fails.
    """
    fresh = copied(module)
    trained = dict(module.named_parameters())
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        for name, part in fresh.named_modules():
            _redraw(name, part)
        for name, parameter in fresh.named_parameters():
            if torch.equal(parameter, trained[name]):
                flat = parameter.flatten()[torch.randperm(parameter.numel(), device=parameter.device)]
                parameter.copy_(flat.view_as(parameter))
    return fresh.eval()


def _redraw(name: str, part: nn.Module) -> None:
    """Call the submodule's own initialiser, where it has one that can be called."""
    redraw = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
    if wraps(part) or not callable(redraw) or _needs_arguments(redraw):
        return
    try:
        redraw()
    except Exception as error:  # the user's own code
        raise AssayError(
            "an initialiser must draw the weights of a copy again",
            given=f"reset_parameters of {name or 'the network'} ({type(part).__name__}): {type(error).__name__}: {error}",
            next_step="give `Subject` a `fresh` that builds a new network from a generator",
        ) from error
    for hook in part._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):  # it computes from two others the weight that was drawn
            weight = getattr(part, hook.name)
            getattr(part, f"{hook.name}_v").copy_(weight)
            getattr(part, f"{hook.name}_g").copy_(torch.norm_except_dim(weight, 2, hook.dim))


def _needs_arguments(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    return False
