"""Cache of the activations before the masked layers, which are the same in every step of a search."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from assay.hooks import catch, observe
from assay.masks.running import call, masked, weights_of
from assay.masks.unit_kinds import Units

MOST_BYTES = 2**30  # most bytes of cached states
_BATCH = 256
_TRIED = 16  # problems on which outputs with and without cache are compared

States = Mapping[str, list[Tensor]]
"""Outputs of submodules by name, one for each run in a pass, with a row for each problem."""


class Prefix:
    """Cached states of a fixed set of problems, and the rows of the next pass."""

    def __init__(self, states: States):
        self._states, self._rows, self._passed = states, torch.zeros(0, dtype=torch.int64), Counter[str]()

    def at(self, rows: Tensor) -> None:
        """Choose the problems of the next pass."""
        self._rows = rows
        self._passed.clear()

    def answering(self, name: str) -> Callable[..., Tensor]:
        """A forward that returns the cached outputs of a submodule."""

        def forward(*args: Any, **kwargs: Any) -> Tensor:
            kept = self._states[name][self._passed[name]]
            self._passed[name] += 1
            return kept[self._rows]

        return forward


@contextmanager
def kept_prefix(module: nn.Module, units: Units, inputs: Mapping[str, Tensor]) -> Iterator[Prefix]:
    """Context in which the states before the masked layers of a module are cached.

    Autograd determines the states that a mask can change: those that require a gradient when only masked weights do. The
    largest other submodules with weights return cached outputs. Where this changes an output under a mask, or the cache would
    exceed `MOST_BYTES`, nothing is cached.

    **Arguments:** `inputs`: the inputs of all problems, on the module's device. The module must be in evaluation mode.
    """
    states = _states(module, _unmasked(module, units, inputs), inputs)
    rows = torch.arange(min(_TRIED, len(next(iter(inputs.values()))))).flip(0)  # not in the cached order
    weights = weights_of(module)
    some = masked(weights, units.mask(torch.arange(len(units)) % 2 == 0))
    few = {name: value[rows] for name, value in inputs.items()}
    with torch.no_grad():
        plain = call(module, some, few) if states else None
    prefix, modules = Prefix(states), dict(module.named_modules())
    with ExitStack() as stack:
        for name in states:
            stack.enter_context(_exchanged(modules[name], prefix.answering(name)))
        if plain is not None:
            prefix.at(rows)
            with torch.no_grad():
                if not torch.allclose(plain, call(module, some, few), rtol=1e-4, atol=1e-5):
                    stack.close()
        yield prefix


@contextmanager
def _exchanged(part: nn.Module, forward: Callable[..., Tensor]) -> Iterator[None]:
    own = part.__dict__.get("forward")
    part.forward = forward
    try:
        yield
    finally:
        del part.forward
        if own is not None:
            part.forward = own


def _unmasked(module: nn.Module, units: Units, inputs: Mapping[str, Tensor]) -> list[str]:
    """Names of the largest submodules with weights whose outputs are all tensors with a row for each problem, and independent
    of the mask."""
    free: dict[str, bool] = {}

    def recorder(name: str) -> Callable[[Any], None]:
        def record(output: Any) -> None:
            plain = isinstance(output, Tensor) and output.dim() > 0 and len(output) == len(next(iter(few.values())))
            free[name] = free.get(name, True) and plain and not output.requires_grad

        return record

    few = {name: value[:2] for name, value in inputs.items()}
    weights = weights_of(module)
    weights |= {place.parameter: weights[place.parameter].clone().requires_grad_() for place in units.places}
    with ExitStack() as stack, torch.enable_grad():
        for name, part in module.named_modules():
            stack.enter_context(observe(part, "out", recorder(name)))
        call(module, weights, few)
    chosen: list[str] = []
    for name, part in module.named_modules():
        inside = any(name.startswith(f"{other}.") for other in chosen)
        if name and free.get(name) and not inside and any(True for _ in part.parameters()):
            chosen.append(name)
    return chosen


def _states(module: nn.Module, names: list[str], inputs: Mapping[str, Tensor]) -> States:
    """Outputs of these submodules for every problem; empty when they are too large."""
    total = len(next(iter(inputs.values())))
    weights, modules = weights_of(module), dict(module.named_modules())
    pieces: dict[str, list[Tensor]] = {name: [] for name in names}
    runs: dict[str, list[list[Tensor]]] = {name: [] for name in names}
    with ExitStack() as stack, torch.no_grad():
        for name in names:
            stack.enter_context(catch(modules[name], "out", pieces[name]))
        for start in range(0, total if names else 0, _BATCH):
            call(module, weights, {name: value[start : start + _BATCH] for name, value in inputs.items()})
            for name in names:
                runs[name].append([*pieces[name]])
                pieces[name].clear()
            held = sum(tensor.nbytes for batches in runs.values() for batch in batches for tensor in batch)
            if held > MOST_BYTES:
                return {}
    states = {name: [torch.cat(calls) for calls in zip(*batches, strict=True)] for name, batches in runs.items()}
    return {name: calls for name, calls in states.items() if all(len(kept) == total for kept in calls)}
