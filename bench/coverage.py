"""The cost of coverage: CPU seconds and peak memory for published data sets and for a table of a million rows.

    OMP_NUM_THREADS=1 python bench/coverage.py [scan:simple cogs 10 100]

A number stands for a table of 1,000,000 training and 1,000 test rows with 10 parts of so many values each, drawn at random; the
answer is the sum of the parts mod 97. Each is measured in its own process.
"""

import resource
import subprocess
import sys
import time

ROWS, TESTED, PARTS, ANSWERS = 1_000_000, 1_000, 10, 97


def table(rows: int, values: int, seed: int) -> dict[str, list[str]]:
    """Columns of random parts, and the answer."""
    import numpy as np

    drawn = np.random.default_rng(seed).integers(0, values, (rows, PARTS))
    columns = {f"part {k}": drawn[:, k].astype(str).tolist() for k in range(PARTS)}
    return {**columns, "answer": (drawn.sum(1) % ANSWERS).astype(str).tolist()}


def measure(name: str) -> None:
    """Measure one case, and print a line."""
    import assay

    given = (table(ROWS, int(name), 0), table(TESTED, int(name), 1)) if name.isdigit() else (name,)
    start = time.process_time()
    found = assay.coverage(*given)
    seconds = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    what = f"{ROWS:,} rows of {PARTS} parts of {name} values" if name.isdigit() else name
    print(f"{what}: {seconds:.1f} CPU s, {memory:.2f} GiB, {found.num_trained:,} trained, {found.outside_1.count:,} outside")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2])
    else:
        for chosen in sys.argv[1:] or ["scan:simple", "cogs", "10", "100"]:
            subprocess.run([sys.executable, __file__, "--one", chosen], check=True)
