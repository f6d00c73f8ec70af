"""Texts: next-byte prediction at every position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.bounds import check_whole
from assay.data.texts import english_tags, genesis, gutenberg_corpus, tiny_shakespeare, wikitext2
from assay.data.word_pairs import RATED, RatedPair, analogies, rated_pairs
from assay.data.wordnet import wordnet_nouns
from assay.errors import AssayError
from assay.graph import FedTokens, Graph
from assay.objective import Steps, Unscored
from assay.task import Examples, Part, Split, Task, TokenSequence, draw_rows
from assay.tasks.treebank import as_bytes
from assay.tasks.tuples import unravel
from assay.text.corpus import END, SYMBOLS, Corpus, read_text, symbols_of
from assay.text.word_counts import WORD, Vocabulary

Name = Literal[
    "tinyshakespeare", "gutenberg", "gutenberg_a", "gutenberg_b", "genesis_en", "genesis_fr", "genesis_sv", "wikitext2"
]
_ENGLISH = ("tinyshakespeare", "gutenberg", "gutenberg_a", "gutenberg_b", "genesis_en", "wikitext2")
OTHER = "another word"


@dataclass(frozen=True)
class NextBytes(Steps):
    """The next byte, or the end of the text, at every place."""

    @property
    def unit(self) -> str:
        return "share of bytes predicted"

    def steps(self, outputs: Float[Tensor, "n t c"], targets: Int[Tensor, "n t"]) -> Float[Tensor, "n t"]:
        if outputs.shape != (*targets.shape, self.num_classes):
            raise AssayError(
                f"a network that is scored on texts must give {SYMBOLS} logits for every byte",
                given=tuple(outputs.shape),
                next_step="write `text:NAME,scored=false` for a model with a tokenizer of its own, which is then not scored",
            )
        return super().steps(outputs, targets)


class _Places(NamedTuple):
    """Every word far enough from the beginning of a side: its end, and the values of the parts."""

    ends: Int[Tensor, " places"]
    before: Int[Tensor, " places"]
    word: Int[Tensor, " places"]


@dataclass(frozen=True, kw_only=True)
class Text(Task):
    """Windows of a text, each ending with a word. Input `tokens`: int64 `(n, length)`, bytes and 256 for the end of a text; the
    target is the byte after each. Parts are the last two words, of which the `num_words` most frequent have a value each: a
    combination is novel when the two words never occur in this order in the training text.

    **Arguments:**

    - `name`: a registered text, or
    - `file`: a UTF-8 text of one's own, whose last tenth is held out.
    - `length`: bytes of a window.
    - `num_words`: words with a value of their own.
    - `scored`: false for a model with a tokenizer of its own, which gets the window as `text` (UTF-8) and is not scored.

    **Raises:** `AssayError` for a text that is not available, not UTF-8, empty, a single line, or shorter than a window.
    """

    name: str = "tinyshakespeare"
    file: Path | None = None
    length: int = 128
    num_words: int = 300
    scored: bool = True
    combines = ("before", "word")

    def __post_init__(self):
        if self.name not in get_args(Name):
            own = "write `text:file=PATH` for a text of your own"
            raise AssayError("text: there is no such text", given=self.name, choices=get_args(Name), next_step=own)
        check_whole("text: length", self.length, least=8, most=8_192)
        check_whole("text: num_words", self.num_words, least=2, most=10_000)
        if self.file is not None:
            object.__setattr__(self, "file", self.file.absolute())
            self.corpus()

    @property
    def address(self) -> str:
        usual = {"length": 128, "num_words": 300, "scored": True}
        given = [f"{key}={getattr(self, key)}" for key, value in usual.items() if getattr(self, key) != value]
        return "text:" + ",".join([self.name if self.file is None else f"file={self.file}", *given])

    @property
    def input_spec(self) -> TokenSequence | None:
        return TokenSequence(SYMBOLS, self.length) if self.scored else None

    @property
    def objective(self) -> NextBytes | Unscored:
        return NextBytes(SYMBOLS) if self.scored else Unscored()

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        words = Vocabulary.of(self.corpus().train).first(self.num_words).words
        if not words:
            raise AssayError(
                "text: a text must have words",
                given=f"none in the part of {self.file or self.name} to learn from",
                next_step="give a text with letters",
            )
        values = (*words, OTHER)
        return Part("before", values), Part("word", values)

    def corpus(self) -> Corpus:
        """Training texts and held-out texts (`assay.text.GivesCorpus`)."""
        return _corpus(self.name, self.file)

    def combinations(self, split: Split) -> Int[Tensor, "c 2"]:
        places = self._places("novel" if split == "novel" else "train")
        return unravel(self._ids(places).unique(), [len(part.values) for part in self.parts])

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        places = self._places(split)
        rows = draw_rows(len(places.ends), n, replacement=split == "train", generator=generator)
        stream = _stream(self, "train" if split == "train" else "test")
        windows = stream[places.ends[rows][:, None] + torch.arange(-self.length, 1)]
        parts = {"before": places.before[rows], "word": places.word[rows]}
        ids = self.combination_id(parts)
        if self.scored:
            return Examples({"tokens": windows[:, :-1]}, windows[:, 1:], parts, ids)
        return Examples({"text": as_bytes([_readable(row) for row in windows])}, parts["word"], parts, ids)

    def input_texts(self, examples: Examples) -> list[str]:
        """Windows of the text (`assay.task.WritesExamples`)."""
        return [_readable(row[row > 0]).strip() for row in next(iter(examples.inputs.values())).long()]

    def answer_texts(self, answers: Tensor) -> list[str]:
        return [_readable(row) for row in answers] if answers.ndim == 2 else []

    def feed(self, graphs: Sequence[Graph]) -> FedTokens:
        """Texts, word by word, as bytes (`assay.graph.FeedsGraphs`). The position of a word is its last byte."""
        tokens = torch.full((len(graphs), self.length), END)
        places = torch.full((len(graphs), max((len(graph.words) for graph in graphs), default=0)), -1)
        for row, graph in enumerate(graphs):
            end = 0  # byte positions, after the symbol that begins a text
            for number, word in enumerate(graph.words):
                letters = ((" " if number else "") + word).encode()
                if end + len(letters) >= self.length:
                    break
                tokens[row, end + 1 : end + 1 + len(letters)] = torch.frombuffer(bytearray(letters), dtype=torch.uint8).long()
                end += len(letters)
                places[row, number] = end
        return FedTokens({"tokens": tokens}, places)

    # Human and dictionary relations of words (`assay.relations.GivesRelations`)

    def relations(self, words: Sequence[str]) -> Mapping[str, tuple[list[str], Float[np.ndarray, "n n"]]]:
        """Path lengths between nouns in WordNet, as similarities; for English texts."""
        if not self._english:
            return {}
        nouns = wordnet_nouns().known(words)
        return {"WordNet": (nouns, -wordnet_nouns().distances(nouns).astype(np.float64))}

    def ratings(self) -> Mapping[str, Sequence[RatedPair]]:
        """Pairs of words with human ratings; for English texts."""
        return {name: rated_pairs(name) for name in RATED} if self._english else {}

    def analogies(self) -> Sequence[tuple[str, str, str, str]]:
        """Google's analogies; for English texts."""
        return [question[1:] for question in analogies()] if self._english else []

    def classes(self, words: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """The class of every noun in WordNet; for English texts."""
        if not self._english:
            return {}
        return {"WordNet": {word: wordnet_nouns().class_of(word) for word in wordnet_nouns().known(words)}}

    def tags(self) -> Mapping[str, str]:
        """The most frequent part of speech of English words."""
        return english_tags() if self._english else {}

    @property
    def _english(self) -> bool:
        return self.file is None and self.name in _ENGLISH

    def _ids(self, places: _Places) -> Int[Tensor, " places"]:
        return self.combination_id({"before": places.before, "word": places.word})

    def _places(self, split: Split) -> _Places:
        trained = _words(self, "train")
        if split == "train":
            return trained
        held_out = _words(self, "test")
        known = torch.isin(self._ids(held_out), self._ids(trained))
        return _Places(*(column[known if split == "seen" else ~known] for column in held_out))


@lru_cache(maxsize=8)
def _corpus(name: str, file: Path | None) -> Corpus:
    if file is not None:
        return Corpus.divided(file.stem, [read_text(file)])
    match name:
        case "tinyshakespeare":
            return tiny_shakespeare()
        case "wikitext2":
            return wikitext2()
        case "gutenberg" | "gutenberg_a" | "gutenberg_b":
            half = name.partition("_")[2]
            return gutenberg_corpus(half)  # pyrefly: ignore[bad-argument-type]  (one of the halves, or neither)
    language = name.removeprefix("genesis_")
    return Corpus.divided(name, [genesis(language)])  # pyrefly: ignore[bad-argument-type]


@lru_cache(maxsize=8)
def _stream(task: Text, side: Literal["train", "test"]) -> Int[Tensor, " n"]:
    """All texts of a side, with `END` before and after each."""
    texts: tuple[str, ...] = getattr(task.corpus(), side)
    return torch.from_numpy(np.concatenate([[END], *(symbols_of(text) for text in texts)]).astype(np.int64))


@lru_cache(maxsize=8)
def _words(task: Text, side: Literal["train", "test"]) -> _Places:
    known = {word: k for k, word in enumerate(task.parts[0].values[:-1])}
    other = len(known)
    ends, values, start = [], [], 1
    for text in getattr(task.corpus(), side):
        ascii_only = text.isascii()
        before = other
        for found in WORD.finditer(text):
            end = found.end() if ascii_only else len(text[: found.end()].encode())
            value = known.get(found.group().lower(), other)
            ends.append(start + end - 1)
            values.append((before, value))
            before = value
        start += len(text.encode()) + 1
    # The window begins `length` bytes before the last byte of the word, which is its last target.
    where = torch.tensor(ends, dtype=torch.int64)
    pairs = torch.tensor(values, dtype=torch.int64).view(-1, 2)
    far = where >= task.length
    if side == "train" and not bool(far.any()):
        raise AssayError(
            f"{task.address} must be longer than a window",
            given=f"{start:,} bytes to learn from, and windows of {task.length}",
            next_step="give a longer text, or a smaller length",
        )
    return _Places(where[far], pairs[far, 0], pairs[far, 1])


def _readable(window: Int[Tensor, " t"]) -> str:
    """A window as text: ends of texts as line breaks, incomplete characters removed."""
    return bytes(10 if symbol == END else symbol for symbol in window.tolist()).decode("utf-8", errors="ignore") or "\n"
