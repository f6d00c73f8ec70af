"""Plain PyTorch hooks on the input or the output of a module: look at it, keep it, or replace it.

A module may take and return nests of tuples, lists and dictionaries. Its input and its output are the first tensor in them,
wherever it stands there: in attention called as `attn(x, x, x)` query, key and value are one input. Packed sequences are
passed over: their rows are neither the examples nor in their order.
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


def observe(module: nn.Module, side: str, look: Callable[[Any], None]) -> RemovableHandle:
    """Call `look` with the nest that enters or leaves the module, every time it runs."""
    if side == "in":
        return module.register_forward_pre_hook(lambda m, args, kwargs: look((args, kwargs)), with_kwargs=True)
    return module.register_forward_hook(lambda m, args, out: look(out))


def catch(module: nn.Module, side: str, calls: MutableSequence[Tensor]) -> RemovableHandle:
    """Append a copy of what enters or leaves the module to `calls`, every time it runs."""

    def keep(value: Any) -> None:
        tensor = first_tensor(value)
        assert tensor is not None, f"{type(module).__name__}:{side} held no tensor"
        calls.append(tensor.detach().clone())  # cloned: a later in-place module would change it

    return observe(module, side, keep)


def replace(module: nn.Module, side: str, change: Replacement) -> RemovableHandle:
    """Put `change` of what enters or leaves the module in its place, every time it runs.

    `change` gets a copy and a copy of its result is used: it may work in place on what it gets, and keep it, although later
    modules work in place.
    """
    if side == "in":
        return module.register_forward_pre_hook(
            lambda m, args, kwargs: _with_first_tensor((args, kwargs), change), with_kwargs=True
        )
    return module.register_forward_hook(lambda m, args, out: _with_first_tensor(out, change))


def differentiated(module: nn.Module, side: str, calls: list[Tensor]) -> RemovableHandle:
    """Append what enters or leaves the module to `calls` as a tensor with gradients, every time it runs. They are the
    gradients of what passes here: of what enters, by way of the module alone."""

    def live(value: Tensor) -> Tensor:
        calls.append(value if value.requires_grad else value.requires_grad_())
        return value

    return replace(module, side, live)


def gradients_of(weighted: Tensor, live: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Gradients of one number at tensors of its forward, zero where it does not depend on them.

    **Raises:** `AssayError` for a forward that overwrites what its own gradient needs.
    """
    if not weighted.requires_grad or not live:  # no site, or an output that depends on none, such as a class
        return tuple(map(torch.zeros_like, live))
    try:
        return torch.autograd.grad(weighted, live, allow_unused=True, materialize_grads=True)
    except RuntimeError as error:
        if "inplace" not in str(error) and "in-place" not in str(error):
            raise
        raise AssayError(
            "gradients need a forward that does not overwrite what it has used",
            given=str(error).partition(";")[0],
            next_step="write `h = h + f(h)` in place of `h += f(h)`",
        ) from error


def first_tensor(value: object) -> Tensor | None:
    """The first tensor in a nest of tuples, lists and dictionaries, depth first."""
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
    """The same nest with its first tensor changed, wherever it stands; containers keep their type."""
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
    """What stands in the place of a value: a function of it, or these rows of a tensor, whose second dimension may be calls of
    the module in one forward pass. Each use notes the site in `replaced`.

    **Raises:** `AssayError` for another shape.
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
            raise AssayError(f"what replaces {site} must have its shape {tuple(old.shape)}", given=tuple(value.shape))
        return value

    return changed
