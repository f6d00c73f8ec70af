"""Numerically robust eigenvalues and singular values of activations, with rounding treated as zero."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

ROUNDING = 1e-12  # share of the sum of squares below which a variance is rounding in single precision, (8 x 2^-23)^2


def eigh(gram: Float[Tensor, "*b d d"]) -> tuple[Float[Tensor, "*b d"], Float[Tensor, "*b d d"]]:
    """Eigenvalues in ascending order and eigenvectors of symmetric matrices.

    Single precision fails on some matrices with many equal eigenvalues, such as the Gram matrix of a constant site: it raises
    or gives NaN. These are decomposed again in double precision.

    **Raises:** `torch.linalg.LinAlgError` for a matrix that is not finite.
    """
    values, vectors = _precisely(torch.linalg.eigh, gram)
    return values, vectors


def svd(matrix: Float[Tensor, "*b n d"]) -> tuple[Float[Tensor, "*b n k"], Float[Tensor, "*b k"], Float[Tensor, "*b k d"]]:
    """The thin singular value decomposition, in double precision where single fails.

    **Raises:** `torch.linalg.LinAlgError` for a matrix that is not finite.
    """
    left, sizes, right = _precisely(lambda given: torch.linalg.svd(given, full_matrices=False), matrix)
    return left, sizes, right


def varying(variances: Float[Tensor, "*b d"], squares: Float[Tensor, "*b"], *, least: float) -> Bool[Tensor, "*b d"]:
    """Mask of the axes whose variance exceeds the share `least` of the largest one, and rounding.

    **Arguments:** `squares`: the uncentred sum of squares of all values, which determines the size of rounding. The values of a
    constant site differ by rounding only, so it has no axis.
    """
    largest = variances.amax(-1, keepdim=True) if variances.shape[-1] else variances
    return variances > (least * largest).maximum(ROUNDING * squares[..., None]).clamp(min=least * 1e-30)


def unit_scale(values: Tensor) -> float:
    """A power of two that rescales values whose squares over- or underflow single precision to about 1; 1 for all others."""
    largest = max(map(abs, map(float, values.aminmax()))) if values.numel() else 0.0
    if not math.isfinite(largest) or largest == 0 or 1e-10 < largest < 1e10:
        return 1.0
    return 2.0 ** -math.frexp(largest)[1]


def _precisely(decompose: Callable[[Tensor], Any], matrix: Tensor) -> list[Tensor]:
    try:
        found = decompose(matrix)
        if all(bool(part.isfinite().all()) for part in found):
            return list(found)
    except torch.linalg.LinAlgError:
        pass
    if not bool(matrix.isfinite().all()):
        raise torch.linalg.LinAlgError("a matrix with NaN or infinite activations has no eigenvalues")
    return [part.to(matrix.dtype) for part in decompose(matrix.double())]
