"""Bits per byte of held-out excerpts under the network and under n-grams, intact and shuffled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from assay.encoding.scoring import ScoredText, Scorer, word_bits
from assay.evidence import Interval
from assay.stats import jackknife
from assay.text import Corpus, NGrams, Shuffler, Vocabulary
from assay.text.leftover import TokenRules, mixture_bits, unexplained
from assay.text.word_counts import WORD

CONTEXT_WORDS, FEWEST_WORDS = 10, 30
MOST_BEFORE = 256
"""Characters of context before an excerpt."""
STEPS = ("frequency", "frequency and n-gram", "frequency, n-gram and context")
"""Predictors regressed out of word surprisal, step by step."""


class Word(NamedTuple):
    """A word of an excerpt in lower case, with the byte at which the word before it ends and the byte at which it ends
    itself."""

    text: str
    start: int
    end: int


class Excerpt(NamedTuple):
    """A stretch of held-out text. `before`: the context, whose bits are not counted; `closed`: whether its end is the end of
    the text, which is then coded too."""

    before: str
    text: str
    closed: bool

    @property
    def size(self) -> int:
        return len(self.text.encode())

    def counted(self, ngrams: NGrams) -> Float[np.ndarray, "orders _s"]:
        """Bits of its bytes, and of the end of the text, under n-grams of every order."""
        return ngrams.bits(self.before + self.text)[:, len(self.before.encode()) :]

    def scored(self, scorer: Scorer) -> ScoredText:
        """Bits of its tokens under a network."""
        return self.own(scorer.score(self.before + self.text))

    def own(self, whole: ScoredText) -> ScoredText:
        """The tokens that end in the excerpt, from those of context and excerpt."""
        return whole.behind(len(self.before.encode()))

    def shuffled(self, shuffle: Shuffler, name: str, *, generator: np.random.Generator) -> "Excerpt":
        """The excerpt under a shuffle. Leading blanks stay, or its first word would join the last word of the context."""
        inner = self.text.lstrip()
        blanks = self.text[: len(self.text) - len(inner)]
        return self._replace(text=blanks + shuffle(inner, name, generator=generator))

    def rate(self, bits: Float[np.ndarray, "*orders _s"]) -> Float[np.ndarray, "*orders"] | float:
        """Bits per byte; the last of `bits` belongs to the end of the text."""
        return bits[..., : None if self.closed else -1].sum(-1) / max(1, self.size)


@dataclass(frozen=True)
class Excerpts:
    """The excerpts, which are the independent units, with everything that depends on no network.

    **Attributes:**

    - `excerpts`; `words`: of each; `shuffled`: the excerpts under each shuffle, by its name.
    - `ngrams`: bits `(orders, symbols)` of every excerpt; `predictors`: `(words, 3)` for all words of all excerpts in order:
      surprisal by frequency, surprisal under the best n-gram, and similarity to the words before.
    """

    excerpts: tuple[Excerpt, ...]
    words: tuple[tuple[Word, ...], ...]
    shuffled: dict[str, tuple[Excerpt, ...]]
    ngrams: tuple[Float[np.ndarray, "orders _s"], ...]
    predictors: Float[np.ndarray, "w 3"]

    def __len__(self) -> int:
        return len(self.excerpts)

    @property
    def folds(self) -> Int[np.ndarray, " w"]:
        """The excerpt of every word."""
        return np.repeat(np.arange(len(self)), [len(words) for words in self.words])

    @property
    def few(self) -> str:
        """Why there is no result on words; empty where there is."""
        num = len({word.text for words in self.words for word in words})
        reason = f"not enough data: the excerpts have {num} different words, and {FEWEST_WORDS} are needed"
        return "" if num >= FEWEST_WORDS else reason

    def order_bits(self) -> Float[np.ndarray, "orders units"]:
        """Bits per byte of every excerpt under each order."""
        return np.stack([one.rate(bits) for one, bits in zip(self.excerpts, self.ngrams, strict=True)], 1)

    @property
    def best(self) -> int:
        """The order with the fewest bits on these very excerpts: the choice favours the baseline."""
        return int(self.order_bits().mean(1).argmin())


def choose(corpus: Corpus, *, num: int, size: int, generator: np.random.Generator) -> list[Excerpt]:
    """Disjoint excerpts of about `size` characters from all held-out texts, each from blank to blank where one is near. Each
    has up to `MOST_BEFORE` characters of context, from the beginning of a line where that leaves half of them, else from that
    of a word."""
    found = []
    for text in sorted(corpus.test):
        starts = [_blank(text, start) for start in range(0, max(1, len(text) - size // 2), size)]
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            if text[start:end].strip():
                found.append(Excerpt(_before(text, start), text[start:end], end == len(text)))
    kept = sorted(generator.permutation(len(found))[:num].tolist())
    return [found[k] for k in kept]


def _blank(text: str, start: int) -> int:
    """The next blank within forty characters, else `start`."""
    found = text.find(" ", start, start + 40) if start else 0
    return start if found < 0 else found


def _before(text: str, start: int) -> str:
    found = text[max(0, start - MOST_BEFORE) : start]
    if start <= MOST_BEFORE:
        return found
    line, blank = found.find("\n"), found.find(" ")
    return found[line + 1 :] if 0 <= line < MOST_BEFORE // 2 else found[max(0, blank) :]


def words_in(text: str) -> tuple[Word, ...]:
    """Every word with the bytes at which it begins and ends; characters between words count to the next one."""
    reached = np.cumsum([0, *(len(letter.encode()) for letter in text)])
    return tuple(
        Word(found.group().lower(), int(reached[found.start()]), int(reached[found.end()])) for found in WORD.finditer(text)
    )


def prepared(
    excerpts: Sequence[Excerpt],
    *,
    ngrams: NGrams,
    vocabulary: Vocabulary,
    vectors: Float[np.ndarray, "v d"],
    shuffled: dict[str, tuple[Excerpt, ...]],
) -> Excerpts:
    """Excerpts with their bits under n-grams and the predictors of every word. `vectors`: of unit length, for the first words
    of the vocabulary."""
    total = sum(vocabulary.counts)
    words = tuple(words_in(one.text) for one in excerpts)
    bits = tuple(one.counted(ngrams) for one in excerpts)
    found = Excerpts(tuple(excerpts), words, shuffled, bits, np.zeros((0, 3)))
    rows = []
    for one, some, codes in zip(excerpts, words, bits, strict=True):
        upto = np.concatenate([[0.0], np.cumsum(codes[found.best])])
        places = [vocabulary.place.get(word.text, -1) for word in words_in(one.before)]
        before = [place for place in places if 0 <= place < len(vectors)]
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


class BesideCounts(NamedTuple):
    """A language model beside counts, for every excerpt. `gain`: bits per byte that a mixture of n-grams saves once the model
    is added; `mixed`: bits per byte that this mixture saves over the model alone; `left`: residual and total squares of the
    model's word surprisal, `(units, 2)`, for each step of `STEPS`."""

    gain: Float[np.ndarray, " units"]
    mixed: Float[np.ndarray, " units"]
    left: tuple[Float[np.ndarray, "units 2"], ...]


