"""Bits: excerpts of held-out text under the network and under n-grams, intact and with their structure destroyed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from assay.encoding.scoring import ScoredText, Scorer, word_bits
from assay.evidence import Interval
from assay.stats import jackknife
from assay.text import Corpus, NGrams, Vocabulary
from assay.text.leftover import TokenRules, mixture_bits, unexplained
from assay.text.words import WORD

CONTEXT_WORDS, FEWEST_WORDS = 10, 30
STEPS = ("frequency", "frequency and n-gram", "frequency, n-gram and context")
"""What is taken out of the surprisal of words, step by step."""


class Word(NamedTuple):
    """A word of an excerpt: in lower case, and the bytes behind which the words before it and it end."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Excerpts:
    """Stretches of held-out text, the independent units, with what depends on no network.

    **Attributes:**

    - `texts`: the excerpts; `closed`: whether each is the end of its text, which is then coded too.
    - `words`: of every excerpt; `shuffled`: by the name of a shuffle the excerpts under it.
    - `ngrams`: `(orders, symbols)` for every excerpt; `predictors`: `(words, 3)` for all words of all excerpts, one behind the
      other: surprisal by frequency, under the best n-gram, and likeness to the words before.
    """

    texts: tuple[str, ...]
    closed: tuple[bool, ...]
    words: tuple[tuple[Word, ...], ...]
    shuffled: dict[str, tuple[str, ...]]
    ngrams: tuple[Float[np.ndarray, "orders _s"], ...]
    predictors: Float[np.ndarray, "w 3"]

    @property
    def sizes(self) -> Float[np.ndarray, " units"]:
        return np.array([len(text.encode()) for text in self.texts], dtype=np.float64)

    @property
    def folds(self) -> Int[np.ndarray, " w"]:
        """The excerpt of every word."""
        return np.repeat(np.arange(len(self.texts)), [len(words) for words in self.words])

    @property
    def inner(self) -> Bool[np.ndarray, " w"]:
        """All words but the first of every excerpt, which stands in the middle of its text and is coded as if it began one: how
        sure n-grams are of the beginnings of texts would be counted for the network."""
        return np.concatenate([np.arange(len(words)) > 0 for words in self.words])

    @property
    def few(self) -> str:
        """Why nothing can be said of words, empty where something can."""
        num = len({word.text for words in self.words for word in words})
        told = f"not enough data: the excerpts have {num} different words, and {FEWEST_WORDS} are needed"
        return "" if num >= FEWEST_WORDS else told

    def order_bits(self) -> Float[np.ndarray, "orders units"]:
        """Bits per byte of every excerpt under each order."""
        rows = [bits.sum(1) if end else bits[:, :-1].sum(1) for bits, end in zip(self.ngrams, self.closed, strict=True)]
        return np.stack(rows, 1) / self.sizes

    @property
    def best(self) -> int:
        """The order that takes the fewest bits on these very excerpts: the choice favours the baseline."""
        return int(self.order_bits().mean(1).argmin())


