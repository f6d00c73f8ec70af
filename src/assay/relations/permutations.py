"""Permutations of words: free, or within groups such as words of like frequency."""

import numpy as np
from jaxtyping import Int

_FEW = 1024  # the most groups: their numbers leave 14 bits of a single-precision key


def permutations(
    num: int, draws: int, *, generator: np.random.Generator, groups: Int[np.ndarray, " n"] | None = None
) -> Int[np.ndarray, "draws n"]:
    """Random permutations of `num` words, one a row; within `groups`, where given.

    Example::

        permutations(4, 100, generator=np.random.default_rng(0), groups=np.array([0, 1, 0, 1]))
    """
    keys = generator.random((draws, num), dtype=np.float32)
    if groups is None:
        return keys.argsort(1).astype(np.int32)
    # Not the labels themselves: a large one would cost digits of the key.
    names, groups = np.unique(groups, return_inverse=True)
    exact = np.float32 if len(names) <= _FEW else np.float64
    home = np.argsort(groups, kind="stable").astype(np.int32)  # the words sorted by group
    shuffled = home[(keys[:, home] + groups[home].astype(exact)).argsort(1, kind="stable")]
    found = np.empty((draws, num), dtype=np.int32)
    found[:, home] = shuffled
    return found
