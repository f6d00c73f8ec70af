"""Sentences in which two words each have a number: the subject and its verb, or an antecedent and its pronoun.

Templates in the manner of Marvin and Linzen 2018 (arXiv 1808.09031), with words and wording of our own.
"""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.task import POOLS, Examples, Pool, Tokens
from assay.tasks import sentence_words as words
from assay.tasks.odd_one_out import GroupedItems, OddOneOut
from assay.tasks.pools import is_in

Number = Literal["singular", "plural"]
Forms = tuple[str, ...]
"""Forms of one word: singular and plural, or the single form of a verb in the past."""
LENGTH = 8


class Class(NamedTuple):
    """Subjects and main verbs (or, for an anaphor, past verbs) that go together, and the templates that fit them.

    In a template `S` is the subject, `V` the end of the sentence, `O` some person or thing, `S-does` and `O-does` a verb that
    agrees with the subject or with O, `near` a preposition; everything else is literal.
    """

    subjects: tuple[Forms, ...]
    verbs: tuple[Forms, ...]
    templates: tuple[tuple[str, ...], ...]


_PLAIN = ("the", "S", "V")
_SUBJECT_RELATIVE = ("the", "S", "that", "S-does", "the", "O", "V")
_PREPOSITION = ("the", "S", "near", "the", "O", "V")
_OBJECT_RELATIVE = ("the", "S", "that", "the", "O", "O-does", "V")
_BARE_OBJECT_RELATIVE = ("the", "S", "the", "O", "O-does", "V")
OF_PEOPLE = (_PLAIN, _SUBJECT_RELATIVE, _PREPOSITION, _OBJECT_RELATIVE, _BARE_OBJECT_RELATIVE)
OF_THINGS = (_PLAIN, _PREPOSITION, _OBJECT_RELATIVE, _BARE_OBJECT_RELATIVE)


def nouns(lemmas: tuple[str, ...]) -> tuple[Forms, ...]:
    """Singular and plural of each noun."""
    return tuple((lemma, f"{lemma}s") for lemma in lemmas)


def verbs(lemmas: tuple[str, ...]) -> tuple[Forms, ...]:
    """Singular and plural of each verb, in the present."""
    return tuple((f"{lemma}s", lemma) for lemma in lemmas)


