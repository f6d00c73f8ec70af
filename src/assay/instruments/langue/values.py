"""Values of the metrics of one network, with the nulls that come from the network itself."""

import functools

import numpy as np
from jaxtyping import Float, Int

from assay.instrument import Control, Values
from assay.instruments.langue import bits, states, unlabelled
from assay.instruments.langue.drawn import LangueDraw, LangueKept
from assay.instruments.langue.metrics import (
    ANALOGIES,
    APART,
    BITS,
    CKA,
    COST,
    FOLLOWED,
    FOUND,
    GAIN,
    GROUPS,
    IMITATOR,
    LEFT,
    MATCHED,
    MIXED,
    NEAR,
    NGRAM,
    NOTHING,
    RATED,
    RSA,
    RULES,
    SAVED,
    over,
    paired,
    tensor,
    whole,
)
from assay.instruments.langue.systems import COUNTS
from assay.relations import (
    Match,
    analogies_by_pair,
    cosine,
    debiased_cka,
    match,
    rated_correlation,
    rated_null,
    rsa,
)
from assay.stats import jackknife
from assay.subject import Subject
from assay.text import NGrams

_HALVES = "n-grams of either half of the training text (every other line)"


def of_bits(read: bits.NetworkBits, data: LangueDraw) -> list[Values]:
    """Values of code lengths."""
    excerpts, zeros = data.excerpts, np.zeros((1, len(read.bits)))
    best = excerpts.best
    pseudo = data.scorer is not None and data.scorer.pseudo
    note = "pseudo-bits: each token is predicted from both sides, so that this is no code length" if pseudo else ""
    untold = {SAVED: note, GAIN: note or excerpts.few, MIXED: note or excerpts.few, LEFT: excerpts.few}
    values = [over(BITS, read.bits, note=note)]
    values += [Values(metric=metric.key, units=tensor([]), reason=why) for metric, why in untold.items() if why]
    if not untold[SAVED]:
        how = f"the n-gram of order {best}, the best on these excerpts, whose saving over itself is 0"
        null = Control(name=NGRAM, how=how, values=tensor(zeros))
        values.append(over(SAVED, read.saved, [null]))
    how = f"{_HALVES}, in the place of the network"
    pairs = {GAIN: (read.beside_counts.gain, data.imitated.gain), MIXED: (read.beside_counts.mixed, data.imitated.mixed)}
    values += [over(metric, own, [paired(IMITATOR, how, null)]) for metric, (own, null) in pairs.items() if not untold[metric]]
    if not untold[LEFT]:
        values.append(_left(read.beside_counts.left[-1], data))
    orders = excerpts.order_bits()[best]
    ngrams = NGrams(sorted(data.corpus.train), order=best) if read.costs else None
    for name, cost in read.costs.items():
        assert ngrams is not None
        null = np.array([one.rate(one.counted(ngrams)[best]) for one in excerpts.shuffled[name]]) - orders
        how = f"what the shuffle costs the n-gram of order {best}"
        values.append(over(COST, cost, [paired(NGRAM, how, null)], about={"shuffle": name}))
    for k, rule in enumerate(("the longest known context", "any context, chosen afterwards")):
        null = paired(
            FOLLOWED, "the tokens of the text itself in the place of the network's likeliest tokens", read.followed[:, k]
        )
        values.append(over(RULES, read.rules[:, k], [null], about={"rule": rule}))
    return values


def _left(squares: Float[np.ndarray, "units 2"], data: LangueDraw) -> Values:
    value, variance, interval = bits.share_left(squares)
    other = bits.share_left(data.imitated.left[-1])[0]
    control = Control(name=IMITATOR, how=f"the variance left of {_HALVES}", values=tensor([other]))
    units = value + (squares[:, 0] - value * squares[:, 1]) / max(float(squares[:, 1].mean()), 1e-12)
    return Values(metric=LEFT.key, units=tensor(units), value=value, variance=variance, interval=interval, controls=(control,))


def aligned(network: Subject, data: LangueDraw, *, draws: int) -> LangueKept:
    """Alignments of the words of a network with all systems. `draws`: permutations; with a single one, as for a copy, which is
    itself a null, the null systems are left out."""
    layers = states.vectors(data.encoder.on(network), data.graphs, data.vocabulary.words)
    counts, known = np.array(data.vocabulary.counts), data.systems
    real, nulls = (
        {name: states.align(layers, one, counts, draws=draws, seed=data.seed) for name, one in some.items()}
        for some in (known.real, known.nulls if draws > 1 else {})
    )
    real["apart"] = states.align(layers, known.apart, counts, draws=draws, seed=data.seed, without=known.stems)
    found, matched = layers[real[COUNTS].layer], None
    if data.budget.match:
        matched = match(cosine(found), known.real[COUNTS].likeness, generator=np.random.default_rng(data.seed))
    return LangueKept(real, nulls, layers, found, matched)


