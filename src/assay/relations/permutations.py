"""Permutations of words: free, or within groups such as words of like frequency."""

import numpy as np
from jaxtyping import Int

_FEW = 1024  # groups: their numbers leave a key of single precision 14 bits


def permutations(
    num: int, draws: int, *, generator: np.random.Generator, groups: Int[np.ndarray, " n"] | None = None
) -> Int[np.ndarray, "draws n"]:
    """Random orders of `num` words, one a row; within `groups`, where they are given: a word then takes the place of one of
    its group.

    Example::

        permutations(4, 100, generator=np.random.default_rng(0), groups=np.array([0, 1, 0, 1]))
    """
    keys = generator.random((draws, num), dtype=np.float32)
    if groups is None:
        return keys.argsort(1).astype(np.int32)
    # Not the labels themselves: beside a large one the digits of a key are lost.
    names, groups = np.unique(groups, return_inverse=True)
    exact = np.float32 if len(names) <= _FEW else np.float64
    home = np.argsort(groups, kind="stable").astype(np.int32)  # the words, group after group
    shuffled = home[(keys[:, home] + groups[home].astype(exact)).argsort(1, kind="stable")]
    found = np.empty((draws, num), dtype=np.int32)
    found[:, home] = shuffled
    return found
