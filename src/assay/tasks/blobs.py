"""Random closed contours as pixel masks, and all placements of one beside or inside another.

Distances are exact: the overlap of two masks at all shifts is their cross-correlation, and a mask dilated by d pixels overlaps
everything within d of it.
"""

from functools import cache

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Generator, Tensor
from torch.nn import functional as F

SIZE = 64
NUM_CONTOURS = 512
_HARMONICS = torch.arange(2, 6)
_ROUGHNESS = 0.32  # sum of the amplitudes of all harmonics, as a share of the radius
Masks = Bool[Tensor, "m 64 64"]


@cache
def _contours() -> tuple[Float[Tensor, "c k"], Float[Tensor, "c k"]]:
    """Amplitudes and phases of every contour: r(angle) = radius (1 + sum_k a_k cos(k angle + phase_k))."""
    generator = Generator().manual_seed(20)
    amplitudes = torch.rand(NUM_CONTOURS, len(_HARMONICS), generator=generator)
    amplitudes = _ROUGHNESS * amplitudes / amplitudes.sum(1, keepdim=True)
    return amplitudes, 2 * torch.pi * torch.rand(NUM_CONTOURS, len(_HARMONICS), generator=generator)


@cache
def _grid() -> tuple[Float[Tensor, " pixels"], Float[Tensor, "k pixels"], Float[Tensor, "k pixels"]]:
    """For every pixel its distance from the centre, and cosine and sine of each harmonic of its angle."""
    place = torch.arange(SIZE).float() - SIZE // 2
    y, x = torch.meshgrid(place, place, indexing="ij")
    angles = _HARMONICS[:, None] * torch.atan2(y, x).flatten()
    return (x**2 + y**2).sqrt().flatten(), angles.cos(), angles.sin()


def rasterised(contour: Int[Tensor, " m"], radius: Float[Tensor, " m"], turn: Float[Tensor, " m"]) -> Masks:
    """Filled contours around the centre, rotated by an angle in radians."""
    amplitudes, phases = _contours()
    distance, cosines, sines = _grid()
    phase = phases[contour] + _HARMONICS * turn[:, None]
    amplitude = amplitudes[contour]
    reach = 1 + (amplitude * phase.cos()) @ cosines - (amplitude * phase.sin()) @ sines
    return (distance <= radius[:, None] * reach).unflatten(1, (SIZE, SIZE))


def grown(masks: Masks, by: int) -> Masks:
    """Masks dilated by `by` pixels, diagonals counting one."""
    return F.max_pool2d(masks.float(), 2 * by + 1, stride=1, padding=by) > 0


def shifted(masks: Masks, shift: Int[Tensor, " m"]) -> Masks:
    """Masks shifted by `dy * 64 + dx`, each modulo 64."""
    place = torch.arange(SIZE)
    rows = (place - (shift // SIZE)[:, None]) % SIZE
    columns = (place - (shift % SIZE)[:, None]) % SIZE
    return masks[torch.arange(len(masks))[:, None, None], rows[:, :, None], columns[:, None, :]]


def fits(masks: Masks) -> Bool[Tensor, "m shifts"]:
    """The shifts at which a nonempty mask lies entirely inside the picture."""
    allowed = [_allowed(masks.any(2)), _allowed(masks.any(1))]
    return (allowed[0][:, :, None] & allowed[1][:, None, :]).flatten(1)


def overlaps(still: Complex[Tensor, "m 64 33"], moved: Masks) -> Int[Tensor, "m shifts"]:
    """The number of overlapping pixels at every shift of the moved mask; the other is given by its `spectrum`."""
    product = still * torch.fft.rfft2(moved.float()).conj()
    return torch.fft.irfft2(product, s=(SIZE, SIZE)).round().long().flatten(1)


def spectrum(masks: Masks) -> Complex[Tensor, "m 64 33"]:
    """Spectra of unshifted masks, for `overlaps`."""
    return torch.fft.rfft2(masks.float())


def any_of(allowed: Bool[Tensor, "m shifts"], generator: Generator) -> Int[Tensor, " m"]:
    """A uniformly random allowed shift; any shift where none is allowed."""
    return (torch.rand(allowed.shape, generator=generator) * allowed).argmax(1)


def _allowed(filled: Bool[Tensor, "m 64"]) -> Bool[Tensor, "m 64"]:
    """The shifts modulo 64 at which nothing filled crosses an edge."""
    first = filled.long().argmax(1)
    last = SIZE - 1 - filled.flip(1).long().argmax(1)
    shift = torch.arange(SIZE)
    return (shift < SIZE - last[:, None]) | (shift >= SIZE - first[:, None])
