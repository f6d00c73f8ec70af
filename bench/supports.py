"""Half a million supports, split by every kind: seconds, and the speed-up over tuples and sets.

    OMP_NUM_THREADS=1 python bench/supports.py

`connected` and `disconnected` are defined for at most two active modules, so they get the largest possible M. The reference by
tuples lists, shuffles and splits as `random` does, and checks connectivity once; it is charged for nothing else.
"""

import argparse
import random
import time
from collections.abc import Callable
from itertools import combinations

import torch
from torch import Generator

from assay.tasks.supports import KINDS, all_supports, split_supports

MODULES, ACTIVE = 37, 5
MOST_SECONDS = 2.0
VARIANTS = {
    "equal, 52 of 510,415 trained": ("equal", {"held_out": 0.9999}),
    "random, growth 30M": ("random", {"num_train": "30M"}),
    "random, matched hotness": ("random", {"hotness": "30-300-1000-2000-4000"}),
    "two_halves, matched hotness": ("two_halves", {"hotness": "30-300-1000-2000-4000"}),
    "equal, only five active held out": ("equal", {"novel_hotness": 5}),
}


def seconds(function: Callable[[], object]) -> tuple[float, float, object]:
    """Wall and CPU seconds of one call, and its result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def by_tuples(num_modules: int, max_active: int) -> tuple[set[tuple[int, ...]], set[tuple[int, ...]]]:
    """The split of `random` in plain Python."""
    every = [support for size in range(1, max_active + 1) for support in combinations(range(num_modules), size)]
    random.Random(0).shuffle(every)
    held = len(every) // 4
    novel, trained = set(every[:held]), set(every[held:])
    leader = list(range(num_modules))
    for support in trained:
        old = {leader[module] for module in support}
        if len(old) > 1:
            leader = [support[0] if group in old else group for group in leader]
    assert len(set(leader)) == 1
    assert not trained & novel
    return trained, novel


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    wall, cpu, every = seconds(lambda: all_supports(MODULES, ACTIVE))
    print(f"M={MODULES}, K={ACTIVE}: {len(every)} supports, listed in {wall:.2f} s ({cpu:.2f} CPU s)")
    plain_wall, plain_cpu, _ = seconds(lambda: by_tuples(MODULES, ACTIVE))
    print(f"{'by tuples and sets, random':<36}{plain_wall:>7.2f} s {plain_cpu:>7.2f} CPU s\n")
    print(f"{'kind':<36}{'M, K':>8}{'trained':>9}{'novel':>9}{'s':>7}{'CPU s':>7}{'tuples/this':>13}")
    rows = {kind: (kind, {}) for kind in KINDS} | VARIANTS
    slowest = 0.0
    for name, (kind, options) in rows.items():
        sizes = (62, 2) if kind in ("connected", "disconnected") else (MODULES, ACTIVE)

        def split(kind=kind, options=options, sizes=sizes):
            generator = Generator().manual_seed(0)
            return split_supports(kind, num_modules=sizes[0], max_active=sizes[1], generator=generator, **options)

        wall, cpu, supports = seconds(split)
        slowest = max(slowest, wall)
        ratio = f"{plain_cpu / cpu:>12.0f}x" if sizes == (MODULES, ACTIVE) else f"{'':>13}"
        counts = f"{len(supports.trained):>9}{len(supports.novel):>9}"
        print(f"{name:<36}{f'{sizes[0]}, {sizes[1]}':>8}{counts}{wall:>7.2f}{cpu:>7.2f}{ratio}", flush=True)
    print(f"\nslowest {slowest:.2f} s, wanted under {MOST_SECONDS:.0f} s: {'yes' if slowest < MOST_SECONDS else 'NO'}")


if __name__ == "__main__":
    main()
