"""Relations between words without a network: counts in disjoint books with their nulls, and matching without labels.

    python experiments/langue_relations.py [paired] [shuffled] [unlabelled] [languages]

By default all parts run. `paired`: 800 nouns of the Gutenberg selection, with 10,000 permutations; groups of equal frequency
are those in the text of the first system. `shuffled`: the same nouns in half a and in its words in random order, forty times,
with 1,000 permutations within finer and coarser frequency groups. `unlabelled`: counts matched with counts of shared text and
with WordNet. `languages`: segments of Genesis and sentences of PUD in hidden order, matched across languages by their mutual
similarities alone; and words of PUD, where the right partner occurs in the same sentences. CPU seconds of one thread.
"""

import sys
import time
from collections.abc import Sequence
from typing import Literal

import numpy as np

from assay.data.texts import HALF_A, genesis, gutenberg, parallel_sentences
from assay.data.wordnet import wordnet_nouns
from assay.relations import (
    calibrated,
    cosine,
    gromov_wasserstein,
    match,
    mutual_neighbours,
    mutual_null,
    nearest,
    power_curve,
    rsa,
    spelling_overlap,
)
from assay.relations.rsa import frequency_difference
from assay.stats import mean_interval, share_interval
from assay.text import Vocabulary, ppmi_vectors, reordered
from assay.text.word_counts import frequency_bins, words_of

NOUNS, LEAST, NEAREST, DRAWS, SHUFFLES = 800, 10, 10, 10_000, 40
Matrix = np.ndarray


def compared(name: str, a: Matrix, b: Matrix, counts: Matrix | None, removed: Sequence[Matrix] = ()) -> None:
    """One line of the table: mutual neighbours with both nulls, and rank correlations."""
    near = nearest(a, NEAREST), nearest(b, NEAREST, generator=np.random.default_rng(1))
    units = mutual_neighbours(*near)
    interval = mean_interval(units)
    assert interval is not None
    told = f"{name}: {units.mean():.3f} [{interval.low:.3f}, {interval.high:.3f}]"
    nulls: dict[str, Matrix | None] = {"free": None}
    if counts is not None:
        nulls["matched"] = frequency_bins(counts)
    for null, groups in nulls.items():
        drawn = mutual_null(*near, draws=DRAWS, generator=np.random.default_rng(0), groups=groups)
        found = calibrated(float(units.mean()), drawn)
        told += f"; {null} null {found.mean:.3f}, p {found.p:.4f}"
    told += f"; rank correlation {rsa(a, b).rho:.3f}"
    print(told + (f", partial {rsa(a, b, without=removed).rho:.3f}" if removed else ""), flush=True)


def drawn_nouns() -> tuple[list[str], dict[str, Matrix]]:
    """Random nouns that occur 30 to 1,500 times in all books and at least ten times in each half, with their counts."""
    texts = corpora()
    counted = {name: Vocabulary.of(some) for name, some in texts.items()}
    known = wordnet_nouns().known(counted["all"].chosen(least=30, most=1_500).words)
    often = [set(counted[name].chosen(least=LEAST).words) for name in ("half a", "half b")]
    both = sorted(set(known) & often[0] & often[1])
    words = [both[k] for k in np.random.default_rng(0).permutation(len(both))[:NOUNS]]
    return words, {name: np.array([one.counts[one.place[word]] for word in words]) for name, one in counted.items()}


def corpora() -> dict[str, list[str]]:
    return {"half a": half(True), "half b": half(False), "all": list(gutenberg().texts)}


def half(first: bool) -> list[str]:
    return [text for name, text in zip(*gutenberg(), strict=True) if (name in HALF_A) == first]


def paired() -> None:
    start, (words, counts), texts = time.process_time(), drawn_nouns(), corpora()
    steps = -wordnet_nouns().distances(words).astype(float)
    removed = spelling_overlap(words)
    noise = cosine(np.random.default_rng(0).normal(size=(len(words), 200)))
    read = {name: cosine(ppmi_vectors(some, words, seed=0)) for name, some in texts.items()}
    rows = [(f"{a}, {b}", read[a], read[b], a) for a, b in (("half a", "half b"), ("half a", "all"))]
    rows += [("half b, WordNet", read["half b"], steps, "half b"), ("half a, random vectors", read["half a"], noise, "half a")]
    for name, a, b, text in rows:
        compared(name, a, b, counts[text], [frequency_difference(counts[text]), removed])
    print(f"{time.process_time() - start:.0f} CPU s")


