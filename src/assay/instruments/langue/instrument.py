"""Langue: how much of a network's relational structure follows from text alone?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.encoding import Encoder, encoder_of
from assay.encoding.scoring import Scorer, scorer_of
from assay.errors import AssayError
from assay.evidence import UNTRAINED, Effort, Interval, Measure
from assay.instrument import Budget, Control, Instrument, Metric, NotEnough, Notes, Random, Reading, Readings, Values, stage
from assay.instruments.langue import bits, figures, states
from assay.relations import (
    GivesRelations,
    Match,
    cosine,
    match,
    rated_correlation,
    rated_null,
    same_stem,
    spelling_overlap,
    unit_vectors,
)
from assay.relations.permutations import permutations
from assay.relations.rsa import frequency_difference
from assay.stats import jackknife, keyed_seed
from assay.subject import Subject
from assay.task import Task, TokenSequence
from assay.text import SHUFFLES, Corpus, GivesCorpus, NGrams, Shuffler, Vocabulary, ppmi_vectors
from assay.text.leftover import TokenRules

NEAREST = 10
FEWEST_WORDS = 3 * NEAREST
NGRAM, IMITATOR, MATCHED, FREE = "n-grams", "an n-gram as the network", "words of like frequency", "free permutations"
COUNTS = "counts of the text"
_RATE, _SHARE, _SIGNED = "bits per byte", "share of neighbours", (-1.0, 1.0)


def _metric(key: str, title: str, **more: object) -> Metric:
    return Metric(key=key, title=title, **{"level": 2, "of": "excerpt", **more})  # pyrefly: ignore[bad-argument-type]


BITS = _metric("bits", "bits per byte", unit=_RATE, better="lower")
SAVED = _metric("saved", "bits saved over the best n-gram", unit=_RATE, headline=True, beats=(UNTRAINED, NGRAM))
GAIN = _metric("gain", "bits that a mixture of n-grams gains by it", unit=_RATE, headline=True, beats=(UNTRAINED, IMITATOR))
LEFT = _metric(
    "left", "variance of word surprisal left after frequency, n-gram and context", better="neither", beats=(IMITATOR,)
)
COST = _metric("cost", "cost of a shuffle", unit=_RATE, beats=(NGRAM,))
RULES = _metric("rules", "likeliest tokens that n-gram rules say too", unit="share", bounds=(0.0, 1.0))
_WORDS: dict[str, object] = {"of": "word", "level": 0}
NEAR = _metric(
    "neighbours", "mutual neighbours", unit=_SHARE, headline=True, bounds=(0.0, 1.0), beats=(UNTRAINED, MATCHED), **_WORDS
)
APART = _metric(
    "neighbours_apart", "mutual neighbours of other stems", unit=_SHARE, bounds=(0.0, 1.0), beats=(MATCHED,), **_WORDS
)
RSA = _metric("rsa", "partial rank correlation of all pairs", bounds=_SIGNED, beats=(MATCHED,), **_WORDS)
CKA = _metric("cka", "debiased CKA", beats=(MATCHED,), **_WORDS)
RATED = _metric("ratings", "rank correlation with ratings", bounds=_SIGNED, beats=(MATCHED,), **_WORDS)
FOUND = _metric("matched", "words matched without labels", unit="share", bounds=(0.0, 1.0), **_WORDS)


@dataclass(frozen=True, kw_only=True)
class LangueBudget(Budget):
    """Sizes.

    **Attributes:**

    - `excerpts`, `size`: how many stretches of held-out text, and their bytes.
    - `words`, `each`: words whose relations are compared, and the contexts that each is read in.
    - `draws`, `pair_draws`: permutations of the local and of the global measures.
    - `layers`: at most so many are read.
    - `match`: whether words are matched without labels.
    - `reading`: what all networks may cost to read, in weights times tokens, None for whatever it takes: excerpts and contexts
      become fewer.
    """

    excerpts: int
    size: int
    words: int
    each: int
    draws: int
    pair_draws: int
    layers: int
    match: bool
    reading: float | None = None


BUDGETS: Mapping[Effort, LangueBudget] = {
    "quick": LangueBudget(
        excerpts=12, size=400, words=200, each=4, draws=500, pair_draws=50, layers=4, match=False, reading=1e13
    ),
    "standard": LangueBudget(
        excerpts=40, size=800, words=400, each=8, draws=2_000, pair_draws=200, layers=8, match=True, reading=4e13
    ),
    "full": LangueBudget(excerpts=150, size=1_500, words=800, each=20, draws=10_000, pair_draws=500, layers=16, match=True),
}


class Drawn(NamedTuple):
    """Everything that depends on no network."""

    budget: LangueBudget
    corpus: Corpus
    scorer: Scorer | None
    why: str
    encoder: Encoder
    excerpts: bits.Excerpts
    rules: TokenRules
    imitated: tuple[Float[np.ndarray, " units"], Float[np.ndarray, "units 2"]]
    vocabulary: Vocabulary
    graphs: Sequence
    systems: Mapping[str, states.System]
    apart: states.System
    stems: Bool[np.ndarray, "n n"]
    removed: Sequence[Float[np.ndarray, "n n"]]
    ratings: Mapping[str, tuple[Int[np.ndarray, "p 2"], Float[np.ndarray, " p"]]]
    seed: int
    weights: int


class Kept(NamedTuple):
    """What the words need: alignments by system, the vectors at the best layer, the match, and readings in bits."""

    aligned: Mapping[str, states.Alignment]
    layers: tuple[str, ...]
    vectors: Float[np.ndarray, "n d"]
    matched: Match | None
    read: bits.Read | None


class Langue(Instrument[Drawn]):
    """Bits of held-out text beside n-grams and what these leave, and relations between words beside counts of the same text
    (Kozlowski 2026; Huh et al. 2024; Deletang et al. 2024), each with nulls that know how frequent a word is.

    **Arguments:** `budgets`: how much is measured at each effort.

    Example::

        evidence = assay.instrument.run(Langue(), subject, assay.load_task("text:tinyshakespeare"), effort="quick", seed=0)
        print(evidence.measure("saved").value)
    """

    name = "langue"
    question = "How much of its relational structure follows from text alone?"
    cites = ("kozlowski2026", "huh2024", "deletang2024")
    needs = (GivesCorpus,)
    metrics = (BITS, SAVED, GAIN, LEFT, COST, RULES, NEAR, APART, RSA, CKA, RATED, FOUND)
    long = True

    def __init__(self, *, budgets: Mapping[Effort, LangueBudget] = BUDGETS):
        self.budgets = budgets

    def data(self, subject: Subject, task: Task, budget: LangueBudget, rng: Random) -> Drawn:
        assert isinstance(task, GivesCorpus)
        corpus, seed = task.corpus(), keyed_seed(rng.seed, "langue")
        share = _share(subject, budget)
        given = task if isinstance(task, GivesRelations) else None
        with stage("counting", 0.0, 0.6):
            train = sorted(corpus.train)
            whole = Vocabulary.of(train)
            vocabulary = whole.chosen(least=5, shortest=3).first(budget.words)
            if len(vocabulary) < FEWEST_WORDS:
                raise NotEnough(f"{len(vocabulary)} words of three letters stand five times or more; {FEWEST_WORDS} must")
            generator = np.random.default_rng(seed)
            texts, closed = bits.choose(corpus, num=max(6, int(budget.excerpts * share)), size=budget.size, generator=generator)
            if len(texts) < 5:
                raise NotEnough(f"{len(texts)} excerpts of {budget.size} bytes are held out, and 5 are needed")
            shuffle = Shuffler(tuple(train), given.tags() if given else {})
            shuffled = {
                name: tuple(shuffle(text, name, generator=np.random.default_rng([seed, k])) for k, text in enumerate(texts))
                for name in SHUFFLES
            }
            frequent = whole.first(2_000)
            counted = unit_vectors(ppmi_vectors(train, frequent.words, seed=seed))
            excerpts = bits.prepared(texts, closed, ngrams=NGrams(train), vocabulary=whole, vectors=counted, shuffled=shuffled)
            half = ["\n".join("\n".join(train).split("\n")[0::2])]
            imitated = bits.imitator(excerpts, NGrams(half), excerpts.best)
            vectors = ppmi_vectors(train, vocabulary.words, seed=seed)
        systems, apart, stems = _systems(vectors, vocabulary, given)
        why, scorer, rules = "", None, TokenRules([])
        try:
            scorer = scorer_of(subject, task)
            scorer.score(texts[0][:200])
            rules = TokenRules(np.concatenate([scorer.tokens(text[:200_000]) for text in train])[:400_000])
        except AssayError as error:
            why = str(error)
        spec = getattr(task, "input_spec", None)
        longest = spec.context if isinstance(spec, TokenSequence) else 10**6
        each = max(2, int(budget.each * share))
        return Drawn(
            budget=budget,
            corpus=corpus,
            scorer=scorer,
            why=why,
            # A text that is only read is cut by the tokenizer beside the weights.
            encoder=encoder_of(subject, task if spec is not None else None, most_layers=budget.layers),
            excerpts=excerpts,
            rules=rules,
            imitated=imitated,
            vocabulary=vocabulary,
            graphs=states.contexts(corpus, vocabulary.words, each=each, longest=longest, generator=generator),
            systems=systems,
            apart=apart,
            stems=stems,
            removed=[frequency_difference(np.array(vocabulary.counts)), spelling_overlap(vocabulary.words)],
            ratings=_ratings(vocabulary, given),
            seed=seed,
            weights=subject.num_weights(),
        )

    def read(self, network: Subject, data: Drawn, rng: Random) -> Reading:
        values, read, kept = [], None, None
        if data.scorer is not None:
            with stage("coding excerpts", 0.0, 0.5):
                read = bits.read(data.scorer.on(network), data.excerpts, data.rules)
                values += _of_bits(read, data)
        with stage("reading words", 0.5, 0.8):
            kept = _aligned(network, data)
            values += _of_words(kept, data)
        return Reading(values, kept._replace(read=read))

    def read_copy(self, network: Subject, data: Drawn, own: Reading, rng: Random) -> Reading:
        """Without shuffles, whose null is what they cost an n-gram."""
        values = []
        if data.scorer is not None:
            values += _of_bits(bits.read(data.scorer.on(network), data.excerpts, data.rules, shuffles=False), data)
        kept = _aligned(network, data)
        return Reading([*values, *_of_words(kept, data)], kept.aligned)

    def explain(self, data: Drawn, readings: Readings, measures: Sequence[Measure]) -> Notes:
        return figures.notes(data, readings, measures)


def _share(subject: Subject, budget: LangueBudget) -> float:
    """Of the budget's excerpts and contexts, what so large a network is given."""
    tokens = budget.excerpts * budget.size / 4 * (len(SHUFFLES) / (1 + budget.copies) + 1) + budget.words * budget.each * 8
    cost = subject.num_weights() * tokens * (1 + budget.copies)
    return 1.0 if budget.reading is None else min(1.0, budget.reading / cost)


