"""The task `sprites`: the sum of the numbers of two pictured objects, each with a shape and a colour."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.regularity import Regular, Regularity
from assay.task import Image, Part
from assay.tasks.slots import SlotTask, Values

SIZE = 16
"""Pixels along a side of a picture, which shows one object in each of two quarters."""
MOST = 16
"""Number of kinds of each object."""
COLOURS = ("red", "green", "blue", "yellow")
_RGB = ((0.9, 0.1, 0.1), (0.1, 0.8, 0.1), (0.2, 0.3, 0.9), (0.9, 0.9, 0.1))
_DRAWN = {  # 5 x 5 pixels, row by row
    "square": "#####/#####/#####/#####/#####",
    "ring": "#####/#...#/#...#/#...#/#####",
    "cross": "..#../..#../#####/..#../..#..",
    "corner": "#..../#..../#..../#..../#####",
    "stripes": "#####/...../#####/...../#####",
    "tee": "#####/..#../..#../..#../..#..",
    "slash": "....#/...#./..#../.#.../#....",
    "wall": "#...#/#...#/#...#/#...#/#...#",
}
SHAPES = tuple(_DRAWN)
"""The first object has one of the first four shapes, the second one of the others, so that shapes also tell them apart."""
PLACES = ("upper left", "upper right", "lower left", "lower right")
"""Offsets of an object in its quarter of the picture, two pixels apart."""
_KINDS = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)
_SECOND = MOST
"""Index of the first kind of the second object."""


@dataclass(frozen=True, kw_only=True)
class Sprites(SlotTask):
    """The sum of the numbers of two pictured objects. Input `image` `(n, 3, 16, 16)`; the answer is one of 31 numbers.

    Each object has one of 16 kinds, a shape in a colour; the first is in the upper left quarter of the picture, the second in
    the lower right. Every kind of each object stands for a number from 0 to 15, drawn by `seed`, and the answer is the sum.
    The combination is the pair of kinds, 256 in all. The place of an object within its quarter varies freely, so that a
    combination has 16 pictures. No two kinds give the same answer with the same other object, so every untrained combination
    is outside 1-coverage.

    Moving the first object is a declared symmetry: it changes no answer.

    **Arguments:** those of `SlotTask`; `cue` colours the upper right quarter, in a shade for each answer.

    Example::

        >>> task = assay.load_task("sprites:coverage=0.5")
        >>> drawn = task.examples("novel", 3, generator=torch.Generator().manual_seed(0))
        >>> tuple(drawn.inputs["image"].shape), len(task.combinations("novel"))
        ((3, 3, 16, 16), 128)
    """

    family: ClassVar[str] = "sprites"
    _worth: tuple[Tensor, Tensor] = field(init=False, repr=False, compare=False)

    def _slot_parts(self) -> tuple[Part, ...]:
        kinds = Part("first", _KINDS[:_SECOND]), Part("second", _KINDS[_SECOND:])
        return (*kinds, Part("place of the first", PLACES), Part("place of the second", PLACES))

    def _combined(self) -> tuple[str, ...]:
        return ("first", "second")

    def _num_classes(self) -> int:
        return 2 * MOST - 1

    def _draw_rule(self, generator: Generator) -> None:
        self._set(_worth=(torch.randperm(MOST, generator=generator), torch.randperm(MOST, generator=generator)))

    def _rule(self, values: Values) -> Int[Tensor, " n"]:
        return self._worth[0][values["first"]] + self._worth[1][values["second"]]

    @property
    def input_spec(self) -> Image:
        return Image(channels=3, size=SIZE)

    def _inputs(self, tokens: Int[Tensor, "n slots"]) -> dict[str, Tensor]:
        starts = self._token_starts
        values = {name: tokens[:, k] - starts[name] for k, name in enumerate(self._slots)}
        image = torch.zeros(len(tokens), 3, SIZE, SIZE)
        for name, kinds, corner in (("first", 0, 0), ("second", _SECOND, SIZE // 2)):
            _draw(image, kinds + values[name], values[f"place of the {name}"], corner)
        if self.cue != "none":
            shade = (tokens[:, -1] - starts["cue"]) / (self._num_classes() - 1)
            image[:, :, : SIZE // 2, SIZE // 2 :] = shade[:, None, None, None]
        return {"image": image}

    # The ability DeclaresRegularities

    def regular(self, n: int, *, generator: Generator) -> Regular:
        """Trained pictures with the first object at each of its places; moving it changes no answer. Parts are the places of
        the second object. With permuted answers or a free cue a move does change answers, and none is declared."""
        if self.targets == "table" or self.cue == "free":
            return Regular(self.examples("seen", 0, generator=generator), ())
        known, num = self.combinations("seen"), len(PLACES)
        chosen = torch.randperm(len(known) * num, generator=generator)[: n // num].repeat_interleave(num)
        first, second = known[chosen // num].unbind(1)
        place, other = torch.arange(len(chosen)) % num, chosen % num
        values = {"first": first, "second": second, "place of the first": place, "place of the second": other}
        move = torch.arange(len(chosen)).view(-1, num).roll(1, 1).flatten()
        moves = Regularity.generated("place of the first object", [move], num_outputs=self._num_classes())
        parts = {f"second {name}": (other == k)[:, None].expand(-1, self._num_classes()) for k, name in enumerate(PLACES)}
        return Regular(self._filled(values, "seen", generator), (moves,), parts)


def _draw(image: Float[Tensor, "n 3 size size"], kind: Int[Tensor, " n"], place: Int[Tensor, " n"], corner: int) -> None:
    """Draw an object of each kind at its place in the quarter whose first row and column is `corner`."""
    drawn = torch.tensor([[[pixel == "#" for pixel in row] for row in rows.split("/")] for rows in _DRAWN.values()]).float()
    shape, colour = kind // len(COLOURS), kind % len(COLOURS)
    sprites = drawn[shape][:, None] * torch.tensor(_RGB)[colour][:, :, None, None]
    for k in range(len(PLACES)):
        top, left = corner + 2 * (k // 2), corner + 2 * (k % 2)
        rows = (place == k).nonzero()[:, 0]
        image[rows, :, top : top + 5, left : left + 5] = sprites[rows]
