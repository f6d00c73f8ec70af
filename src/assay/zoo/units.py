"""Where the hidden units of a network lie in its weights, and a copy of it with other weights or more units."""

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from assay.errors import AssayError
from assay.models.gru import TokenGRU
from assay.models.transformer import FeedForward

Weights = Mapping[str, Tensor]
Scaling = Literal["positive", "sign", "any"]
_HOMOGENEOUS = (nn.ReLU, nn.LeakyReLU)


@dataclass(frozen=True)
class Slot:
    """An axis of a parameter along which the units of a layer lie, once in each of `blocks` equal parts."""

    name: str
    axis: int
    blocks: int = 1


@dataclass(frozen=True)
class Units:
    """The units of one hidden layer.

    **Attributes:**

    - `incoming`: what a unit's activation is computed from. The last block of each is what scales with the activation.
    - `outgoing`: what reads the activation, linearly.
    - `scaling`: factors of the incoming weights that come out as factors of the activation: `positive` ones for a ReLU, a
      `sign` for a tanh, `any` where there is no non-linearity.
    """

    incoming: tuple[Slot, ...]
    outgoing: tuple[Slot, ...]
    scaling: Scaling = "positive"

    def count(self, weights: Weights) -> int:
        """How many there are."""
        slot = self.incoming[0]
        return weights[slot.name].shape[slot.axis] // slot.blocks


def hidden_units(module: nn.Module) -> tuple[Units, ...]:
    """Every hidden layer whose units can be changed without changing the function.

    These are the ReLUs (leaky or not) between two linear maps, in an `nn.Sequential` or in the feed-forward of our
    transformers, and in our recurrent network the embedding and the states of every layer.

    **Raises:** `AssayError` when there is none, and when a layer of them shares its weights with another place.
    """
    found = []
    for name, part in module.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(part, TokenGRU):
            found += _recurrent(part, prefix)
        elif type(part).forward is nn.Sequential.forward or isinstance(part, FeedForward):
            found += _between_linear_maps(part, prefix)
    if not found:
        raise AssayError(
            "a function-preserving twin needs hidden units between two linear maps",
            given=f"{type(module).__name__} without any in an nn.Sequential, a FeedForward or a TokenGRU",
            next_step="write the hidden layers as nn.Sequential(nn.Linear, nn.ReLU, nn.Linear)",
        )
    uses = Counter(id(value) for _, value in module.named_parameters(remove_duplicate=False))
    parameters = dict(module.named_parameters(remove_duplicate=False))
    for slot in (slot for units in found for slot in (*units.incoming, *units.outgoing)):
        if uses[id(parameters[slot.name])] > 1:
            raise AssayError("the layers of a function-preserving twin must not share weights", given=slot.name)
    return tuple(found)


def _between_linear_maps(part: nn.Module, prefix: str) -> Iterator[Units]:
    layers = [
        (name, layer) for name, layer in part._modules.items() if layer is not None
    ]  # named_children would leave out an activation's second use
    for (first, before), (_, middle), (second, after) in zip(layers, layers[1:], layers[2:], strict=False):
        if type(before) is nn.Linear and isinstance(middle, _HOMOGENEOUS) and type(after) is nn.Linear:
            incoming = [Slot(f"{prefix}{first}.{name}", 0) for name, _ in before.named_parameters()]
            yield Units(tuple(incoming), (Slot(f"{prefix}{second}.weight", 1),))


def _recurrent(part: TokenGRU, prefix: str) -> Iterator[Units]:
    readers = [f"{prefix}cells.{k}.weight_ih" for k in range(len(part.cells))] + [f"{prefix}head.weight"]
    yield Units((Slot(f"{prefix}embedding.weight", 1),), (Slot(readers[0], 1),), "any")
    for k, (own, reader) in enumerate(pairwise(readers)):
        # Gates reset, update and new: only new is odd in its weights, so only its rows carry a sign.
        names = [own, *(f"{prefix}cells.{k}.{name}" for name in ("weight_hh", "bias_ih", "bias_hh"))]
        outgoing = Slot(f"{prefix}cells.{k}.weight_hh", 1), Slot(reader, 1)
        yield Units(tuple(Slot(name, 0, 3) for name in names), outgoing, "sign")


def refitted(module: nn.Module, weights: Weights) -> nn.Module:
    """A copy of the module with these weights, and with as many hidden units as they have.

    It rebuilds a stored twin: from the architecture of the original and the twin's state dictionary.

    **Raises:** `AssayError` when the weights are of another network.
    """
    own = module.state_dict()
    free = {(slot.name, slot.axis) for units in hidden_units(module) for slot in (*units.incoming, *units.outgoing)}
    faults = sorted(own.keys() ^ weights.keys()) or [
        f"{name} {tuple(weights[name].shape)}" for name, value in own.items() if not _fits(value, weights[name], name, free)
    ]
    if faults:
        raise AssayError(
            "the weights must be those of the network or of a twin with more hidden units",
            given=", ".join(faults[:5]),
            next_step="check that the architecture and the weights belong together",
        )
    made = copy.deepcopy(module)
    for name, parameter in made.named_parameters():
        if parameter.shape != weights[name].shape:
            owner, _, leaf = name.rpartition(".")
            grown = nn.Parameter(parameter.new_empty(weights[name].shape), requires_grad=parameter.requires_grad)
            setattr(made.get_submodule(owner), leaf, grown)
    for part in made.modules():
        _tell_sizes(part)
    made.load_state_dict(dict(weights))
    return made


def _fits(own: Tensor, other: Tensor, name: str, free: set[tuple[str, int]]) -> bool:
    if own.ndim != other.ndim:
        return False
    return all((name, axis) in free or own.shape[axis] == other.shape[axis] for axis in range(own.ndim))


def _tell_sizes(part: nn.Module) -> None:
    """Let a layer say the sizes that its weights have."""
    if isinstance(part, nn.Linear):
        part.out_features, part.in_features = part.weight.shape
    elif isinstance(part, nn.Embedding):
        part.num_embeddings, part.embedding_dim = part.weight.shape
    elif isinstance(part, nn.GRUCell):
        part.input_size, part.hidden_size = part.weight_ih.shape[1], part.weight_hh.shape[1]


def precise(module: nn.Module) -> dict[str, Tensor]:
    """A copy of the state in double precision on the CPU, so that a chain of changes rounds once."""
    state = module.state_dict()
    return {
        name: value.detach().to("cpu", torch.float64 if value.is_floating_point() else value.dtype, copy=True)
        for name, value in state.items()
    }
