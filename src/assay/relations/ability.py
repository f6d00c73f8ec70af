"""What a task can say of its words: relations that people or dictionaries give, ratings of pairs, parts of speech."""

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

    def tags(self) -> Mapping[str, str]:
        """For words their part of speech; empty where none is known."""
        ...
