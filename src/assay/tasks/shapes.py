"""Scenes of random closed shapes with two relevant facts of three: containment, contact and number.

After the scenes of Lepori, Serre and Pavlick 2023 (arXiv 2301.10884), with contours and rendering of our own.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.task import POOLS, Image, Pool
from assay.tasks.blobs import NUM_CONTOURS, SIZE, Masks, any_of, fits, grown, overlaps, rasterised, shifted, spectrum
from assay.tasks.odd_one_out import GroupedItems, OddOneOut
from assay.tasks.pools import is_in

Facts = Literal["inside-contact", "inside-count", "contact-count"]
COUNT = 3  # number of shapes in a scene that obeys the part count
GAP = 3  # least pixels between shapes that do not touch
_LARGE, _SMALL = (12.0, 14.0), (3.5, 4.5)  # radii
_MOST_ROUNDS = 50


@dataclass(frozen=True, kw_only=True)
class Shapes(OddOneOut):
    """An item is a picture, float32 `(3, 64, 64)`: a large filled shape, a small one, and perhaps more small ones, each in a
    colour of its own on black.

    - `inside`: the small shape lies within the large one; if not, all of it is outside.
    - `contact`: it touches the edge of the large one, from within or from outside, with no pixel between; if not, at least
      `GAP` pixels are.
    - `count`: there are three shapes; if not, two or four. Those beyond the first two keep away from all others.

    What is not one of the two parts never holds: the small shape is outside, touches nothing, and there are two.

    Every contour, before it is scaled and turned, is in one pool, and so is every scene.

    **Arguments:**

    - `facts`: the two that are the parts.
    """

    family: ClassVar[str] = "shapes"
    facts: Facts = "inside-contact"

    def __post_init__(self):
        if self.facts not in get_args(Facts):
            raise AssayError("shapes: facts must be one of its choices", given=self.facts, choices=get_args(Facts))
        super().__post_init__()

    def item_spec(self) -> Image:
        return Image(channels=3, size=SIZE)

    def candidates(self, obeys: Bool[Tensor, "m 2"], *, pool: Pool, generator: Generator) -> GroupedItems:
        held = {name: obeys[:, k] for k, name in enumerate(self._names())}
        nothing = torch.zeros(len(obeys), dtype=torch.bool)
        inside, contact = held.get("inside", nothing), held.get("contact", nothing)
        if "count" in held:
            few = torch.randint(2, (len(obeys),), generator=generator)
            count = torch.where(held["count"], COUNT, COUNT - 1 + 2 * few)
        else:
            count = torch.full((len(obeys),), 2)
        masks = torch.zeros(len(obeys), COUNT + 1, SIZE, SIZE, dtype=torch.bool)
        group = torch.zeros(len(obeys), dtype=torch.int64)
        missing = torch.arange(len(obeys))
        for _ in range(_MOST_ROUNDS):
            if not len(missing):
                break
            found, contour, there = self._arranged(inside[missing], contact[missing], count[missing], pool, generator)
            masks[missing[there]], group[missing[there]] = found[there], contour[there]
            missing = missing[~there]
        assert not len(missing), "no room for the shapes of a scene"
        return GroupedItems(_painted(masks, generator), group)

    def _names(self) -> tuple[str, str]:
        first, second = self.facts.split("-")
        return first, second

    @cached_property
    def _contours(self) -> dict[Pool, Int[Tensor, " c"]]:
        return {pool: is_in(torch.arange(NUM_CONTOURS), pool).nonzero()[:, 0] for pool in POOLS}

    def _arranged(
        self,
        inside: Bool[Tensor, " m"],
        contact: Bool[Tensor, " m"],
        count: Int[Tensor, " m"],
        pool: Pool,
        generator: Generator,
    ) -> tuple[Bool[Tensor, "m 4 64 64"], Int[Tensor, " m"], Bool[Tensor, " m"]]:
        """The shapes of every scene, the contour of the large one, and whether all of them fit."""
        m = len(inside)
        large, group = self._drawn(m, _LARGE, pool, generator)
        large = shifted(large, any_of(fits(large), generator))
        small, _ = self._drawn(m, _SMALL, pool, generator)
        # The dilated shape must lie in the picture too: overlaps are modulo its size.
        allowed = fits(grown(small, GAP)) & _related(large, small, inside, contact)
        there = allowed.any(1)
        shapes = [large, shifted(small, any_of(allowed, generator))]
        for k in range(2, COUNT + 1):
            further = torch.zeros_like(large)
            wanted = count > k
            if wanted.any():
                small, _ = self._drawn(m, _SMALL, pool, generator)
                taken = torch.stack(shapes).any(0)
                wide = grown(small, GAP)
                allowed = fits(wide) & (overlaps(spectrum(taken), wide) == 0)
                there &= allowed.any(1) | ~wanted
                further = shifted(small, any_of(allowed, generator)) & wanted[:, None, None]
            shapes.append(further)
        return torch.stack(shapes, 1), group, there

    def _drawn(self, m: int, radii: tuple[float, float], pool: Pool, generator: Generator) -> tuple[Masks, Int[Tensor, " m"]]:
        """Shapes around the centre with random contours of the pool, and the indices of these."""
        choices = self._contours[pool]
        contour = choices[torch.randint(len(choices), (m,), generator=generator)]
        size, turn = torch.rand(2, m, generator=generator)
        return rasterised(contour, radii[0] + (radii[1] - radii[0]) * size, 2 * torch.pi * turn), contour


def _related(large: Masks, small: Masks, inside: Bool[Tensor, " m"], contact: Bool[Tensor, " m"]) -> Bool[Tensor, "m shifts"]:
    """The shifts at which the small shape is inside or outside, and touches the edge or not, as in each row."""
    still = spectrum(large)
    outside, within = _met(still, small)
    apart, wrapped = _met(still, grown(small, 1))
    far, deep = _met(still, grown(small, GAP))
    place = torch.where(inside[:, None], within, outside)
    touches, free = torch.where(inside[:, None], ~wrapped, ~apart), torch.where(inside[:, None], deep, far)
    return place & torch.where(contact[:, None], touches, free)


def _met(still: Complex[Tensor, "m 64 33"], mask: Masks) -> tuple[Bool[Tensor, "m shifts"], Bool[Tensor, "m shifts"]]:
    """The shifts at which a mask is disjoint from the other, and at which it lies within it."""
    overlap = overlaps(still, mask)
    return overlap == 0, overlap == mask.sum((1, 2))[:, None]


def _painted(masks: Bool[Tensor, "m k 64 64"], generator: Generator) -> Float[Tensor, "m 3 64 64"]:
    """Later shapes over earlier ones, in evenly spaced hues, in random order from a random first hue."""
    m, k = masks.shape[:2]
    order = torch.rand(m, k, generator=generator).argsort(1)
    hue = (order / k + torch.rand(m, 1, generator=generator)) % 1
    third = torch.tensor([0.0, 1 / 3, 2 / 3])
    colours = (0.6 + 0.4 * torch.cos(2 * torch.pi * (hue[..., None] - third))).clamp(0, 1)
    picture = torch.zeros(m, 3, SIZE, SIZE)
    for shape, colour in zip(masks.unbind(1), colours.unbind(1), strict=True):
        picture = torch.where(shape[:, None], colour[:, :, None, None], picture)
    return picture
