"""Are circuits of questions that need one part made of the same nodes, and others not? Sparse networks beside dense ones.

For every network the smallest circuits of several questions. Two of them ask for the same part: `for_while` and `indent_for`
both need to know whether a statement begins with `for` or `while`. Of every pair of circuits: shared nodes (Jaccard) beside
random circuits of the same places and degrees, and the ablations of Lepori, Serre and Pavlick 2023: what each question loses
when the circuit of itself, of another question, or a random one has its mean.

Circuits that share nothing are no proof of composition, nor circuits that share much of the contrary; a part that is one thing
inside should be in both circuits that need it, and not in others.

    python experiments/circuits/reuse.py --out frontier --seeds 3
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from frontier import BUDGET, NETWORKS, made
from parts import over_seeds
from torch import Generator, Tensor

from assay.instrument import Random
from assay.instruments.circuits.checks import overlap, random_circuit
from assay.instruments.circuits.instrument import Circuits as Instrument
from assay.instruments.circuits.network import WiredNetwork
from assay.instruments.circuits.reading import circuits_of, search
from assay.subject import Subject
from assay.task import Examples
from assay.tasks import load_task

QUESTIONS = ("single_double_quote", "lambda_func", "for_while", "indent_for")
RELATED = {frozenset(("for_while", "indent_for"))}
RANDOM = 5


class Asked(NamedTuple):
    """One question of a network: the examples that it is judged on, its circuit, and the loss of the whole network."""

    network: WiredNetwork
    judging: Examples
    kept: Tensor
    loss: float


def asked(subject: Subject, question: str, seed: int) -> Asked | None:
    """The circuit of a question, None where the network has not learned it or none is found."""
    rng = Random(seed, f"frontier {question}")
    data = Instrument().data(subject, load_task(f"code:{question}"), BUDGET, rng)
    network = circuits_of(subject, data)
    loss = float(network.losses(data.sets.judging, None).mean())
    found = search(network, data.sets, BUDGET, generator=rng("gates")).smallest if loss <= data.target / 2 else None
    return None if found is None else Asked(network, data.sets.judging, found.kept, loss)


class Pair(NamedTuple):
    """Of two questions: shared nodes beside chance, and what the first loses without the circuit of the second, beside what it
    loses without its own and without a random one as large as the second's."""

    related: bool
    shared: float
    by_chance: float
    own: float
    other: float
    random: float


def pairs(found: dict[str, Asked]) -> Iterator[tuple[str, str, Pair]]:
    """Every ordered pair of questions that have circuits."""
    for (name, one), (other_name, other) in itertools.permutations(found.items(), 2):
        network = one.network
        drawn = [
            random_circuit(other.network.wiring, other.network.edges, other.kept, generator=Generator().manual_seed(k))
            for k in range(RANDOM)
        ]
        yield (
            name,
            other_name,
            Pair(
                frozenset((name, other_name)) in RELATED,
                overlap(network.edges, one.kept, other.kept).nodes,
                statistics.fmean(overlap(network.edges, one.kept, some).nodes for some in drawn),
                float(network.losses(one.judging, ~one.kept).mean()) - one.loss,
                float(network.losses(one.judging, ~other.kept).mean()) - one.loss,
                statistics.fmean(float(network.losses(one.judging, ~some).mean()) for some in drawn) - one.loss,
            ),
        )


def told(seeds: list[list[Pair]]) -> str:
    """Means over seeds with their interval."""
    shared, by_chance, own, other, random = (
        over_seeds([statistics.fmean(float(row[k]) for row in rows) for rows in seeds]) for k in range(1, 6)
    )
    return (
        f"{sum(map(len, seeds))} ordered pairs of {len(seeds)} seeds: shared nodes {shared} (by chance {by_chance}); loss "
        f"rises by {own} without the own circuit, {other} without the other's, {random} without a random one"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where experiments/circuits/frontier.py keeps its networks")
    parser.add_argument("--networks", nargs="+", default=["dense 32", "sparse 64, 1/12"])
    parser.add_argument("--questions", nargs="+", default=list(QUESTIONS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    for name in given.networks:
        every: list[list[Pair]] = []
        for seed in range(given.seeds):
            subject = made(NETWORKS[name], seed, given.steps, given.out / "weights")
            found = {question: one for question in given.questions if (one := asked(subject, question, seed)) is not None}
            every.append([])
            for one, other, pair in pairs(found):
                every[-1].append(pair)
                print(f"  {name}, seed {seed}: {one}, {other}: " + ", ".join(f"{value:.2f}" for value in pair[1:]), flush=True)
        for related in (True, False):
            rows = [[row for row in of_seed if row.related == related] for of_seed in every]
            if any(rows):
                print(f"{name}, {'one part' if related else 'no common part'}: {told([some for some in rows if some])}")
    print(f"{time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
