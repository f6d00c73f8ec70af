"""Necessity of each part in transformers trained from scratch on sentences whose words have a number.

    OMP_NUM_THREADS=1 python bench/sentences.py [--task agreement] [--seeds 5] [--unit weight] [--jobs 2]

Every network has two blocks and is trained as `assay train agreement` does, each with its own seed; the instrument
`subnetworks` reads it at quick effort, with the same search in five untrained networks. In the result the networks are the
units. Expected: the necessity of both parts is above that of untrained networks, with an interval over networks above 0.
"""

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from torch import Generator

from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments.subnetworks import Subnetworks, over_networks
from assay.masks import UNITS, Unit
from assay.models import build
from assay.subject import Subject
from assay.tasks import load_task
from assay.training import fit, recommended


def looked_at(address: str, unit: Unit, embeddings: bool, seed: int) -> tuple[Evidence, float, float]:
    """The evidence on one network, and the CPU seconds to train and to evaluate it."""
    torch.set_num_threads(1)
    start, task = time.process_time(), load_task(address)

    def fresh(generator: Generator) -> torch.nn.Module:
        return build("transformer", task, generator=generator)

    model = fresh(Generator().manual_seed(seed))
    fit(model, task, config=recommended("transformer", task, seed=seed))
    trained = time.process_time()
    subject = Subject(model, name=f"seed {seed}", fresh=fresh)
    evidence = run(Subnetworks(unit=unit, embeddings=embeddings), subject, task, effort="quick", seed=seed)
    return evidence, trained - start, time.process_time() - trained


def told(evidence: Evidence) -> Iterator[str]:
    yield evidence.summary
    for measure in evidence.measures:
        if measure.value is not None and measure.interval is not None:
            low, high = measure.interval.low, measure.interval.high
            yield f"    {measure.label}: {measure.value:+.2f} [{low:+.2f}, {high:+.2f}]; {measure.note}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="agreement", help="address of a task of sentences")
    parser.add_argument("--seeds", type=int, default=5, help="networks")
    parser.add_argument("--unit", choices=UNITS, default="weight", help="the units of a mask")
    parser.add_argument("--embeddings", action="store_true", help="mask embeddings too")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    options = parser.parse_args()
    found: list[Evidence] = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(looked_at, options.task, options.unit, options.embeddings, seed) for seed in range(options.seeds)]
        for seed, job in enumerate(jobs):
            evidence, making, judging = job.result()
            print(f"seed {seed} (CPU {making:.0f} s to train, {judging:.0f} s to judge): ", end="")
            print("\n".join(told(evidence)), flush=True)
            found.append(evidence)
    print("\n".join(told(over_networks(found))))


if __name__ == "__main__":
    main()
