"""A dense pattern-producing network: from the coordinates of a pixel to its colour, with several activations in every layer."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.data.genomes import INPUTS, OUTPUTS

ACTIVATIONS = {
    "identity": lambda x: x,
    "cos": torch.cos,
    "gaussian": lambda x: 2 * torch.exp(-x.square()) - 1,
    "sigmoid": lambda x: 2 * torch.sigmoid(x) - 1,
    "sin": torch.sin,
    "tanh": torch.tanh,
}
"""Activations by their names in genomes; all but the identity lie within -1 and 1."""


def coordinates(size: int) -> Float[Tensor, "n 4"]:
    """`x`, `y`, `d = 1.4 sqrt(x^2 + y^2)` and 1 of all pixels of a square picture, row by row; the outermost lie at -1 and 1.

    Example::

        assert coordinates(3)[1].tolist() == [0.0, -1.0, 1.4, 1.0]  # first row, middle column
    """
    line = torch.linspace(-1, 1, size, dtype=torch.float64) if size > 1 else torch.zeros(size, dtype=torch.float64)
    y, x = (grid.flatten() for grid in torch.meshgrid(line, line, indexing="ij"))
    return torch.stack([x, y, 1.4 * (x.square() + y.square()).sqrt(), torch.ones_like(x)], 1)


def colours(hsv: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Red, green and blue in [0, 1] of hue, saturation and brightness as networks give them: the hue is periodic, the
    saturation is clipped to [0, 1], and the brightness counts by its absolute value, clipped at 1."""
    hue, saturation, brightness = (hsv[:, 0] + 1) % 1, hsv[:, 1].clamp(0, 1), hsv[:, 2].abs().clamp(max=1)
    k = (torch.tensor([5.0, 3.0, 1.0], dtype=hsv.dtype, device=hsv.device) + 6 * hue[:, None]) % 6
    dark = torch.minimum(k, 4 - k).clamp(0, 1)
    return brightness[:, None] * (1 - saturation[:, None] * dark)


class UnbiasedLinear(nn.Linear):
    """A linear map without bias, whose initial weights are normal with variance 1 / inputs (LeCun et al. 1998)."""

    def __init__(self, before: int, after: int):
        super().__init__(before, after, bias=False)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=1 / math.sqrt(max(1, self.in_features)))


class Mixed(nn.Module):
    """Activations by unit: `counts[kind]` consecutive units of each kind."""

    def __init__(self, counts: dict[str, int]):
        super().__init__()
        self.counts = counts

    def forward(self, x: Float[Tensor, "*n width"]) -> Float[Tensor, "*n width"]:
        blocks = x.split(list(self.counts.values()), -1)
        return torch.cat([ACTIVATIONS[kind](block) for kind, block in zip(self.counts, blocks, strict=True)], -1)


class Colour(nn.Module):
    """`colours` as a module."""

    def forward(self, hsv: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        return colours(hsv)


class Cppn(nn.Module):
    """`x` `(n, 4)`, rows of `coordinates`, to red, green and blue `(n, 3)`: `depth` hidden layers without biases, each with the
    given number of units per activation. Units with the identity carry values to later layers (Kumar et al. 2025)."""

    def __init__(self, *, depth: int, identity: int, gaussian: int, sigmoid: int, sin: int, cos: int, tanh: int):
        super().__init__()
        units = {"identity": identity, "cos": cos, "gaussian": gaussian, "sigmoid": sigmoid, "sin": sin, "tanh": tanh}
        self.counts = units
        sizes = [len(INPUTS), *[sum(units.values())] * depth]
        hidden = [layer for before, after in pairwise(sizes) for layer in (UnbiasedLinear(before, after), Mixed(units))]
        self.layers = nn.Sequential(*hidden, UnbiasedLinear(sizes[-1], len(OUTPUTS)))
        self.colour = Colour()

    def forward(self, x: Float[Tensor, "n 4"]) -> Float[Tensor, "n 3"]:
        return self.colour(self.layers(x))
