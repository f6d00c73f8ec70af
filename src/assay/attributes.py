"""Attributes of a module: copied with it, and compared between two calls."""

import copy
from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from assay.errors import AssayError
from assay.site import same_bits


def copied(module: nn.Module) -> nn.Module:
    """A copy that shares no weight. Tensors that the module computed and keeps as attributes, such as the `weight` of the old
    `torch.nn.utils.weight_norm`, are copied without their autograd graph.

    **Raises:** `AssayError` naming the attribute that cannot be copied, such as a lock or an open file.

    Example::

        twin = copied(torch.nn.utils.weight_norm(torch.nn.Linear(3, 2)))
    """
    computed = (kept for _, kept in _tensors("", list(_attributes(module).values())) if not kept.is_leaf)
    memo: dict[int, object] = {id(kept): kept.detach().clone() for kept in computed}
    try:
        return copy.deepcopy(module, dict(memo))
    except Exception as error:  # a user's attributes may raise anything
        culprit = next((name for name, value in _attributes(module).items() if not _can_be_copied(value, memo)), "")
        raise AssayError(
            "a network must be copyable, since untrained copies of it are made",
            given=f"{culprit or type(module).__name__}: {type(error).__name__}: {error}",
            next_step="give `Subject` a `fresh` that builds a new network from a generator, or drop that attribute",
        ) from error


def kept_tensors(module: nn.Module, *, plain: bool = False) -> dict[str, Tensor]:
    """Every tensor of the module besides its parameters, by dotted name: buffers, and plain attributes such as a cache.

    **Arguments:** `plain`: also those of modules in plain lists, parameters included.

    Example::

        assert list(kept_tensors(torch.nn.BatchNorm1d(2))) == ["running_mean", "running_var", "num_batches_tracked"]
    """
    kept = {name: value for name, value in _attributes(module).items() if name.rpartition(".")[2] != "_parameters"}
    found = dict(pair for name, value in kept.items() for pair in _tensors(name, value, plain=plain))
    return {name.replace("_buffers.", ""): tensor.detach() for name, tensor in found.items()}


def changed_tensors(module: nn.Module, before: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Names of the kept tensors whose bits differ from those in `before`."""
    now = kept_tensors(module)
    return tuple(
        name for name in {**before, **now} if name not in before or name not in now or not same_bits(now[name], before[name])
    )


def _attributes(module: nn.Module) -> dict[str, object]:
    """Attributes of every submodule, by dotted name; parameters, buffers and hooks are dictionaries."""
    return {
        f"{name}.{key}" if name else key: value
        for name, part in module.named_modules()
        for key, value in vars(part).items()
        if key != "_modules"
    }


def _tensors(name: str, value: object, *, plain: bool = False) -> Iterator[tuple[str, Tensor]]:
    """Every tensor in nested lists, tuples and dictionaries, with its path."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, (list, tuple, dict)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _tensors(f"{name}.{key}", item, plain=plain)
    elif plain and isinstance(value, nn.Module):
        yield from ((f"{name}.{key}", tensor) for key, tensor in value.state_dict(keep_vars=True).items())


def _can_be_copied(value: object, memo: dict[int, object]) -> bool:
    try:
        copy.deepcopy(value, dict(memo))
    except Exception:  # a user's attributes may raise anything
        return False
    return True
