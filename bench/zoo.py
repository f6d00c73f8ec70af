"""How long the fixed slice of the zoo takes: build, measure, calibrate, score, each timed on the clock and in CPU seconds.

    OMP_NUM_THREADS=1 python bench/zoo.py [--jobs 2] [--keep DIR] [--members 60] [--whole] [--check]

The slice has `--members` networks; `--whole` takes every member but the sealed ones. `--check` neither calibrates nor scores:
it holds what was measured against the table that ships, and fails where they are not the same networks with the same answer.
Another processor rounds otherwise, and a training run remembers it, so single networks may differ; most may not.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Generator

from assay.calibration import Subjects, score
from assay.zoo.build import build
from assay.zoo.evidence import gather, table
from assay.zoo.recipe import SEALED, SLICE, members, small_slice
from assay.zoo.shipped import ship, shipped_table
from assay.zoo.targets import held

SAME_LABEL = 0.9  # share of the networks that must have the label that ships
SAME_EFFECT = 0.9  # correlation of their recombination with the one that ships


def timed(what: str, run: Callable[[], object]) -> float:
    """Run it and print its seconds."""
    begun = time.perf_counter()
    run()
    seconds = time.perf_counter() - begun
    print(f"{what:10} {seconds:7.1f} s", flush=True)
    return seconds


def check(subjects: Subjects) -> None:
    """Hold rebuilt networks against the table that ships; end with an error where most are others."""
    shipped, _ = shipped_table()
    rows = {name: row for row, name in enumerate(shipped.name.tolist())}
    missing = sorted(set(subjects.name.tolist()) - set(rows))
    both = [name for name in subjects.name.tolist() if name in rows]
    now, then = subjects.take(np.isin(subjects.name, both)), shipped.take(np.array([rows[name] for name in both]))
    labels = float((now.label == then.label).mean())
    effects = [one.features["recombination"] for one in (now, then)]
    there = ~np.isnan(np.array(effects)).any(0)
    agreement = float(np.corrcoef(effects[0][there], effects[1][there])[0, 1])
    print(f"against the table that ships: {labels:.0%} have the same label, recombination correlates at {agreement:.3f}")
    if missing:
        print(f"  not in it, since they did not learn their task there: {', '.join(missing)}")
    if labels < SAME_LABEL or not agreement >= SAME_EFFECT:
        raise SystemExit(f"what was rebuilt is not what ships: at least {SAME_LABEL:.0%} and {SAME_EFFECT} were wanted")


def main() -> None:
    """Time every step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--members", type=int, default=SLICE)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    some = [one for one in members() if one.family not in SEALED] if args.whole else small_slice(args.members)
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        total = timed("build", lambda: build(folder, some, jobs=args.jobs))
        total += timed("measure", lambda: gather(folder, some, jobs=args.jobs))
        subjects = table(folder, some)
        if args.check:
            check(subjects)
            return
        total += timed("calibrate", lambda: ship(subjects, folder))
        scores = []
        total += timed("score", lambda: scores.append(score(subjects, generator=Generator().manual_seed(0))))
        print(f"{'all':10} {total:7.1f} s for {len(some)} members, {len(subjects)} of which learned their task")
        for row in held(scores[0]):
            told = row.note or "not enough data" if row.value is None else f"{row.value:.3f}"
            print(f"  {row.target.key:20} {told}")


if __name__ == "__main__":
    main()
