"""How far the outputs depend on each layer, and on weights whose responses are not read, by mean ablation.

Responses alone do not show this: a layer whose outputs have a large mean, or are cancelled by another layer, may respond more
than all other layers together, and so may outputs in larger units. The layers that carry the function would then not count.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from assay.attributes import copied
from assay.errors import AssayError
from assay.responses import Layer, ReadNetwork, constants
from assay.subject import Inputs, Subject

CARRIES = 1e-3
"""A layer carries part of the outputs if its mean ablation loses at least this share of the variance of some output."""


@dataclass(frozen=True)
class Carried:
    """Dependence of the outputs on layers and on weights that are not read.

    **Attributes:**

    - `layers`: for each layer the share of an output's variance that its ablation loses, the largest over outputs.
    - `reads`: whether each layer only passes the inputs on.
    - `unread`: the same share for weights whose responses are not read, and for layers with constant outputs.
    - `share`: the share of unread weights among all weights, without those of normalisations that all examples use.
    """

    layers: Mapping[str, float]
    reads: Bool[Tensor, " l"]
    unread: float
    share: float

    def of_layers(self) -> Bool[Tensor, " l"]:
        """Whether each layer carries part of the outputs."""
        return torch.tensor([lost >= CARRIES for lost in self.layers.values()], dtype=torch.bool)


@torch.no_grad()
def carried(network: Subject, inputs: Inputs, read: ReadNetwork) -> Carried:
    """Measure this dependence in a network."""
    norms = _normalising(network, inputs)
    unread = [name for name in read.unread if name not in norms]
    every = [*network.module.parameters(), *constants(network.module).values()]
    lost = lost_without(network, inputs, [layer.name for layer in read.layers])
    modules = dict(network.module.named_modules())
    silent = {id(weight) for layer in read.layers if _is_silent(layer, lost) for weight in modules[layer.name].parameters()}
    constant = [name for name, weight in network.module.named_parameters() if id(weight) in silent]
    return Carried(
        lost,
        _reading(network, inputs, read),
        max(lost_without_weights(network, inputs, unread), lost_without_weights(network, inputs, constant, mean=False)),
        sum(read.unread[name] for name in unread) / max(1, sum(weight.numel() for weight in every)),
    )


@torch.no_grad()
def lost_without(
    network: Subject, inputs: Inputs, layers: Sequence[str], *, held: Mapping[str, Tensor] | None = None
) -> Mapping[str, float]:
    """Mean ablation of each layer: the share of an output's variance that changes, the largest over outputs. `held`:
    activations at further sites that are held fixed meanwhile."""
    before, sites = network(inputs), [f"{name}:out" for name in layers]
    given = network.read(inputs, sites)
    found = {}
    for name, site in zip(layers, sites, strict=True):
        mean = given[site].mean(0, keepdim=True).expand_as(given[site])
        found[name] = torch.inf
        with suppress(AssayError):  # a place that cannot be patched is left out
            found[name] = _changed(before, network(inputs, replace={**(held or {}), site: mean}))
    return found


@torch.no_grad()
def lost_without_weights(network: Subject, inputs: Inputs, weights: Collection[str], *, mean: bool = True) -> float:
    """The share of an output's variance that changes when each of these weights is replaced by its mean over the first
    dimension, or by 0. Rows of a table, or modules for different contexts stored in one tensor, are then equal."""
    if not weights:
        return 0.0
    twin = network.twin(copied(network.module), name=f"{network.name}, without some weights")
    tensors = {**dict(twin.module.named_parameters()), **constants(twin.module)}
    for name in tensors.keys() & weights:  # without weights that a cache no longer holds
        if tensors[name].ndim:
            values = tensors[name] if tensors[name].is_complex() else tensors[name].double()
            tensors[name].copy_(values.mean(0, keepdim=True).expand_as(values) * mean)
    return _changed(network(inputs), twin(inputs))


def _is_silent(layer: Layer, lost: Mapping[str, float]) -> bool:
    """Whether a layer's inputs vary although mean ablation of its output hardly changes the network's outputs.

    Such a layer is not counted. Its weights may still matter: it may hold equal copies, one for each context, or a function
    outside its module may use them."""
    return lost[layer.name] < CARRIES and bool((layer.inputs != layer.inputs[:1]).any())


def _normalising(network: Subject, inputs: Inputs) -> set[str]:
    """Names of the parameters of normalisations that all examples use; one that only some use may be chosen by the context."""
    kinds = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    norms = {name: module for name, module in network.module.named_modules() if isinstance(module, kinds)}
    if not norms:
        return set()
    known, outputs = network.places(inputs), network(inputs)
    sites = [f"{name}:out" for name in norms if f"{name}:out" in known]
    weighing = torch.randn(outputs.shape[1:], generator=torch.Generator().manual_seed(0)).to(outputs).expand_as(outputs)
    found = network.gradients(inputs, sites, weighing)
    used = {site for site in sites if bool((found[site].flatten(1) != 0).any(1).all())}
    own = {id(weight) for name, one in norms.items() if f"{name}:out" in used for weight in one.parameters(recurse=False)}
    return {name for name, weight in network.module.named_parameters() if id(weight) in own}


def _reading(network: Subject, inputs: Inputs, read: ReadNetwork) -> Bool[Tensor, " l"]:
    """Whether each layer only passes the inputs on: its own inputs are an affine map of the network's inputs; later layers
    recover such a map after a nonlinearity, such as from the positive and the negative half of each input; and with the outputs
    of those later layers held fixed, nothing else depends on it. False for all layers if there are too few examples."""
    given = torch.cat([values.reshape(len(values), -1).double().cpu() for values in inputs.values()], 1)
    given = torch.cat([given, given.new_ones(len(given), 1)], 1)
    if len(given) < 2 * given.shape[1]:
        return torch.zeros(len(read.layers), dtype=torch.bool)
    basis = torch.linalg.qr(given).Q

    def is_affine(values: Float[Tensor, "n t d"]) -> bool:
        flat = values.flatten(1).double()
        left, varies = flat - basis @ (basis.T @ flat), flat - flat.mean(0)
        of_left, of_varying, of_all = (one.square().sum(0) for one in (left, varies, flat))
        # The second bound is for constant values, such as the 1 of a bias; if all values are constant, nothing is passed on.
        return bool((of_left <= 1e-12 * of_varying + 1e-20 * of_all).all()) and bool((of_varying > 1e-12 * of_all).any())

    reads = [layer.name for layer in read.layers if is_affine(layer.inputs)]
    again = [
        f"{layer.name}:out"
        for layer in read.layers
        if layer.name not in reads and is_affine(layer.inputs.double() @ layer.weight.T)
    ]
    beside = lost_without(network, inputs, reads if again else [], held=network.read(inputs, again))
    return torch.tensor([beside.get(layer.name, torch.inf) < CARRIES for layer in read.layers], dtype=torch.bool)


def _changed(before: Tensor, after: Tensor) -> float:
    first, change = before.flatten(1).double(), (after - before).flatten(1).double()
    variance = first.var(0, correction=0)
    if not bool((variance > 0).any()):
        return 0.0
    lost = float((change.var(0, correction=0) / variance)[variance > 0].max())
    return lost if math.isfinite(lost) else math.inf
