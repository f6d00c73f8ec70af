"""Finding the places of a network: two short forwards, during which every module is looked at."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from assay.compiled import wraps
from assay.hooks import SIDES, first_tensor, observe
from assay.site import Site

Run = Callable[[int, list[RemovableHandle]], None]
"""Runs the network on so many examples, and removes the handles afterwards."""


def survey(module: nn.Module, run: Run) -> dict[str, Site]:
    """The site at every place that a module's name leads to, in the order of execution; several may share one."""
    calls, identities = _places(module, run, 2)
    # A tensor that has two rows by coincidence (two positions, two directions) still has two when there are three examples.
    more, _ = _places(module, run, 3)
    found: dict[str, Site] = {}
    first: dict[tuple[tuple[int, int], ...], Site] = {}
    for name, tensors in calls.items():
        same_shape = all(tensor.shape == tensors[0].shape for tensor in tensors)
        by_example = all(len(tensor) == 2 for tensor in tensors) and all(len(tensor) == 3 for tensor in more.get(name, []))
        finite = all(bool(tensor.isfinite().all()) for tensor in tensors)
        if same_shape and by_example and finite:
            shape = tuple(tensors[0].shape[1:])
            site = Site(name, shape if len(tensors) == 1 else (len(tensors), *shape), len(tensors))
            found[name] = first.setdefault(tuple(identities[name]), site)
    return found


def _places(module: nn.Module, run: Run, count: int) -> tuple[dict[str, list[Tensor]], dict[str, list[tuple[int, int]]]]:
    """Every place in a forward on `count` examples: its tensors, and what tells them from others'.

    Places that never hold floating-point numbers by example are left out.
    """
    tensors: dict[str, list[Tensor]] = {}
    identities: dict[str, list[tuple[int, int]]] = {}

    def note(place: str, value: object) -> None:
        tensor = first_tensor(value)
        if tensor is not None and tensor.is_floating_point() and tensor.ndim >= 2:
            tensors.setdefault(place, []).append(tensor)  # kept alive, so that no two of this forward share an id
            identities.setdefault(place, []).append((id(tensor), tensor._version))

    handles = [
        observe(part, side, partial(note, f"{name}:{side}"))
        for name, part in module.named_modules()
        for side in SIDES
        if name and not wraps(part)  # whose places are those of the module inside
    ]
    run(count, handles)
    return tensors, identities
