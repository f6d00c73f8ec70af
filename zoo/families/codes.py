"""Non-linear mixtures of codes: two vectors turned by unknown angles, then mixed by a fixed random network."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.stats import keyed_generator
from zoo.families.symbols import SymbolTask

PLANES, ANGLES, WIDTH, NOISE = 8, 16, 48, 0.05


@dataclass(frozen=True, kw_only=True)
class Codes(SymbolTask):
    """Each symbol is a vector in 8 planes. One of 16 angles, drawn anew for every example, turns plane k by k times as much,
    as a shift in time turns the terms of a Fourier series. Both vectors then pass an orthogonal map, a leaky ReLU and another
    orthogonal map. The input is `(n, 48)`."""

    family: ClassVar[str] = "codes"

    @cached_property
    def _maps(self) -> tuple[Tensor, Tensor]:
        first = torch.linalg.qr(self.drawn(WIDTH, 4 * PLANES, key="first map"))[0]
        second = torch.linalg.qr(self.drawn(WIDTH, WIDTH, key="second map"))[0]
        return first.T.contiguous(), second

    def shown(self, values: Int[Tensor, "n 2"], *, generator: Generator) -> Float[Tensor, "n 48"]:
        first, second = self._maps
        turned = [self._turned(values[:, side], side, generator) for side in range(2)]
        hidden = torch.nn.functional.leaky_relu(torch.cat(turned, 1) @ first * 1.5, 0.3) @ second
        return hidden + NOISE * torch.randn(hidden.shape, generator=generator)

    def _turned(self, symbols: Int[Tensor, " n"], side: int, generator: Generator) -> Float[Tensor, "n 16"]:
        codes = torch.view_as_complex(self._codes[side])[symbols]
        angle = torch.randint(0, ANGLES, (len(symbols), 1), generator=generator) * (2 * torch.pi / ANGLES)
        turned = codes * torch.polar(torch.ones(1, 1), angle * torch.arange(1, PLANES + 1))
        return torch.view_as_real(turned).flatten(1)

    @cached_property
    def _codes(self) -> tuple[Tensor, Tensor]:
        generator = keyed_generator(self.seed, "codes")
        first, second = (torch.randn(size, PLANES, 2, generator=generator) for size in self.sizes)
        return first, second
