"""Ablation of a subnetwork: replacement of its weights or outputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.hooks import catch, replace
from assay.masks.mask import Mask
from assay.masks.maskable import maskable
from assay.masks.running import Weights, masked, run, weights_of
from assay.redraw import redrawn

Removal = Literal["zero", "mean", "resample", "redraw"]
REMOVALS: tuple[Removal, ...] = get_args(Removal)


def without(
    module: nn.Module,
    mask: Mask,
    *,
    how: str,
    others: Sequence[nn.Module] = (),
    draws: int = 1,
    generator: Generator | None = None,
) -> Iterator[dict[str, Tensor]]:
    """Weights of a network after ablation of the subnetwork that a mask keeps, one set for each draw.

    **Arguments:** `how`: the replacement of the ablated weights:

    - `zero`: zero. One set.
    - `mean`: the mean of the parameter. One set. For whole neurons use `run_with_mean_outputs`.
    - `resample`: the same weights of the independently trained or drawn networks `others`. One set for each.
    - `redraw`: new draws of the network's initialisers from `generator`. `draws` sets.

    **Raises:** `AssayError` for an unknown replacement, or one without its arguments.
    """
    if how not in REMOVALS:
        raise AssayError("the kind of ablation must be known", given=how, choices=REMOVALS)
    if how == "resample" and not others:
        raise AssayError("a resample ablation needs other networks", given="none", next_step="give `others=`")
    if how == "redraw" and generator is None:
        raise AssayError("a redraw ablation needs a generator", given="no generator", next_step="give `generator=`")
    weights = weights_of(module)
    for fill in _fills(module, weights, mask, how, others, draws, generator):
        yield masked(weights, ~mask, fill=fill)


def _fills(
    module: nn.Module,
    weights: Weights,
    mask: Mask,
    how: str,
    others: Sequence[nn.Module],
    draws: int,
    generator: Generator | None,
) -> Iterator[Weights | None]:
    if how == "zero":
        yield None
    elif how == "mean":
        yield {name: weights[name].mean() for name in mask.keep}
    elif how == "resample":
        yield from (weights_of(other) for other in others)
    else:
        assert generator is not None
        yield from (weights_of(redrawn(module, generator)) for _ in range(draws))


def run_with_mean_outputs(
    module: nn.Module, mask: Mask, inputs: Mapping[str, Tensor], reference: Mapping[str, Tensor], *, batch_size: int = 1024
) -> Tensor:
    """Mean ablation: outputs `(n, ...)` on the CPU when every neuron that a mask keeps gives its mean output over `reference`.

    For a module that runs several times in a pass the mean is over all runs. Projections inside MultiheadAttention have no
    hooks, so the weights that the mask keeps of them are set to zero.

    **Raises:** `AssayError` for a mask of other units than neurons.
    """
    if mask.kind != "neuron":
        raise AssayError("mean outputs need a mask of neurons", given=f"a mask of kind {mask.kind}")
    weights = weights_of(module)
    layers = {item.parameter: item for item in maskable(module) if item.parameter in mask.keep}
    apart = {name: keep for name, keep in mask.keep.items() if isinstance(layers[name].module, nn.MultiheadAttention)}
    calls: dict[str, list[Tensor]] = {name: [] for name in mask.keep if name not in apart}
    handles = [catch(layers[name].module, "out", calls[name]) for name in calls]
    try:
        run(module, weights, reference, batch_size=batch_size)
    finally:
        for handle in handles:
            handle.remove()
    for name, seen in calls.items():
        if seen:
            handles.append(_hold(layers[name].module, mask.keep[name].flatten(), seen))
    rest = masked(weights, ~Mask(mask.kind, apart, {name: mask.shapes[name] for name in apart}))
    try:
        return run(module, rest, inputs, batch_size=batch_size)
    finally:
        for handle in handles:
            handle.remove()


def _hold(module: nn.Module, held: Tensor, seen: Sequence[Tensor]):
    """Hook that replaces the outputs that are `held` by the mean of `seen`."""
    axis = 1 if isinstance(module, (nn.Conv1d, nn.Conv2d)) else -1
    rows = torch.cat([value.movedim(axis, -1).flatten(0, -2) for value in seen])
    mean = rows.mean(0)

    def change(value: Tensor) -> Tensor:
        last = value.movedim(axis, -1)
        return torch.where(held.to(value.device), mean, last).movedim(-1, axis)

    return replace(module, "out", change)
