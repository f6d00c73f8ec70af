"""Mutual nearest neighbours: the share of a word's neighbours that two systems have in common."""

import numpy as np
from jaxtyping import Bool, Float, Int

from assay.bounds import check_whole
from assay.errors import AssayError
from assay.relations.permutations import permutations
from assay.relations.vectors import check_same_words

_BLOCK = 64  # draws per batch, so that their indices fit into the cache
_TIE = 1e-10  # share of the largest similarity within which two are equal


def nearest(
    similarity: Float[np.ndarray, "n n"],
    k: int,
    *,
    without: Bool[np.ndarray, "n n"] | None = None,
    generator: np.random.Generator | None = None,
) -> Int[np.ndarray, "n k"]:
    """The `k` most similar other words of each word, unordered.

    **Arguments:**

    - `without`: pairs that are left out, such as words of one stem.
    - `generator`: breaks ties, such as equal distances in a dictionary; `default_rng(0)` by default. Two systems that are
      compared need one each, or they agree on words that neither distinguishes.

    **Raises:** `AssayError` for `k` below 1, fewer than `k` other words that are not left out, and similarities that are not
    finite.
    """
    check_whole("the number of neighbours", k, least=1, most=10**9)
    num = len(similarity)
    fewest = num - 1 if without is None or not num else int((~(without | np.eye(num, dtype=bool))).sum(1).min())
    if k > fewest:
        raise AssayError(
            "there must be more words than neighbours",
            given=f"{num} words, of which one has {max(fewest, 0)} others to choose from, and {k} neighbours",
            next_step="give more words that all systems know, or choose fewer neighbours",
        )
    if not np.isfinite(similarity).all():
        raise AssayError(
            "similarities of words must be finite",
            given=f"{int((~np.isfinite(similarity)).any(1).sum())} of {num} words with others",
            next_step="leave these words out",
        )
    generator = np.random.default_rng(0) if generator is None else generator
    # Far below any difference between cosines, and above their rounding.
    kept = similarity + _TIE * (float(np.abs(similarity).max(initial=0)) or 1.0) * generator.random(similarity.shape)
    np.fill_diagonal(kept, -np.inf)
    if without is not None:
        kept[without] = -np.inf
    return np.argpartition(-kept, k - 1, axis=1)[:, :k].astype(np.int32)


def mutual_neighbours(a: Int[np.ndarray, "n k"], b: Int[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
    """For every word the share of its neighbours that both systems have (Huh et al. 2024, equation 11).

    **Raises:** `AssayError` for different numbers of words."""
    check_same_words(a, b)
    return _table(a)[np.arange(len(b))[:, None], b].mean(1)


def mutual_null(
    a: Int[np.ndarray, "n k"],
    b: Int[np.ndarray, "n k"],
    *,
    draws: int,
    generator: np.random.Generator,
    groups: Int[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " draws"]:
    """The mean of `mutual_neighbours` over words under permutations of the words of one system, within `groups` where given.

    No similarity is recomputed: a permutation renames neighbours, and the edges of `b` are looked up under their new names in a
    table of `a`. The mean over free permutations is `k / (n - 1)`.

    Example::

        null = mutual_null(a, b, draws=10_000, generator=np.random.default_rng(0))
        p = (1 + (null >= mutual_neighbours(a, b).mean()).sum()) / (1 + len(null))
    """
    check_same_words(a, b)
    num, k = b.shape
    if groups is not None and len(groups) != num:
        raise AssayError("every word must have a group", given=f"{len(groups)} groups of {num} words")
    table = _table(a).ravel()
    first, second = np.repeat(np.arange(num, dtype=np.int32), k), b.ravel()
    found = np.empty(draws)
    for start in range(0, draws, _BLOCK):
        order = permutations(num, min(_BLOCK, draws - start), generator=generator, groups=groups)
        # Row by row, so that the lookups stay in the cache.
        for row, renamed in enumerate(order):
            found[start + row] = np.count_nonzero(table.take(renamed.take(first) * num + renamed.take(second)))
    return found / max(1, num * k)


def _table(a: Int[np.ndarray, "n k"]) -> Bool[np.ndarray, "n n"]:
    table = np.zeros((len(a), len(a)), dtype=bool)
    table[np.arange(len(a))[:, None], a] = True
    return table
