"""The null of equally complex networks: the weights of the network under test, permuted within each layer."""

import copy
from collections.abc import Collection

import torch
from torch import Generator, nn

from assay.subject import Subject

NAME = "weights in another order"
HOW = (
    "the nonzero weights of each layer are permuted, except weights of 1, which pass a value on; the network is equally "
    "complex and computes another function"
)


def made_anew(network: Subject, names: Collection[str]) -> list[str]:
    """The layers among these whose weights are computed from other parameters at each call, such as by `weight_norm`. They have
    no matrix whose weights could be permuted, and the null would be the network itself."""
    modules = dict(network.module.named_modules())
    return [name for name in names if not isinstance(getattr(modules[name], "weight"), nn.Parameter)]  # noqa: B009


@torch.no_grad()
def shuffled(network: Subject, names: Collection[str], generator: Generator) -> Subject:
    """A copy of a network with the weights of some layers permuted within each layer.

    Weights of 0 and of 1 stay where they are, and so do biases. The network itself is not changed.

    Example::

        null = shuffled(network, ["layers.0", "layers.2"], torch.Generator().manual_seed(0))
    """
    twin = network.twin(copy.deepcopy(network.module), name=f"{network.name}, {NAME}")
    modules = dict(twin.module.named_modules())
    for name in names:
        weight = getattr(modules[name], "weight")  # noqa: B009
        if not isinstance(weight, nn.Parameter):
            continue  # computed from other parameters at each call
        flat = weight.flatten().clone()
        places = ((flat != 0) & (flat != 1)).nonzero()[:, 0]
        flat[places] = flat[places[torch.randperm(len(places), generator=generator).to(places.device)]]
        weight.copy_(flat.view_as(weight))
    return twin
