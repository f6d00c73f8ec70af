"""Unwrapping of networks compiled by `torch.compile` or traced by nnsight; refusal of scripted, sparse and quantized ones."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from assay.errors import AssayError

_INSIDE = "_orig_mod"  # where torch.compile keeps the original module
_TRACED = "_module"  # where an object of nnsight keeps the module that it traces


def original(module: object) -> tuple[nn.Module, tuple[str, ...]]:
    """The original module behind `torch.compile` or an nnsight object, or the module itself, and remarks where it was wrapped
    or compiled.

    **Raises:** `AssayError` for anything but a module, for a `torch.jit` module, whose inside no hook sees, and for sparse or
    quantized weights.
    """
    wrapped = () if isinstance(module, nn.Module) else (f"wrapped ({type(module).__name__}); the module in it was audited",)
    module = getattr(module, _TRACED, module) if wrapped else module
    if not isinstance(module, nn.Module):
        raise AssayError(
            "a network must be a torch.nn.Module",
            given=type(module).__name__,
            next_step="wrap it in a module whose forward takes the task's inputs as keyword arguments",
        )
    inside = module.get_submodule(_INSIDE) if wraps(module) else module
    if isinstance(inside, torch.jit.ScriptModule):
        refuse_scripted(inside)
    _refuse_weights(inside)
    compiled = [
        name or "all of it" for name, part in module.named_modules() if wraps(part) or part._compiled_call_impl is not None
    ]
    said = f"compiled ({', '.join(compiled[:5])}); the original code was audited, without compilation"
    return inside, (*wrapped, *((said,) if compiled else ()))


def refuse_scripted(module: nn.Module) -> None:
    """**Raises:** `AssayError` naming a `torch.jit` submodule, which cannot be read or patched. The network can still be
    cut."""
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise AssayError(
                "a network must run its own Python code, since the inside of a torch.jit module cannot be read or patched",
                given=f"{name or 'the network'}, a {type(part).__name__}",
                next_step="give the module that was scripted or traced; its weights fit, through load_state_dict",
            )


def _refuse_weights(module: nn.Module) -> None:
    """Refuse sparse and quantized weights, which cannot be drawn again, compared bit by bit or written to files."""
    for name, part in module.named_modules():
        if type(part).__module__.startswith("torch.") and ".quantized" in type(part).__module__:
            raise AssayError(
                "the weights of a network must be tensors, which those of a quantized module are not",
                given=f"{name or 'the network'}, a {type(part).__module__}.{type(part).__name__}",
                next_step="audit the network before quantization",
            )
    kept = [*module.named_parameters(), *module.named_buffers()]
    sparse = [f"{name}, {str(value.layout).removeprefix('torch.')}" for name, value in kept if value.layout != torch.strided]
    if sparse:
        raise AssayError(
            "the weights and buffers of a network must be dense tensors",
            given=", ".join(sparse[:5]),
            next_step="keep the dense matrix, `w.to_dense()`, and let forward multiply by it, or by `w.to_sparse()`",
        )


def plain(site: str) -> str:
    """The name of a site in the original module."""
    return site.removeprefix(f"{_INSIDE}.")


@contextmanager
def uncompiled() -> Iterator[None]:
    """Context in which compiled code runs eagerly: hooks added after compilation would not run, or would recompile each
    time."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled, and the compiler takes seconds to import
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def wraps(part: nn.Module) -> bool:
    """Whether a module is the wrapper that `torch.compile` puts around another, whose methods it passes on."""
    return _INSIDE in part._modules
