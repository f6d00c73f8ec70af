"""The cost of computation graphs: 2 million nodes built and hashed, 1 million subgraphs looked up among 1 million.

    OMP_NUM_THREADS=1 python bench/subgraphs.py

The graphs are those of non-adjacent sums of six elements, 41 nodes each. CPU seconds of one core, each figure in its own
process, since the first access to memory takes most of the time.
"""

import resource
import subprocess
import sys
import time

import numpy as np

from assay.computation import examples_with, subgraph_hashes
from assay.tasks.algorithms import non_adjacent_sum

ELEMENTS, NODES = 6, 41


def graphs(nodes: int, seed: int):
    """Graphs with about so many nodes in total."""
    return non_adjacent_sum(np.random.default_rng(seed).integers(-5, 6, (nodes // NODES, ELEMENTS)))


def build() -> str:
    start = time.process_time()
    computations = graphs(2_000_000, 0)
    built = time.process_time()
    subgraph_hashes(computations)
    return f"{len(computations):,} nodes: built in {built - start:.2f}, hashed in {time.process_time() - built:.2f}"


def look_up() -> str:
    train, test = graphs(1_000_000, 0), graphs(1_000_000, 1)
    of_train, of_test = subgraph_hashes(train), subgraph_hashes(test)
    start = time.process_time()
    counts = examples_with(of_train, train.example, of_test)
    seconds = time.process_time() - start
    return f"{len(of_test):,} subgraphs among {len(of_train):,}: {seconds:.2f}, {(counts > 0).mean():.3f} of them seen"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print({"build": build, "look_up": look_up}[sys.argv[1]](), end=" CPU s, ")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{memory:.2f} GiB")
    else:
        for name in ("build", "look_up"):
            subprocess.run([sys.executable, __file__, name], check=True)
