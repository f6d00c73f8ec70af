"""Shape x colour x place: one glyph on a coloured ground in one cell of a picture, jittered, among clutter."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.stats import keyed_generator
from zoo.families.symbols import SymbolTask

CLUTTER, NOISE, GLYPH = 0.04, 0.05, 3


@dataclass(frozen=True, kw_only=True)
class GlyphScenes(SymbolTask):
    """A glyph of 3 x 3 pixels in one of 2 x 2 cells of an image of 16 x 16 or 32 x 32 with three channels. Its pattern is of
    dark and light, upright or inverted in contrast; its ground has one of the colours, which are equally bright. The input is
    `(n, 3, size, size)`."""

    family: ClassVar[str] = "scenes"
    num_parts: ClassVar[int] = 3
    rule: str = "chain"
    size: int = 16

    def __post_init__(self):
        if self.size not in (16, 32):
            raise AssayError("scenes: size must be one of its choices", given=self.size, choices=("16", "32"))
        super().__post_init__()

    @cached_property
    def _glyphs(self) -> Tensor:
        """Patterns of dark and light, none of them another one inverted."""
        order = torch.randperm(2 ** (GLYPH * GLYPH - 1), generator=keyed_generator(self.seed, "scenes glyphs"))
        bits = order[: self.sizes[0], None] >> torch.arange(GLYPH * GLYPH) & 1
        return 2.0 * bits - 1

    @cached_property
    def _colours(self) -> Tensor:
        """Points on a circle of hues, around grey."""
        hue = 2 * torch.pi * torch.arange(self.sizes[1]) / self.sizes[1]
        shift = 2 * torch.pi / 3 * torch.arange(3)
        return (hue[:, None] + shift).cos()

    def shown(self, values: Int[Tensor, "n 3"], *, generator: Generator) -> Float[Tensor, "n 3 h w"]:
        shape, colour, place = values.unbind(1)
        n, cell = len(values), self.size // 2
        image = torch.randn(n, 3, self.size, self.size, generator=generator)
        image = image * (torch.rand(n, 1, self.size, self.size, generator=generator) < CLUTTER)
        jitter = torch.randint(0, cell - GLYPH + 1, (n, 2), generator=generator)
        row, column = place // 2 * cell + jitter[:, 0], place % 2 * cell + jitter[:, 1]
        where = (row[:, None, None] + torch.arange(GLYPH)[:, None]) * self.size + column[:, None, None] + torch.arange(GLYPH)
        contrast = torch.randint(0, 2, (n, 1, 1), generator=generator) * 2 - 1
        drawn = self._colours[colour][:, :, None] + contrast * self._glyphs[shape][:, None]
        image = image.flatten(2).scatter(2, where.flatten(1)[:, None].expand(-1, 3, -1), drawn).view_as(image)
        return image + NOISE * torch.randn(image.shape, generator=generator)
