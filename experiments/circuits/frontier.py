"""Are circuits of weight-sparse language models smaller than those of dense ones with the same loss?

Language models of `code:program`, dense and sparse, of several sizes; for every question the circuit with the fewest weights,
pruned weight by weight in all of them by one search, the loss without it, and the same search for permuted answers. Edges are
compared question by question at the loss of each sparse network: those of the dense ones are interpolated between the two that
stand around it, or are those of the nearest within .02 nats.

Beside them, with the same search: a network with a sparse mask that was drawn, trained at the same density; a dense one
pruned by magnitude; networks at their initial weights.

Finished networks and rows are kept in --out, so that a run that was stopped goes on.

    python experiments/circuits/frontier.py --out frontier --questions single_double_quote for_while lambda_func
    python experiments/circuits/frontier.py --out frontier --quick        # one question, one seed, one pair of widths
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from scipy.stats import t as student
from torch import Generator

from assay.instrument import Random
from assay.instruments.circuits.controls import Sets, permuted_labels
from assay.instruments.circuits.instrument import Circuits as Instrument
from assay.instruments.circuits.metrics import CircuitBudget
from assay.instruments.circuits.network import WiredNetwork
from assay.instruments.circuits.reading import CircuitsDraw, circuits_of, search
from assay.instruments.circuits.search import GateConfig
from assay.instruments.circuits.weights import PrunedWeights, smallest_weights
from assay.models import build
from assay.subject import Subject
from assay.tasks import load_task
from assay.training import TrainingConfig, density_of, fit, prune

QUESTIONS = ("single_double_quote", "bracket_brace", "for_while", "fstring_brace", "lambda_func", "indent_for")
BUDGET = CircuitBudget(examples=192, work=1e9, prices=(0.1, 0.5, 2.0, 8.0), steps=(60, 40), batch_size=32, points=10)
WEIGHTS = GateConfig(prices=(1.0, 4.0, 16.0, 32.0), steps=(60, 40), batch_size=32)
LOOSER = (2.0,)
MATCHED = 0.02  # nats


@dataclass(frozen=True)
class Kind:
    """How a network is made. `pruned`: the density to which it is cut by magnitude in the end; `random`: its mask is drawn."""

    width: int
    density: float = 1.0
    random: bool = False
    pruned: float = 1.0
    trained: bool = True

    def config(self, seed: int, steps: int) -> TrainingConfig:
        if self.density == 1:
            return TrainingConfig(steps=steps, batch_size=32, warmup=30, seed=seed, learning_rate=3e-3)
        return TrainingConfig(
            steps=steps, batch_size=32, warmup=30, seed=seed, learning_rate=2e-2,
            sparse=self.density, sparse_floor=1, sparse_random=int(self.random),
        )  # fmt: skip


NETWORKS = {
    "dense 24": Kind(24),
    "dense 32": Kind(32),
    "sparse 64, 1/12": Kind(64, 1 / 12),
    "sparse 64, 1/24": Kind(64, 1 / 24),
    "dense 48": Kind(48),
    "sparse 96, 1/24": Kind(96, 1 / 24),
    "random mask 64, 1/12": Kind(64, 1 / 12, random=True),
    "pruned 32, 1/4": Kind(32, pruned=1 / 4),
    "pruned 32, 1/12": Kind(32, pruned=1 / 12),
    "untrained 32": Kind(32, trained=False),
    "untrained 64, 1/12": Kind(64, pruned=1 / 12, trained=False),
}


def made(kind: Kind, seed: int, steps: int, kept: Path) -> Subject:
    """A network as its kind says; trained, or as it was kept."""
    task = load_task("code:program")
    model = build(
        "transformer", task, generator=Generator().manual_seed(seed), width=kind.width, depth=2, heads=kind.width // 8
    )
    mask = "random" if kind.random else "own"
    weights = kept / f"width {kind.width}, density {kind.density:.4f} {mask}, seed {seed}, {steps} steps.pt"
    if kind.trained and weights.exists():
        model.load_state_dict(torch.load(weights, weights_only=True))
    elif kind.trained:
        fit(model, task, config=kind.config(seed, steps))
        kept.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), weights)
    if kind.pruned < 1:
        prune(model, kind.pruned)
    return Subject(model.eval())


def loss_of(subject: Subject) -> float:
    """On held-out programs, in nats for each token."""
    task = load_task("code:program")
    held = task.examples("seen", 1000, generator=Generator().manual_seed(99))
    with torch.no_grad():
        return float(task.loss(subject.module(held.inputs["tokens"]), held))


def pruned(network: WiredNetwork, sets: Sets, rng: Random, *keys: str) -> tuple[int | None, PrunedWeights | None]:
    """Edges between the fewest nodes, and the fewest single weights."""
    nodes = search(network, sets, BUDGET, generator=rng("gates", *keys))
    least = None if nodes.smallest is None else nodes.smallest.kept
    weights = smallest_weights(
        network, nodes.order, least, sets, WEIGHTS, generator=rng("weights", *keys), points=BUDGET.points, looser=LOOSER
    )
    return None if nodes.smallest is None else nodes.smallest.edges, weights


def asked(subject: Subject, question: str, seed: int, *, permuted: bool) -> dict[str, Any]:
    """The smallest circuits for a question, and for permuted answers to it."""
    task, rng = load_task(f"code:{question}"), Random(seed, f"frontier {question}")
    data: CircuitsDraw = Instrument().data(subject, task, BUDGET, rng)
    network = circuits_of(subject, data)
    loss = float(network.losses(data.sets.judging, None).mean())
    row: dict[str, Any] = {"question": question, "loss": loss, "total": network.edges.total, "constant": data.constant}
    row["nodes_edges"], found = pruned(network, data.sets, rng)
    row["edges"] = None if found is None else found.circuit.edges
    if found is not None:
        row["alone"] = float(found.network.losses(data.sets.judging, found.circuit.kept).mean())
        row["without"] = float(found.losses_without(data.sets.judging).mean())
    if permuted:
        nodes, nonsense = pruned(network, permuted_labels(data.sets, generator=rng("permuted")), rng, "permuted")
        row["permuted"] = {"nodes_edges": nodes, "edges": None if nonsense is None else nonsense.circuit.edges}
    return row


def interpolated(points: Sequence[tuple[float, float]], at: float) -> float | None:
    """The logarithm of a size over the loss, linear between neighbours; beyond the ends the nearest within `MATCHED`."""
    points = sorted(points)
    for (a, low), (b, high) in pairwise(points):
        if a <= at <= b and b > a:
            share = (at - a) / (b - a)
            return math.exp((1 - share) * math.log(low) + share * math.log(high))
    near = min(points, key=lambda one: abs(one[0] - at), default=None)
    return near[1] if near is not None and abs(near[0] - at) <= MATCHED else None


def learned(row: Mapping[str, Any]) -> bool:
    """Whether the network has the question right, and a circuit for it."""
    return row["loss"] <= 0.075 and bool(row["edges"])


def ratios(results: Sequence[Mapping[str, Any]], size: str) -> Iterator[tuple[int, str, str, float, float, float]]:
    """Seed, question, sparse network, its loss, edges of dense networks at that loss, and its own."""
    for result in results:
        if not result["network"].startswith("sparse"):
            continue
        for row in filter(learned, result["rows"]):
            dense = [
                (other["loss"], one[size])
                for other in results
                if other["seed"] == result["seed"] and other["network"].startswith("dense")
                for one in filter(learned, other["rows"])
                if one["question"] == row["question"] and one[size]
            ]
            at = interpolated(dense, result["loss"])
            if at and row[size]:
                yield result["seed"], row["question"], result["network"], result["loss"], at, row[size]


def compared(results: Sequence[Mapping[str, Any]], size: str) -> Iterator[str]:
    """How many times more edges dense networks have at one loss; and networks with a drawn mask than those of the same density
    whose mask training chose, whatever the loss of each."""
    found = list(ratios(results, size))
    for network in sorted({one[2] for one in found}):
        yield f"{network}, {size}: dense over sparse " + over_seeds(
            [(seed, question, dense / edges) for seed, question, name, _, dense, edges in found if name == network]
        )
    sizes = {(NETWORKS[one["network"]], one["seed"], row["question"]): row[size] for one in results for row in one["rows"]}
    for kind in sorted({kind for kind, _, _ in sizes if kind.random}, key=str):
        chosen = replace(kind, random=False)
        pairs = [(s, q, edges, sizes.get((chosen, s, q))) for (one, s, q), edges in sizes.items() if one == kind]
        if both := [(s, q, edges / own) for s, q, edges, own in pairs if edges and own]:
            yield f"width {kind.width}, density {kind.density:.3f}, {size}: drawn over chosen mask " + over_seeds(both)


def over_seeds(found: Sequence[tuple[int, str, float]]) -> str:
    """Of ratios by seed and question the geometric mean over questions of each seed, and over seeds with the interval of
    Student's t."""
    seeds = sorted({seed for seed, _, _ in found})
    means = [statistics.fmean(math.log(ratio) for s, _, ratio in found if s == seed) for seed in seeds]
    told = f"{math.exp(statistics.fmean(means)):.2f}"
    if len(means) > 1:
        half = student.ppf(0.975, len(means) - 1) * statistics.stdev(means) / math.sqrt(len(means))
        low, high = (math.exp(statistics.fmean(means) + sign * half) for sign in (-1, 1))
        told += f" [{low:.2f}, {high:.2f}]"
    told += f", {len(found)} questions of {len(seeds)} seeds: "
    return told + ", ".join(f"{ratio:.2f} (seed {seed}, {question})" for seed, question, ratio in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", nargs="+", default=list(QUESTIONS))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--permuted", type=int, default=3, help="seeds whose circuits for permuted answers are searched too")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.quick:
        given.questions, given.seeds = ["for_while"], 1
        given.networks = ["dense 24", "dense 32", "sparse 64, 1/12"]
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    start, results = time.process_time(), []
    for seed in range(given.seeds):
        for name in given.networks:
            results.append(of_network(name, seed, given))
    for size in ("edges", "nodes_edges"):
        for told in compared(results, size):
            print(told)
    print(f"{time.process_time() - start:.0f} CPU s")


def of_network(name: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """All questions of one network, those from an earlier run as they are."""
    kept = given.out / f"{name.replace('/', ' of ')}, seed {seed}, {given.steps} steps.json"
    begun = time.process_time()
    result = json.loads(kept.read_text()) if kept.exists() else {"network": name, "seed": seed, "rows": [], "seconds": 0.0}
    missing = [one for one in given.questions if one not in {row["question"] for row in result["rows"]}]
    if missing:
        subject = made(NETWORKS[name], seed, given.steps, given.out / "weights")
        result |= {"loss": loss_of(subject), "density": density_of(subject.module)}
        for question in missing:
            result["rows"].append(asked(subject, question, seed, permuted=seed < given.permuted))
            result["seconds"] += time.process_time() - begun
            begun = time.process_time()
            kept.write_text(json.dumps(result, indent=1))
    print(f"{name}, seed {seed}: loss {result['loss']:.3f}, density {result['density']:.3f}, {result['seconds']:.0f} CPU s")
    for row in (row for row in result["rows"] if row["question"] in given.questions):
        print(f"    {row}", flush=True)
    return result | {"rows": [row for row in result["rows"] if row["question"] in given.questions]}


if __name__ == "__main__":
    main()
