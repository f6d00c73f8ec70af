"""What a task can say of its words: relations that people or dictionaries give, ratings of pairs, analogies, classes, tags."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class GivesRelations(Protocol):
    """Ability, beside a corpus: systems of relations that no model of the text has seen as labels."""

    def relations(self, words: Sequence[str]) -> Mapping[str, tuple[list[str], Float[np.ndarray, "n n"]]]:
        """By name those of the words that a system knows, and how alike they are in it."""
        ...

    def ratings(self) -> Mapping[str, Sequence[tuple[str, str, float]]]:
        """By name pairs of words with the rating that people gave them."""
        ...

    def analogies(self) -> Sequence[tuple[str, str, str, str]]:
        """Questions: the first word is to the second as the third is to the fourth."""
        ...

    def classes(self, words: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """By name of a classification the words that it knows, and the class of each."""
        ...

    def tags(self) -> Mapping[str, str]:
        """For words their part of speech; empty where none is known."""
        ...
