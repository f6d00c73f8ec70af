"""Are circuits of weight-sparse language models smaller than those of dense ones with the same loss?

Language models of `code:program`, dense and sparse, of several sizes; for every question the smallest circuit by one search,
its necessity, and the same search for permuted labels. The number of edges, as the geometric mean over the questions that
every network of a seed has a circuit for, is interpolated over the loss of the language model.

    python experiments/circuits/frontier.py --questions single_double_quote bracket_brace --seeds 1
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator

from assay.instrument import Random
from assay.instruments.circuits.controls import Sets, permuted_labels
from assay.instruments.circuits.instrument import Circuits as Instrument
from assay.instruments.circuits.metrics import CircuitBudget
from assay.instruments.circuits.reading import circuits_of, search
from assay.models import build
from assay.subject import Subject
from assay.tasks import load_task
from assay.training import TrainingConfig, density_of, fit

QUESTIONS = ("single_double_quote", "bracket_brace", "for_while", "fstring_brace", "lambda_func", "indent_for")
NETWORKS = {
    "dense 16": (16, 1.0),
    "dense 24": (24, 1.0),
    "dense 32": (32, 1.0),
    "sparse 64, 1/6": (64, 1 / 6),
    "sparse 64, 1/12": (64, 1 / 12),
    "sparse 64, 1/24": (64, 1 / 24),
}
BUDGET = CircuitBudget(examples=192, work=1e9, prices=(0.1, 0.5, 2.0, 8.0), steps=(60, 40), batch_size=32, points=10)


class Row(NamedTuple):
    """One question of one network."""

    question: str
    loss: float
    edges: int | None
    nodes: int | None
    without: float | None
    permuted: int | None


def trained(width: int, density: float, seed: int, steps: int) -> tuple[Subject, float, float]:
    """A language model, its loss on held-out programs, and its density."""
    task = load_task("code:program")
    model = build("transformer", task, generator=Generator().manual_seed(seed), width=width, depth=2, heads=width // 8)
    rates = {"learning_rate": 3e-3} if density == 1 else {"learning_rate": 2e-2, "sparse": density, "sparse_floor": 1}
    fit(model, task, config=TrainingConfig(steps=steps, batch_size=32, warmup=30, seed=seed, **rates))
    held = task.examples("seen", 1000, generator=Generator().manual_seed(99))
    with torch.no_grad():
        loss = float(task.loss(model(held.inputs["tokens"]), held))
    return Subject(model), loss, density_of(model)


def asked(subject: Subject, question: str, seed: int) -> Row:
    """The smallest circuit for a question, and for permuted answers to it."""
    task, rng = load_task(f"code:{question}"), Random(seed, f"frontier {question}")
    data = Instrument().data(subject, task, BUDGET, rng)
    network = circuits_of(subject, data)
    loss = float(network.losses(data.sets.judging, None).mean())
    if loss > 0.5 * data.target:
        return Row(question, loss, None, None, None, None)
    found = search(network, data.sets, BUDGET, generator=rng("gates")).smallest
    sets: Sets = permuted_labels(data.sets, generator=rng("permuted"))
    nonsense = search(network, sets, BUDGET, generator=rng("gates", "permuted")).smallest
    if found is None:
        return Row(question, loss, None, None, None, None)
    without = float(network.losses(data.sets.judging, ~found.kept).mean())
    return Row(question, loss, found.edges, int(found.kept.sum()), without, None if nonsense is None else nonsense.edges)


def interpolated(points: Sequence[tuple[float, float]], at: float) -> float | None:
    """The logarithm of a size over the loss, linear between neighbours; None beyond the ends."""
    points = sorted(points)
    for (a, low), (b, high) in pairwise(points):
        if a <= at <= b and b > a:
            share = (at - a) / (b - a)
            return math.exp((1 - share) * math.log(low) + share * math.log(high))
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", nargs="+", default=list(QUESTIONS))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    start, results = time.perf_counter(), []
    for seed in range(given.seeds):
        for name in given.networks:
            width, density = NETWORKS[name]
            subject, loss, reached = trained(width, density, seed, given.steps)
            rows = [asked(subject, question, seed) for question in given.questions]
            results.append({"network": name, "seed": seed, "loss": loss, "rows": [row._asdict() for row in rows]})
            print(f"{name}, seed {seed}: loss {loss:.3f}, density {reached:.3f}")
            for row in rows:
                print(f"    {row}", flush=True)
            if given.out:
                given.out.write_text(json.dumps(results, indent=1))
    for seed in range(given.seeds):
        own = [result for result in results if result["seed"] == seed]
        common = sorted(set.intersection(*({row["question"] for row in one["rows"] if row["edges"]} for one in own)))
        print(f"seed {seed}: all networks have circuits for {', '.join(common) or 'no question'}")
        sides: dict[str, list[tuple[float, float]]] = {"dense": [], "sparse": []}
        for result in own if common else ():
            edges = statistics.geometric_mean([row["edges"] for row in result["rows"] if row["question"] in common])
            sides[result["network"].split()[0]].append((result["loss"], edges))
            print(f"    {result['network']}: loss {result['loss']:.3f}, {edges:.0f} edges")
        for loss in sorted({at for side in sides.values() for at, _ in side}):
            dense, sparse = (interpolated(sides[kind], loss) for kind in ("dense", "sparse"))
            if dense and sparse:
                print(f"seed {seed}, loss {loss:.3f}: dense {dense:.0f} edges, sparse {sparse:.0f}: {dense / sparse:.2f} times")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
