"""Odd-one-out problems of the task `language`: of four phrases of adjective and noun, one is of another kind."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Generator, Tensor

from assay.stats import keyed_generator
from assay.task import Pool, Tokens
from assay.tasks.language_words import ADJECTIVES, ID, MOST, NOUNS, WORDS
from assay.tasks.odd_one_out import GroupedItems, OddOneOut
from assay.tasks.pools import is_in


@dataclass(frozen=True, kw_only=True)
class OddPhrases(OddOneOut):
    """An item is an adjective and a noun. It obeys a part if its word belongs to one half of the words, drawn by `seed`.

    **Arguments:** `trained`: a mask `(adjectives, nouns)` of the pairs of the pool `base`, so that pairs held out of other
    lines are held out here too.
    """

    family: ClassVar[str] = "language-phrases"
    part_names: ClassVar[tuple[str, str]] = ("adjective", "noun")
    spare: ClassVar[int] = 8
    seed: int = 0
    trained: Bool[Tensor, "adjectives nouns"] = field(repr=False, compare=False)

    def item_spec(self) -> Tokens:
        return Tokens(len(WORDS), 2)

    def candidates(self, obeys: Bool[Tensor, "m 2"], *, pool: Pool, generator: Generator) -> GroupedItems:
        sizes = self.trained.shape
        chosen = []
        for k, name in enumerate(self.part_names):
            order = torch.randperm(sizes[k], generator=keyed_generator(self.seed, f"language: kinds of {name}s"))
            half = sizes[k] // 2
            place = torch.randint(half, (len(obeys),), generator=generator) + torch.where(obeys[:, k], 0, half)
            chosen.append(order[place])
        adjective, noun = chosen
        # Untrained items count as items of another pool, so that they are drawn again.
        group = adjective * MOST + noun
        if pool == "base":
            group = torch.where(self.trained[adjective, noun], group, self._elsewhere)
        return GroupedItems(torch.stack([adjective + ID[ADJECTIVES[0]], noun + ID[NOUNS[0]]], 1), group)

    @property
    def _elsewhere(self) -> int:
        """A group outside the pool `base`."""
        return int((~is_in(torch.arange(10_000, 10_100), "base")).nonzero()[0, 0]) + 10_000
