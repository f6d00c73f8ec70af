"""Relations that a task provides for its words: those of people or dictionaries, ratings of pairs, analogies, classes, tags."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class GivesRelations(Protocol):
    """What a task must offer beside a corpus: systems of relations that are independent of any model of the text."""

    def relations(self, words: Sequence[str]) -> Mapping[str, tuple[list[str], Float[np.ndarray, "n n"]]]:
        """By name of a system, those of the words that it knows, and their similarities."""
        ...

    def ratings(self) -> Mapping[str, Sequence[tuple[str, str, float]]]:
        """By name, pairs of words with human ratings."""
        ...

    def analogies(self) -> Sequence[tuple[str, str, str, str]]:
        """Questions: the first word is to the second as the third is to the fourth."""
        ...

    def classes(self, words: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """By name of a classification, those of the words that it knows, and the class of each."""
        ...

    def tags(self) -> Mapping[str, str]:
        """Part of speech by word; empty where none is known."""
        ...
