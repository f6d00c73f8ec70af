"""Running a network with weights other than its own, which are never changed."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from assay.isolation import undisturbed
from assay.keywords import as_taken
from assay.masks.mask import Mask
from assay.outputs import answer_of

Weights = Mapping[str, Tensor]
"""Parameters by dotted name, as in `named_parameters`."""


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """The parameters of a module by dotted name, detached. They share its memory and must not be changed."""
    return {name: parameter.detach() for name, parameter in module.named_parameters()}


def shares_weights(module: nn.Module) -> bool:
    """Whether a parameter has more than one name."""
    return len(list(module.named_parameters(remove_duplicate=False))) > len(list(module.named_parameters()))


def masked(weights: Weights, *masks: Mask, fill: Weights | None = None) -> dict[str, Tensor]:
    """The weights that all of the masks keep; the others are replaced by 0, or by those of `fill`.

    Weights without a mask are unchanged.

    **Raises:** `AssayError` when a mask has other parameters or shapes.

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
    """Outputs `(n, ...)` on the CPU of the module with these weights, without gradients, in batches. The module is
    unchanged.

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

    **Arguments:** `shares`: whether submodules may share a weight (`shares_weights`). The check in every pass would take an
    eighth of a small network's time.

    **Raises:** `AssayError` for a forward that returns several tensors; choose one with `Subject(module, output=...)`.
    """
    return answer_of(torch.func.functional_call(module, dict(weights), (), dict(as_taken(module, inputs)), tie_weights=shares))
