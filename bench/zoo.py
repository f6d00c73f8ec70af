"""How long the fixed slice of the zoo takes: build, measure, calibrate, score, each timed on the clock and in CPU seconds.

    OMP_NUM_THREADS=1 python bench/zoo.py [--jobs 2] [--keep DIR] [--whole]

`--whole` takes every member but the sealed ones in place of the slice.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from torch import Generator

from assay.calibration import score
from assay.zoo.build import build
from assay.zoo.evidence import gather, table
from assay.zoo.recipe import SEALED, members, small_slice
from assay.zoo.shipped import ship
from assay.zoo.targets import held


def timed(what: str, run: Callable[[], object]) -> float:
    """Run it and print its seconds."""
    begun = time.perf_counter()
    run()
    seconds = time.perf_counter() - begun
    print(f"{what:10} {seconds:7.1f} s", flush=True)
    return seconds


def main() -> None:
    """Time every step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--whole", action="store_true")
    args = parser.parse_args()
    some = [one for one in members() if one.family not in SEALED] if args.whole else small_slice()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        total = timed("build", lambda: build(folder, some, jobs=args.jobs))
        total += timed("measure", lambda: gather(folder, some, jobs=args.jobs))
        subjects = table(folder, some)
        total += timed("calibrate", lambda: ship(subjects, folder))
        scores = []
        total += timed("score", lambda: scores.append(score(subjects, generator=Generator().manual_seed(0))))
        print(f"{'all':10} {total:7.1f} s for {len(some)} members, {len(subjects)} of which learned their task")
        for row in held(scores[0]):
            told = row.note or "not enough data" if row.value is None else f"{row.value:.3f}"
            print(f"  {row.target.key:20} {told}")


if __name__ == "__main__":
    main()
