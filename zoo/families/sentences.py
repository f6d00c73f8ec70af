"""Sentences whose words interact: who is meant follows from adjectives and negations together, never from one word alone.

An active and a passive sentence, both of which say "someone who is big and old greets someone who is small and old":

    does greet: very big, not young; not big, very old
    is greeted: not big, not young; very big, very old
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.stats import keyed_generator
from zoo.families.symbols import SymbolTask

TRAITS = 5
VERY, NOT, ACTIVE, PASSIVE, VERB = range(2 * TRAITS, 2 * TRAITS + 5)
VOCAB = 2 * TRAITS + 5


@dataclass(frozen=True, kw_only=True)
class SymbolSentences(SymbolTask):
    """Each symbol is a set of five traits. A phrase names each of them by either of two opposite adjectives, at random, behind
    *very* or *not*. Two phrases follow a verb of two words; where it is passive, which the option `passive` allows, the second
    phrase shows the first part. So no word of any place is likelier for one symbol than for another. The input is
    `(n, 22, 15)`, one-hot words."""

    family: ClassVar[str] = "sentences"
    passive: bool = False

    @cached_property
    def _traits(self) -> Int[Tensor, "p 5"]:
        chosen = torch.randperm(2**TRAITS, generator=keyed_generator(self.seed, "traits"))[: max(self.sizes)]
        return chosen[:, None] >> torch.arange(TRAITS) & 1

    def shown(self, values: Int[Tensor, "n 2"], *, generator: Generator) -> Float[Tensor, "n 22 15"]:
        n = len(values)
        voice = torch.randint(0, 2 if self.passive else 1, (n, 1), generator=generator)
        said = torch.where(voice == 1, values.flip(1), values)
        traits = self._traits[said]
        negated = torch.randint(0, 2, traits.shape, generator=generator)
        adjectives = 2 * torch.arange(TRAITS) + (traits + negated) % 2
        words = torch.stack([VERY + negated, adjectives], -1)
        words = words.flatten(2)
        return F.one_hot(torch.cat([ACTIVE + voice, torch.full_like(voice, VERB), words.flatten(1)], 1), VOCAB).float()
