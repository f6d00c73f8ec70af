"""Survey of a network's sites, by three short forward passes that record every module and every use of its tensors."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from assay.compiled import wraps
from assay.cuts.calls import Call, Pass
from assay.hooks import SIDES, first_tensor, observe
from assay.site import Site

EXAMPLES = 17
"""Examples in the largest pass. A prime, so that few other dimensions equal it; large, so that one expert rarely gets all."""
FEW = (16, 11, 5, 0)
"""Which of these examples are in the other passes."""
Run = Callable[[Sequence[int], list[RemovableHandle]], object]
"""Runs the network on the given examples in this order, removes the handles and returns the outputs."""
_Identity = tuple[int, int]


@dataclass(frozen=True)
class Places:
    """Sites of a network by module name.

    **Attributes:**

    - `sites`: the site at every module input and output, in the order of execution. Two of them share a site where the same
      tensor has the same uses, so that replacing it at either has the same effect.
    - `listed`: sites with different tensors.
    - `unused`: places with several tensors of which the network uses others but not the first.
    """

    sites: Mapping[str, Site]
    listed: tuple[Site, ...]
    unused: frozenset[str]


def survey(module: nn.Module, run: Run) -> Places:
    """Find the sites of a network."""
    few, again, many = _Uses(), _Values(), _Lengths()
    # A tensor that has four rows by coincidence (four positions or heads) has four with more examples too.
    run(range(EXAMPLES), list(_watched(module, many.note)))
    run(FEW[::-1], list(_watched(module, again.note)))
    with few:
        few.finished(run(FEW, list(_watched(module, few.note))))
    sites: dict[str, Site] = {}
    by_use: dict[object, Site] = {}
    by_tensor: dict[object, Site] = {}
    for name, visits in few.visits.items():
        tensors = [visit.value for visit in visits]
        turned = again.values.get(name, [])
        by_example = len(tensors) == len(turned) == len(many.lengths.get(name, [])) and all(
            len(tensor) == len(FEW) == len(other) and num == EXAMPLES and not _reordered(tensor, other.flip(0))
            for tensor, other, num in zip(tensors, turned, many.lengths[name], strict=True)
        )
        same_shape = all(tensor.shape == tensors[0].shape for tensor in tensors)
        finite = all(bool(tensor.isfinite().all()) for tensor in tensors)
        if same_shape and finite and by_example and not any(few.uses_others(visit) for visit in visits):
            shape = tuple(tensors[0].shape[1:])
            site = Site(name, shape if len(tensors) == 1 else (len(tensors), *shape), len(tensors))
            identity = tuple(visit.identity for visit in visits)
            sites[name] = by_use.setdefault((identity, tuple(few.uses(visit) for visit in visits)), site)
            by_tensor.setdefault(identity, sites[name])
    unused = (
        name for name, visits in few.visits.items() if any(map(few.uses_others, visits)) and not any(map(few.uses, visits))
    )
    return Places(sites, tuple(by_tensor.values()), frozenset(unused))


def _watched(module: nn.Module, note: Callable[[str, str, object], None]) -> Iterator[RemovableHandle]:
    for name, part in module.named_modules():
        for side in SIDES if name and not wraps(part) else ():  # a wrapper has the places of the module inside
            yield observe(part, side, partial(note, name, side))


def _read(value: object) -> Tensor | None:
    """The tensor to read at a place, or None. One inside `torch.func.vmap` has no batch dimension and must not leave it."""
    tensor = first_tensor(value)
    if tensor is None or torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return None
    return tensor if tensor.is_floating_point() and tensor.ndim >= 2 else None


class _Lengths:
    """Recorder of the number of rows at every place."""

    def __init__(self):
        self.lengths: dict[str, list[int]] = {}

    def note(self, name: str, side: str, value: object) -> None:
        if (tensor := _read(value)) is not None:
            self.lengths.setdefault(f"{name}:{side}", []).append(len(tensor))


class _Values:
    """Recorder of the activations at every place."""

    def __init__(self):
        self.values: dict[str, list[Tensor]] = {}

    def note(self, name: str, side: str, value: object) -> None:
        if (tensor := _read(value)) is not None:
            self.values.setdefault(f"{name}:{side}", []).append(tensor.detach().clone())


def _reordered(rows: Tensor, same: Tensor) -> bool:
    """Whether two passes on the same examples have some row at different positions, as in a network that sorts its examples by
    length."""
    if rows.shape != same.shape or not rows.numel():  # such as padded to another length
        return False
    a, b = rows.flatten(1).double(), same.flatten(1).double()
    apart = (a[:, None] - b[None]).abs().amax(-1) / a.abs().amax().clamp_min(1e-30)
    return bool(((apart.amin(1) <= 1e-4) & (apart.diagonal() > 1e-2)).any())


@dataclass(frozen=True, eq=False)
class _ModuleVisit:
    """One entry into a module or exit from it.

    **Attributes:**

    - `tensor`: the first tensor, which may be changed in place later; `value`: a copy.
    - `others`: further floating-point tensors on exit; empty on entry.
    - `began`: number of calls before it; `ended`: for an entry, number of calls before the exit.
    """

    tensor: Tensor
    value: Tensor
    identity: _Identity
    others: Sequence[Tensor]
    began: int
    ended: list[float] = field(default_factory=lambda: [math.inf])


class _Uses(Pass):
    """Recorder of the tensor at every place and of the calls that use it."""

    def __init__(self):
        super().__init__()
        self.visits: dict[str, list[_ModuleVisit]] = {}
        self._used: dict[_Identity, list[int]] = {}
        self._alive: dict[int, Tensor] = {}  # kept alive, so that no two tensors of this pass share an id
        self._count = 0
        self._noting = False

    def before(self, call: Call) -> None:
        if self._noting:
            return
        self._count += 1
        for tensor in call.tensors.values():
            if id(tensor) in self._alive:
                self._used.setdefault(_identity(tensor), []).append(self._count)

    def note(self, name: str, side: str, value: object) -> None:
        if side == "out" and self.visits.get(f"{name}:in"):
            self.visits[f"{name}:in"][-1].ended[0] = self._count
        if (tensor := _read(value)) is not None:
            others = [other for other in _tensors(value) if other is not tensor] if side == "out" else []
            self._alive.update((id(kept), kept) for kept in (tensor, *others))
            self._noting = True
            visit = _ModuleVisit(tensor, tensor.detach().clone(), _identity(tensor), others, self._count)
            self._noting = False
            self.visits.setdefault(f"{name}:{side}", []).append(visit)

    def finished(self, outputs: object) -> None:
        """Count the outputs as used after the last call."""
        for output in _tensors(outputs):
            self._used.setdefault(_identity(output), []).append(self._count + 1)

    def uses(self, visit: _ModuleVisit) -> tuple[int, ...]:
        """Indices of the calls that use the tensor of this visit, and that a replacement would reach directly."""
        return tuple(k for k in self._used.get(visit.identity, ()) if visit.began < k <= visit.ended[0])

    def uses_others(self, visit: _ModuleVisit) -> bool:
        """Whether the network uses the further tensors of this visit."""
        return any(k > visit.began for other in visit.others for k in self._used.get(_identity(other), ()))


def _identity(tensor: Tensor) -> _Identity:
    return id(tensor), tensor._version


def _tensors(value: Any) -> Iterator[Tensor]:
    """Every floating-point tensor in a nested value."""
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, Mapping):
        yield from (found for item in value.values() for found in _tensors(item))
    elif isinstance(value, (tuple, list)):
        yield from (found for item in value for found in _tensors(item))
