"""Binding in context: lists of entities with one attribute each, and a query for the attribute of one entity."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.bounds import check_real, check_seed, check_whole
from assay.entities import NOVEL, Contexts, Pairs, Written
from assay.errors import AssayError
from assay.objective import Classification
from assay.stats import keyed_generator
from assay.task import Examples, Part, Split, Task, Tokens
from assay.tasks.list_words import KINDS
from assay.tasks.written import written

KindName = Literal["city", "shape", "food", "made-up"]
Novel = Literal["role", "queried", "balanced", "all"]
MOST_ENTITIES = 16
MOST_TRIES = 100
"""Largest number of attempts to draw a list."""


@dataclass(frozen=True, kw_only=True)
class Lists(Task):
    """The attribute of the queried entity in the list before the query: `E1 A1 . E2 A2 . ... ? Eq`.

    Every list pairs entities with attributes afresh, so that the answer can only be found in the list. A quarter of all pairs
    is never trained; a sixteenth is trained only at the first place of a list. The combination is the queried pair. A list
    begins at a random one of the free positions, so that lists longer than those in training still use trained positions.

    **Arguments:**

    - `kind`: the words for entities and attributes: `city`, `shape`, `food` or `made-up`.
    - `num_entities`, `num_attributes`: 4 to 16.
    - `smallest`, `largest`: smallest and largest number of entities in a training list.
    - `free`: number of places beyond the longest training list. With 0 every list begins at the first place.
    - `fixed`: share of the training lists in which every entity has one fixed attribute, that of the world. 0 is neutral.
    - `novel`: the kind of new pairs in the novel split: `queried`, `balanced`, `all` or `role` (`assay.entities.Pairs`).
    - `backwards`: the attribute precedes its entity.
    - `seed`: random seed of the held-out pairs and of the world's pairs.

    **Raises:** `AssayError` for sizes that cannot be met.

    Example::

        task = load_task("lists:num_entities=8,num_attributes=8,largest=3")
    """

    entities_in: ClassVar[Literal["lists"]] = "lists"
    kind: KindName = "city"
    num_entities: int = 16
    num_attributes: int = 16
    smallest: int = 2
    largest: int = 4
    free: int = 2
    fixed: float = 0.0
    novel: Novel = "queried"
    backwards: bool = False
    seed: int = 0
    parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)
    combines: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _held: Bool[Tensor, "entities attributes"] = field(init=False, repr=False, compare=False)
    _first: Bool[Tensor, "entities attributes"] = field(init=False, repr=False, compare=False)
    _world: Int[Tensor, " entities"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if self.kind not in KINDS:
            raise AssayError("lists: kind must be one of its choices", given=self.kind, choices=KINDS)
        for name in ("num_entities", "num_attributes"):
            check_whole(f"lists: {name}", getattr(self, name), least=4, most=MOST_ENTITIES)
        check_whole("lists: smallest", self.smallest, least=2, most=self.num_entities)
        check_whole("lists: largest", self.largest, least=self.smallest, most=self.num_entities)
        check_real("lists: fixed", self.fixed, least=0.0)
        check_whole("lists: free", self.free, least=0, most=MOST_ENTITIES)
        check_seed("lists: seed", self.seed)
        if self.fixed > 1:
            raise AssayError("lists: fixed is a share and must lie between 0 and 1", given=self.fixed)
        if self.novel not in NOVEL:
            raise AssayError("lists: novel must be one of its choices", given=self.novel, choices=NOVEL)
        held, first, world = self._drawn()
        if self.largest > self.num_attributes - int(held.sum(1).max()) - 1:
            raise AssayError(
                "lists: every entity of a list needs a trained attribute that no other entity has",
                given=f"{self.largest} entities, {self.num_attributes - int(held.sum(1).max()) - 1} trained attributes each",
                next_step="choose more attributes, or shorter lists",
            )
        words = KINDS[self.kind]
        parts = (
            Part("entity", words.entities[: self.num_entities]),
            Part("attribute", words.attributes[: self.num_attributes]),
            Part("place", tuple(str(k + 1) for k in range(self.largest))),
        )
        made = {"_held": held, "_first": first, "_world": world, "parts": parts, "combines": ("entity", "attribute")}
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def _drawn(self) -> tuple[Tensor, Tensor, Tensor]:
        """The pairs that are held out, the pairs that are trained at the first place only, and the pairs of the world."""
        generator = keyed_generator(self.seed, "lists: pairs")
        entity = torch.randperm(self.num_entities, generator=generator)
        attribute = torch.randperm(self.num_attributes, generator=generator)
        # Diagonals of the square of pairs, so that every entity has equally many of each kind.
        diagonal = (entity[:, None] + attribute[None]) % self.num_attributes
        quarter = max(1, round(self.num_attributes / 4))
        return diagonal < quarter, diagonal == quarter, (diagonal == quarter + 1).long().argmax(1)

    @property
    def address(self) -> str:
        return written("lists", self)

    @property
    def places(self) -> int:
        """Number of entities in the longest list that can be written."""
        return min(self.largest + self.free, self.num_entities)

    @property
    def input_spec(self) -> Tokens:
        return Tokens(vocab=self.num_entities + self.num_attributes + 3, length=3 * self.places + 2)

    @property
    def objective(self) -> Classification:
        return Classification(self.num_attributes)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(range(self.smallest, self.largest + 1))

    @property
    def larger(self) -> tuple[int, ...]:
        return tuple(range(self.largest + 1, self.places + 1))

    @property
    def answers(self) -> Int[Tensor, " attributes"]:
        return torch.arange(self.num_attributes)

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        if split == "novel":
            return (self._first if self.novel == "role" else self._held).nonzero()
        return (~self._held).nonzero()

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        pairs: Pairs = self.novel if split == "novel" else "trained"
        sizes = torch.randint(self.smallest, self.largest + 1, (n,), generator=generator)
        drawn = [
            self.contexts(
                int(count), size=size, pairs=pairs, generator=generator, fixed=self.fixed if split == "train" else 0.0
            )
            for size, count in zip(self.sizes, sizes.bincount(minlength=self.largest + 1)[self.smallest :], strict=True)
        ]
        written = [self.write(one, one.at(one.queried)[0]).inputs["tokens"] for one in drawn]
        entity, attribute = (torch.cat(column) for column in zip(*(one.at(one.queried) for one in drawn), strict=True))
        parts = {"entity": entity, "attribute": attribute, "place": torch.cat([one.queried for one in drawn])}
        found = Examples({"tokens": torch.cat(written)}, attribute, parts, self.combination_id(parts))
        return found.take(torch.randperm(len(found), generator=generator))

    def contexts(self, n: int, *, size: int, pairs: Pairs, generator: Generator, fixed: float = 0.0) -> Contexts:
        """Draw lists with distinct entities and distinct attributes. `fixed`: the share of lists that have the world's pairs.

        **Raises:** `AssayError` for a length that does not fit, and if `MOST_TRIES` attempts find no list with such pairs.
        """
        if not 2 <= size <= self.places:
            raise AssayError(f"lists: a list must have 2 to {self.places} entities", given=size)
        found = Contexts(
            torch.zeros(n, size, dtype=torch.int64),
            torch.zeros(n, size, dtype=torch.int64),
            torch.randint(self.places - size + 1 if self.free else 1, (n,), generator=generator),
            self._queried(n, size, pairs, generator),
        )
        missing = torch.arange(n)
        for _ in range(MOST_TRIES):
            if not len(missing):
                break
            entities, attributes, there = self._filled(found.queried[missing], size, pairs, generator)
            found.entities[missing], found.attributes[missing] = entities, attributes
            missing = missing[~there]
        if len(missing):
            raise AssayError(
                f"lists: there must be enough pairs of the kind {pairs!r} for a list of {size}",
                given=f"{MOST_TRIES} attempts without success, with {self.num_attributes} attributes",
                next_step="ask for shorter lists, or choose more attributes",
            )
        of_world = torch.rand(n, generator=generator) < fixed
        world = self._world[found.entities]
        # A list in which two entities share the world's attribute is left unchanged.
        distinct = (world.sort(1).values.diff(dim=1) != 0).all(1)
        chosen = (of_world & distinct)[:, None]
        return Contexts(found.entities, torch.where(chosen, world, found.attributes), found.start, found.queried)

    def _queried(self, n: int, size: int, pairs: Pairs, generator: Generator) -> Int[Tensor, " n"]:
        least = 1 if pairs == "role" else 0
        return torch.randint(least, size, (n,), generator=generator)

    def _filled(
        self, queried: Int[Tensor, " n"], size: int, pairs: Pairs, generator: Generator
    ) -> tuple[Int[Tensor, "n k"], Int[Tensor, "n k"], Bool[Tensor, " n"]]:
        """Entities, attributes, and whether an attribute was found for every place."""
        n, rows = len(queried), torch.arange(len(queried))
        entities = torch.rand(n, self.num_entities, generator=generator).argsort(1)[:, :size]
        asked = entities[rows, queried]
        attributes = torch.zeros(n, size, dtype=torch.int64)
        free = torch.ones(n, self.num_attributes, dtype=torch.bool)
        there = torch.ones(n, dtype=torch.bool)
        # The queried place is filled first, since the fewest attributes are allowed there.
        order = torch.stack([(queried + k) % size for k in range(size)], 1)
        for step in range(size):
            place = order[:, step]
            allowed = self._allowed(entities[rows, place], place, asked, step == 0, pairs) & free
            there &= allowed.any(1)
            draw = (torch.rand(n, self.num_attributes, generator=generator) * allowed).argmax(1)
            attributes[rows, place] = draw
            free[rows, draw] = False
        return entities, attributes, there

    def _allowed(
        self, entity: Int[Tensor, " n"], place: Int[Tensor, " n"], asked: Int[Tensor, " n"], is_asked: bool, pairs: Pairs
    ) -> Bool[Tensor, "n attributes"]:
        trained = ~self._held[entity] & (~self._first[entity] | (place == 0)[:, None])
        if pairs == "trained":
            return trained
        if pairs == "all":
            return self._held[entity]
        if pairs == "role":
            return self._first[entity] if is_asked else trained
        if is_asked:
            return self._held[entity]
        return trained & self._held[asked] if pairs == "balanced" else trained

    def write(self, contexts: Contexts, entity: Int[Tensor, " n"]) -> Written:
        """Write the lists as tokens: 0 is padding, 1 ends an item, 2 precedes the query."""
        n, size = contexts.entities.shape
        first = 3 * (contexts.start[:, None] + torch.arange(size))
        tokens = torch.zeros(n, self.input_spec.length, dtype=torch.int64)
        entity_at, attribute_at = (first + 1, first) if self.backwards else (first, first + 1)
        tokens.scatter_(1, entity_at, contexts.entities + 3)
        tokens.scatter_(1, attribute_at, contexts.attributes + 3 + self.num_entities)
        tokens.scatter_(1, first + 2, 1)
        tokens[:, -2], tokens[:, -1] = 2, entity + 3
        return Written({"tokens": tokens}, entity_at, attribute_at, first + 2)

    def input_texts(self, examples: Examples) -> list[str]:
        """Items and query in words (`assay.task.WritesExamples`)."""
        entities, attributes = (self.part(name).values for name in self.combines)
        words = ("", ".", "?", *entities, *attributes)
        return [" ".join(filter(None, (words[token] for token in row))) for row in examples.inputs["tokens"].tolist()]

    def answer_texts(self, answers: Tensor) -> list[str]:
        return [self.part("attribute").values[answer] for answer in answers.tolist()]

    def trained_with(self) -> Float[Tensor, "entities attributes"]:
        return self._trained_with

    @cached_property
    def _trained_with(self) -> Float[Tensor, "entities attributes"]:
        """How often each pair is trained. Pairs that occur only at the first place are weighted by how rare that place is."""
        mean_size = sum(self.sizes) / len(self.sizes)
        neutral = (~self._held).float() * torch.where(self._first, 1 / mean_size, 1.0)
        neutral = neutral / neutral.sum(1, keepdim=True)
        world = torch.zeros_like(neutral).scatter_(1, self._world[:, None], 1.0)
        return (1 - self.fixed) * neutral + self.fixed * world
