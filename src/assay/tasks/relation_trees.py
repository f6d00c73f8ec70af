"""Five small worlds: random trees of relations between named entities, and sentences that describe them.

After Diego-Simon, Orhan, Lakretz and King 2026 (arXiv 2605.14125), who probe language models on such worlds; trees, relations
and sentences are ours. Every graph is a tree, so that it can be decoded as one: node 0 is the root, and every other node has a
head among the nodes before it.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Int
from torch import Generator, Tensor

WorldName = Literal["arithmetic", "family", "metro", "scene", "social"]
HEAD, DEPENDENT, RELATION, SECOND = -1, -2, -3, -4
_SLOTS = {"H": HEAD, "D": DEPENDENT, "R": RELATION, "S": SECOND}
_VOWELS, _CONSONANTS = "aeiou", "bdfgklmnprstvz"


class TreeBatch(NamedTuple):
    """Trees, one a row. Entries of node 0 have no meaning."""

    head: Int[Tensor, "n nodes"]
    relation: Int[Tensor, "n nodes"]


@dataclass(frozen=True)
class World:
    """Relations and sentence forms of one world.

    **Attributes:**

    - `relations`: words of the relations; the last `num_new` are held out for new texts.
    - `forms`: two sentences for a fact, of one length and in opposite order, with H, D and R for head, dependent and relation;
      in `arithmetic` S is the second operand.
    """

    relations: tuple[str, ...]
    num_new: int
    forms: tuple[tuple[str, ...], tuple[str, ...]]
    binary: bool = False
    lines: bool = False

    @property
    def edge_relations(self) -> tuple[str, ...]:
        """Labels of edges: in a binary tree every operator has two."""
        return (
            tuple(f"{word}-{side}" for side in ("left", "right") for word in self.relations) if self.binary else self.relations
        )

    def draw(self, n: int, size: int, *, new: bool, generator: Generator) -> TreeBatch:
        """Random trees of `size` nodes. With `new` every second fact, and at least one, has a relation held out for new
        texts."""
        facts = (size - 1) // 2 if self.binary else size - 1
        going_on = torch.rand(n, size, generator=generator) < (0.6 if self.lines else 0.0)
        if self.binary:
            head = _binary(n, size, generator)
        else:
            head = torch.stack([torch.randint(max(1, k), (n,), generator=generator) for k in range(size)], 1)
            head = torch.where(going_on, torch.arange(-1, size - 1).clamp(min=0), head)
        trained = len(self.relations) - self.num_new
        word = torch.randint(trained, (n, facts), generator=generator)
        for fact in range(1, facts if self.lines else 0):  # a line continues under its name
            word[:, fact] = torch.where(going_on[:, fact + 1], word[:, fact - 1], word[:, fact])
        if new:
            kept = torch.randint(trained, len(self.relations), (n, facts), generator=generator)
            where = torch.rand(n, facts, generator=generator) < 0.5
            where[torch.arange(n), torch.randint(facts, (n,), generator=generator)] = True
            word = torch.where(where, kept, word)
        relation = torch.stack([word, word + len(self.relations)], 2).flatten(1) if self.binary else word
        return TreeBatch(head, torch.cat([torch.zeros(n, 1, dtype=torch.int64), relation], 1))


def _binary(n: int, size: int, generator: Generator) -> Int[Tensor, "n nodes"]:
    """Heads of binary trees: a random leaf gets two children, repeatedly."""
    head, is_leaf, rows = torch.zeros(n, size, dtype=torch.int64), torch.zeros(n, size), torch.arange(n)
    is_leaf[:, 0] = 1
    for left in range(1, size, 2):
        chosen = torch.multinomial(is_leaf, 1, generator=generator)[:, 0] if n else torch.zeros(0, dtype=torch.int64)
        head[:, left] = head[:, left + 1] = chosen
        is_leaf[rows, chosen] = 0
        is_leaf[:, left : left + 2] = 1
    return head


_OF = (("D", "is", "R", "of", "H", "."), ("R", "of", "H", "is", "D", "."))
WORLDS: dict[str, World] = {
    "arithmetic": World(
        ("plus", "minus", "times", "over"),
        1,
        (("H", "is", "D", "R", "S", "."), ("D", "R", "S", "makes", "H", ".")),
        binary=True,
    ),
    "family": World(("son", "daughter", "nephew", "niece", "grandson", "granddaughter"), 2, _OF),
    "metro": World(
        ("red", "blue", "green", "yellow", "brown"),
        1,
        (("D", "follows", "H", "on", "R", "."), ("on", "R", "H", "precedes", "D", ".")),
        lines=True,
    ),
    "scene": World(("north", "west", "front", "top", "inside"), 1, _OF),
    "social": World(("teacher", "boss", "doctor", "lawyer", "tenant", "guest"), 2, _OF),
}
"""No relation is the inverse of another, so that relations do not reveal direction."""


def names(count: int) -> tuple[str, ...]:
    """Made-up names, the same for every world: consonant, vowel, consonant, vowel, in a mixed order."""
    size = len(_CONSONANTS) * len(_VOWELS)
    syllables = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
    pairs = (divmod(k * 1999 % size**2, size) for k in range(count))  # 1999 is prime, so no pair occurs twice
    return tuple((syllables[first] + syllables[second]).capitalize() for first, second in pairs)


MOST_NAMES = (len(_CONSONANTS) * len(_VOWELS)) ** 2


def templates(world: World, ids: dict[str, int]) -> Int[Tensor, "2 words"]:
    """The two forms of a fact: ids of words, and negative codes for the slots to fill."""
    return torch.tensor([[_SLOTS[word] if word in _SLOTS else ids[word] for word in form] for form in world.forms])
