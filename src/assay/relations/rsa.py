"""Representational similarity analysis: rank correlation over all pairs of words, with frequency and spelling partialled
out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from assay.relations.vectors import check_same_words


class Rsa(NamedTuple):
    """`rho`: Spearman's correlation over pairs, partial where covariates are given; `null`: under each permutation."""

    rho: float
    null: Float[np.ndarray, " draws"]


def rsa(
    a: Float[np.ndarray, "n n"],
    b: Float[np.ndarray, "n n"],
    *,
    without: Sequence[Float[np.ndarray, "n n"]] = (),
    order: Int[np.ndarray, "draws n"] | None = None,
) -> Rsa:
    """Spearman's correlation of the upper triangles of two symmetric matrices (Kriegeskorte, Mur and Bandettini 2008).

    **Arguments:**

    - `without`: symmetric matrices, such as differences of frequency and overlaps of spelling; ranks of both sides are
      regressed on theirs first (partial Spearman).
    - `order`: permutations of the words of `b` for the null, one a row. `without` is regressed out before the permutation.

    **Raises:** `AssayError` for matrices of different numbers of words, and numbers that are not finite.

    Example::

        rsa(cosine(x), cosine(y), without=[frequency_difference(counts), spelling_overlap(words)], order=orders)
    """
    for matrix in (b, *without):
        check_same_words(a, matrix)
    num = len(a)
    upper = np.triu_indices(num, 1)
    if num < 3:
        return Rsa(0.0, np.zeros(0 if order is None else len(order)))
    from scipy.stats import rankdata

    ranks = np.stack([_standard(rankdata(matrix[upper])) for matrix in (a, b)])
    if without:
        design = np.stack([_standard(rankdata(matrix[upper])) for matrix in without], 1)
        basis, values, _ = np.linalg.svd(design, full_matrices=False)
        basis = basis[:, values > 1e-6 * max(values.max(), 1e-300)]
        ranks = np.stack([_standard(row - basis @ (basis.T @ row)) for row in ranks])
    one, other = ranks
    if order is None:
        return Rsa(float(one @ other), np.zeros(0))
    whole = np.zeros((num, num), dtype=np.float32)
    whole[upper] = other
    whole += whole.T
    first = np.zeros((num, num), dtype=np.float32)
    first[upper] = one
    null = np.array([float((first * whole[row][:, row]).sum(dtype=np.float64)) for row in order])
    return Rsa(float(one @ other), null)


def frequency_difference(counts: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n n"]:
    """Absolute differences of the logarithms of two words' counts."""
    logs = np.log(np.maximum(counts, 1))
    return np.abs(logs[:, None] - logs[None])


def _standard(values: Float[np.ndarray, " pairs"]) -> Float[np.ndarray, " pairs"]:
    """Values with mean 0 and length 1; all zero where constant."""
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1e-9 * max(1.0, float(np.abs(values).max()) * len(values) ** 0.5) else centred * 0
