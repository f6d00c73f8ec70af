"""Pictures drawn by evolved networks: the colour of a pixel from its coordinates."""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.bounds import check_seed, check_whole
from assay.data.genomes import picture_genome
from assay.models.cppn import coordinates
from assay.models.evolved import draw_graph, shape_of
from assay.objective import Regression
from assay.regularity import Regular, Regularity
from assay.task import Examples, Part, Pixels, Split, Task, draw_rows

MOST_SIZE = 1_024
_MARKED = {
    "skull": {"left eye": (-0.6, -0.06, -0.35, 0.0), "right eye": (0.06, 0.6, -0.35, 0.0), "mouth": (-0.45, 0.45, 0.3, 0.62)},
    "butterfly": {
        "left wing": (-0.9, -0.1, -0.5, 0.65),
        "right wing": (0.1, 0.9, -0.5, 0.65),
        "body": (-0.1, 0.1, -0.45, 0.35),
    },
    "apple": {"stem": (-0.35, 0.2, -0.9, -0.35), "body": (-0.8, 0.75, -0.35, 0.6)},
}
"""Left, right, top and bottom of disjoint parts of the pictures, marked by eye."""


@dataclass(frozen=True, kw_only=True)
class Picture(Task):
    """Red, green and blue of every pixel of a picture drawn by an evolved network, without rounding. A pixel is the combination
    of its row and column; all are trained, and none is novel.

    **Arguments:**

    - `name`: the picture; `size`: pixels along a side, 2 to 1,024. The published ones have 256.
    - `phases`: `random` for a null: a picture of the same spectrum, and so equally smooth, with random phases, clipped to [0,
      1]. It has no symmetry. `seed`: random seed of the phases.

    **Raises:** `AssayError` for a size beyond these, and when the genome cannot be had.

    **Example:**

    ```python
    task = load_task("picture:skull,size=64")
    ```
    """

    name: Literal["skull", "butterfly", "apple"] = "skull"
    size: int = 64
    phases: Literal["own", "random"] = "own"
    seed: int = 0
    parts: tuple[Part, ...] = field(init=False)
    combines = ("row", "column")
    level = 0

    def __post_init__(self):
        check_whole("picture: size", self.size, least=2, most=MOST_SIZE)
        check_seed("picture: seed", self.seed)
        places = tuple(map(str, range(self.size)))
        object.__setattr__(self, "parts", (Part("row", places), Part("column", places)))

    @property
    def address(self) -> str:
        null = f",phases=random,seed={self.seed}" if self.phases == "random" else ""
        return f"picture:{self.name},size={self.size}{null}"

    @cached_property
    def input_spec(self) -> Pixels:  # pyrefly: ignore[bad-override]  (computed once)
        return Pixels(**shape_of(picture_genome(self.name)))

    @cached_property
    def objective(self) -> Regression:  # pyrefly: ignore[bad-override]  (computed once)
        variance = float((self.pixels - self.pixels.mean(0)).square().sum(1).mean())
        return Regression(3, variance=variance)

    @cached_property
    def pixels(self) -> Float[Tensor, "n 3"]:
        """The colours of all pixels, row by row."""
        drawn = draw_graph(picture_genome(self.name), coordinates(self.size))
        if self.phases == "random":
            drawn = with_random_phases(drawn.reshape(self.size, self.size, 3), Generator().manual_seed(self.seed)).flatten(0, 1)
        return drawn.float()

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        line = torch.arange(self.size if split != "novel" else 0)
        return torch.cartesian_prod(line, line)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        total = self.size**2 if split != "novel" else 0
        rows = draw_rows(total, n, replacement=split == "train", generator=generator)
        return Examples(
            inputs={"x": coordinates(self.size).float()[rows]},
            targets=self.pixels[rows],
            parts={"row": rows // self.size, "column": rows % self.size},
            combination=rows,
        )

    def input_texts(self, examples: Examples) -> list[str]:
        """The place of every pixel (`assay.task.WritesInputs`)."""
        places = zip(examples.parts["row"].tolist(), examples.parts["column"].tolist(), strict=True)
        return [f"row {row}, column {column}" for row, column in places]

    def regular(self, n: int, *, generator: Generator) -> Regular:
        """Pixels of a grid of rows and mirrored columns, all of them where `n` allows; the flip of the columns, an approximate
        symmetry of skull and butterfly and a rough one of the apple; and parts of the picture marked by eye."""
        side = max(2, min(self.size, math.isqrt(n)) // 2 * 2)
        half = torch.randperm(self.size // 2, generator=generator)[: side // 2].sort().values
        columns = torch.cat([half, self.size - 1 - half.flip(0)])
        lines = torch.randperm(self.size, generator=generator)[:side].sort().values
        rows = (lines[:, None] * self.size + columns).flatten()
        examples = Examples(
            inputs={"x": coordinates(self.size).float()[rows]},
            targets=self.pixels[rows],
            parts={"row": rows // self.size, "column": rows % self.size},
            combination=rows,
        )
        flip = torch.arange(len(rows)).reshape(len(lines), -1).flip(1).flatten()
        x, y = examples.inputs["x"][:, 0], examples.inputs["x"][:, 1]
        masks = {name: _inside(box, x, y) for name, box in _MARKED[self.name].items()}
        masks["background"] = ~torch.stack(list(masks.values())).any(0)
        shown = {name: mask[:, None].expand(-1, 3) for name, mask in masks.items() if bool(mask.any())}
        return Regular(examples, (Regularity.generated("flip of the columns", [flip], num_outputs=3),), shown)

    def irregular(self, seed: int) -> Task:
        """The picture with random phases: of the same spectrum, and without symmetry."""
        return replace(self, phases="random", seed=seed)


def with_random_phases(picture: Float[Tensor, "h w c"], generator: Generator) -> Float[Tensor, "h w c"]:
    """A picture of the same mean and amplitude at every frequency, with the phases of noise added, equal for all colours. It is
    clipped to [0, 1]."""
    noise = torch.fft.rfft2(torch.randn(picture.shape[:2], generator=generator, dtype=torch.float64))
    turn = noise / noise.abs().clamp(min=1e-12)
    turn[0, 0] = 1
    waves = torch.fft.rfft2(picture.double(), dim=(0, 1)) * turn[..., None]
    return torch.fft.irfft2(waves, s=picture.shape[:2], dim=(0, 1)).clamp(0, 1)


def _inside(box: tuple[float, float, float, float], x: Tensor, y: Tensor) -> Bool[Tensor, " n"]:
    left, right, top, bottom = box
    return (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
