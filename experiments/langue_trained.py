"""Small language models that have read nothing but books: their bits beside n-grams, and whether two of them agree on words.

    python experiments/langue_trained.py --out DIR [--steps 3000]

Trained are a model of all books, two of one half (random seeds 0 and 1) and one of the other half, which shares no book. A run
that is in DIR already is not trained again. Of the first the instrument `langue` is printed at standard effort; of the others
the mutual neighbours of every two, at the best layer of the first of the two by the calibrated maximum, beside words of like
frequency and free permutations. CPU seconds of one thread.
"""

import argparse
import time
from pathlib import Path

import numpy as np

import assay
from assay.data.texts import gutenberg_corpus
from assay.data.wordnet import wordnet_nouns
from assay.encoding.encoder import encoder_of
from assay.instrument import run
from assay.instruments.langue import states
from assay.relations import cosine
from assay.stats import mean_interval
from assay.store import RECORD, RunDirectory
from assay.text.words import Vocabulary, frequency_bins

RUNS = {
    "all": ("text:gutenberg", 0),
    "half a": ("text:gutenberg_a", 0),
    "half a, other seed": ("text:gutenberg_a", 1),
    "half b": ("text:gutenberg_b", 0),
}
PAIRS = (("half a", "half a, other seed"), ("half a", "half b"))
WORDS, LEAST, EACH, NEAREST, DRAWS = 400, 30, 20, 10, 10_000


def trained(name: str, out: Path, steps: int) -> assay.Subject:
    """The network of that name, trained where it is not there yet."""
    address, seed = RUNS[name]
    folder = out / name.replace(", ", "-").replace(" ", "-")
    if not (folder / RECORD).exists() or RunDirectory.open(folder).read_record().finished is None:
        config = {"steps": steps, "seed": seed}
        assay.train(address, "transformer", out=folder, config=config, progress=None)
    record = RunDirectory.open(folder).read_record()
    print(
        f"{name}: {record.training['steps']} steps, {record.cpu_seconds:.0f} CPU s, loss {record.losses[-1][1]:.3f}", flush=True
    )
    return assay.load_subject(str(folder))


def instrument(subject: assay.Subject) -> None:
    """What `langue` says of one network."""
    start = time.process_time()
    evidence = run(assay.load_instrument("langue"), subject, assay.load_task(RUNS["all"][0]), effort="standard", seed=0)
    print(evidence.summary)
    for measure in evidence.measures:
        ends = f"[{measure.interval.low:.3f}, {measure.interval.high:.3f}]" if measure.interval else ""
        nulls = "; ".join(f"{null.name} {null.mean:.3f}" + (f" (p {null.p:.4f})" if null.p else "") for null in measure.nulls)
        value = measure.note if measure.value is None else f"{measure.value:.3f} {ends}"
        print(f"  {measure.label}: {value}; {nulls}")
    for figure in evidence.figures:
        if figure.name == "Ladder of bits":
            print("  ladder:", ", ".join(f"{row[0]} {row[1]:.3f}" for row in figure.rows))
    print(f"  {time.process_time() - start:.0f} CPU s", flush=True)


def shared_nouns(generator: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Nouns that both halves have often, at random, and how often all books have them."""
    halves = [Vocabulary.of(sorted(gutenberg_corpus(half).train)) for half in ("a", "b")]
    often = [{word for word, count in zip(one.words, one.counts, strict=True) if count >= LEAST} for one in halves]
    nouns = sorted(set(wordnet_nouns().known(sorted(often[0] & often[1]))))
    some = sorted(generator.permutation(len(nouns))[:WORDS].tolist())
    chosen = [nouns[k] for k in some]
    return chosen, np.array([sum(one.counts[one.place[word]] for one in halves) for word in chosen])


def layers(subject: assay.Subject, name: str, words: list[str]) -> dict[str, np.ndarray]:
    """Vectors of the words at every layer, in contexts of the text that the network has read."""
    task = assay.load_task(RUNS[name][0])
    graphs = states.contexts(task.corpus(), words, each=EACH, longest=task.length, generator=np.random.default_rng(0))
    return dict(states.vectors(encoder_of(subject, task, most_layers=8), graphs, words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    given = parser.parse_args()
    subjects = {name: trained(name, given.out, given.steps) for name in RUNS}
    instrument(subjects["all"])
    words, counts = shared_nouns(np.random.default_rng(0))
    read = {name: layers(subjects[name], name, words) for name in RUNS if name != "all"}
    groups, every = frequency_bins(counts), np.arange(len(words))
    for first, second in PAIRS:
        other = list(read[second].values())[-1]
        found = states.align(
            read[first], states.system(every, cosine(other), NEAREST, vectors=other), groups, draws=DRAWS, seed=0
        )
        interval = mean_interval(found.words)
        assert interval is not None
        print(
            f"{first} and {second}, {len(words)} nouns: {found.best.value:.3f} [{interval.low:.3f}, {interval.high:.3f}] at "
            f"{found.layer}; words of like frequency {found.best.mean:.3f}, p {found.best.p:.4f}; free {found.free.mean:.3f}, "
            f"p {found.free.p:.4f}; by layer {', '.join(f'{value:.3f}' for value in found.by_layer)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