def choose(corpus: Corpus, *, num: int, size: int, generator: np.random.Generator) -> tuple[list[str], list[bool]]:
    """Excerpts of about `size` bytes that share no byte, each from the beginning of a word, drawn from all held-out texts."""
    found = []
    for text in sorted(corpus.test):
        starts = range(0, max(1, len(text) - size // 2), size)
        for start in starts:
            last = start + 2 * size > len(text) + size // 2
            piece = text[start:] if last else text[start : start + size]
            if start:
                piece = piece[piece.find(" ") + 1 :] if " " in piece[:40] else piece
            if piece.strip():
                found.append((piece, last))
            if last:
                break
    kept = sorted(generator.permutation(len(found))[:num].tolist())
    return [found[k][0] for k in kept], [found[k][1] for k in kept]


def words_in(text: str) -> tuple[Word, ...]:
    """Every word with the bytes at which it begins and ends; what stands between words counts to the next one."""
    reached = np.cumsum([0, *(len(letter.encode()) for letter in text)])
    return tuple(
        Word(found.group().lower(), int(reached[found.start()]), int(reached[found.end()])) for found in WORD.finditer(text)
    )


def prepared(
    texts: Sequence[str],
    closed: Sequence[bool],
    *,
    ngrams: NGrams,
    vocabulary: Vocabulary,
    vectors: Float[np.ndarray, "v d"],
    shuffled: dict[str, tuple[str, ...]],
) -> Excerpts:
    """What n-grams, frequency and counted vectors say of every word. `vectors`: of unit length, for the first words of the
    vocabulary."""
    total = sum(vocabulary.counts)
    words = tuple(words_in(text) for text in texts)
    bits = tuple(ngrams.bits(text) for text in texts)
    found = Excerpts(tuple(texts), tuple(closed), words, shuffled, bits, np.zeros((0, 3)))
    rows = []
    for some, codes in zip(words, bits, strict=True):
        upto = np.concatenate([[0.0], np.cumsum(codes[found.best])])
        before: list[int] = []
        last = 0
        for word in some:
            place = vocabulary.place.get(word.text, -1)
            count = vocabulary.counts[place] if place >= 0 else 0
            likeness = 0.0
            if 0 <= place < len(vectors) and before:
                likeness = float(vectors[place] @ vectors[before[-CONTEXT_WORDS:]].mean(0))
            rows.append((-np.log2((count + 0.5) / (total + 0.5 * len(vocabulary) + 1)), upto[word.end] - upto[last], likeness))
            if 0 <= place < len(vectors):
                before.append(place)
            last = word.end
    return replace(found, predictors=np.array(rows).reshape(-1, 3))


class NetworkBits(NamedTuple):
    """Of one network, for every excerpt: bits per byte (`bits`), saved over the best order (`saved`), saved by the mixture
    (`gain`), squares left and all (`left`, `(units, 2)`, for each step of `STEPS`), costs of each shuffle, agreement with rules
    `(units, 2)`, and that of the text itself (`followed`)."""

    bits: Float[np.ndarray, " units"]
    saved: Float[np.ndarray, " units"]
    gain: Float[np.ndarray, " units"]
    left: tuple[Float[np.ndarray, "units 2"], ...]
    costs: dict[str, Float[np.ndarray, " units"]]
    rules: Float[np.ndarray, "units 2"]
    followed: Float[np.ndarray, "units 2"]


def read(scorer: Scorer, excerpts: Excerpts, rules: TokenRules, *, shuffles: bool = True) -> NetworkBits:
    """Code all excerpts with a network, and those under every shuffle."""
    scored = [scorer.score(text) for text in excerpts.texts]
    sizes = excerpts.sizes
    bits = np.array([_total(one, end) for one, end in zip(scored, excerpts.closed, strict=True)]) / sizes
    costs = {}
    for name, texts in excerpts.shuffled.items() if shuffles else ():
        moved = [_total(scorer.score(text), end) for text, end in zip(texts, excerpts.closed, strict=True)]
        costs[name] = np.array(moved) / np.array([max(1, len(text.encode())) for text in texts]) - bits
    own = [word_bits(one, [word.end for word in found]) for one, found in zip(scored, excerpts.words, strict=True)]
    return NetworkBits(
        bits=bits,
        saved=excerpts.order_bits()[excerpts.best] - bits,
        gain=_gain(excerpts, own),
        left=_left(excerpts, np.concatenate(own)),
        costs=costs,
        rules=np.stack([rules.agrees(one.tokens, one.top).mean(0) for one in scored]),
        followed=np.stack([rules.agrees(one.tokens, one.tokens).mean(0) for one in scored]),
    )


def imitator(
    excerpts: Excerpts, other: NGrams, best: int
) -> tuple[Float[np.ndarray, " units"], tuple[Float[np.ndarray, "units 2"], ...]]:
    """What is gained with, and left of, n-grams of another part of the corpus in the place of a network: an imitation."""
    own = []
    for text, found in zip(excerpts.texts, excerpts.words, strict=True):
        upto = np.concatenate([[0.0], np.cumsum(other.bits(text)[best])])
        own.append(np.diff([0.0, *(upto[word.end] for word in found)]))
    return _gain(excerpts, own), _left(excerpts, np.concatenate(own))


def _total(scored: ScoredText, closed: bool) -> float:
    return float(scored.bits.sum() if closed else scored.bits[:-1].sum())


def _left(excerpts: Excerpts, surprisal: Float[np.ndarray, " w"]) -> tuple[Float[np.ndarray, "units 2"], ...]:
    """Squares left and all of every excerpt, with one, two and all three predictors."""
    inner, num = excerpts.inner, len(excerpts.texts)
    folds, found = excerpts.folds[inner], []
    for upto in range(1, len(STEPS) + 1):
        squares = unexplained(surprisal[inner], excerpts.predictors[inner, :upto], folds)
        found.append(np.stack([np.bincount(folds, squares[:, k], minlength=num).astype(np.float64) for k in (0, 1)], 1))
    return tuple(found)


def share_left(squares: Float[np.ndarray, "units 2"]) -> tuple[float, float, Interval]:
    """The share of variance that is left, its variance and its interval by the jackknife over excerpts."""

    def ratio(some: Float[np.ndarray, "units 2"]) -> float:
        return float(some[:, 0].sum() / max(some[:, 1].sum(), 1e-12))

    value = ratio(squares)
    variance, interval = jackknife(value, [ratio(np.delete(squares, k, axis=0)) for k in range(len(squares))])
    return value, variance, replace(interval, low=max(0.0, interval.low))


def _gain(excerpts: Excerpts, own: Sequence[Float[np.ndarray, " _w"]]) -> Float[np.ndarray, " units"]:
    """Bits per byte that the mixture of all orders saves once the network is one of its components; words are mixed whole."""
    orders = []
    for bits, found in zip(excerpts.ngrams, excerpts.words, strict=True):
        upto = np.concatenate([np.zeros((len(bits), 1)), np.cumsum(bits, 1)], 1)
        orders.append(np.diff(upto[:, [0, *(word.end for word in found)]], axis=1))
    inner = excerpts.inner
    folds, counted, network = excerpts.folds[inner], np.concatenate(orders, 1)[:, inner], np.concatenate(own)[inner]
    saved = mixture_bits(counted, folds) - mixture_bits(np.vstack([counted, network]), folds)
    return np.bincount(folds, saved, minlength=len(excerpts.texts)) / excerpts.sizes