class NetworkBits(NamedTuple):
    """Bits of one network, for every excerpt. `bits`: per byte; `saved`: over the best order; `beside_counts`: what counts
    explain of it; `costs`: of each shuffle; `rules`: agreement of its likeliest tokens with n-gram rules `(units, 2)`;
    `followed`: that of the text itself."""

    bits: Float[np.ndarray, " units"]
    saved: Float[np.ndarray, " units"]
    beside_counts: BesideCounts
    costs: dict[str, Float[np.ndarray, " units"]]
    rules: Float[np.ndarray, "units 2"]
    followed: Float[np.ndarray, "units 2"]


def read(scorer: Scorer, excerpts: Excerpts, rules: TokenRules, *, shuffles: bool = True) -> NetworkBits:
    """Code all excerpts, and those under every shuffle, with a network."""
    whole = [scorer.score(one.before + one.text) for one in excerpts.excerpts]
    scored = [one.own(found) for one, found in zip(excerpts.excerpts, whole, strict=True)]
    bits = np.array([one.rate(found.bits) for one, found in zip(excerpts.excerpts, scored, strict=True)])
    costs = {}
    for name, moved in excerpts.shuffled.items() if shuffles else ():
        costs[name] = np.array([one.rate(one.scored(scorer).bits) for one in moved]) - bits
    own = [word_bits(one, [word.end for word in found]) for one, found in zip(scored, excerpts.words, strict=True)]
    return NetworkBits(
        bits=bits,
        saved=excerpts.order_bits()[excerpts.best] - bits,
        beside_counts=_beside_counts(excerpts, own),
        costs=costs,
        rules=_agreement(excerpts, rules, whole, [found.top for found in whole]),
        followed=_agreement(excerpts, rules, whole, [found.tokens for found in whole]),
    )


