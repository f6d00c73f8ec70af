"""A copy of any module with fresh weights, for subjects that do not say how they are made."""

import copy
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm

from assay.isolation import seeded

_SETTLING = 30  # power iterations


def redrawn(module: nn.Module, generator: Generator, running: Collection[str] = ()) -> nn.Module:
    """A copy whose weights are drawn again: by each submodule's own initialiser, then by those of the modules around it, and
    whatever none of them changes by shuffling the entries of the trained tensor, which keeps their distribution and destroys
    what was learned.

    **Arguments:** `running`: names of buffers that training changes. They are drawn again like weights; others are kept, since
    they may be constants, such as the codes of positions.
    """
    fresh = copy.deepcopy(module).eval()
    trained = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    with seeded(generator), torch.no_grad():
        _initialise(fresh)
        for name, value in (*fresh.named_parameters(), *fresh.named_buffers()):
            is_drawn = isinstance(value, nn.Parameter) or (name in running and value.is_floating_point())
            if is_drawn and torch.equal(value, trained[name]):
                flat = value.flatten()[torch.randperm(value.numel(), device=value.device)]
                value.copy_(flat.view_as(value))
        for part in fresh.modules():
            _settle(part)
    return fresh


def running_buffers(module: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[str, ...] | None:
    """Names of the buffers that a forward in training mode changes, tried on a copy. None where it raises."""
    trial = copy.deepcopy(module).train()
    before = {name: value.clone() for name, value in trial.named_buffers()}
    try:
        with seeded(0), torch.no_grad():
            trial(**inputs)
    except Exception:  # whatever the user's code raises in a mode that is not asked for
        return None
    return tuple(name for name, value in trial.named_buffers() if name in before and not torch.equal(value, before[name]))


def _initialise(part: nn.Module, around: Callable[[nn.Module], Any] | None = None) -> None:
    """Children first, since what a module sets of its children is the last word.

    **Arguments:** `around`: `_init_weights` of the closest module around it that has one for its submodules, as models of
    Hugging Face do.
    """
    own = getattr(part, "_init_weights", None)
    around = own if _takes(own, part) else around
    for child in part.children():
        if not isinstance(child, nn.ModuleDict) or child is not getattr(part, "parametrizations", None):
            _initialise(child, around)
    if parametrize.is_parametrized(part):
        _initialise_parametrised(part)
    for name in ("reset_parameters", "_reset_parameters", "_init_weights"):
        method: Any = getattr(part, name, None)
        if _takes(method):
            method()
            break
    if around is not None:
        around(part)


def _initialise_parametrised(part: nn.Module) -> None:
    """Draw the weights that parametrisations make by the initialiser of the layer without them, and set what they are made of
    to what gives these. What cannot be set, as of some orthogonal ones, is left to be shuffled."""
    lists: Any = part.parametrizations
    base: Any = type(part).__bases__[0]
    plain: Any = base.__new__(base)
    plain.__dict__.update({name: copy.copy(value) for name, value in vars(part).items()})
    del plain._modules["parametrizations"]
    before = {name: getattr(part, name).clone() for name in lists}
    plain._parameters.update({name: nn.Parameter(value.clone()) for name, value in before.items()})
    _initialise(plain)
    for name, value in before.items():
        if not torch.equal(plain._parameters[name], value):
            try:
                setattr(part, name, plain._parameters[name].detach())
            except (NotImplementedError, RuntimeError, ValueError):
                continue


def _settle(part: nn.Module) -> None:
    """Let what follows the weights in training, such as the singular vectors of spectral normalisation, arrive there."""
    if parametrize.is_parametrized(part):
        lists: Any = part.parametrizations
        for name, each in lists.items():
            each.train()
            for _ in range(_SETTLING if any(True for _ in each.buffers()) else 0):
                getattr(part, name)
            each.eval()
    for hook in part._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm):
            for _ in range(_SETTLING):
                hook.compute_weight(part, do_power_iteration=True)


def _takes(method: Any, *args: object) -> bool:
    """Whether it can be called with these arguments."""
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(*args)
    except (TypeError, ValueError):
        return False
    return True
