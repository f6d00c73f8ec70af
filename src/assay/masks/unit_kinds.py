"""Units of a mask: single weights, neurons, attention heads, or channels of the residual stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from assay.errors import AssayError
from assay.masks.heads import WRITES, attention_heads
from assay.masks.mask import Mask
from assay.masks.maskable import Maskable, maskable

Unit = Literal["weight", "neuron", "head", "channel"]
UNITS: tuple[Unit, ...] = get_args(Unit)


@dataclass(frozen=True)
class ParameterUnits:
    """A parameter and the unit of each of its entries.

    **Attributes:**

    - `parameter`: its dotted name; `shape`: its shape.
    - `unit`: the unit number of each entry, broadcasts to `shape`; None where every entry is a unit, numbered from `first`.
    """

    parameter: str
    shape: tuple[int, ...]
    unit: Int[Tensor, "*broadcast"] | None
    first: int = 0

    @property
    def size(self) -> int:
        """Number of entries."""
        return torch.Size(self.shape).numel()


@dataclass(frozen=True)
class Units:
    """All units of a module, numbered consecutively.

    **Attributes:**

    - `kind`: `weight`, `neuron`, `head` or `channel`.
    - `places`: the parameters that they cover.
    - `layer` `(u,)`: the index of each unit's layer; `layers`: names of the layers.
    """

    kind: Unit
    places: tuple[ParameterUnits, ...]
    layer: Int[Tensor, " u"]
    layers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.layer)

    def spread(self, values: Tensor) -> dict[str, Tensor]:
        """Values `(u,)` of units as a tensor for each parameter, which broadcasts to its shape."""
        return {place.parameter: _spread(place, values) for place in self.places}

    def gather(self, entries: Mapping[str, Tensor]) -> Float[Tensor, " u"]:
        """Sum over the entries of every unit; `entries` have the parameters' shapes."""
        first = entries[self.places[0].parameter]
        if self.kind == "weight":
            return torch.cat([entries[place.parameter].flatten() for place in self.places])
        sums = torch.zeros(len(self), dtype=first.dtype, device=first.device)
        for place in self.places:
            assert place.unit is not None
            values = entries[place.parameter].sum_to_size(place.unit.shape)
            sums.index_add_(0, place.unit.flatten().to(values.device), values.flatten())
        return sums

    def sizes(self) -> Float[Tensor, " u"]:
        """Number of weights of every unit."""
        return self.gather({place.parameter: torch.ones(place.shape) for place in self.places})

    def alive(self, weights: Mapping[str, Tensor]) -> Bool[Tensor, " u"]:
        """Units with a nonzero weight."""
        return self.gather({place.parameter: (weights[place.parameter] != 0).float() for place in self.places}).cpu() > 0

    def mask(self, kept: Bool[Tensor, " u"]) -> Mask:
        """The mask that keeps these units."""
        keep = {name: values.clone() for name, values in self.spread(kept.cpu()).items()}
        return Mask(self.kind, keep, {place.parameter: place.shape for place in self.places})

    def of(self, mask: Mask) -> Bool[Tensor, " u"]:
        """The units that a mask made from them keeps."""
        full = {place.parameter: mask.full(place.parameter).float() for place in self.places}
        return self.gather(full) > 0

    def matched(self, mask: Mask, weights: Mapping[str, Tensor], *, generator: torch.Generator) -> Mask:
        """A random mask that keeps as many nonzero units of every layer as `mask`."""
        alive = self.alive(weights)
        kept = self.of(mask) & alive
        chosen = torch.zeros_like(kept)
        for layer in range(len(self.layers)):
            pool = (alive & (self.layer == layer)).nonzero()[:, 0]
            num = int((kept & (self.layer == layer)).sum())
            chosen[pool[torch.randperm(len(pool), generator=generator)[:num]]] = True
        return self.mask(chosen)


