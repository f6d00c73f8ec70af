"""Word relations and text in SmolLM2-135M-Instruct, compared with counts: one table.

    python experiments/langue_smollm2.py FOLDER [--jobs 2]

Ratings and the two texts are read in processes of one thread each.

FOLDER holds the model as written by `save_pretrained`, with its tokenizer. Words are read alone after `<|endoftext|>`, without
which the content of the first token is lost. Both texts are old enough to be in the model's training data, so that its bits on
them reflect memory as well as langue.
"""

import argparse
import functools
import time

import numpy as np
import torch

from assay.data.texts import english_tags, tiny_shakespeare, wikitext2
from assay.data.word_pairs import RATED, rated_pairs
from assay.encoding.scoring import TokenScorer, scorer_of
from assay.instruments.langue import bits
from assay.jobs import run_parallel
from assay.models import load_subject
from assay.relations import calibrated_maximum, permutations, rated_correlation, rated_null, unit_vectors
from assay.stats import jackknife, keyed_generator, mean_interval
from assay.subject import Subject
from assay.tasks import load_task
from assay.text import SHUFFLES, Corpus, NGrams, Shuffler, Vocabulary, alternate_lines, ppmi_vectors
from assay.text.leftover import TokenRules
from assay.text.word_counts import frequency_bins

COPIES, EXCERPTS, SIZE = 2, 30, 600


def word_vectors(subject: Subject, scorer: TokenScorer, words: list[str]) -> list[np.ndarray]:
    """At every layer the mean state over the tokens of each word, which is read alone after the prefix."""
    rows = [scorer.tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in words]
    found: list[list[np.ndarray]] = []
    order = sorted(range(len(words)), key=lambda k: len(rows[k]))
    for start in range(0, len(order), 64):
        some = [rows[k] for k in order[start : start + 64]]
        longest = max(map(len, some))
        ids = torch.full((len(some), longest + 1), scorer.end)
        mask = torch.ones_like(ids)
        for row, tokens in enumerate(some):
            ids[row, 1 : 1 + len(tokens)] = torch.tensor(tokens)
            mask[row, 1 + len(tokens) :] = 0
        with torch.no_grad():
            states = subject.module.base_model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        weights = mask[:, 1:, None].float()
        found.append([((state[:, 1:] * weights).sum(1) / weights.sum(1)).double().numpy() for state in states])
    place = np.argsort(order)
    return [np.concatenate([batch[layer] for batch in found])[place] for layer in range(len(found[0]))]


def ratings(subject: Subject, scorer: TokenScorer) -> list[str]:
    """Rank correlation with people's ratings by layer, the calibrated maximum, and untrained copies."""
    lines = []
    pairs = {name: rated_pairs(name) for name in RATED}
    words = sorted({word for some in pairs.values() for pair in some for word in pair[:2]})
    counts = dict(zip(*_counts(), strict=True))
    groups = frequency_bins(np.array([counts.get(word, 0) for word in words]))
    networks = {"network": subject}
    networks |= {f"untrained {k}": subject.untrained(keyed_generator(k, "copy")) for k in range(COPIES)}
    place = {word: k for k, word in enumerate(words)}
    for name, network in networks.items():
        layers = word_vectors(network, scorer, words)
        for title, some in pairs.items():
            rows = np.array([[place[pair.first], place[pair.second]] for pair in some if pair.first != pair.second])
            told = np.array([pair.rating for pair in some if pair.first != pair.second])
            values = [rated_correlation(vectors, rows, told) for vectors in layers]
            line = ", ".join(f"{values[k]:.2f} ({k})" for k in range(0, len(values), 4))
            if name != "network":
                lines.append(f"{title}, {name}: largest {max(values):.3f}; {line}")
                continue
            draws = 200
            null = []
            for vectors in layers:
                order = permutations(len(words), draws, generator=np.random.default_rng(0), groups=groups)
                null.append(rated_null(vectors, rows, told, order))
            best = calibrated_maximum(values, np.stack(null))
            fold = np.arange(len(rows)) % 10
            parts = [rated_correlation(layers[best.layer], rows[fold != k], told[fold != k]) for k in range(10)]
            _, interval = jackknife(best.value, parts)
            ends = f"[{interval.low:.3f}, {interval.high:.3f}]"
            lines.append(f"{title}, {name}: {line}; layer {best.layer} {best.value:.3f} {ends}")
            largest = np.stack(null).max()
            lines.append(f"  matched null: mean {best.mean:.3f}, largest {largest:.3f}, p {best.p:.4f}")
    return lines


