"""PyTorch hooks on the input or the output of a module, which observe, copy or replace it.

A module may take and return nested tuples, lists and dictionaries. Its input and its output are the first tensor in them, at
all places where it occurs: in attention called as `attn(x, x, x)` query, key and value are one input. Packed sequences are
skipped, since their rows are not the examples.
"""

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.hooks import RemovableHandle

from assay.errors import AssayError

Side = Literal["in", "out"]
SIDES: tuple[Side, ...] = ("in", "out")
Replacement = Callable[[Tensor], Tensor]


def observe(module: nn.Module, side: str, callback: Callable[[Any], None]) -> RemovableHandle:
    """Call `callback` with the (nested) input or output of the module, every time it runs."""
    if side == "in":
        return module.register_forward_pre_hook(lambda m, args, kwargs: callback((args, kwargs)), with_kwargs=True)
    return module.register_forward_hook(lambda m, args, out: callback(out))


def catch(module: nn.Module, side: str, calls: MutableSequence[Tensor]) -> RemovableHandle:
    """Append a copy of the module's input or output to `calls`, every time it runs."""

    def keep(value: Any) -> None:
        tensor = first_tensor(value)
        assert tensor is not None, f"{type(module).__name__}:{side} held no tensor"
        calls.append(tensor.detach().clone())  # cloned: a later in-place module would change it

    return observe(module, side, keep)


def replace(module: nn.Module, side: str, change: Replacement) -> RemovableHandle:
    """Replace the module's input or output x by `change(x)`, every time it runs.

    `change` gets a copy, and a copy of its result is used, so that it may modify and keep its argument even where later modules
    work in place.
    """
    if side == "in":
        return module.register_forward_pre_hook(
            lambda m, args, kwargs: _with_first_tensor((args, kwargs), change), with_kwargs=True
        )
    return module.register_forward_hook(lambda m, args, out: _with_first_tensor(out, change))


def differentiated(module: nn.Module, side: str, calls: list[Tensor]) -> RemovableHandle:
    """Append the module's input or output to `calls` as a tensor that requires gradients, every time it runs. The gradient at
    an input is that through this module alone."""

    def live(value: Tensor) -> Tensor:
        calls.append(value if value.requires_grad else value.requires_grad_())
        return value

    return replace(module, side, live)


def gradients_of(weighted: Tensor, live: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Gradients of a scalar at tensors of its forward pass, zero where it does not depend on them.

    **Raises:** `AssayError` for a forward that overwrites tensors needed for its gradient.
    """
    if not weighted.requires_grad or not live:  # no site, or an output without gradient, such as a class
        return tuple(map(torch.zeros_like, live))
    try:
        return torch.autograd.grad(weighted, live, allow_unused=True, materialize_grads=True)
    except RuntimeError as error:
        if "inplace" not in str(error) and "in-place" not in str(error):
            raise
        raise AssayError(
            "gradients need a forward that does not overwrite tensors it has used",
            given=str(error).partition(";")[0],
            next_step="write `h = h + f(h)` in place of `h += f(h)`",
        ) from error


def first_tensor(value: object) -> Tensor | None:
    """The first tensor in nested tuples, lists and dictionaries, depth first."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, PackedSequence):
        return None
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return next((found for item in value if (found := first_tensor(item)) is not None), None)
    return None


def _with_first_tensor(value: Any, change: Replacement) -> Any:
    """The same nested value with its first tensor replaced at all places where it occurs; containers keep their type."""
    first = first_tensor(value)
    return value if first is None else _exchanged(value, first, change(first.clone()).clone())


def _exchanged(item: Any, old: Tensor, new: Tensor) -> Any:
    if item is old:
        return new
    if isinstance(item, MutableMapping):
        changed = copy.copy(item)
        for key in item:
            changed[key] = _exchanged(item[key], old, new)
        return changed
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        return type(item)(*(_exchanged(entry, old, new) for entry in item))
    if isinstance(item, (tuple, list)):
        return type(item)(_exchanged(entry, old, new) for entry in item)
    return item


def replacement(site: str, new: Tensor | Replacement, rows: slice, replaced: set[str]) -> Replacement:
    """The function that replaces an activation: `new` itself, or the given rows of a tensor, whose second dimension may be the
    calls of the module in one forward pass. Each use adds the site to `replaced`.

    **Raises:** `AssayError`, when called, for a tensor of another shape.
    """
    call = iter(range(10**9))

    def changed(old: Tensor) -> Tensor:
        index = next(call)
        replaced.add(site)
        if not isinstance(new, Tensor):
            return new(old)
        value = new[rows].to(device=old.device, dtype=old.dtype)
        if value.shape != old.shape and value.ndim == old.ndim + 1:
            value = value[:, index]
        if value.shape != old.shape:
            raise AssayError(f"the replacement at {site} must have its shape {tuple(old.shape)}", given=tuple(value.shape))
        return value

    return changed
