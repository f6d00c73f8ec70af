"""Words: runs of letters in lower case, their counts, and groups of like frequency."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from assay.display import brief
from assay.errors import AssayError

WORD = re.compile(r"[^\W\d_]+")
OF_LIKE_FREQUENCY = 10
"""Words of a group: few enough that they hardly differ in frequency."""


def words_of(text: str) -> list[str]:
    """Every run of letters, in lower case.

    Example::

        assert words_of("Call me Ishmael.") == ["call", "me", "ishmael"]
    """
    # Matched before lower-casing, which turns some letters into two characters, one of them not a letter.
    return [word.lower() for word in WORD.findall(text)]


@dataclass(frozen=True)
class Vocabulary:
    """Words and how often each occurs, the most frequent first and equally frequent ones by spelling.

    Example::

        assert Vocabulary.of(["to be or not to be"]).words == ("be", "to", "not", "or")
    """

    __repr__ = brief

    words: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Vocabulary":
        """The vocabulary of all words of the texts."""
        counts = Counter(word for text in texts for word in words_of(text))
        order = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(order), tuple(counts[word] for word in order))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Index of each word."""
        return {word: k for k, word in enumerate(self.words)}

    def chosen(
        self, *, least: int = 1, most: int = 10**9, among: Collection[str] | None = None, shortest: int = 1
    ) -> "Vocabulary":
        """The words with a count from `least` to `most`, among the given ones, and with at least `shortest` letters."""
        kept = [
            k
            for k, word in enumerate(self.words)
            if least <= self.counts[k] <= most and len(word) >= shortest and (among is None or word in among)
        ]
        return Vocabulary(tuple(self.words[k] for k in kept), tuple(self.counts[k] for k in kept))

    def first(self, num: int) -> "Vocabulary":
        """The `num` most frequent words."""
        return Vocabulary(self.words[:num], self.counts[:num])


def frequency_bins(counts: Int[np.ndarray, " n"], num: int | None = None) -> Int[np.ndarray, " n"]:
    """Groups of similar count, as equal in size as possible, with at least two words each. `num`: of groups, by default one for
    every ten words."""
    num = max(1, len(counts) // OF_LIKE_FREQUENCY) if num is None else num
    order = np.argsort(counts, kind="stable")
    groups = np.empty(len(counts), dtype=np.int64)
    groups[order] = np.arange(len(counts)) * min(num, max(1, len(counts) // 2)) // max(1, len(counts))
    return groups


def shared_words(*vocabularies: Collection[str], least: int, what: str = "the systems") -> list[str]:
    """Words in all vocabularies, in the order of the first. **Raises:** `AssayError` for fewer than `least`."""
    first, *others = vocabularies
    known = [set(words) for words in others]
    shared = [word for word in first if all(word in words for words in known)]
    if len(shared) < least:
        raise AssayError(
            f"{what} must share at least {least} words",
            given=f"{len(shared)} shared of {' and '.join(str(len(words)) for words in vocabularies)}"
            + ("; the vocabularies do not overlap" if not shared else ""),
            next_step="check that both are lower-case words of one language, or choose fewer neighbours",
        )
    return shared