def of_words(kept: LangueKept, data: LangueDraw) -> list[Values]:
    """Values of the relations of the network under test."""
    values, counts, known = [], np.array(data.vocabulary.counts), data.systems
    layers, seed, best = list(kept.layers.values()), data.seed, kept.aligned[COUNTS].best.layer
    few, many = (
        states.Draws.of(kept.aligned[COUNTS], counts, draws=draws, seed=seed)
        for draws in (data.budget.pair_draws, data.budget.draws)
    )
    how = "permutations of words within groups of like frequency; in each the layer that agrees best with counts is chosen anew"
    for name, one in (*kept.aligned.items(), *kept.nulls.items()):
        metric, about = (APART, {"system": COUNTS}) if name == "apart" else (NEAR, {"system": name})
        metric = NOTHING if name in kept.nulls else metric
        largest = "permutations of words within groups of ten of like frequency, each with its largest value over layers"
        null = Control(name=MATCHED, how=largest, values=tensor(one.null), p=one.best.p)
        values.append(over(metric, one.words, [null], about=about, where={"layer": one.layer}))
    measured = states.whole(layers, best, known.real[COUNTS], data.removed, draws=few, seed=seed)
    for metric in (RSA, CKA):
        found = measured[metric.key]
        variance, interval = jackknife(found.value, found.left_out.tolist())
        null = Control(name=MATCHED, how=how, values=tensor(found.null))
        values.append(whole(metric, found.value, len(counts), variance=variance, interval=interval, null=null))
    for name, (pairs, ratings) in known.ratings.items():
        drawn = many.null(layers, functools.partial(_rated, pairs=pairs, ratings=ratings))
        value, tenths = rated_correlation(kept.vectors, pairs, ratings), np.arange(len(pairs)) % 10
        parts = [rated_correlation(kept.vectors, pairs[tenths != k], ratings[tenths != k]) for k in range(10)]
        null = Control(name=MATCHED, how=how, values=tensor(drawn))
        variance, interval = jackknife(value, parts)
        about = {"pairs": name}
        values.append(whole(RATED, value, len(pairs), variance=variance, interval=interval, null=null, about=about))
    values += _analogies(kept, data, few)
    for name, (rows, groups) in known.groups.items():
        value = unlabelled.agreement(kept.vectors[rows], groups, seed=seed)
        drawn, parts = unlabelled.agreement_null(layers, best, rows, groups, counts, draws=few, seed=seed)
        variance, interval = jackknife(value, parts)
        within = how if name == COUNTS else "permutations of words within groups of like frequency"
        null, about = Control(name=MATCHED, how=within, values=tensor(drawn)), {"groups": name}
        values.append(whole(GROUPS, value, len(rows), variance=variance, interval=interval, null=null, about=about))
    if kept.matched is not None:
        values.append(over(FOUND, _right(kept.matched), where={"outcome": kept.matched.outcome}))
    return values


def of_copy(kept: LangueKept, data: LangueDraw) -> list[Values]:
    """Values of a copy that the network is compared with."""
    known = data.systems
    values = [over(NEAR, one.words, about={"system": name}) for name, one in kept.aligned.items() if name != "apart"]
    values.append(over(APART, kept.aligned["apart"].words, about={"system": COUNTS}))
    for name, (pairs, ratings) in known.ratings.items():
        values.append(whole(RATED, rated_correlation(kept.vectors, pairs, ratings), len(pairs), about={"pairs": name}))
    counts, num = known.real[COUNTS], len(kept.vectors)
    assert counts.vectors is not None
    values.append(whole(RSA, rsa(cosine(kept.vectors), counts.likeness, without=data.removed).rho, num))
    values.append(whole(CKA, debiased_cka(kept.vectors, counts.vectors), num))
    values += _analogies(kept, data, None)
    for name, (rows, groups) in known.groups.items():
        value = unlabelled.agreement(kept.vectors[rows], groups, seed=data.seed)
        values.append(whole(GROUPS, value, len(rows), about={"groups": name}))
    return values if kept.matched is None else [*values, over(FOUND, _right(kept.matched))]


def _rated(
    vectors: Float[np.ndarray, "n d"],
    order: Int[np.ndarray, "draws n"],
    *,
    pairs: Int[np.ndarray, "p 2"],
    ratings: Float[np.ndarray, " p"],
) -> Float[np.ndarray, " draws"]:
    return rated_null(vectors, pairs, ratings, order)


def _analogies(kept: LangueKept, data: LangueDraw, draws: states.Draws | None) -> list[Values]:
    """Accuracy on each test pair, with the given words among the candidates and without. `draws`: of the null."""
    values, place, questions = [], data.vocabulary.place, data.systems.analogies
    for name, excluding in (("left out", True), ("among the answers", False)):
        units = analogies_by_pair(kept.vectors, place, questions, excluding=excluding)
        if not len(units):
            continue
        nulls = []
        if draws is not None:
            answered = functools.partial(analogies_by_pair, place=place, questions=questions, excluding=excluding)
            drawn = draws.null(
                list(kept.layers.values()),
                lambda one, order, ask=answered: np.array([ask(one[row]).mean() for row in order]),
            )
            how = (
                "words with the vectors of others of like frequency; in each draw the layer that agrees best with counts is "
                "chosen anew"
            )
            nulls = [Control(name=MATCHED, how=how, values=tensor(drawn))]
        values.append(over(ANALOGIES, units, nulls, about={"given words": name}))
    return values


def _right(found: Match) -> Float[np.ndarray, " n"]:
    return (found.found == np.arange(len(found.found))).astype(np.float64)
