"""A network run with other weights than its own, which are never written to."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from assay.isolation import undisturbed
from assay.keywords import as_taken
from assay.masks.mask import Mask
from assay.outputs import answer_of

Weights = Mapping[str, Tensor]
"""Parameters by dotted name, as `named_parameters` gives them."""


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """The parameters of a module by dotted name, detached. They share its memory: read only."""
    return {name: parameter.detach() for name, parameter in module.named_parameters()}


def shares_weights(module: nn.Module) -> bool:
    """Whether a parameter has more than one name."""
    return len(list(module.named_parameters(remove_duplicate=False))) > len(list(module.named_parameters()))


def masked(weights: Weights, *masks: Mask, fill: Weights | None = None) -> dict[str, Tensor]:
    """The weights that all of the masks keep; 0, or what `fill` holds, in place of the others.

    Weights that no mask covers stay as they are. Without any mask all do.

    **Raises:** `AssayError` when a mask is of other parameters or shapes.

    Example::

        >>> from assay.masks import Mask, masked
        >>> mask = Mask("weight", {"weight": torch.tensor([[True, False]])}, {"weight": (1, 2)})
        >>> masked({"weight": torch.tensor([[3.0, 4.0]]), "bias": torch.tensor([5.0])}, mask)
        {'weight': tensor([[3., 0.]]), 'bias': tensor([5.])}
    """
    changed = dict(weights)
    for mask in masks:
        mask.check(weights)
        for name, keep in mask.keep.items():
            other = torch.zeros((), dtype=weights[name].dtype) if fill is None else fill[name]
            changed[name] = torch.where(keep.to(weights[name].device), changed[name], other.to(weights[name]))
    return changed


def run(module: nn.Module, weights: Weights, inputs: Mapping[str, Tensor], *, batch_size: int = 1024) -> Tensor:
    """Outputs `(n, ...)` on the CPU of the module with these weights, without gradients, in batches; it stays as it is.

    Example::

        >>> from assay.masks import Mask, masked, run, weights_of
        >>> network = torch.nn.Linear(3, 1, bias=False)
        >>> nothing = Mask("weight", {"weight": torch.zeros(1, 3, dtype=torch.bool)}, {"weight": (1, 3)})
        >>> run(network, masked(weights_of(network), nothing), {"input": torch.rand(2, 3)}).tolist()
        [[0.0], [0.0]]
    """
    device = next((weight.device for weight in weights.values()), torch.device("cpu"))
    total = len(next(iter(inputs.values())))
    with undisturbed(module), torch.no_grad():
        outputs = [
            call(module, weights, {name: value[start : start + batch_size].to(device) for name, value in inputs.items()}).cpu()
            for start in range(0, max(1, total), batch_size)
        ]
    return torch.cat(outputs)


def call(module: nn.Module, weights: Weights, inputs: Mapping[str, Tensor], *, shares: bool = True) -> Tensor:
    """One forward pass of the module with these weights; gradients flow to them.

    **Arguments:** `shares`: whether submodules may share a weight, as `shares_weights` says. To look for that in every pass
    takes an eighth of a small network's time.

    **Raises:** `AssayError` for a forward that returns several tensors, which `Subject(module, output=...)` makes one of.
    """
    return answer_of(torch.func.functional_call(module, dict(weights), (), dict(as_taken(module, inputs)), tie_weights=shares))