def _agreement(
    excerpts: Excerpts, rules: TokenRules, whole: Sequence[ScoredText], predicted: Sequence[Int[np.ndarray, " _n"]]
) -> Float[np.ndarray, "units 2"]:
    """For every excerpt the share of its tokens at which n-gram rules give the `predicted` one."""
    rows = []
    for one, found, tokens in zip(excerpts.excerpts, whole, predicted, strict=True):
        first, last = len(found.bits) - len(one.own(found).bits), None if one.closed else -1
        rows.append(rules.agrees(found.tokens, tokens)[first:last].mean(0))
    return np.stack(rows)


def imitator(excerpts: Excerpts, others: Sequence[NGrams]) -> BesideCounts:
    """The imitation null: the mean over n-grams of parts of the corpus in the place of the network, at the best order."""
    found = []
    for other in others:
        own = []
        for one, words in zip(excerpts.excerpts, excerpts.words, strict=True):
            upto = np.concatenate([[0.0], np.cumsum(one.counted(other)[excerpts.best])])
            own.append(np.diff([0.0, *(upto[word.end] for word in words)]))
        found.append(_beside_counts(excerpts, own))
    gain, mixed, left = zip(*found, strict=True)
    return BesideCounts(np.mean(gain, 0), np.mean(mixed, 0), tuple(np.mean(steps, 0) for steps in zip(*left, strict=True)))


def _beside_counts(excerpts: Excerpts, own: Sequence[Float[np.ndarray, " _w"]]) -> BesideCounts:
    """A model beside counts, from the bits of the words of every excerpt (`own`). Mixtures are of whole words."""
    orders = []
    for bits, found in zip(excerpts.ngrams, excerpts.words, strict=True):
        upto = np.concatenate([np.zeros((len(bits), 1)), np.cumsum(bits, 1)], 1)
        orders.append(np.diff(upto[:, [0, *(word.end for word in found)]], axis=1))
    folds, counted, surprisal, num = excerpts.folds, np.concatenate(orders, 1), np.concatenate(own), len(excerpts)
    sizes = np.array([one.size for one in excerpts.excerpts])
    together = mixture_bits(np.vstack([counted, surprisal]), folds)
    gain, mixed = (
        np.bincount(folds, alone - together, minlength=num) / sizes for alone in (mixture_bits(counted, folds), surprisal)
    )
    left = []
    for upto in range(1, len(STEPS) + 1):
        squares = unexplained(surprisal, excerpts.predictors[:, :upto], folds)
        left.append(np.stack([np.bincount(folds, squares[:, k], minlength=num).astype(np.float64) for k in (0, 1)], 1))
    return BesideCounts(gain, mixed, tuple(left))


def share_left(squares: Float[np.ndarray, "units 2"]) -> tuple[float, float, Interval]:
    """The share of variance that is unexplained, its variance, and its interval by the jackknife over excerpts."""

    def ratio(some: Float[np.ndarray, "units 2"]) -> float:
        return float(some[:, 0].sum() / max(some[:, 1].sum(), 1e-12))

    value = ratio(squares)
    variance, interval = jackknife(value, [ratio(np.delete(squares, k, axis=0)) for k in range(len(squares))])
    return value, variance, replace(interval, low=max(0.0, interval.low))
