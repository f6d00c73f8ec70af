"""Pictures of two glyphs, one in each half, at unknown places among clutter."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from zoo.families.symbols import SymbolTask

CLUTTER, NOISE = 0.05, 0.1


@dataclass(frozen=True, kw_only=True)
class Pictures(SymbolTask):
    """Each symbol is a glyph of 5 x 5 pixels, dark and light, upright or inverted in contrast, in an
    image of 16 x 16 or 32 x 32: the first in the left half, the second in the right. The input is `(n, 1, size, size)`."""

    family: ClassVar[str] = "pictures"
    size: int = 16

    def __post_init__(self):
        if self.size not in (16, 32):
            raise AssayError("pictures: size must be one of its choices", given=self.size, choices=("16", "32"))
        super().__post_init__()

    @cached_property
    def _glyphs(self) -> Tensor:
        return self.drawn(max(self.sizes), 5, 5, key="glyphs").sign()

    def shown(self, values: Int[Tensor, "n 2"], *, generator: Generator) -> Float[Tensor, "n 1 h w"]:
        n, height, width = len(values), self.size, self.size // 2
        image = (torch.rand(n, 2, height, width, generator=generator) < CLUTTER).float()
        rows = torch.randint(0, height - 4, (n, 2), generator=generator)
        columns = torch.randint(0, width - 4, (n, 2), generator=generator)
        down, along = torch.arange(5)[:, None], torch.arange(5)
        where = (rows[..., None, None] + down) * width + columns[..., None, None] + along
        contrast = torch.randint(0, 2, (n, 2, 1), generator=generator) * 2 - 1
        glyphs = self._glyphs[values].flatten(2) * contrast
        image = image.flatten(2).scatter(2, where.flatten(2), glyphs).view(n, 2, height, width)
        image = torch.cat([image[:, 0], image[:, 1]], -1)[:, None]
        return image + NOISE * torch.randn(image.shape, generator=generator)
