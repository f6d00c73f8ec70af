"""Circuits of declared parts: are they disjoint, and used again in other contexts? Dense and sparse networks, with the verdict.

The demo's task, (i + j) mod 31 on 70 % of the pairs, where decay 1 makes a dense network that composes and decay 0 one that
memorises; beside them weight-sparse networks. The circuit of a part in a context is the smallest one that answers trained pairs
in which the other part has one value, when all other nodes have their mean over these pairs: what varies is the part alone.

Printed for every network: its score on trained pairs and on novel ones by cell of coverage, and the verdict of an audit; and,
over parts and contexts, with intervals over seeds (Student's t),

- shared nodes (Jaccard) of circuits of one part in two contexts, and of both parts, beside random circuits of the same places
  and degrees;
- on trained and on novel pairs of the context, how much the loss rises without the part's own circuit, without that of the same
  part in another context, without those of the other part, and without random ones as large;
- the score of the circuit alone on these pairs, and of the whole network. Of a novel pair the answer is none of those that the
  circuit was found for, so that it need not be able to give it.

    python experiments/circuits/parts.py --seeds 3
"""

import argparse
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from scipy.stats import t as student
from torch import Generator, Tensor

from assay.audit import audit
from assay.demo import MODEL, TASK, TRAINING
from assay.instrument import Random
from assay.instruments.circuits.checks import overlap, random_circuit
from assay.instruments.circuits.controls import Sets
from assay.instruments.circuits.metrics import CircuitBudget
from assay.instruments.circuits.network import WiredNetwork, answered_units
from assay.instruments.circuits.nodes import wiring_of
from assay.instruments.circuits.reading import search
from assay.models import build
from assay.subject import Subject
from assay.task import Examples, Task
from assay.tasks import load_task
from assay.training import TrainingConfig, density_of, fit

BUDGET = CircuitBudget(prices=(0.1, 0.5, 2.0), steps=(60, 40), batch_size=32, points=10)
NETWORKS = {
    "dense, decay 1": {"weight_decay": 1.0},
    "dense, decay 0": {"weight_decay": 0.0},
    "sparse 1/4, decay 1": {"weight_decay": 1.0, "sparse": 1 / 4, "sparse_floor": 1, "learning_rate": 2e-2},
    "sparse 1/8, decay 1": {"weight_decay": 1.0, "sparse": 1 / 8, "sparse_floor": 1, "learning_rate": 2e-2},
}
RANDOM = 5


def made(name: str, seed: int) -> tuple[Subject, Task]:
    task = load_task(f"{TASK},seed={seed}")
    model = build("mlp", task, generator=Generator().manual_seed(seed), **MODEL)
    fit(model, task, config=TrainingConfig(**{**TRAINING, **NETWORKS[name], "seed": seed}))
    return Subject(model.eval(), name=name), task


class InContext(NamedTuple):
    """A part where the other one has one value: the network, trained and novel pairs, and the circuit."""

    part: str
    network: WiredNetwork
    trained: Examples
    novel: Examples
    kept: Tensor
    edges: int


def contexts(subject: Subject, task: Task, num: int, rng: Random) -> Iterator[InContext | None]:
    """Of each part in `num` contexts; None where no circuit reaches the target."""
    seen, novel = (task.examples(split, 10**6, generator=rng(split)) for split in ("seen", "novel"))
    wiring = wiring_of(subject, seen.take(torch.arange(3)).inputs)
    for part in task.combines:
        other = next(name for name in task.combines if name != part)
        for value in torch.randperm(len(task.part(other).values), generator=rng("contexts", part))[:num].tolist():
            here, there = (some.take(some.parts[other] == value) for some in (seen, novel))
            network = WiredNetwork(
                subject, wiring, task.objective, reference=here.inputs, answered=answered_units(task.objective, seen.targets)
            )
            found = search(network, Sets(here, here, here), BUDGET, generator=rng("gates", part, value)).smallest
            yield None if found is None else InContext(part, network, here, there, found.kept, found.edges)


def compared(found: list[InContext]) -> Mapping[str, list[float]]:
    """What each context says, by the name of the figure."""
    figures: dict[str, list[float]] = defaultdict(list)
    for one in found:
        figures["edges"].append(float(one.edges))
        ablated = [("its own", one.kept)]
        for other in found:
            if other is not one:
                kind = "the same part" if other.part == one.part else "the other part"
                drawn = [
                    random_circuit(one.network.wiring, other.network.edges, other.kept, generator=Generator().manual_seed(k))
                    for k in range(RANDOM)
                ]
                figures[f"shared nodes, {kind}"].append(overlap(one.network.edges, one.kept, other.kept).nodes)
                figures[f"shared nodes, {kind}, by chance"] += [
                    overlap(one.network.edges, one.kept, some).nodes for some in drawn
                ]
                ablated += [(f"that of {kind}", other.kept), *(("a random one", some) for some in drawn)]
        for cell, examples in (("trained", one.trained), ("novel", one.novel)):
            if len(examples):
                whole = one.network.losses(examples, None).mean()
                for name, kept in ablated:
                    risen = float(one.network.losses(examples, ~kept).mean() - whole)
                    figures[f"{cell} pairs, loss rises without {name}"].append(risen)
                figures[f"{cell} pairs, the circuit alone"].append(float(one.network.scores(examples, one.kept).mean()))
                figures[f"{cell} pairs, the whole network"].append(float(one.network.scores(examples, None).mean()))
    return figures


def over_seeds(means: list[float]) -> str:
    """The mean of seeds with the interval of Student's t."""
    mean = statistics.fmean(means)
    if len(means) < 2:
        return f"{mean:.2f}"
    half = student.ppf(0.975, len(means) - 1) * statistics.stdev(means) / math.sqrt(len(means))
    return f"{mean:.2f} [{mean - half:.2f}, {mean + half:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--contexts", type=int, default=4, help="of each part")
    given = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    for name in given.networks:
        every: dict[str, list[list[float]]] = defaultdict(list)
        for seed in range(given.seeds):
            subject, task = made(name, seed)
            verdict = audit(subject, task, seed=seed, effort="quick", progress=None).verdict
            print(f"{name}, seed {seed}: density {density_of(subject.module):.2f}; {verdict.sentence}", flush=True)
            tried = list(contexts(subject, task, given.contexts, Random(seed, f"parts {name}")))
            found = [one for one in tried if one is not None]
            print(f"    circuits in {len(found)} of {len(tried)} contexts", flush=True)
            for figure, values in compared(found).items():
                every[figure].append(values)
        for figure, seeds in every.items():
            print(f"    {figure}: {over_seeds([statistics.fmean(values) for values in seeds])}", flush=True)
        print(f"{time.process_time() - start:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