def shuffled() -> None:
    """Half a beside itself with all its words in another order, again and again: how often each null is rejected at .05. Words
    of equal counts can be exchanged in such a text without changing its distribution, so that the null within them is exact."""
    start, (words, counts), texts = time.process_time(), drawn_nouns(), corpora()["half a"]
    often = counts["half a"]
    near = nearest(cosine(ppmi_vectors(texts, words, seed=0)), NEAREST)
    groups: dict[str, Matrix | None] = {
        "free": None,
        "twenty groups": frequency_bins(often, 20),
        "groups of ten": frequency_bins(often),
        "groups of five": frequency_bins(often, NOUNS // 5),
        "equal counts": np.unique(often, return_inverse=True)[1].reshape(-1),
        "groups of ten by counts in all books": frequency_bins(counts["all"]),
    }
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in groups}
    for seed in range(SHUFFLES):
        moved = ppmi_vectors(reordered(texts, generator=np.random.default_rng(seed)), words, seed=0)
        other = nearest(cosine(moved), NEAREST, generator=np.random.default_rng(1))
        value = float(mutual_neighbours(near, other).mean())
        for name, some in groups.items():
            drawn = mutual_null(near, other, draws=DRAWS // 10, generator=np.random.default_rng(0), groups=some)
            found[name].append((value, float(drawn.mean()), calibrated(value, drawn).p))
    for name, some in found.items():
        values, means, ps = np.array(some).T
        hits, excess = int((ps <= 0.05).sum()), mean_interval((values - means).tolist())
        rate = share_interval(hits, SHUFFLES)
        assert excess is not None
        print(
            f"{name}: {values.mean():.4f} against {means.mean():.4f}, excess [{excess.low:.4f}, {excess.high:.4f}]; p at most "
            f".05 in {hits} of {SHUFFLES} [{rate.low:.2f}, {rate.high:.2f}]; the first five p {ps[:5].round(3).tolist()}",
            flush=True,
        )
    print(f"{time.process_time() - start:.0f} CPU s")


def unlabelled() -> None:
    start, (words, _), texts = time.process_time(), drawn_nouns(), corpora()
    every, first = (cosine(ppmi_vectors(texts[name], words, seed=0)) for name in ("all", "half a"))
    steps = -wordnet_nouns().distances(words).astype(float)
    for name, a, b in (("all, half a", every, first), ("all, WordNet", every, steps)):
        for size, seeds, one in power_curve(a, b, sizes=(120, 400), given=(0, 20), generator=np.random.default_rng(0)):
            told(f"{name}, {size} words, {seeds} given", one)
    print(f"{time.process_time() - start:.0f} CPU s")


def told(name: str, one) -> None:
    print(
        f"{name}: {one.accuracy:.3f} (chance {one.chance:.3f}), objective {one.objective:.3f}, of the true map "
        f"{one.true_objective:.3f}: {one.outcome}",
        flush=True,
    )


def weighted(units: Sequence[Sequence[str]]) -> Matrix:
    """Cosine similarities of text units by their words, each weighted by how few units contain it (inverse document
    frequency)."""
    vocabulary = {word: k for k, word in enumerate(sorted({word for unit in units for word in unit}))}
    table = np.zeros((len(units), len(vocabulary)))
    for row, unit in enumerate(units):
        for word in unit:
            table[row, vocabulary[word]] += 1
    return cosine(np.log1p(table) * np.log(len(units) / (table > 0).sum(0)))


def segments(language: Literal["en", "fr", "sv"], num: int) -> list[list[str]]:
    """Equally long segments of Genesis."""
    words = words_of(genesis(language))
    return [some.tolist() for some in np.array_split(np.array(words), num)]


def languages() -> None:
    start = time.process_time()
    pairs: tuple[tuple[Literal["en", "fr", "sv"], Literal["en", "fr", "sv"]], ...] = (("en", "fr"), ("en", "sv"), ("fr", "sv"))
    for one, other in pairs:
        for num in (60, 120, 240):
            a, b = (weighted(segments(language, num)) for language in (one, other))
            compared(f"Genesis, {one} and {other}, {num} segments", a, b, None)
            told("  matched without labels", match(a, b, generator=np.random.default_rng(0)))
        told("  by transport", gromov_wasserstein(a, b, generator=np.random.default_rng(0)))
    sentences = {language: [words_of(text) for text in parallel_sentences(language)] for language in ("en", "fr", "de")}
    for one, other in (("en", "fr"), ("en", "de"), ("fr", "de")):
        a, b = (weighted(sentences[language]) for language in (one, other))
        compared(f"PUD, {one} and {other}, 1000 sentences", a, b, None)
        for size, seeds, found in power_curve(a, b, sizes=(120, 400), given=(0, 20), generator=np.random.default_rng(0)):
            told(f"  {size} sentences, {seeds} given", found)
        words = translations(sentences[one], sentences[other])
        texts = [[" ".join(text) for text in sentences[language]] for language in (one, other)]
        a, b = (
            cosine(ppmi_vectors(some, [pair[side] for pair in words], seed=0, dimensions=50)) for side, some in enumerate(texts)
        )
        counts = Vocabulary.of(texts[0])
        often = np.array([counts.counts[counts.place[pair[0]]] for pair in words])
        compared(f"  {len(words)} words, such as {' '.join('/'.join(pair) for pair in words[:4])}", a, b, often)
        told("  matched without labels", match(a, b, generator=np.random.default_rng(0)))
    print(f"{time.process_time() - start:.0f} CPU s")


def translations(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Words of five sentences or more, each the best partner of the other by the sentences that both stand in (Dice .5 and
    more)."""
    tables, names = [], []
    for sentences in (one, other):
        held: dict[str, set[int]] = {}
        for k, sentence in enumerate(sentences):
            for word in sentence:
                held.setdefault(word, set()).add(k)
        kept = sorted(word for word, places in held.items() if 5 <= len(places) <= 200)
        table = np.zeros((len(kept), len(sentences)))
        for row, word in enumerate(kept):
            table[row, list(held[word])] = 1
        tables.append(table)
        names.append(kept)
    dice = 2 * tables[0] @ tables[1].T / (tables[0].sum(1)[:, None] + tables[1].sum(1)[None])
    best = dice.argmax(1)
    return [
        (names[0][row], names[1][column])
        for row, column in enumerate(best)
        if dice[:, column].argmax() == row and dice[row, column] >= 0.5
    ]


if __name__ == "__main__":
    parts = {"paired": paired, "shuffled": shuffled, "unlabelled": unlabelled, "languages": languages}
    for name in sys.argv[1:] or parts:
        parts[name]()
