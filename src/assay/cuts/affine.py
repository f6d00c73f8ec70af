"""Whether a call is affine in its input-dependent arguments, decided by numbers."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

HUGE = 1e30
"""Entries beyond it stand for infinity (the value that masks an attention score): they are neither perturbed nor compared."""

Function = Callable[[Sequence[Tensor]], Sequence[Tensor]]


def is_affine(function: Function, points: Sequence[Tensor], *, tolerance: float, seed: int) -> bool:
    """Whether f((a + b) / 2) = (f(a) + f(b)) / 2 for random a and b around the real arguments, all arguments together.

    A function that is affine in each argument alone, such as a product of two arguments, is not affine. Half of the entries move
    by about twice the size of the argument plus one, half by ten times as much, so that bends away from the real
    values are met too; small arguments are drawn repeatedly, up to 64 numbers.

    **Arguments:**

    - `function`: from the arguments to its floating-point results.
    - `points`: the real arguments, of any floating-point or complex type.
    - `tolerance`: of the difference, as a share of the largest result.
    - `seed`: of the perturbations.

    ```python
    >>> is_affine(lambda x: [3 * x[0] + 1], [torch.ones(2)], tolerance=1e-5, seed=0)
    True
    >>> is_affine(lambda x: [x[0] * x[1]], [torch.ones(2), torch.ones(2)], tolerance=1e-5, seed=0)
    False
    ```
    """
    generator = Generator().manual_seed(seed)
    draws = math.ceil(64 / max(1, min(64, sum(point.numel() for point in points))))
    real = function(points)
    for _ in range(draws):
        a, b = ([_perturbed(point, generator) for point in points] for _ in range(2))
        middle = [torch.where(_huge(point), point, x / 2 + y / 2) for point, x, y in zip(points, a, b, strict=True)]
        results = zip(real, function(a), function(b), function(middle), strict=True)
        if not all(_halfway(*four, tolerance=tolerance) for four in results):
            return False
    return True


def _huge(point: Tensor) -> Tensor:
    return ~(point.abs() < HUGE)  # NaN included


def _perturbed(point: Tensor, generator: Generator) -> Tensor:
    huge = _huge(point)
    sizes = point.abs().masked_fill(huge, 0)
    scale = 2 * (sizes.square().mean().sqrt() if point.numel() else 0) + 1
    noise = torch.randn(point.shape, generator=generator, dtype=point.dtype if point.is_complex() else torch.float64)
    wide = torch.rand(point.shape, generator=generator) < 0.5
    noise = torch.where(wide, 10 * noise, noise).to(device=point.device, dtype=point.dtype)
    return torch.where(huge, point, point + scale * noise)


def _halfway(real: Tensor, a: Tensor, b: Tensor, middle: Tensor, *, tolerance: float) -> bool:
    usual = ~_huge(real)
    if not all(bool(torch.isfinite(result[usual]).all()) for result in (a, b, middle)):
        return False  # outside its domain, as the logarithm of a negative number
    a, b, middle = a[usual], b[usual], middle[usual]
    if not middle.numel():
        return True
    size = torch.stack([a.abs().max(), b.abs().max(), middle.abs().max()]).max()
    return bool((middle - (a / 2 + b / 2)).abs().max() <= tolerance * size)
