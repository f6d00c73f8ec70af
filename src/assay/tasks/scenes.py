"""Scenes of overlapping sprites with a shape and a colour each, for reconstruction by an autoencoder."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.bounds import check_seed, check_whole
from assay.entities import ObjectScenes
from assay.errors import AssayError
from assay.objective import Regression
from assay.stats import keyed_generator
from assay.task import Examples, Image, Part, Split, Task
from assay.tasks.written import written

SHAPES = ("square", "circle", "wide", "tall", "cross", "triangle")
COLOURS = ("red", "green", "blue", "yellow", "pink", "cyan")
_RGB = ((0.9, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.2, 0.9), (0.9, 0.9, 0.1), (0.9, 0.2, 0.9), (0.1, 0.9, 0.9))
MOST_TRIES = 200
"""The most draws of a scene before an error is raised."""
FREE = 2
"""Number of objects beyond the trained maximum."""
_SAMPLE = 2_000  # scenes for the variance of the pixels
_SEEN = 0.25  # share of an object's pixels that must be visible, and at least two


@dataclass(frozen=True, kw_only=True)
class Scenes(Task):
    """Reconstruction of a picture of several overlapping objects.

    Objects are painted one over the other; at least a quarter of the pixels of each is visible. Colours and shapes may repeat
    in a scene, so that colour alone does not separate objects. A quarter of the pairs of a shape and a colour is never trained.
    The combination is the pair of the first object, the one at the bottom.

    Input `image`: float32 `(n, 3, size, size)` in [0, 1]; the target is all of its pixels, flat.

    **Arguments:**

    - `size`: pixels along a side, 8 to 128.
    - `fewest`, `most`: objects in a trained scene.
    - `num_shapes`, `num_colours`: 2 to 6.
    - `seed`: random seed of the choice of novel pairs.

    **Raises:** `AssayError` for sizes that cannot be met.

    Example::

        task = load_task("scenes:size=16,most=3")
    """

    entities_in: ClassVar[Literal["scenes"]] = "scenes"
    size: int = 10
    fewest: int = 3
    most: int = 4
    num_shapes: int = 4
    num_colours: int = 6
    seed: int = 0
    parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)
    combines: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _held: Bool[Tensor, "shapes colours"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        check_whole("scenes: size", self.size, least=8, most=128)
        check_whole("scenes: fewest", self.fewest, least=1, most=8)
        check_whole("scenes: most", self.most, least=self.fewest, most=8)
        check_whole("scenes: num_shapes", self.num_shapes, least=2, most=len(SHAPES))
        check_whole("scenes: num_colours", self.num_colours, least=2, most=len(COLOURS))
        check_seed("scenes: seed", self.seed)
        generator = keyed_generator(self.seed, "scenes: pairs")
        shape = torch.randperm(self.num_shapes, generator=generator)
        colour = torch.randperm(self.num_colours, generator=generator)
        held = (shape[:, None] + colour[None]) % self.num_colours < max(1, round(self.num_colours / 4))
        parts = Part("shape", SHAPES[: self.num_shapes]), Part("colour", COLOURS[: self.num_colours])
        for name, value in {"_held": held, "parts": parts, "combines": ("shape", "colour")}.items():
            object.__setattr__(self, name, value)

    @property
    def address(self) -> str:
        return written("scenes", self)

    @property
    def input_spec(self) -> Image:
        return Image(channels=3, size=self.size)

    @cached_property
    def objective(self) -> Regression:  # pyrefly: ignore[bad-override]
        images = self.scenes(_SAMPLE, size=self.most, novel=False, generator=keyed_generator(self.seed, "scenes: variance"))
        pixels = images.inputs["image"].flatten(1)
        return Regression(pixels.shape[1], variance=float(pixels.var(0).sum()))

    @property
    def attributes(self) -> dict[str, int]:
        return {"shape": self.num_shapes, "colour": self.num_colours}

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(range(self.fewest, self.most + 1))

    @property
    def larger(self) -> tuple[int, ...]:
        return tuple(range(self.most + 1, self.most + FREE + 1))

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        return (self._held if split == "novel" else ~self._held).nonzero()

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        sizes = torch.randint(self.fewest, self.most + 1, (n,), generator=generator).bincount(minlength=self.most + 1)
        drawn = [self.scenes(int(sizes[size]), size=size, novel=split == "novel", generator=generator) for size in self.sizes]
        inputs = {name: torch.cat([one.inputs[name] for one in drawn]) for name in drawn[0].inputs}
        first = torch.cat([one.attributes[:, 0] for one in drawn])
        parts = {"shape": first[:, 0], "colour": first[:, 1]}
        found = Examples(inputs, inputs["image"].flatten(1), parts, self.combination_id(parts))
        return found.take(torch.randperm(n, generator=generator))

    def scenes(self, n: int, *, size: int, novel: bool, generator: Generator) -> ObjectScenes:
        """Draw scenes. **Raises:** `AssayError` where none of `MOST_TRIES` draws has all objects visible."""
        layout, attributes = torch.zeros(n, size, 4), torch.zeros(n, size, 2, dtype=torch.int64)
        missing = torch.arange(n)
        for _ in range(MOST_TRIES):
            if not len(missing):
                break
            layout[missing], attributes[missing] = self._drawn(len(missing), size, novel, generator)
            seen = self._all_seen(layout[missing], attributes[missing])
            missing = missing[~seen]
        if len(missing):
            raise AssayError(
                f"scenes: {size} objects must all be visible in a picture of {self.size} x {self.size}",
                given=f"{MOST_TRIES} tries without one",
                next_step="ask for fewer objects, or a larger picture",
            )
        return self._shown(layout, attributes)

    def redrawn(self, scenes: ObjectScenes, attributes: Int[Tensor, "n k a"]) -> ObjectScenes:
        """The same layout with other attributes; other shapes may occlude differently."""
        return self._shown(scenes.layout, attributes)

    def _drawn(self, n: int, size: int, novel: bool, generator: Generator) -> tuple[Tensor, Tensor]:
        """Centre and half axes of every object, in pixels, and its shape and colour."""
        radius = self.size * (0.14 + 0.12 * torch.rand(n, size, generator=generator))
        middle = radius[..., None] + torch.rand(n, size, 2, generator=generator) * (self.size - 1 - 2 * radius[..., None])
        stretch = 0.8 + 0.4 * torch.rand(n, size, generator=generator)
        layout = torch.stack([middle[..., 0], middle[..., 1], radius * stretch, radius / stretch], 2)
        trained, held = (~self._held).nonzero(), self._held.nonzero()
        attributes = trained[torch.randint(len(trained), (n, size), generator=generator)]
        if novel:
            attributes[:, 0] = held[torch.randint(len(held), (n,), generator=generator)]
        return layout, attributes

    def _all_seen(self, layout: Float[Tensor, "n k 4"], attributes: Int[Tensor, "n k 2"]) -> Bool[Tensor, " n"]:
        masks = self._masks(layout, attributes[..., 0])
        seen = torch.nn.functional.one_hot(_on_top(masks), masks.shape[1] + 1)[..., 1:].sum((1, 2))
        return (seen >= (_SEEN * masks.sum((2, 3))).clamp(min=2)).all(1)

    def _masks(self, layout: Float[Tensor, "n k 4"], shape: Int[Tensor, "n k"]) -> Bool[Tensor, "n k size size"]:
        """The pixels of every object, including occluded ones."""
        each = torch.arange(self.size, dtype=torch.float32)
        row = (each[:, None] - layout[..., 0, None, None]) / layout[..., 2, None, None]
        column = (each - layout[..., 1, None, None]) / layout[..., 3, None, None]
        row, column = row.expand(*shape.shape, self.size, self.size), column.expand(*shape.shape, self.size, self.size)
        r, c = row.abs(), column.abs()
        forms = (
            (r <= 0.9) & (c <= 0.9),
            row.square() + column.square() <= 1.1,
            (r <= 0.55) & (c <= 1.3),
            (r <= 1.3) & (c <= 0.55),
            ((r <= 0.4) & (c <= 1.1)) | ((c <= 0.4) & (r <= 1.1)),
            (row <= 0.9) & (c <= 0.5 + 0.55 * row),
        )
        return torch.stack(forms).gather(0, shape[None, :, :, None, None].expand(1, *row.shape))[0]

    def _shown(self, layout: Float[Tensor, "n k 4"], attributes: Int[Tensor, "n k 2"]) -> ObjectScenes:
        objects = _on_top(self._masks(layout, attributes[..., 0]))
        colours = torch.cat([torch.zeros(len(layout), 1, 3), torch.tensor(_RGB)[attributes[..., 1]]], 1)
        image = colours.gather(1, objects.flatten(1)[..., None].expand(-1, -1, 3)).mT.unflatten(2, objects.shape[1:])
        return ObjectScenes({"image": image.contiguous()}, objects, attributes, layout)


def _on_top(masks: Bool[Tensor, "n k rows columns"]) -> Int[Tensor, "n rows columns"]:
    """The index from 1 of the last object that covers each pixel; 0 without any."""
    number = torch.arange(1, masks.shape[1] + 1)[:, None, None]
    return (masks * number).amax(1)
