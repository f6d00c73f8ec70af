"""Counted word vectors: positive pointwise mutual information, and its singular vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from assay.bounds import check_whole
from assay.errors import AssayError
from assay.text.word_counts import Vocabulary, words_of

WINDOW, DIMENSIONS, SMOOTHING, MOST_WORDS = 4, 200, 0.75, 6_000


def cooccurrences(texts: Sequence[str], vocabulary: Vocabulary, *, window: int = WINDOW) -> Any:
    """Numbers of pairs of words at most `window` words apart, as a sparse matrix. Words outside the vocabulary count towards
    the distance, and no pair spans two texts."""
    from scipy import sparse

    size, place = len(vocabulary), vocabulary.place
    total = sparse.csr_matrix((size, size))
    gap = np.full(window, -1)
    rows = [np.fromiter((place.get(word, -1) for word in words_of(text)), dtype=np.int64) for text in texts]
    line = np.concatenate([part for row in rows for part in (row, gap)]) if rows else gap
    for apart in range(1, window + 1):
        first, second = line[:-apart], line[apart:]
        kept = (first >= 0) & (second >= 0)
        total = total + sparse.csr_matrix((np.ones(int(kept.sum())), (first[kept], second[kept])), shape=(size, size))
    return sparse.csr_matrix(total + total.T)


def ppmi(counts: Any, *, smoothing: float = SMOOTHING) -> Any:
    """Positive pointwise mutual information of a sparse matrix of counts, with the distribution of contexts raised to
    `smoothing` (Levy, Goldberg and Dagan 2015, section 3.1). Sparse."""
    from scipy import sparse

    rows = np.asarray(counts.sum(1)).ravel()
    columns = np.asarray(counts.sum(0)).ravel() ** smoothing
    found = counts.tocoo()
    with np.errstate(divide="ignore"):
        values = np.log(found.data * columns.sum() / (rows[found.row] * columns[found.col]))
    kept = values > 0
    return sparse.csr_matrix((values[kept], (found.row[kept], found.col[kept])), shape=counts.shape)


def ppmi_vectors(
    texts: Sequence[str],
    words: Sequence[str],
    *,
    seed: int,
    window: int = WINDOW,
    dimensions: int = DIMENSIONS,
    most_words: int = MOST_WORDS,
) -> Float[np.ndarray, "words d"]:
    """Word vectors from co-occurrence counts: a system of relations without learned parameters.

    Counts within `window` words, among the `most_words` most frequent words and the requested ones; PPMI; the left singular
    vectors times the square root of the singular values (Levy et al. 2015, equation 8).

    **Arguments:** `words`: to return, in this order; a word that never occurs has the zero vector.

    **Raises:** `AssayError` for texts with fewer than two words, and for windows or dimensions below 1.

    Example::

        vectors = ppmi_vectors(["the cat sat", "the dog sat"], ["cat", "dog"], seed=0, dimensions=2)
    """
    from sklearn.utils.extmath import randomized_svd

    check_whole("window", window, least=1, most=10_000)
    check_whole("dimensions", dimensions, least=1, most=100_000)
    whole = Vocabulary.of(texts)
    if len(whole) < 2:
        raise AssayError("vectors are counted over two words at least", given=f"{len(whole)}", next_step="give longer texts")
    wanted = set(words)
    kept = [k for k, word in enumerate(whole.words) if k < most_words or word in wanted]
    vocabulary = Vocabulary(tuple(whole.words[k] for k in kept), tuple(whole.counts[k] for k in kept))
    matrix = ppmi(cooccurrences(texts, vocabulary, window=window))
    left, values, _ = randomized_svd(matrix, min(dimensions, len(vocabulary) - 1), n_iter=4, random_state=seed % 2**32)
    vectors = left * np.sqrt(values)
    found = np.zeros((len(words), vectors.shape[1]))
    for row, word in enumerate(words):
        if (place := vocabulary.place.get(word)) is not None:
            found[row] = vectors[place]
    return found
