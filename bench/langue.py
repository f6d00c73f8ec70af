"""The cost of langue: the n-gram ladder of tiny Shakespeare, and 10,000 draws of the null of mutual neighbours against a loop.

    OMP_NUM_THREADS=1 python bench/langue.py

CPU seconds of one core.
"""

import time

import numpy as np

from assay.data.texts import tiny_shakespeare
from assay.relations import cosine, mutual_neighbours, mutual_null, nearest
from assay.text import ladder
from assay.text.word_counts import frequency_bins

WORDS, NEAREST, DRAWS, AGAIN = 800, 10, 10_000, 20


def bench_ladder() -> None:
    corpus = tiny_shakespeare()
    start = time.process_time()
    rungs = ladder(corpus.train, corpus.test)
    print(f"ladder of {len(rungs)} rungs, {len(corpus.train[0]):,} characters: {time.process_time() - start:.2f} CPU s")


def bench_null() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, WORDS, 200))
    a, b = nearest(cosine(x), NEAREST), nearest(cosine(y), NEAREST)
    groups = frequency_bins(generator.integers(1, 1_000, WORDS))
    for name, within in (("free", None), ("matched", groups)):
        start = time.process_time()
        mutual_null(a, b, draws=DRAWS, generator=generator, groups=within)
        print(f"{DRAWS:,} {name} draws by relabelling: {time.process_time() - start:.2f} CPU s")
    start = time.process_time()
    for _ in range(AGAIN):
        mutual_neighbours(a, nearest(cosine(y[generator.permutation(WORDS)]), NEAREST)).mean()
    seconds = time.process_time() - start
    print(f"{AGAIN} draws computing the graph again: {seconds:.2f} CPU s, {seconds / AGAIN * DRAWS:.0f} for {DRAWS:,}")


if __name__ == "__main__":
    bench_ladder()
    bench_null()
