"""Mutual nearest neighbours: how many of a word's neighbours in one system are its neighbours in the other."""

import numpy as np
from jaxtyping import Bool, Float, Int

from assay.errors import AssayError
from assay.relations.permutations import permutations

_BLOCK = 64  # draws at a time: their indices fit into the cache


def nearest(
    similarity: Float[np.ndarray, "n n"], k: int, *, without: Bool[np.ndarray, "n n"] | None = None
) -> Int[np.ndarray, "n k"]:
    """The `k` most similar other words of each, in no order.

    **Arguments:** `without`: pairs that are left out, such as words of one stem.

    **Raises:** `AssayError` for fewer than `k` other words that are not left out.
    """
    num = len(similarity)
    fewest = num - 1 if without is None or not num else int((~(without | np.eye(num, dtype=bool))).sum(1).min())
    if k > fewest:
        raise AssayError(
            "there must be more words than neighbours",
            given=f"{num} words, of which one has {max(fewest, 0)} others to choose from, and {k} neighbours",
            next_step="give more words that all systems know, or choose fewer neighbours",
        )
    kept = similarity.copy()
    np.fill_diagonal(kept, -np.inf)
    if without is not None:
        kept[without] = -np.inf
    return np.argpartition(-kept, k - 1, axis=1)[:, :k].astype(np.int32)


def mutual_neighbours(a: Int[np.ndarray, "n k"], b: Int[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
    """For every word the share of its neighbours that both systems have (Huh et al. 2024, equation 11)."""
    return _table(a)[np.arange(len(b))[:, None], b].mean(1)


def mutual_null(
    a: Int[np.ndarray, "n k"],
    b: Int[np.ndarray, "n k"],
    *,
    draws: int,
    generator: np.random.Generator,
    groups: Int[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " draws"]:
    """The mean over words under permutations of the words of one system, within `groups` where given.

    No similarity is computed again: a permutation only gives neighbours other names, and the edges of `b` are looked up under
    them in a table of `a`. The mean over free permutations is `k / (n - 1)`.

    Example::

        null = mutual_null(a, b, draws=10_000, generator=np.random.default_rng(0))
        p = (1 + (null >= mutual_neighbours(a, b).mean()).sum()) / (1 + len(null))
    """
    num, k = b.shape
    table = _table(a).ravel()
    first, second = np.repeat(np.arange(num, dtype=np.int32), k), b.ravel()
    found = np.empty(draws)
    for start in range(0, draws, _BLOCK):
        order = permutations(num, min(_BLOCK, draws - start), generator=generator, groups=groups)
        # Row by row, so that what is looked up stays in the cache.
        for row, renamed in enumerate(order):
            found[start + row] = np.count_nonzero(table.take(renamed.take(first) * num + renamed.take(second)))
    return found / max(1, num * k)


def _table(a: Int[np.ndarray, "n k"]) -> Bool[np.ndarray, "n n"]:
    table = np.zeros((len(a), len(a)), dtype=bool)
    table[np.arange(len(a))[:, None], a] = True
    return table
