"""Twins of a network: the same function, written into its hidden units in another way.

A twin is a new module of the same class; the original stays as it is. Units are changed in double precision, so outputs agree
to the rounding of the network's own precision. Changed are the ReLUs between two linear maps of an `nn.Sequential`.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from assay.errors import AssayError

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class HiddenLayer:
    """One hidden layer: the linear map before its ReLUs and the one behind them, by name."""

    before: str
    after: str

    @property
    def incoming(self) -> tuple[str, str]:
        """The parameters whose rows are the units."""
        return f"{self.before}.weight", f"{self.before}.bias"

    @property
    def outgoing(self) -> str:
        """The parameter whose columns are the units."""
        return f"{self.after}.weight"

    def count(self, weights: Mapping[str, Tensor]) -> int:
        """How many there are."""
        return len(weights[self.incoming[1]])


Change = Callable[[HiddenLayer, Weights, Generator], None]


def hidden_units(module: nn.Module) -> tuple[HiddenLayer, ...]:
    """Every hidden layer that can be changed. **Raises:** `AssayError` when there is none."""
    found = []
    for name, part in module.named_modules():
        if isinstance(part, nn.Sequential):
            layers = list(part.named_children())
            for (first, before), (_, middle), (second, after) in zip(layers, layers[1:], layers[2:], strict=False):
                if isinstance(before, nn.Linear) and isinstance(middle, nn.ReLU) and isinstance(after, nn.Linear):
                    found.append(HiddenLayer(f"{name}.{first}".lstrip("."), f"{name}.{second}".lstrip(".")))
    if not found:
        raise AssayError(
            "a function-preserving twin needs hidden units between two linear maps of an nn.Sequential",
            given=f"{type(module).__name__} without any",
        )
    return tuple(found)


def fractured(module: nn.Module, generator: Generator) -> nn.Module:
    """Pairs of units that cancel, a quarter as many as the smallest hidden layer has units; half of the units split in two;
    every unit rescaled; all in random order."""
    layers = hidden_units(module)
    weights = {name: value.detach().double() for name, value in module.state_dict().items()}
    pairs = max(1, min(units.count(weights) for units in layers) // 4)
    changes: tuple[Change, ...] = (partial(_add_pairs, pairs=pairs), _split, _rescale, _permute)
    for change in changes:
        for units in layers:
            change(units, weights, generator)
    return refitted(module, weights)


def refitted(module: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """A copy of the module with these weights and as many hidden units as they have: so a stored twin is rebuilt.

    **Raises:** `AssayError` when the weights are of another network.
    """
    own = module.state_dict()
    layers = hidden_units(module)
    grown = {name for units in layers for name in (*units.incoming, units.outgoing)}
    faults = own.keys() ^ weights.keys() or {
        name for name, value in own.items() if value.shape != weights[name].shape and name not in grown
    }
    if faults:
        raise AssayError(
            "the weights must be those of the network or of a twin with more hidden units", given=", ".join(sorted(faults)[:5])
        )
    made = copy.deepcopy(module)
    for name in grown:
        owner, _, leaf = name.rpartition(".")
        setattr(made.get_submodule(owner), leaf, nn.Parameter(own[name].new_empty(weights[name].shape)))
    for part in made.modules():
        if isinstance(part, nn.Linear):
            part.out_features, part.in_features = part.weight.shape
    made.load_state_dict(dict(weights))
    return made.eval()


def _add_pairs(units: HiddenLayer, weights: Weights, generator: Generator, *, pairs: int) -> None:
    """Units alike in their random incoming weights and opposite in their outgoing ones, as large as the others."""
    for name in units.incoming:
        drawn = _drawn(weights[name], (pairs, *weights[name].shape[1:]), generator)
        weights[name] = torch.cat([weights[name], drawn, drawn])
    drawn = _drawn(weights[units.outgoing], (len(weights[units.outgoing]), pairs), generator)
    weights[units.outgoing] = torch.cat([weights[units.outgoing], drawn, -drawn], 1)


def _split(units: HiddenLayer, weights: Weights, generator: Generator) -> None:
    """Half of the units twice; what reads them is divided into alpha and 1 - alpha, alpha uniform between -1 and 2."""
    count = units.count(weights)
    twice = torch.randperm(count, generator=generator)[: count // 2].sort().values
    alpha = torch.rand(len(twice), generator=generator, dtype=torch.float64) * 3 - 1
    _take(units, weights, torch.cat([torch.arange(count), twice]))
    weights[units.outgoing][:, twice] *= alpha
    weights[units.outgoing][:, count:] *= 1 - alpha


def _rescale(units: HiddenLayer, weights: Weights, generator: Generator) -> None:
    """Every unit multiplied by exp(N(0, 1)), and what reads it divided by it."""
    factors = torch.randn(units.count(weights), generator=generator, dtype=torch.float64).exp()
    for name in units.incoming:
        weights[name] = weights[name] * factors.view(-1, *[1] * (weights[name].ndim - 1))
    weights[units.outgoing] = weights[units.outgoing] / factors


def _permute(units: HiddenLayer, weights: Weights, generator: Generator) -> None:
    _take(units, weights, torch.randperm(units.count(weights), generator=generator))


def _take(units: HiddenLayer, weights: Weights, which: Int[Tensor, " u"]) -> None:
    for name in units.incoming:
        weights[name] = weights[name][which]
    weights[units.outgoing] = weights[units.outgoing][:, which]


def _drawn(like: Float[Tensor, "..."], shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64) * like.square().mean().sqrt()
