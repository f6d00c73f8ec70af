"""The verdicts of `subnetworks` on networks whose structure is known, and on nonsense parts.

    OMP_NUM_THREADS=1 python bench/subnetworks.py [--seeds 5] [--nonsense 40] [--jobs 2] [--rotated]

Networks for odd-one-out problems on bits, five seeds each: trained ones and block-diagonal ones carry each part in its own
subnetwork; a lookup table and a random network carry none. A verdict is right when both parts are called modular, or neither,
respectively. A rotated network computes the same function as the trained network of its seed in another basis; no verdict on it
counts as wrong.

Nonsense: the masks of a trained network's first part are searched on problems decided by a hash, and evaluated by the same rule
as if they were the part's. Half of the trials have 20 bits, for which no mask can learn the hash; half have 10, for which a
pool holds about 256 items, few enough that a mask may learn them. If no mask solves its problems the rule ends there; otherwise
the whole instrument is run. Expected: 20 of 20 right, and at most 5 % of the nonsense called modular.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Generator

from assay.evidence import Evidence
from assay.figure import DetailTable
from assay.instrument import Random, run
from assay.instrument.nulls import measure_of
from assay.instruments.subnetworks import Subnetworks
from assay.instruments.subnetworks.controls import PartReading
from assay.instruments.subnetworks.decision import NECESSITY, decide
from assay.instruments.subnetworks.instrument import BUDGETS, values_of
from assay.instruments.subnetworks.path import fit_path
from assay.instruments.subnetworks.problems import MaskedModel
from assay.subject import Subject
from assay.task import Examples, Pool, Task
from assay.tasks.bit_parity import BitParity

sys.path.insert(0, str(Path(__file__).parents[1]))  # the zoo is not installed
from zoo.part_problems import part_problem_network, trained

MODULAR = {"trained": True, "block-diagonal": True, "lookup table": False, "random": False}
NONSENSE_BITS = (20, 10)
NUM_TRAINED = 4  # networks, for each number of bits, that the tries share


@dataclass(frozen=True)
class Said:
    """The word for every part of one network, and the seconds of its process, with and without training the network."""

    name: str
    words: tuple[str, ...]
    told: str
    making: float
    judging: float

    def __str__(self) -> str:
        return f"{self.name} (CPU {self.making:.1f} s to make, {self.judging:.1f} s to judge): {self.told}"


def known(kind: str, seed: int) -> Said:
    torch.set_num_threads(1)
    start = time.process_time()
    name, subject = part_problem_network(kind, seed)
    made = time.process_time()
    evidence = verdict(subject, BitParity(), seed)
    return Said(name, tuple(words(evidence)), evidence.summary, made - start, time.process_time() - made)


@dataclass(frozen=True, kw_only=True)
class HashedFirst(BitParity):
    """Bits, with a hash that decides the problems on which the first part's masks are trained."""

    hash_seed: int = 0

    def reading(self, part: str, n: int, *, pool: Pool, generator: Generator) -> Examples:
        if part == self.part_names[0]:
            return self.nonsense(1_000 + self.hash_seed, n, pool=pool, generator=generator)
        return super().reading(part, n, pool=pool, generator=generator)


def nonsense(seed: int) -> Said:
    torch.set_num_threads(1)
    start, num_bits = time.process_time(), NONSENSE_BITS[seed % 2]
    task = HashedFirst(num_bits=num_bits, hash_seed=seed)
    subject = shared(num_bits, seed // 2 % NUM_TRAINED)
    made, (part, _), size = time.process_time(), task.part_names, BUDGETS["quick"]
    rng = Random(seed, "nonsense")
    model = MaskedModel(subject.module, Subnetworks().data(subject, task, size, rng))
    paths = tuple(fit_path(model, part, generator=rng("path", k)) for k in range(size.seeds))
    best = max(point.accuracy for path in paths for point in path.points)
    if any(path.isolating for path in paths):
        evidence = verdict(subject, task, seed)
        word, told = next(words(evidence), "not resolved"), evidence.summary
    else:
        found = PartReading(part, paths)
        word, told = decide(found, measure_of(NECESSITY, values_of(found)[0]))
    told = f"{word}; a mask solves at best {best:.2f} of the nonsense; {told}"
    return Said(f"nonsense {seed}, {num_bits} bits", (word,), told, made - start, time.process_time() - made)


@cache
def shared(num_bits: int, seed: int) -> Subject:
    task = BitParity(num_bits=num_bits)
    return Subject(trained(task, seed))


def verdict(subject: Subject, task: Task, seed: int) -> Evidence:
    return run(Subnetworks(), subject, task, effort="quick", seed=seed)


def words(evidence: Evidence) -> Iterator[str]:
    """The word for each part; none if the network fails its gate."""
    for table in evidence.figures:
        if isinstance(table, DetailTable) and table.name == "Decisions":
            yield from (str(row[1]) for row in table.rows)


def each(function: Callable[..., Said], jobs: Sequence[tuple], num_processes: int) -> Iterator[Said]:
    """Print results as they arrive."""
    with ProcessPoolExecutor(num_processes, mp_context=get_context("spawn")) as pool:
        for result in pool.map(function, *zip(*jobs, strict=True)):
            print(result, flush=True)
            yield result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="seeds of every kind of network")
    parser.add_argument("--nonsense", type=int, default=40, help="number of trials with nonsense parts")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--rotated", action="store_true", help="include rotated networks")
    options = parser.parse_args()
    seeds = range(options.seeds)

    start = time.perf_counter()
    jobs = [(kind, seed) for seed in seeds for kind in MODULAR]
    found = list(each(known, jobs, options.jobs)) if jobs else []
    right, calls = Counter(), Counter()
    for (kind, _), result in zip(jobs, found, strict=True):
        right[kind] += {word == "modular" for word in result.words or ("",)} == {MODULAR[kind]}
    seconds = {key: sum(getattr(result, key) for result in found) for key in ("making", "judging")}
    for kind in MODULAR:
        print(f"{kind}: {right[kind]} of {len(seeds)} right")
    print(f"{right.total()} of {len(jobs)} right, in {time.perf_counter() - start:.0f} s with {options.jobs} processes")
    print(f"CPU: {seconds['making']:.0f} s to make the networks, {seconds['judging']:.0f} s to judge them")
    if options.rotated:
        list(each(known, [("rotated", seed) for seed in seeds], options.jobs))
    if options.nonsense:
        for result in each(nonsense, [(seed,) for seed in range(options.nonsense)], options.jobs):
            calls.update(result.words)
        print(f"nonsense: {calls['modular']} of {options.nonsense} called modular ({dict(calls)})")


if __name__ == "__main__":
    main()
