"""A copy of any module with fresh weights, for subjects that do not say how they are made."""

import copy

import torch
from torch import Generator, nn


def redrawn(module: nn.Module, generator: Generator) -> nn.Module:
    """A copy whose weights are drawn again: by each submodule's own initialiser, and whatever none of them changes by
    shuffling the entries of the trained tensor, which keeps their distribution and destroys what was learned."""
    fresh = copy.deepcopy(module)
    trained = dict(module.named_parameters())
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        for part in fresh.modules():
            redraw = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
            if callable(redraw):
                redraw()
        for name, parameter in fresh.named_parameters():
            if torch.equal(parameter, trained[name]):
                flat = parameter.flatten()[torch.randperm(parameter.numel(), device=parameter.device)]
                parameter.copy_(flat.view_as(parameter))
    return fresh.eval()
