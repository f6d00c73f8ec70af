"""Plain PyTorch hooks on the input or the output of a module: look at it, keep it, or replace it.

A module may take and return nests of tuples, lists and dictionaries. Its input and its output are the first tensor in them.
"""

import copy
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Side = Literal["in", "out"]
SIDES: tuple[Side, ...] = ("in", "out")
Replacement = Callable[[Tensor], Tensor]


def observe(module: nn.Module, side: str, look: Callable[[Any], None]) -> RemovableHandle:
    """Call `look` with the nest that enters or leaves the module, every time it runs."""
    if side == "in":
        return module.register_forward_pre_hook(lambda m, args, kwargs: look((args, kwargs)), with_kwargs=True)
    return module.register_forward_hook(lambda m, args, out: look(out))


def catch(module: nn.Module, side: str, calls: list[Tensor]) -> RemovableHandle:
    """Append a copy of what enters or leaves the module to `calls`, every time it runs."""

    def keep(value: Any) -> None:
        tensor = first_tensor(value)
        assert tensor is not None, f"{type(module).__name__}:{side} held no tensor"
        calls.append(tensor.detach().clone())  # cloned: a later in-place module would change it

    return observe(module, side, keep)


def replace(module: nn.Module, side: str, change: Replacement) -> RemovableHandle:
    """Put `change` of what enters or leaves the module in its place, every time it runs."""
    if side == "in":
        return module.register_forward_pre_hook(
            lambda m, args, kwargs: _with_first_tensor((args, kwargs), change), with_kwargs=True
        )
    return module.register_forward_hook(lambda m, args, out: _with_first_tensor(out, change))


def first_tensor(value: object) -> Tensor | None:
    """The first tensor in a nest of tuples, lists and dictionaries, depth first."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return next((found for item in value if (found := first_tensor(item)) is not None), None)
    return None


def _with_first_tensor(value: Any, change: Replacement) -> Any:
    """The same nest with its first tensor changed; containers keep their type."""
    return _walked(value, change, [])


def _walked(item: Any, change: Replacement, done: list[bool]) -> Any:
    if done:
        return item
    if isinstance(item, Tensor):
        done.append(True)
        return change(item)
    if isinstance(item, MutableMapping):
        changed = copy.copy(item)
        for key in item:
            changed[key] = _walked(item[key], change, done)
        return changed
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        return type(item)(*(_walked(entry, change, done) for entry in item))
    if isinstance(item, (tuple, list)):
        return type(item)(_walked(entry, change, done) for entry in item)
    return item
