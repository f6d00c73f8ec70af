"""Comparison of a system of relations with human judgements: rated pairs, and analogies."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from assay.errors import AssayError
from assay.relations.vectors import unit_vectors
from assay.stats import rank_correlation

Pair = tuple[int, int]


def rated_correlation(
    vectors: Float[np.ndarray, "n d"], pairs: Int[np.ndarray, "p 2"], ratings: Float[np.ndarray, " p"]
) -> float:
    """Spearman's correlation of cosines and ratings over pairs of words (rows of `vectors`); 0 where all cosines or all
    ratings are equal.

    **Raises:** `AssayError` for fewer than three pairs, and for ratings that are not finite.
    """
    if len(pairs) < 3:
        raise AssayError(
            "a correlation with ratings needs three pairs at least",
            given=f"{len(pairs)} pairs whose words are both known",
            next_step="give more words, in lower case",
        )
    _check_finite(ratings)
    unit = unit_vectors(vectors)
    return float(np.nan_to_num(rank_correlation((unit[pairs[:, 0]] * unit[pairs[:, 1]]).sum(1), ratings)))


def rated_null(
    vectors: Float[np.ndarray, "n d"],
    pairs: Int[np.ndarray, "p 2"],
    ratings: Float[np.ndarray, " p"],
    order: Int[np.ndarray, "draws n"],
) -> Float[np.ndarray, " draws"]:
    """The same correlation when words have the vectors of others, in the order of each row. **Raises:** `AssayError` for
    ratings that are not finite."""
    _check_finite(ratings)
    unit = unit_vectors(vectors).astype(np.float32)
    cosines = np.stack([(unit[row[pairs[:, 0]]] * unit[row[pairs[:, 1]]]).sum(1) for row in order])
    return np.nan_to_num(rank_correlation(cosines, np.broadcast_to(ratings, cosines.shape)))


def _check_finite(ratings: Float[np.ndarray, " p"]) -> None:
    if not np.isfinite(ratings).all():
        raise AssayError(
            "ratings must be finite numbers",
            given=f"{int((~np.isfinite(ratings)).sum())} of {len(ratings)} that are not",
            next_step="leave out pairs without a rating",
        )


def analogy_accuracy(
    vectors: Float[np.ndarray, "n d"],
    place: Mapping[str, int],
    questions: Sequence[tuple[str, str, str, str]],
    *,
    excluding: bool = True,
) -> Float[np.ndarray, " questions"]:
    """For every analogy `a : b = c : d` whose words are known, whether `d` is nearest to `b - a + c` among all words.

    **Arguments:** `excluding`: leave the three given words out of the candidates, as is the custom; without it a short offset
    gives `c` or `b` (Linzen 2016; Rogers, Drozd and Li 2017).

    **Returns:** 1 or 0 for every question whose words are known, and 1 / n where `d` is one of n equally near words.
    """
    unit = unit_vectors(vectors)
    known = [[place[word] for word in question] for question in questions if all(word in place for word in question)]
    if not known:
        return np.zeros(0)
    a, b, c, d = np.array(known).T
    found = (unit[b] - unit[a] + unit[c]) @ unit.T
    if excluding:
        rows = np.arange(len(found))
        for given in (a, b, c):
            found[rows, given] = -np.inf
    own, best = found[np.arange(len(found)), d], found.max(1)
    tied = found >= best[:, None] - 1e-9  # tolerance of cosines with vectors of length 3 at most
    return np.where((own >= best - 1e-9) & np.isfinite(own), 1 / tied.sum(1), 0.0)


def analogies_by_pair(
    vectors: Float[np.ndarray, "n d"],
    place: Mapping[str, int],
    questions: Sequence[tuple[str, str, str, str]],
    *,
    excluding: bool = True,
) -> Float[np.ndarray, " pairs"]:
    """The share of questions answered for every pair `c : d`, which occurs in many questions and is the unit."""
    known = [question for question in questions if all(word in place for word in question)]
    right = analogy_accuracy(vectors, place, known, excluding=excluding)
    pairs = list(dict.fromkeys(question[2:] for question in known))
    which = np.array([pairs.index(question[2:]) for question in known], dtype=np.int64)
    return np.bincount(which, right, minlength=len(pairs)) / np.maximum(np.bincount(which, minlength=len(pairs)), 1)