@dataclass(frozen=True, kw_only=True)
class Sentences(OddOneOut):
    """An item is a sentence of at most 8 words as tokens, with `PAD` (0) in front. Each part asks that its word is `number`.

    Other words with a number have a random one, or agree with the word that they depend on.

    All words are in all pools, since a network knows nothing of an untrained word. The pairs of subject and verb are held out:
    no two pools share such a pair, and so no sentence.

    **Arguments:**

    - `number`: `singular` or `plural`.
    """

    number: Number = "singular"

    def __post_init__(self):
        if self.number not in get_args(Number):
            raise AssayError(f"{self.family}: number must be one of its choices", given=self.number, choices=get_args(Number))
        super().__post_init__()

    # Defined by a family

    @property
    @abstractmethod
    def classes(self) -> tuple[Class, ...]:
        """Classes of subjects; sentences are equally likely from each template of each class."""

    @abstractmethod
    def ending(
        self, verb: Int[Tensor, "m forms"], plural: Int[Tensor, " m"], *, generator: Generator
    ) -> Int[Tensor, "m words"]:
        """The last words, from the forms of the main verb and the number of the second part, plural (1) or singular (0)."""

    # Derived

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Every word, in the order of its token; the first is the padding."""
        spoken = (words.FRAME, words.PLACES, *nouns(words.PEOPLE), *nouns(words.THINGS), *verbs(words.FEELINGS))
        ends = (forms for one in self.classes for forms in one.verbs)
        return tuple(dict.fromkeys(["", *chain(*spoken), *chain(*ends)]))

    def item_spec(self) -> Tokens:
        return Tokens(vocab=len(self.vocabulary), length=LENGTH)

    def sentence(self, tokens: Int[Tensor, " length"]) -> str:
        """An item in words."""
        return " ".join(self.vocabulary[token] for token in tokens.tolist()).strip()

    def input_texts(self, examples: Examples) -> list[str]:
        """The sentences of every problem (`assay.task.WritesInputs`)."""
        return [" | ".join(map(self.sentence, items)) for items in examples.inputs["items"]]

    def candidates(self, obeys: Bool[Tensor, "m 2"], *, pool: Pool, generator: Generator) -> GroupedItems:
        tokens = torch.zeros(len(obeys), LENGTH, dtype=torch.int64)
        group = torch.zeros(len(obeys), dtype=torch.int64)
        # A part that is obeyed has the wanted number, a broken one the other.
        plural = obeys.long() if self.number == "plural" else 1 - obeys.long()
        kinds = [(number, template) for number, one in enumerate(self.classes) for template in one.templates]
        chosen = torch.randint(len(kinds), (len(obeys),), generator=generator)
        for kind, (number, template) in enumerate(kinds):
            rows = (chosen == kind).nonzero()[:, 0]
            pairs = self._pairs[pool, number]
            pairs = pairs[torch.randint(len(pairs), (len(rows),), generator=generator)]
            group[rows] = pairs[:, 2]
            subject, verb = (forms[pairs[:, k]] for k, forms in enumerate(self._class_tables[number]))
            sentences = self._worded(template, subject, verb, plural[rows], generator)
            tokens[rows, LENGTH - sentences.shape[1] :] = sentences
        return GroupedItems(tokens, group)

    # Inside

    @cached_property
    def _pairs(self) -> dict[tuple[Pool, int], Int[Tensor, "p 3"]]:
        """For every pool and class: subject, verb, and the index of their pair."""
        pairs, start = {}, 0
        for number, one in enumerate(self.classes):
            both = torch.cartesian_prod(torch.arange(len(one.subjects)), torch.arange(len(one.verbs)))
            group = start + torch.arange(len(both))
            start += len(both)
            for pool in POOLS:
                pairs[pool, number] = torch.cat([both, group[:, None]], 1)[is_in(group, pool)]
        return pairs

    def _worded(
        self,
        template: tuple[str, ...],
        subject: Int[Tensor, "m 2"],
        verb: Int[Tensor, "m forms"],
        plural: Int[Tensor, "m 2"],
        generator: Generator,
    ) -> Int[Tensor, "m words"]:
        """Sentences of one template."""
        first, second, other = *plural.unbind(1), torch.randint(2, (len(plural),), generator=generator)
        columns: list[Tensor] = []
        for symbol in template:
            if symbol == "S":
                columns.append(subject.gather(1, first[:, None]))
            elif symbol == "V":
                columns.append(self.ending(verb, second, generator=generator))
            elif symbol == "O":  # anything can be liked or be near, but only people like
                columns.append(self._any("people" if "O-does" in template else "nouns", other, generator))
            elif symbol in ("S-does", "O-does"):
                columns.append(self._any("feelings", first if symbol == "S-does" else other, generator))
            elif symbol == "near":
                columns.append(self._any("places", torch.zeros_like(other), generator))
            else:
                columns.append(torch.full((len(plural), 1), self._token[symbol]))
        return torch.cat(columns, 1)

    def _any(self, choices: str, plural: Int[Tensor, " m"], generator: Generator) -> Int[Tensor, "m 1"]:
        """Words of a kind in the required form."""
        table = self._tables[choices]
        return table[torch.randint(len(table), plural.shape, generator=generator), plural][:, None]

    @cached_property
    def _tables(self) -> dict[str, Int[Tensor, "w forms"]]:
        """The tokens of words in positions other than the subject's and the main verb's."""
        people, things = nouns(words.PEOPLE), nouns(words.THINGS)
        return {
            "people": self.tokens_of(people),
            "nouns": self.tokens_of((*people, *things)),
            "feelings": self.tokens_of(verbs(words.FEELINGS)),
            "places": self.tokens_of(tuple((word,) for word in words.PLACES)),
        }

    @cached_property
    def _class_tables(self) -> list[tuple[Tensor, Tensor]]:
        """For every class the tokens of its subjects and of its verbs."""
        return [(self.tokens_of(one.subjects), self.tokens_of(one.verbs)) for one in self.classes]

    @cached_property
    def _token(self) -> dict[str, int]:
        return {word: token for token, word in enumerate(self.vocabulary)}

    def tokens_of(self, choices: tuple[Forms, ...]) -> Int[Tensor, "w forms"]:
        """The tokens of the forms of words."""
        return torch.tensor([[self._token[form] for form in forms] for forms in choices])


@dataclass(frozen=True, kw_only=True)
class Agreement(Sentences):
    """`the author near the lamps laughs`: the parts are the numbers of the subject and of the verb at the end."""

    family: ClassVar[str] = "agreement"
    part_names: ClassVar[tuple[str, str]] = ("subject", "verb")

    @cached_property
    def classes(self) -> tuple[Class, ...]:
        people = Class(nouns(words.PEOPLE), verbs(words.PERSON_ACTS), OF_PEOPLE)
        return people, Class(nouns(words.THINGS), verbs(words.THING_ACTS), OF_THINGS)

    def ending(self, verb: Int[Tensor, "m forms"], plural: Int[Tensor, " m"], *, generator: Generator) -> Int[Tensor, "m 1"]:
        return verb.gather(1, plural[:, None])


@dataclass(frozen=True, kw_only=True)
class Anaphora(Sentences):
    """`the author near the pilots blamed herself`: the parts are the numbers of the antecedent and of the pronoun."""

    family: ClassVar[str] = "anaphora"
    part_names: ClassVar[tuple[str, str]] = ("antecedent", "pronoun")

    @cached_property
    def classes(self) -> tuple[Class, ...]:
        return (Class(nouns(words.PEOPLE), tuple((verb,) for verb in words.DONE_TO_ONESELF), OF_PEOPLE),)

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        return (*super().vocabulary, *words.SINGULAR_PRONOUNS, *words.PLURAL_PRONOUNS)

    def ending(self, verb: Int[Tensor, "m forms"], plural: Int[Tensor, " m"], *, generator: Generator) -> Int[Tensor, "m 2"]:
        herself = torch.randint(2, plural.shape, generator=generator)
        one, many = (self.tokens_of((pronouns,))[0] for pronouns in (words.SINGULAR_PRONOUNS, words.PLURAL_PRONOUNS))
        return torch.stack([verb[:, 0], torch.where(plural == 1, many[0], one[herself])], 1)