def _systems(
    vectors: Float[np.ndarray, "n d"], vocabulary: Vocabulary, given: GivesRelations | None
) -> tuple[dict[str, states.System], states.System, Bool[np.ndarray, "n n"]]:
    """Counts of the text, what the task knows, and counts without words of one stem."""
    every, stems = np.arange(len(vocabulary)), same_stem(vocabulary.words)
    systems = {COUNTS: states.system(every, cosine(vectors), NEAREST, vectors=vectors)}
    for name, (known, likeness) in given.relations(vocabulary.words).items() if given else ():
        if len(known) >= FEWEST_WORDS:
            systems[name] = states.system(np.array([vocabulary.place[word] for word in known]), likeness, NEAREST)
    return systems, states.system(every, cosine(vectors), NEAREST, without=stems), stems


def _ratings(
    vocabulary: Vocabulary, given: GivesRelations | None
) -> dict[str, tuple[Int[np.ndarray, "p 2"], Float[np.ndarray, " p"]]]:
    """Rated pairs whose words are both compared, where there are twenty or more."""
    found = {}
    for name, pairs in given.ratings().items() if given else ():
        known = [pair for pair in pairs if pair[0] in vocabulary.place and pair[1] in vocabulary.place and pair[0] != pair[1]]
        if len(known) >= 20:
            places = np.array([[vocabulary.place[pair[0]], vocabulary.place[pair[1]]] for pair in known])
            found[name] = places, np.array([pair[2] for pair in known])
    return found