def units_of(
    module: nn.Module,
    *,
    kind: str = "weight",
    layers: Sequence[str] = ("*",),
    start: int = 0,
    embeddings: bool = True,
    width: int | None = None,
) -> Units:
    """The units of a module.

    **Arguments:**

    - `kind`: `weight`: every entry; `neuron`: an output of a module, with all weights that lead to it (for an embedding: a
      dimension); `head`: an attention head, with its rows of the query, key and value projections and its columns of the output
      projection; `channel`: a dimension of the residual stream, with all weights that read or write it.
    - `layers`, `start`, `embeddings`: as for `maskable`.
    - `width`: width of the residual stream, for channels. Default: that of the first embedding or attention.

    A square matrix, whose shape does not decide, counts as reading the stream, unless it is the output projection of an
    attention.

    **Raises:** `AssayError` for an unknown kind, or if the module has no units of this kind.

    Example::

        >>> from assay.masks import units_of
        >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> len(units_of(network)), len(units_of(network, kind="neuron"))
        (48, 10)
    """
    found = maskable(module, layers=layers, start=start, embeddings=embeddings)
    if kind == "weight":
        starts = torch.tensor([0, *(item.weight.numel() for item in found)]).cumsum(0).tolist()
        places = [
            ParameterUnits(one.parameter, tuple(one.weight.shape), None, at) for one, at in zip(found, starts, strict=False)
        ]
        sizes = [item.weight.numel() for item in found]
        return _numbered(kind, places, sizes, [item.parameter for item in found])
    if kind == "neuron":
        return _neurons(found)
    if kind == "head":
        return _heads(module, found)
    if kind == "channel":
        return _channels(module, found, width)
    raise AssayError("the kind of units must be known", given=kind, choices=UNITS)


def _neurons(found: Sequence[Maskable]) -> Units:
    places, sizes = [], []
    for item in found:
        num = item.weight.shape[item.outputs]
        places.append(_place(item, torch.arange(num) + sum(sizes), item.outputs))
        sizes.append(num)
    return _numbered("neuron", places, sizes, [item.parameter for item in found])


def _heads(module: nn.Module, found: Sequence[Maskable]) -> Units:
    known = {item.parameter: item for item in found}
    places, sizes, names = [], [], []
    for name, num, slices in attention_heads(module, known):
        for parameter, head in slices:
            places.append(ParameterUnits(parameter, tuple(known[parameter].weight.shape), head + sum(sizes)))
        sizes.append(num)
        names.append(name)
    if not places:
        raise AssayError(
            "a mask of heads needs an attention with a known number of heads and known projections",
            given=f"{type(module).__name__} with none",
            next_step="use MultiheadAttention, or projections named query, key, value and output beside `num_heads`",
        )
    return _numbered("head", places, sizes, names)


def _channels(module: nn.Module, found: Sequence[Maskable], width: int | None) -> Units:
    if width is None:
        every = maskable(module)
        embedded = [item.weight.shape[1] for item in every if item.inputs is None]
        attended = [item.module.embed_dim for item in every if isinstance(item.module, nn.MultiheadAttention)]
        width = next(iter(embedded + attended), None)
    if width is None:
        raise AssayError(
            "a mask of channels must know the width of the residual stream",
            given="a module without embedding or attention",
            next_step="give `width=`",
        )
    places = []
    for item in found:
        dimension = _side_of_stream(item, width)
        if dimension is not None:
            places.append(_place(item, torch.arange(width), dimension))
    if not places:
        sizes = sorted({size for item in found for size in item.weight.shape[:2]})
        raise AssayError("a module must read or write a residual stream of the width", given=width, choices=map(str, sizes))
    return _numbered("channel", places, [width], ["residual stream"])


def _side_of_stream(item: Maskable, width: int) -> int | None:
    """The dimension of the weight that runs over channels of the stream, if any."""
    writes = item.weight.shape[item.outputs] == width
    reads = item.inputs is not None and item.weight.shape[item.inputs] == width
    if writes and reads:
        return item.outputs if item.layer.rpartition(".")[2] in WRITES else item.inputs
    return item.outputs if writes else item.inputs if reads else None


def _place(item: Maskable, numbers: Int[Tensor, " size"], dimension: int) -> ParameterUnits:
    shape = [1] * item.weight.ndim
    shape[dimension] = len(numbers)
    return ParameterUnits(item.parameter, tuple(item.weight.shape), numbers.view(shape))


def _numbered(kind: Unit, places: Sequence[ParameterUnits], sizes: Sequence[int], names: Sequence[str]) -> Units:
    layer = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return Units(kind, tuple(places), layer, tuple(names))


def _spread(place: ParameterUnits, values: Tensor) -> Tensor:
    if place.unit is None:
        return values[place.first : place.first + place.size].view(place.shape)
    return values[place.unit.to(values.device)]
