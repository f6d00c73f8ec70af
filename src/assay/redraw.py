"""Randomly initialised copies of any module, for subjects without a `fresh` function."""

import copy
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from assay.attributes import copied
from assay.compiled import uncompiled, wraps
from assay.errors import AssayError
from assay.isolation import seeded
from assay.keywords import as_taken

_SETTLING = 30  # power iterations of spectral normalisation


def redrawn(module: nn.Module, generator: Generator, running: Collection[str] = ()) -> nn.Module:
    """A copy with new random weights: drawn by each submodule's initialiser, then by those of the modules around it. A weight
    that none of them changes is shuffled, which keeps the distribution of its entries and destroys what was learned. An
    initialiser that needs arguments is not called.

    **Arguments:** `running`: names of buffers that training changes, which are drawn again like weights. Other buffers are
    kept, since they may be constants, such as position encodings.

    **Raises:** `AssayError` for a module that cannot be copied, and naming the submodule whose initialiser fails.
    """
    fresh = copied(module).eval()
    trained = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    with seeded(generator), torch.no_grad():
        computed = [
            (part, hook, getattr(part, hook.name).clone())
            for part in fresh.modules()
            for hook in part._forward_pre_hooks.values()
            if isinstance(hook, (WeightNorm, SpectralNorm))
        ]
        _initialise("", fresh)
        for part, hook, weight in computed:
            _follow(part, hook, weight)
        for name, value in (*fresh.named_parameters(), *fresh.named_buffers()):
            is_drawn = isinstance(value, nn.Parameter) or (name in running and value.is_floating_point())
            if is_drawn and torch.equal(value, trained[name]):
                flat = value.flatten()[torch.randperm(value.numel(), device=value.device)]
                value.copy_(flat.view_as(value))
        for part in fresh.modules():
            _settle(part)
    return fresh


def running_buffers(module: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[str, ...] | None:
    """Names of the buffers that a forward in training mode changes, tried on a copy; None where it raises."""
    trial = copied(module).train()
    before = {name: value.clone() for name, value in trial.named_buffers()}
    try:
        with seeded(0), uncompiled(), torch.no_grad():
            trial(**as_taken(trial, inputs))
    except Exception:  # the user's code may raise anything in training mode
        return None
    return tuple(name for name, value in trial.named_buffers() if name in before and not torch.equal(value, before[name]))


def kept_buffers(module: nn.Module, copy: nn.Module) -> tuple[str, ...]:
    """A remark that names the real-valued buffers that are equal in a copy and the network. Constant ones, such as the zeros of
    new statistics, are left out, since they hold nothing learned."""
    own = dict(copy.named_buffers())
    same = [
        name
        for name, value in module.named_buffers()
        if value.is_floating_point() and name in own and torch.equal(own[name], value) and len(value.unique()) > 1
    ]
    remark = f"keeps {', '.join(same[:5])} as the network has them; name what training changes: Subject(running=...)"
    return (remark,) if same else ()


def _initialise(name: str, part: nn.Module, around: Callable[[nn.Module], Any] | None = None) -> None:
    """Initialise a module recursively, children first, so that a module may override its children's weights.

    **Arguments:** `name`: of the part in the network; `around`: the `_init_weights` of the closest enclosing module that has
    one for its submodules, as Hugging Face models do.
    """
    passes_on = wraps(part)  # its methods are those of the module inside
    own = None if passes_on else getattr(part, "_init_weights", None)
    around = own if _takes(own, part) else around
    for key, child in part.named_children():
        if not isinstance(child, nn.ModuleDict) or child is not getattr(part, "parametrizations", None):
            _initialise(f"{name}.{key}" if name else key, child, around)
    if passes_on:
        return
    if parametrize.is_parametrized(part):
        _initialise_parametrised(name, part)
    for method in ("reset_parameters", "_reset_parameters", "_init_weights"):
        if _takes(getattr(part, method, None)):
            _call(getattr(part, method), name, part)
            break
    if around is not None:
        _call(around, name, part, part)


def _call(initialiser: Callable[..., Any], name: str, part: nn.Module, *args: nn.Module) -> None:
    try:
        initialiser(*args)
    except AssayError:
        raise
    except Exception as error:  # the user's code may raise anything
        of = f"{getattr(initialiser, '__name__', 'an initialiser')} of {name or 'the network'} ({type(part).__name__})"
        raise AssayError(
            "an initialiser must draw the weights of a copy again",
            given=f"{of}: {type(error).__name__}: {error}",
            next_step="give `Subject` a `fresh` that builds a new network from a generator",
        ) from error


def _initialise_parametrised(name: str, part: nn.Module) -> None:
    """Draw parametrised weights by the initialiser of the plain layer, and set the underlying tensors to values that give them.
    Parametrisations without a right inverse, such as some orthogonal ones, are left to be shuffled."""
    lists: Any = part.parametrizations
    base: Any = type(part).__bases__[0]
    plain: Any = base.__new__(base)
    plain.__dict__.update({key: copy.copy(value) for key, value in vars(part).items()})
    del plain._modules["parametrizations"]
    before = {key: getattr(part, key).clone() for key in lists}
    plain._parameters.update({key: nn.Parameter(value.clone()) for key, value in before.items()})
    _initialise(name, plain)
    for key, value in before.items():
        if not torch.equal(plain._parameters[key], value):
            try:
                setattr(part, key, plain._parameters[key].detach())
            except (NotImplementedError, RuntimeError, ValueError):
                continue


def _follow(part: nn.Module, hook: WeightNorm | SpectralNorm, before: Tensor) -> None:
    """Set the parameters of an old-style weight or spectral normalisation so that they give the new weight, if one was
    drawn."""
    weight = getattr(part, hook.name)
    if torch.equal(weight, before):
        return
    if isinstance(hook, SpectralNorm):
        getattr(part, f"{hook.name}_orig").copy_(weight)
    else:
        getattr(part, f"{hook.name}_v").copy_(weight)
        getattr(part, f"{hook.name}_g").copy_(torch.norm_except_dim(weight, 2, hook.dim))


def _settle(part: nn.Module) -> None:
    """Bring tensors that follow the weights during training, such as the singular vectors of spectral normalisation, to
    convergence."""
    if parametrize.is_parametrized(part) and not wraps(part):
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
    """Whether a method can be called with these arguments."""
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(*args)
    except (TypeError, ValueError):
        return False
    return True
