"""Numerical test of whether a call is affine in its input-dependent arguments."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

HUGE = 1e30
"""Entries beyond it count as infinite, such as masked attention scores, and are neither perturbed nor compared."""

Function = Callable[[Sequence[Tensor]], Sequence[Tensor]]


def is_affine(function: Function, points: Sequence[Tensor], *, tolerance: float, seed: int) -> bool:
    """Whether f((a + b) / 2) = (f(a) + f(b)) / 2 for random a and b around the real arguments, all arguments together.

    A function that is affine in each argument separately, such as a product, is therefore not affine. Perturbations are cubed
    normal numbers, which span orders of magnitude, times twice the size of the argument plus one, so that bends away from the
    real values are found too. Small arguments are perturbed repeatedly, up to 64 numbers.

    **Arguments:**

    - `function`: from the arguments to its results. With integers among these it is not affine.
    - `points`: the real arguments, of any floating-point or complex type.
    - `tolerance`: largest difference, relative to the largest result.
    - `seed`: of the perturbations.

    ```python
    >>> is_affine(lambda x: [3 * x[0] + 1], [torch.ones(2)], tolerance=1e-4, seed=0)
    True
    >>> is_affine(lambda x: [x[0] * x[1]], [torch.ones(2), torch.ones(2)], tolerance=1e-4, seed=0)
    False
    ```
    """
    generator = Generator().manual_seed(seed)
    draws = math.ceil(64 / max(1, min(64, sum(point.numel() for point in points))))
    for _ in range(draws):
        three = [_perturbed(point, generator) for point in points]
        a, b, middle = (function([some[k] for some in three]) for k in range(3))
        if not all(_halfway(*results, tolerance=tolerance) for results in zip(a, b, middle, strict=True)):
            return False
    return True


def _perturbed(point: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Two points around a real one, and the one halfway between them."""
    huge = ~(point.abs() < HUGE)  # NaN included
    masked = bool(huge.any())
    known = point.masked_fill(huge, 0) if masked else point
    scale = 2 * (float(known.abs().square().mean().sqrt()) if point.numel() else 0.0) + 1
    drawn = torch.randn(point.shape, generator=generator, dtype=torch.complex64 if point.is_complex() else torch.float32)
    noise = drawn.to(point).pow_(3).mul_(scale)
    # The second perturbation is a permutation of the first, which takes half as long as two draws.
    a, b = point + noise, point - 0.7 * noise.flatten().flip(0).view_as(noise)
    if masked:
        a, b = torch.where(huge, point, a), torch.where(huge, point, b)
        return a, b, torch.where(huge, point, a / 2 + b / 2)
    return a, b, (a + b) / 2


def _halfway(a: Tensor, b: Tensor, middle: Tensor, *, tolerance: float) -> bool:
    """Whether the value at the midpoint is the mean of the values at both ends."""
    if not (a.is_floating_point() or a.is_complex()):
        return False
    if not middle.numel():
        return True
    if not _size(a, b, middle) < HUGE:
        still = (a == b) & (a == middle)  # masked entries, which no argument changes
        a, b, middle = (some.masked_fill(still, 0) for some in (a, b, middle))
    size = _size(a, b, middle)
    # Not finite outside the domain, such as the logarithm of a negative number.
    return math.isfinite(size) and float((middle - (a / 2 + b / 2)).abs().max()) <= tolerance * size


def _size(*tensors: Tensor) -> float:
    return max(float(tensor.abs().max()) for tensor in tensors)
