"""Shuffles that destroy some structure of a text, so that the gain of a model from that structure shows in bits.

Every shuffle keeps the characters between words, so that length and punctuation are those of the original.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from assay.bounds import check_whole
from assay.errors import AssayError
from assay.text.word_counts import Vocabulary

_PIECE = re.compile(r"[^\W\d_]+|[\W\d_]+")
_SENTENCE_END = re.compile(r"[.!?]|\n")
SHUFFLES: Mapping[str, str] = {
    "words in sentences": "the words of every sentence in another order",
    "words in windows": "the words of every stretch of WINDOW words in another order",
    "sentences": "the sentences of every text in another order",
    "like words": "every word replaced by one of like frequency and of the same tag",
}
"""Each shuffle by name, and what it does."""
WINDOW = 5


@dataclass(frozen=True)
class Shuffler:
    """Shuffler of texts.

    **Attributes:**

    - `texts`: the source of word frequencies.
    - `tags`: part of speech by word; words without one share a tag of their own.

    Example::

        Shuffler(("to be or not to be",))("to be or not", "words in sentences", generator=np.random.default_rng(0))
    """

    texts: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, text: str, name: str, *, generator: np.random.Generator, window: int = WINDOW) -> str:
        """The text under one of `SHUFFLES`."""
        match name:
            case "words in sentences":
                return _permuted(text, _sentences, generator)
            case "words in windows":
                check_whole("window", window, least=1, most=10**9)
                return _permuted(text, lambda pieces: _windows(pieces, window), generator)
            case "sentences":
                return _sentences_permuted(text, generator)
            case "like words":
                return self._replaced(text, generator)
        raise AssayError("a shuffle must be one of those known", given=name, choices=SHUFFLES)

    def _replaced(self, text: str, generator: np.random.Generator) -> str:
        pieces = _PIECE.findall(text)
        for k, piece in enumerate(pieces):
            group = self._groups.get(self._group.get(piece.lower(), (-1, "")), ())
            if piece[0].isalpha() and len(group) > 1:
                pieces[k] = _like(piece, group[int(generator.integers(len(group)))])
        return "".join(pieces)

    @cached_property
    def _group(self) -> Mapping[str, tuple[int, str]]:
        """Group of every word: frequency, by half octaves, and tag."""
        vocabulary = Vocabulary.of(self.texts)
        octaves = np.floor(2 * np.log2(np.array(vocabulary.counts, dtype=np.float64))).astype(int)
        tags = (self.tags.get(word, "") for word in vocabulary.words)
        return dict(zip(vocabulary.words, zip(octaves.tolist(), tags, strict=True), strict=True))

    @cached_property
    def _groups(self) -> Mapping[tuple[int, str], Sequence[str]]:
        found: dict[tuple[int, str], list[str]] = {}
        for word, group in self._group.items():
            found.setdefault(group, []).append(word)
        return found


def reordered(texts: Sequence[str], *, generator: np.random.Generator) -> list[str]:
    """All words of all texts in one random order, with the characters between them kept: only the frequency of each word
    remains, not even by text.

    Example::

        one, other = reordered(["to be", "or not"], generator=np.random.default_rng(0))
    """
    pieces = [_PIECE.findall(text) for text in texts]
    words = np.array([piece for some in pieces for piece in some if piece[0].isalpha()], dtype=object)
    moved = iter(words[generator.permutation(len(words))].tolist())
    return ["".join(next(moved) if piece[0].isalpha() else piece for piece in some) for some in pieces]


def _like(word: str, other: str) -> str:
    """The other word with the capitalisation of the first."""
    if word.isupper() and len(word) > 1:
        return other.upper()
    return other.capitalize() if word[0].isupper() else other


def _permuted(text: str, spans: Callable[[Sequence[str]], Iterable[list[int]]], generator: np.random.Generator) -> str:
    pieces = _PIECE.findall(text)
    for places in spans(pieces):
        moved = [pieces[place] for place in places]
        for place, k in zip(places, generator.permutation(len(places)), strict=True):
            pieces[place] = moved[k]
    return "".join(pieces)


def _sentences(pieces: Sequence[str]) -> Iterator[list[int]]:
    """Positions of the words of each sentence, which ends with a full stop or a line."""
    places: list[int] = []
    for k, piece in enumerate(pieces):
        if piece[0].isalpha():
            places.append(k)
        elif _SENTENCE_END.search(piece):
            yield places
            places = []
    yield places


def _windows(pieces: Sequence[str], window: int) -> Iterator[list[int]]:
    places = [k for k, piece in enumerate(pieces) if piece[0].isalpha()]
    for start in range(0, len(places), window):
        yield places[start : start + window]


def _sentences_permuted(text: str, generator: np.random.Generator) -> str:
    """Sentences permuted with their full stops; blanks and lines between them stay. A sentence without a full stop, such as the
    end of an excerpt, may only go where a blank or nothing follows, so that no two words become one; elsewhere it is exchanged
    with a random sentence that has a stop."""
    pieces = [(sentence, gap) for sentence, gap in re.findall(r"([^.!?\n]*[.!?]*)(\s*)", text) if sentence or gap]
    places = [place for place, (sentence, _) in enumerate(pieces) if sentence]  # leading empty lines stay
    order = [places[k] for k in generator.permutation(len(places)).tolist()]
    opened = [bool(pieces[place][1]) or place == places[-1] for place in places]
    stopped = [pieces[k][0][-1] in ".!?" for k in order]
    glued = [k for k in range(len(order)) if not (stopped[k] or opened[k])]
    free = [k for k in range(len(order)) if stopped[k] and opened[k]]
    if glued:
        for k, other in zip(glued, generator.permutation(free).tolist(), strict=False):
            order[k], order[other] = order[other], order[k]
    sentences = [sentence for sentence, _ in pieces]
    for place, k in zip(places, order, strict=True):
        sentences[place] = pieces[k][0]
    return "".join(sentence + gap for sentence, (_, gap) in zip(sentences, pieces, strict=True))