def _of_bits(read: bits.Read, data: Drawn) -> list[Values]:
    excerpts, zeros = data.excerpts, np.zeros((1, len(read.bits)))
    best = excerpts.best
    pseudo = data.scorer is not None and data.scorer.pseudo
    note = "pseudo-bits: each token is given what stands behind it, so that this is no code length" if pseudo else ""
    values = [
        _over(BITS, read.bits, note=note),
        _over(SAVED, read.saved, [Control(name=NGRAM, how=f"order {best} itself, chosen on the excerpts", values=_t(zeros))]),
        _over(
            GAIN, read.gain, [_paired(IMITATOR, "n-grams of every other line, in the place of the network", data.imitated[0])]
        ),
        _left(read.left, data),
    ]
    orders = excerpts.order_bits()[best]
    ngrams = NGrams(sorted(data.corpus.train), order=best) if read.costs else None
    for name, cost in read.costs.items():
        texts = excerpts.shuffled[name]
        assert ngrams is not None
        moved = [
            (b if end else b[:-1]).sum() for b, end in zip((ngrams.bits(t)[best] for t in texts), excerpts.closed, strict=True)
        ]
        null = np.array(moved) / np.array([max(1, len(text.encode())) for text in texts]) - orders
        values.append(_over(COST, cost, [_paired(NGRAM, f"what it costs order {best}", null)], about={"shuffle": name}))
    for k, rule in enumerate(("the longest known context", "any context, chosen afterwards")):
        values.append(_over(RULES, read.rules[:, k], about={"rule": rule}))
    return values


