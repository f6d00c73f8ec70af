"""How much of the outputs hangs on each layer, and on weights whose responses are not read: what responses alone do not show.

A layer whose outputs have a large mean, or of which another takes back what it gives, responds more than all others together,
and so do outputs in larger units than the others. By responses alone what carries the function beside it would not count.
"""

import copy
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from assay.errors import AssayError
from assay.responses import ReadNetwork, constants
from assay.subject import Inputs, Subject

CARRIES = 1e-3
"""Share of the variance of an output that is lost with what varies in a layer: from here on the layer carries something."""


@dataclass(frozen=True)
class Carried:
    """What hangs on what.

    **Attributes:** `layers`: by layer the share of an output's variance that is lost without it, the largest over outputs;
    `unread`: the same of the weights whose responses are not read; `share`: of these among all weights, without those of
    normalisations, which no context can choose.
    """

    layers: Mapping[str, float]
    unread: float
    share: float

    def of_layers(self) -> Bool[Tensor, " l"]:
        """Which layers carry part of the outputs."""
        return torch.tensor([lost >= CARRIES for lost in self.layers.values()], dtype=torch.bool)


@torch.no_grad()
def carried(network: Subject, inputs: Inputs, read: ReadNetwork) -> Carried:
    """Read a network for it."""
    norms = _normalising(network.module)
    unread = [name for name in read.unread if name not in norms]
    every = [*network.module.parameters(), *constants(network.module).values()]
    return Carried(
        lost_without(network, inputs, [layer.name for layer in read.layers]),
        lost_without_unread(network, inputs, unread),
        sum(read.unread[name] for name in unread) / max(1, sum(weight.numel() for weight in every)),
    )


@torch.no_grad()
def lost_without(network: Subject, inputs: Inputs, layers: Sequence[str]) -> Mapping[str, float]:
    """By layer the share of an output's variance that changes where the layer gives its mean over examples to all, the largest
    over outputs: mean ablation."""
    before, sites = network(inputs), [f"{name}:out" for name in layers]
    given = network.read(inputs, sites)
    found = {}
    for name, site in zip(layers, sites, strict=True):
        mean = given[site].mean(0, keepdim=True).expand_as(given[site])
        found[name] = torch.inf
        with suppress(AssayError):  # of a place that cannot be patched nothing is known
            found[name] = _changed(before, network(inputs, replace={site: mean}))
    return found


@torch.no_grad()
def lost_without_unread(network: Subject, inputs: Inputs, unread: Collection[str]) -> float:
    """The same where each of these weights is its mean over its first dimension: rows of a table, or modules for one context
    each that are kept in one tensor, are then alike."""
    twin = network.twin(copy.deepcopy(network.module), name=f"{network.name}, mean of the weights that are not read")
    tensors = {**dict(twin.module.named_parameters()), **constants(twin.module)}
    for name in unread:
        if tensors[name].ndim:
            tensors[name].copy_(tensors[name].mean(0, keepdim=True).expand_as(tensors[name]))
    return _changed(network(inputs), twin(inputs))


def _normalising(module: nn.Module) -> set[str]:
    """Names of the parameters of normalisations, which no context can choose."""
    kinds = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    own = {id(weight) for one in module.modules() if isinstance(one, kinds) for weight in one.parameters(recurse=False)}
    return {name for name, weight in module.named_parameters() if id(weight) in own}


def _changed(before: Tensor, after: Tensor) -> float:
    first, change = before.flatten(1).double(), (after - before).flatten(1).double()
    variance = first.var(0, correction=0)
    if not bool((variance > 0).any()):
        return 0.0
    return float((change.var(0, correction=0) / variance)[variance > 0].max())
