"""Function-preserving twin of a network in another basis, on which single weights, and so masks over them, depend."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

from assay.attributes import copied
from assay.masks.running import run, weights_of

TOLERANCE = 1e-3  # largest relative difference of a twin's outputs


def rotated(module: nn.Module, inputs: Mapping[str, Tensor], generator: Generator) -> nn.Module | None:
    """A twin with the same function and a random basis between every two directly successive Linear layers of a Sequential;
    None where there are none, or outputs differ."""
    twin = copied(module)
    turned = False
    with torch.no_grad():
        for part in twin.modules():
            layers = list(part.children()) if isinstance(part, nn.Sequential) else []
            for first, second in pairwise(layers):
                if isinstance(first, nn.Linear) and isinstance(second, nn.Linear):
                    _turn(first, second, generator)
                    turned = True
    if not turned:
        return None
    plain, again = (run(one, weights_of(one), inputs) for one in (module, twin))
    return twin if torch.allclose(plain, again, atol=TOLERANCE) else None


def _turn(first: nn.Linear, second: nn.Linear, generator: Generator) -> None:
    turn = torch.empty(first.out_features, first.out_features, dtype=torch.float64)
    turn = nn.init.orthogonal_(turn, generator=generator).to(first.weight.device)
    second.weight.copy_(second.weight.double() @ turn.T)
    first.weight.copy_(turn @ first.weight.double())
    if first.bias is not None:
        first.bias.copy_(turn @ first.bias.double())
