"""Lines of the task `language`: sentences with their dependency trees, prices, lists, and odd-one-out problems."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from assay.errors import AssayError
from assay.graph import Graph, tree
from assay.tasks.language_words import ARTICLES, ID, INTRANSITIVE, LINE, NEAR, STOP, THAT, TRANSITIVE, WORDS
from assay.text.corpus import CodedText

LONGEST = 11
"""Most words of a sentence, without the full stop."""
_DEPTH = 2  # largest depth of nested phrases
Pairs = Sequence[tuple[str, str]]
"""Pairs of an adjective and a noun."""


@dataclass
class _Words:
    """A sentence under construction: its words, with the head of each and its relation to that head."""

    words: list[str] = field(default_factory=list)
    head: list[int] = field(default_factory=list)
    relation: list[str] = field(default_factory=list)

    def add(self, word: str, relation: str, head: int = -1) -> int:
        self.words.append(word)
        self.relation.append(relation)
        self.head.append(head)
        return len(self.words) - 1

    def attach(self, word: int, head: int) -> None:
        self.head[word] = head


def sentences(num: int, pairs: Pairs, nouns: Sequence[str], rng: Random) -> list[Graph]:
    """`num` distinct sentences with their trees. Only adjectives and nouns in `pairs` are combined.

    Sentences are `the NOUN VERB this NOUN` or `this NOUN sleeps`; a noun may have an adjective, a relative clause (`that VERB
    the NOUN`) or a prepositional phrase (`near the NOUN`), whose nouns may have these in turn.
    """
    found: dict[tuple[str, ...], Graph] = {}
    while len(found) < num:
        made = _Words()
        subject = _noun_phrase(made, "nsubj", pairs, nouns, rng, _DEPTH)
        whole = rng.random() < 0.85
        verb = made.add(rng.choice(TRANSITIVE if whole else INTRANSITIVE), "root")
        made.attach(subject, verb)
        if whole:
            made.attach(_noun_phrase(made, "obj", pairs, nouns, rng, _DEPTH), verb)
        if len(made.words) <= LONGEST:
            found.setdefault(tuple(made.words), tree(made.words, made.head, relation=made.relation))
    return list(found.values())


def _noun_phrase(made: _Words, relation: str, pairs: Pairs, nouns: Sequence[str], rng: Random, depth: int) -> int:
    """Add a noun phrase. Returns the index of its noun, whose head the caller sets."""
    article = made.add(rng.choice(ARTICLES), "det")
    if rng.random() < 0.5:
        adjective, noun = rng.choice(pairs)
        of_noun = made.add(adjective, "amod")
        place = made.add(noun, relation)
        made.attach(of_noun, place)
    else:
        place = made.add(rng.choice(nouns), relation)
    made.attach(article, place)
    more = rng.random() if depth else 1.0
    if more < 0.25:
        that = made.add(THAT, "mark")
        verb = made.add(rng.choice(TRANSITIVE), "acl", place)
        made.attach(that, verb)
        made.attach(_noun_phrase(made, "obj", pairs, nouns, rng, depth - 1), verb)
    elif more < 0.45:
        near = made.add(NEAR, "case")
        other = _noun_phrase(made, "nmod", pairs, nouns, rng, depth - 1)
        made.attach(near, other)
        made.attach(other, place)
    return place


def prefixes(lines: Sequence[Sequence[str]], length: int) -> tuple[Int[Tensor, "n length"], Int[Tensor, " n"]]:
    """A row for every word, and for the end, of every line: the words before it, at most `length`, and the word to predict."""
    ids = [torch.tensor([ID[LINE]] * length + [ID[word] for word in line] + [ID[LINE]]) for line in lines]
    windows = torch.cat([row.unfold(0, length + 1, 1) for row in ids])
    return windows[:, :-1].contiguous(), windows[:, -1].contiguous()


def written(lines: Sequence[Sequence[str]]) -> str:
    """The lines as one text."""
    return "\n".join(" ".join(line).replace(f" {STOP}", STOP) for line in lines) + "\n"


def coded(text: str, length: int) -> CodedText:
    """Encode a text word by word, full stops and line ends included, each with the words before it in its line.

    **Raises:** `AssayError` naming the first characters that are no word of the language.
    """
    rows, allowed, ends = [], [], []
    before = [ID[LINE]] * length
    for found in re.finditer(r"[^\s.]+|[.\n]", text):
        piece = found.group()
        fits = [ID[piece]] if piece in ID else [k for k, word in enumerate(WORDS) if word.startswith(piece)]
        if not fits:
            raise AssayError(
                "a text must consist of words of the language", given=piece, next_step="give lines that the task wrote"
            )
        rows.append(before)
        allowed.append([k in fits for k in range(len(WORDS))])
        ends.append(len(text[: found.end()].encode()))
        before = [ID[LINE]] * length if piece == LINE else [*before[1:], fits[0]]
    asked = torch.tensor(rows, dtype=torch.int64).view(-1, length)
    return CodedText({"tokens": asked}, torch.tensor(allowed, dtype=torch.bool).view(-1, len(WORDS)), np.array(ends, np.int64))