def _counts() -> tuple[tuple[str, ...], tuple[int, ...]]:
    from assay.data.texts import gutenberg

    vocabulary = Vocabulary.of(gutenberg().texts)
    return vocabulary.words, vocabulary.counts


def text(subject: Subject, scorer: TokenScorer, corpus: Corpus) -> list[str]:
    """The n-gram ladder, the shuffles, and the remainder after frequency, n-gram and context."""
    train, generator = sorted(corpus.train), np.random.default_rng(0)
    chosen = bits.choose(corpus, num=EXCERPTS, size=SIZE, generator=generator)
    whole = Vocabulary.of(train)
    shuffle = Shuffler(tuple(train), english_tags())
    shuffled = {name: tuple(one.shuffled(shuffle, name, generator=generator) for one in chosen) for name in SHUFFLES}
    counted = unit_vectors(ppmi_vectors(train, whole.first(2_000).words, seed=0))
    excerpts = bits.prepared(chosen, ngrams=NGrams(train), vocabulary=whole, vectors=counted, shuffled=shuffled)
    imitated = bits.imitator(excerpts, [NGrams(half) for half in alternate_lines(train)])
    rules = TokenRules(scorer.tokens("".join(train)[:1_000_000]))
    read = bits.read(scorer, excerpts, rules)

    def told(values: np.ndarray) -> str:
        interval = mean_interval(values)
        assert interval is not None
        return f"{values.mean():.3f} [{interval.low:.3f}, {interval.high:.3f}]"

    lines = [
        f"{corpus.name}: {len(excerpts)} excerpts of {SIZE} characters, before every text {scorer.prefix}",
        f"  bits per byte {told(read.bits)}; orders {excerpts.order_bits().mean(1).round(3).tolist()}",
        f"  saved over order {excerpts.best} {told(read.saved)}",
        f"  gain of the mixture {told(read.beside_counts.gain)}, of an imitator {told(imitated.gain)}",
        f"  the mixture saves over the network {told(read.beside_counts.mixed)}, over an imitator {told(imitated.mixed)}",
    ]
    lines += [f"  {name}: {told(read.bits + cost)}, cost {told(cost)}" for name, cost in read.costs.items()]
    for taken, own, other in zip(bits.STEPS, read.beside_counts.left, imitated.left, strict=True):
        left, _, ends = bits.share_left(own)
        imitator = bits.share_left(other)[0]
        lines.append(f"  left after {taken} {left:.3f} [{ends.low:.3f}, {ends.high:.3f}], of an imitator {imitator:.3f}")
    for k, rule in enumerate(("longest context", "any")):
        lines.append(f"  rules: {rule} {told(read.rules[:, k])}, of the tokens of the text {told(read.followed[:, k])}")
    return lines


PARTS = {"ratings": None, "wikitext2": wikitext2, "tinyshakespeare": tiny_shakespeare}


def measured(part: str, *, folder: str) -> list[str]:
    """The lines of one part of the table, and its CPU seconds."""
    start = time.process_time()
    subject = load_subject(folder, task=load_task("text:tinyshakespeare,scored=false"))
    scorer = scorer_of(subject, None)
    assert isinstance(scorer, TokenScorer)
    corpus = PARTS[part]
    lines = ratings(subject, scorer) if corpus is None else text(subject, scorer, corpus())
    return [*lines, f"  {time.process_time() - start:.0f} CPU s"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    start = time.perf_counter()
    # The two texts, which take longest, first.
    for lines in run_parallel(functools.partial(measured, folder=given.folder), sorted(PARTS, reverse=True), jobs=given.jobs):
        print("\n".join(lines), flush=True)
    print(f"{time.perf_counter() - start:.0f} s on {given.jobs} cores")


if __name__ == "__main__":
    main()
