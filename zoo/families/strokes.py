"""Pen strokes: two closed curves, drawn one after the other. The sealed family: built, and never looked at."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from zoo.families.symbols import SymbolTask

POINTS, NOISE = 8, 0.05


@dataclass(frozen=True, kw_only=True)
class Strokes(SymbolTask):
    """Each symbol is a closed curve of eight points around 0. The pen starts at any of them and goes either way round. The
    input is `(n, 16, 3)`: two coordinates, and which curve it is."""

    family: ClassVar[str] = "strokes"

    @cached_property
    def _curves(self) -> Tensor:
        curves = self.drawn(max(self.sizes), POINTS, 2, key="curves")
        return curves - curves.mean(1, keepdim=True)

    def shown(self, values: Int[Tensor, "n 2"], *, generator: Generator) -> Float[Tensor, "n 16 3"]:
        n = len(values)
        start = torch.randint(0, POINTS, (n, 2, 1), generator=generator)
        way = torch.randint(0, 2, (n, 2, 1), generator=generator) * 2 - 1
        order = (start + way * torch.arange(POINTS)) % POINTS
        points = self._curves[values].gather(2, order[..., None].expand(-1, -1, -1, 2))
        points = points + NOISE * torch.randn(points.shape, generator=generator)
        side = torch.tensor([-1.0, 1.0])[:, None, None].expand(n, 2, POINTS, 1)
        return torch.cat([points, side], -1).flatten(1, 2)
