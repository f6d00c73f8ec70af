"""Twins of a network: the same function, written into its units in another way.

Every twin is a new module of the same class; the original stays as it is. Units are changed in double precision, so outputs
agree to the rounding of the network's own precision. What adds units adds as many to each of equally wide layers.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.zoo.units import Slot, Units, hidden_units, precise, refitted

_Change = Callable[[Units, dict[str, Tensor], Generator], None]


def permuted(module: nn.Module, generator: Generator) -> nn.Module:
    """The hidden units of every layer in random order."""
    return _twin(module, generator, _permute)


def rescaled(module: nn.Module, generator: Generator, *, spread: float | int = 1.0) -> nn.Module:
    """Every hidden ReLU multiplied by exp(N(0, spread)), and what reads it divided by it.

    The states of a recurrent network pass a tanh, which leaves them a random sign instead; its embedding gets both.
    """
    if not spread >= 0:
        raise AssayError("spread must not be negative", given=spread)
    return _twin(module, generator, partial(_rescale, spread=spread))


def split(module: nn.Module, generator: Generator, *, share: float | int = 0.5) -> nn.Module:
    """A share of the hidden units of every layer twice; what reads them is divided between the two.

    The parts are alpha and 1 - alpha, with alpha uniform between -1 and 2, so that two thirds have opposite signs.
    """
    if not 0 <= share <= 1:
        raise AssayError("share must lie between 0 and 1", given=share)
    return _twin(module, generator, partial(_split, share=share))


def with_cancelling_pairs(module: nn.Module, generator: Generator, *, num: int) -> nn.Module:
    """`num` pairs of units more in every hidden layer: alike in their random incoming weights, opposite in their outgoing ones.

    Random weights are normal, with the root mean square of the layer's own.
    """
    if num < 0:
        raise AssayError("num must not be negative", given=num)
    return _twin(module, generator, partial(_add_pairs, num=num))


def fractured(module: nn.Module, generator: Generator) -> nn.Module:
    """All of these: cancelling pairs, a quarter as many as the smallest hidden layer has units; half of the units split;
    rescaled with spread 1; permuted."""
    weights = module.state_dict()
    num = max(1, min(units.count(weights) for units in hidden_units(module)) // 4)
    chain = (partial(_add_pairs, num=num), partial(_split, share=0.5), partial(_rescale, spread=1.0), _permute)
    return _twin(module, generator, *chain)


def _twin(module: nn.Module, generator: Generator, *changes: _Change) -> nn.Module:
    layers, weights = hidden_units(module), precise(module)
    for change in changes:
        for units in layers:
            change(units, weights, generator)
    return refitted(module, weights)


# The changes of one layer, in place


def _permute(units: Units, weights: dict[str, Tensor], generator: Generator) -> None:
    _take(units, weights, torch.randperm(units.count(weights), generator=generator))


def _rescale(units: Units, weights: dict[str, Tensor], generator: Generator, *, spread: float | int) -> None:
    count = units.count(weights)
    sizes = torch.randn(count, generator=generator, dtype=torch.float64).mul(spread).exp()
    signs = torch.randint(2, (count,), generator=generator) * 2.0 - 1
    factors = {"positive": sizes, "sign": signs.double(), "any": sizes * signs}[units.scaling]
    for slot in units.incoming:
        _multiply(weights, slot, factors, blocks=slice(slot.blocks - 1, None))
    for slot in units.outgoing:
        _multiply(weights, slot, 1 / factors)


def _split(units: Units, weights: dict[str, Tensor], generator: Generator, *, share: float | int) -> None:
    count = units.count(weights)
    twice = torch.randperm(count, generator=generator)[: round(share * count)].sort().values
    alpha = torch.rand(len(twice), generator=generator, dtype=torch.float64) * 3 - 1
    factors = torch.ones(count, dtype=torch.float64).index_copy(0, twice, alpha)
    _take(units, weights, torch.cat([torch.arange(count), twice]))
    for slot in units.outgoing:
        _multiply(weights, slot, torch.cat([factors, 1 - alpha]))


def _add_pairs(units: Units, weights: dict[str, Tensor], generator: Generator, *, num: int) -> None:
    for slot in units.incoming:
        drawn = _drawn(weights[slot.name], slot, num, generator)
        _append(weights, slot, torch.cat([drawn, drawn], slot.axis + 1))
    for slot in units.outgoing:
        drawn = _drawn(weights[slot.name], slot, num, generator)
        _append(weights, slot, torch.cat([drawn, -drawn], slot.axis + 1))


# The entries of units in a parameter: along `axis + 1`, once its axis is unflattened into blocks


def _blocks(value: Tensor, slot: Slot) -> Tensor:
    return value.unflatten(slot.axis, (slot.blocks, -1))


def _take(units: Units, weights: dict[str, Tensor], which: Int[Tensor, " units"]) -> None:
    for slot in (*units.incoming, *units.outgoing):
        taken = _blocks(weights[slot.name], slot).index_select(slot.axis + 1, which)
        weights[slot.name] = taken.flatten(slot.axis, slot.axis + 1)


def _multiply(weights: dict[str, Tensor], slot: Slot, factors: Float[Tensor, " units"], *, blocks: slice = slice(None)) -> None:
    value = weights[slot.name]
    shape = (-1, *[1] * (value.ndim - slot.axis - 1))
    _blocks(value, slot).movedim(slot.axis, 0)[blocks] *= factors.view(shape)


def _drawn(value: Tensor, slot: Slot, num: int, generator: Generator) -> Tensor:
    """Weights of `num` more units, of the size that those of each block have."""
    own = _blocks(value, slot)
    shape = [*own.shape]
    shape[slot.axis + 1] = num
    others = [axis for axis in range(own.ndim) if axis != slot.axis]
    return torch.randn(shape, generator=generator, dtype=torch.float64) * own.square().mean(others, keepdim=True).sqrt()


def _append(weights: dict[str, Tensor], slot: Slot, more: Tensor) -> None:
    joined = torch.cat([_blocks(weights[slot.name], slot), more], slot.axis + 1)
    weights[slot.name] = joined.flatten(slot.axis, slot.axis + 1)
