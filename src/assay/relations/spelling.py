"""Similarity of two words by spelling alone: letter pairs, and stems."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

_ENDINGS = (
    *("ing", "ings", "edly", "ed", "er", "ers", "est", "es", "s", "ly", "ness", "less", "ful", "y", "ies", "ied", "d", "r"),
    *("n", "en", "ment", "ments", "ation", "ations", "tion", "ion", "ions", "able", "e", ""),
)
_SHORTEST = 3
_LONGEST_FIRST = tuple(sorted(set(_ENDINGS), key=len, reverse=True))


def spelling_overlap(words: Sequence[str]) -> Float[np.ndarray, "n n"]:
    """Dice coefficients of the sets of letter pairs, with word boundaries as letters.

    Example::

        overlap = spelling_overlap(["cat", "cats", "dog"])
        assert overlap[0, 1] > overlap[0, 2] == 0
    """
    sets = [{f"^{word}$"[k : k + 2] for k in range(len(word) + 1)} for word in words]
    place = {pair: k for k, pair in enumerate(sorted(set().union(*sets)))}
    rows = np.repeat(np.arange(len(words)), [len(one) for one in sets])
    columns = np.array([place[pair] for one in sets for pair in sorted(one)], dtype=np.int64)
    from scipy import sparse

    held = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(words), max(1, len(place))))
    sizes = np.asarray(held.sum(1)).ravel()
    return 2 * (held @ held.T).toarray() / np.maximum(sizes[:, None] + sizes[None], 1)


def same_stem(words: Sequence[str]) -> Bool[np.ndarray, "n n"]:
    """Whether two different words have, by spelling, one stem with two endings of English inflection or derivation: `walk` and
    `walked`, `city` and `cities`. It errs on the side of calling words related."""
    stems = [_stems(word) for word in words]
    holders: dict[str, list[int]] = {}
    for k, found in enumerate(stems):
        for stem in found:
            holders.setdefault(stem, []).append(k)
    table = np.zeros((len(words), len(words)), dtype=bool)
    for held in holders.values():
        table[np.ix_(held, held)] = True
    np.fill_diagonal(table, False)
    return table


def _stems(word: str) -> set[str]:
    """Stems left by each ending; a doubled last letter counts as one."""
    found = set()
    for ending in _LONGEST_FIRST:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            stem = word[: len(word) - len(ending)]
            found.add(stem[:-1] if len(stem) > _SHORTEST and stem[-1] == stem[-2] and ending else stem)
    return found
