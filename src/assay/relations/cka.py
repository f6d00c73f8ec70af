"""Debiased linear centred kernel alignment and its permutation null, without any matrix of words by words."""

import numpy as np
from jaxtyping import Float, Int

from assay.errors import AssayError
from assay.relations.vectors import check_same_words

_FEWEST = 4


class _KernelSums:
    """Terms of one system in the unbiased estimator: row sums and the sum of its kernel, with diagonal 0."""

    def __init__(self, vectors: Float[np.ndarray, "n d"]):
        if len(vectors) < _FEWEST:
            raise AssayError("debiased CKA is computed over four words at least", given=len(vectors))
        # CKA is invariant to scale; fourth powers of very large or small numbers overflow or underflow.
        scaled = _scaled(vectors)
        self.vectors = _scaled(scaled - scaled.mean(0))
        self.squares = (self.vectors**2).sum(1)
        self.rows = self.vectors @ self.vectors.sum(0) - self.squares
        self.total = float(self.rows.sum())


def _scaled(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Vectors divided by a power of two, which is exact, so that the largest number lies between .5 and 1."""
    return np.ldexp(vectors, -np.frexp(np.abs(vectors).max(initial=0))[1])


def debiased_cka(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n e"]) -> float:
    """CKA of linear kernels by the unbiased estimator of HSIC (Song et al. 2012, equation 5; Murphy, Zylberberg and Fyshe
    2024): 1 for the same system rotated and scaled, 0 on average for independent ones, however wide they are.

    **Raises:** `AssayError` for fewer than four words, other numbers of them, and vectors that are not finite.

    Example::

        assert abs(debiased_cka(vectors, 2 * vectors @ rotation) - 1) < 1e-9
    """
    check_same_words(a, b)
    one, other = _KernelSums(a), _KernelSums(b)
    norm = _hsic(one, one) * _hsic(other, other)
    return float(_hsic(one, other) / np.sqrt(norm)) if norm > 0 else 0.0


def cka_null(
    a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n e"], order: Int[np.ndarray, "draws n"]
) -> Float[np.ndarray, " draws"]:
    """The same with the words of `b` in the order of each row: one product `d` by `e` per draw."""
    check_same_words(a, b)
    one, other = _KernelSums(a), _KernelSums(b)
    norm = _hsic(one, one) * _hsic(other, other)
    if norm <= 0:
        return np.zeros(len(order))
    return np.array([_hsic(one, other, row) for row in order]) / np.sqrt(norm)


def _hsic(one: _KernelSums, other: _KernelSums, order: Int[np.ndarray, " n"] | None = None) -> float:
    """Unbiased HSIC, up to a factor that cancels in CKA."""
    num = len(one.vectors)
    vectors, squares, rows = (
        (other.vectors, other.squares, other.rows)
        if order is None
        else (other.vectors[order], other.squares[order], other.rows[order])
    )
    trace = float(((one.vectors.T @ vectors) ** 2).sum() - one.squares @ squares)
    return trace + one.total * other.total / ((num - 1) * (num - 2)) - 2 * float(one.rows @ rows) / (num - 2)
