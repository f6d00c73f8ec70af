"""Swarms in worlds with a known answer: the score of each method on one budget, and how often the verdict is right.

`python experiments/swarm.py table`: three worlds at the standard size, ten searches of each engine with 420 evaluations; the
score of every method on test items, and of the oracle (the sum of the two experts that are needed).

`python experiments/swarm.py verdicts`: ten smaller worlds of each kind, from the seed `--first` on. Where a skill is missing,
or every expert has another initialisation, nothing can compose.

The script prints Markdown tables, processor time in seconds, and the share of right verdicts with its exact interval (Clopper
and Pearson, 95 %). The tables are in docs/methods/swarm.md. `--jobs` is the number of processes.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy.stats import binomtest

from assay.jobs import run_parallel
from assay.swarm.evaluate import Evaluator
from assay.swarm.figures import table_of
from assay.swarm.judge import judged
from assay.swarm.study import STANDARD, StudyPlan, study
from assay.swarm.worlds import WorldSize, make_world

SMALL = WorldSize(
    modulus=9, old=6, experts=4, state=32, operation=32, hidden=96, base_steps=500, expert_steps=300, validation=120
)
ENGINES = (*STANDARD, "gradient", "lorahub")
KINDS = ("composable", "missing skill", "other initialisations")
RIGHT = {"composable": "composed", "missing skill": "nothing", "other initialisations": "nothing"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["table", "verdicts"])
    parser.add_argument("--worlds", type=int, default=None, help="worlds (of each kind): 3 for the table, 10 for the verdicts")
    parser.add_argument("--first", type=int, default=100, help="the first seed of the verdicts")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="kinds of worlds for the verdicts")
    parser.add_argument("--engines", nargs="+", default=ENGINES, help="engines of the table; the verdict is on the first")
    parser.add_argument("--nulls", type=int, default=10, help="searches of each null of the table")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if options.what == "table":
        plan = StudyPlan(engines=tuple(options.engines), nulls=options.nulls)
        print_table(plan, options.worlds or 3, options.jobs)
    else:
        print_verdicts(options.worlds or 10, options.jobs, first=options.first, kinds=options.kinds)


def print_table(plan: StudyPlan, num: int, jobs: int) -> None:
    """One row for each method, one column for each world."""
    found = run_parallel(partial(tabulated, plan=plan), range(num), jobs=jobs)
    methods = list(dict.fromkeys(name for rows, _ in found for name in rows))
    print(f"| method | {' | '.join(f'world {seed}' for seed in range(num))} | evaluations |")
    print(f"| --- |{' --- |' * (num + 1)}")
    for method in methods:
        cells = [told(*rows[method][:3]) for rows, _ in found]
        print(f"| {method} | {' | '.join(cells)} | {rows_spent(found, method)} |")
    print(f"\n{sum(seconds for _, seconds in found):.0f} s of processor time")


def told(score: float, low: float | None, high: float | None) -> str:
    return f"{score:.2f}" if low is None or high is None else f"{score:.2f} [{low:.2f}, {high:.2f}]"


def rows_spent(found: list[tuple[dict[str, tuple[float, ...]], float]], method: str) -> str:
    spent = [rows[method][3] for rows, _ in found]
    return f"{min(spent):.0f}" if max(spent) - min(spent) < 1 else f"{min(spent):.0f} to {max(spent):.0f}"


def tabulated(seed: int, *, plan: StudyPlan) -> tuple[dict[str, tuple[float, ...]], float]:
    """Score, ends of the interval and evaluations of every method in one world."""
    start = time.process_time()
    world = make_world(seed=seed)
    found = study(world, plan)
    rows = {str(row[0]): tuple(row[1:5]) for row in table_of(found).rows}
    oracle = np.zeros((1, len(world.pool)))
    oracle[0, :2] = 1
    score = Evaluator(world.network, world.pool, utility=world.utility).score_items(oracle, world.utility.test).mean()
    return {"oracle, the sum of the two": (float(score), None, None, 0.0), **rows}, time.process_time() - start


def print_verdicts(num: int, jobs: int, *, first: int, kinds: Sequence[str]) -> None:
    """How often each verdict was given to each kind of world."""
    works = [(kind, seed) for seed in range(first, first + num) for kind in kinds]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    seconds = 0.0
    for (kind, seed), (word, reason, spent) in zip(works, run_parallel(verdict, works, jobs=jobs), strict=True):
        counts[kind][word] += 1
        seconds += spent
        if word != RIGHT[kind]:
            print(f"{kind}, seed {seed}: {word}: {reason}")
    print("| world | worlds | composed | selected | scaled | nothing | right, 95 % interval |\n|" + " --- |" * 7)
    for kind in kinds:
        share = binomtest(counts[kind][RIGHT[kind]], num).proportion_ci(method="exact")
        cells = [str(counts[kind][word]) for word in ("composed", "selected", "scaled", "nothing")]
        print(f"| {kind} | {num} | {' | '.join(cells)} | {counts[kind][RIGHT[kind]]} [{share.low:.2f}, {share.high:.2f}] |")
    print(f"\n{seconds:.0f} s of processor time")


def verdict(work: tuple[str, int]) -> tuple[str, str, float]:
    kind, seed = work
    start = time.process_time()
    world = make_world(kind, seed=seed, size=SMALL)
    plan = StudyPlan(engines=("cmaes",), budget=200, seeds=5, nulls=8, beyond=0)
    found = judged(study(world, plan))
    print(f"{kind}, seed {seed}: {found.word}", file=sys.stderr, flush=True)
    return found.word, found.reason, time.process_time() - start


if __name__ == "__main__":
    main()