def _left(squares: Float[np.ndarray, "units 2"], data: Drawn) -> Values:
    def ratio(some: Float[np.ndarray, "units 2"]) -> float:
        return float(some[:, 0].sum() / max(some[:, 1].sum(), 1e-12))

    value = ratio(squares)
    variance, interval = jackknife(value, [ratio(np.delete(squares, k, axis=0)) for k in range(len(squares))])
    control = Control(name=IMITATOR, how="left of n-grams of every other line", values=_t([ratio(data.imitated[1])]))
    units = value + (squares[:, 0] - value * squares[:, 1]) / max(float(squares[:, 1].mean()), 1e-12)
    return Values(metric=LEFT.key, units=_t(units), value=value, variance=variance, interval=interval, controls=(control,))


def _aligned(network: Subject, data: Drawn) -> Kept:
    layers = states.vectors(data.encoder.on(network), data.graphs, data.vocabulary.words)
    bins, draws = data.vocabulary.bins(), data.budget.draws
    aligned = {name: states.align(layers, one, bins, draws=draws, seed=data.seed) for name, one in data.systems.items()}
    aligned["apart"] = states.align(layers, data.apart, bins, draws=draws, seed=data.seed, without=data.stems)
    found, matched = layers[aligned[COUNTS].layer], None
    if data.budget.match:
        matched = match(cosine(found), data.systems[COUNTS].likeness, generator=np.random.default_rng(data.seed))
    return Kept(aligned, tuple(layers), found, matched, None)


def _of_words(kept: Kept, data: Drawn) -> list[Values]:
    values, bins = [], data.vocabulary.bins()
    for name, one in kept.aligned.items():
        metric, about = (APART, {"system": COUNTS}) if name == "apart" else (NEAR, {"system": name})
        how = "permutations within twenty groups of like frequency, the largest of all layers each time"
        null = Control(name=MATCHED, how=how, values=_t(one.null), p=one.best.p)
        values.append(_over(metric, one.words, [null], about=about, where={"layer": one.layer}))
    for key, found in states.whole(
        kept.vectors, data.systems[COUNTS], bins, data.removed, draws=data.budget.pair_draws, seed=data.seed
    ).items():
        variance, interval = jackknife(found.value, found.left_out.tolist())
        null = Control(name=MATCHED, how="permutations within groups of like frequency", values=_t(found.null))
        values.append(_whole(key, found.value, variance, interval, null, len(kept.vectors)))
    for name, (pairs, ratings) in data.ratings.items():
        order = permutations(len(bins), data.budget.draws, generator=np.random.default_rng(data.seed), groups=bins)
        value, tenths = rated_correlation(kept.vectors, pairs, ratings), np.arange(len(pairs)) % 10
        parts = [rated_correlation(kept.vectors, pairs[tenths != k], ratings[tenths != k]) for k in range(10)]
        null = Control(
            name=MATCHED, how="words with the vectors of others", values=_t(rated_null(kept.vectors, pairs, ratings, order))
        )
        variance, interval = jackknife(value, parts)
        values.append(_whole("ratings", value, variance, interval, null, len(pairs), about={"pairs": name}))
    if kept.matched is not None:
        right = (kept.matched.found == np.arange(len(bins))).astype(np.float64)
        values.append(_over(FOUND, right, where={"outcome": kept.matched.outcome}))
    return values


def _t(values: object) -> Float[Tensor, "*shape"]:
    return torch.from_numpy(np.asarray(values, dtype=np.float64))


def _over(metric: Metric, units: Float[np.ndarray, " u"], controls: Sequence[Control] = (), **more: object) -> Values:
    """A metric that is the mean over its units."""
    return Values(metric=metric.key, units=_t(units), controls=tuple(controls), **more)  # pyrefly: ignore[bad-argument-type]


def _paired(name: str, how: str, units: Float[np.ndarray, " u"]) -> Control:
    return Control(name=name, how=how, values=_t(units)[None])


def _whole(
    key: str, value: float, variance: float, interval: Interval, null: Control, num: int, about: Mapping[str, str] | None = None
) -> Values:
    """A number that is no mean over the `num` words or pairs that it rests on."""
    units = torch.full((num,), value, dtype=torch.float64)
    bounds = {"rsa": _SIGNED, "ratings": _SIGNED}.get(key)
    low, high = bounds or (-np.inf, np.inf)
    interval = replace(interval, low=max(low, interval.low), high=min(high, interval.high))
    return Values(
        metric=key, units=units, about=about or {}, value=value, variance=variance, interval=interval, controls=(null,)
    )
