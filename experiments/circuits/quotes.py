"""Which units of weight-sparse language models close a quotation: the two neurons of Gao et al. 2025, or something else?

They report a circuit in which one neuron of the first feed-forward holds *that* a quotation is open, another one *which* mark
opened it, and one head copies them to the end. For every seed the nodes of the smallest circuit of `code:single_double_quote`
are judged by what they hold:

- `mark`: over all positions, how well a node tells quotation marks from other tokens (AUROC, of either sign);
- `which`: over the positions of the mark that decides, how well it tells the two marks;
- `end`: the same at the last position.

A core neuron is a hidden unit of the first feed-forward, in the circuit, with an AUROC of .95, without which the circuit's loss
is .1 nats higher: random circuits of the same places and degrees hold units that tell as much and do nothing, and stand beside.
What the circuit needs most is listed in any case.

    python experiments/circuits/quotes.py --out frontier --seeds 5
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from frontier import BUDGET, NETWORKS, made
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from assay.instrument import Random
from assay.instruments.circuits.checks import random_circuit
from assay.instruments.circuits.instrument import Circuits as Instrument
from assay.instruments.circuits.network import WiredNetwork
from assay.instruments.circuits.reading import circuits_of, search
from assay.task import Examples
from assay.tasks import load_task
from assay.tasks.code_questions import TOKEN

QUESTION = "single_double_quote"
FOUND, NEEDED, RANDOM, MOST = 0.95, 0.1, 20, 6
FIRST = "blocks.0.mlp.down:in"


def auroc(values: Float[Tensor, "n k"], positive: Bool[Tensor, " n"]) -> Float[Tensor, " k"]:
    """How often a positive example has the larger value, ties counted by half; of either sign, so from .5 to 1."""
    order = values.double()
    ranks = torch.stack([_ranks(column) for column in order.T], 1)
    num, other = int(positive.sum()), int((~positive).sum())
    area = (ranks[positive].sum(0) - num * (num + 1) / 2) / max(1, num * other)
    return torch.maximum(area, 1 - area)


def _ranks(column: Tensor) -> Tensor:
    """From 1, of equal values the mean."""
    _, inverse, counts = column.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - (counts - 1) / 2)[inverse]


def held(network: WiredNetwork, examples: Examples) -> list[Float[Tensor, "n t width"]]:
    """What every place holds."""
    return [calls[0].cpu() for calls in network.states(examples.inputs)]


def opened(examples: Examples) -> Tensor:
    """The position of the mark that decides: the last one in the statement of the question."""
    tokens = examples.inputs["tokens"]
    marks = (tokens == TOKEN["'"]) | (tokens == TOKEN['"'])
    places = torch.arange(tokens.shape[1]).expand_as(tokens)
    return torch.where(marks, places, -1).amax(1)


def judged(state: Float[Tensor, "n t width"], examples: Examples, double: Bool[Tensor, " n"]) -> dict[str, Tensor]:
    """The three read-outs of every unit of a place. Places of the last position alone have `end` only."""
    tokens, rows, found = examples.inputs["tokens"], torch.arange(len(examples)), {}
    if state.ndim == 3 and state.shape[1] == tokens.shape[1]:
        marks = (tokens == TOKEN["'"]) | (tokens == TOKEN['"'])
        found["mark"] = auroc(state.flatten(0, 1), marks.flatten())
        found["which"] = auroc(state[rows, opened(examples)], double)
    last = state[:, -1] if state.ndim == 3 else state
    found["end"] = auroc(last, double)
    return found


def of_seed(seed: int, out: Path, steps: int) -> Iterator[str]:
    """The circuit of one network, and what its nodes hold."""
    subject = made(NETWORKS["sparse 64, 1/12"], seed, steps, out / "weights")
    task, rng = load_task(f"code:{QUESTION}"), Random(seed, f"frontier {QUESTION}")
    data = Instrument().data(subject, task, BUDGET, rng)
    network = circuits_of(subject, data)
    examples = data.sets.judging
    loss = float(network.losses(examples, None).mean())
    found = search(network, data.sets, BUDGET, generator=rng("gates")).smallest
    if found is None or loss > data.target / 2:
        yield f"seed {seed}: no circuit (loss {loss:.3f})"
        return
    yield f"seed {seed}: loss {loss:.3f}, {int(found.kept.sum())} nodes, {found.edges} edges"
    double, states = examples.parts["quote"] == 1, held(network, examples)
    reads = [judged(state, examples, double) for state in states]
    inside = found.kept.nonzero()[:, 0].tolist()
    alone = float(network.losses(examples, found.kept).mean())
    cost = {node: _without(network, found.kept, node, examples) - alone for node in inside}
    yield "    needed most: " + "; ".join(_named(network, reads, n, cost[n]) for n in sorted(inside, key=cost.get)[::-1][:MOST])
    first = [node for node in inside if network.wiring.name(node).startswith(FIRST)]
    yield "    first feed-forward: " + "; ".join(
        _named(network, reads, node, cost[node]) for node in sorted(first, key=cost.get)[::-1][:MOST]
    )
    for name in ("mark", "which"):
        values = [_read(network, reads, node)[name] for node in first]
        core = [n for n, value in zip(first, values, strict=True) if value >= FOUND and cost[n] >= NEEDED]
        k = [place.name for place in network.wiring.places].index(FIRST)
        random = [
            random_circuit(network.wiring, network.edges, found.kept, generator=Generator().manual_seed(draw))
            for draw in range(RANDOM)
        ]
        chance = [
            float(reads[k][name][network.wiring.split(one)[k]].max()) for one in random if network.wiring.split(one)[k].any()
        ]
        yield (
            f"    a first neuron that tells {name} and is needed: {'FOUND' if core else 'not found'}; best read-out "
            f"{max(values, default=0.5):.2f}, of random circuits {min(chance):.2f} to {max(chance):.2f}"
        )


def _without(network: WiredNetwork, kept: Tensor, node: int, examples: Examples) -> float:
    fewer = kept.clone()
    fewer[node] = False
    return float(network.losses(examples, fewer).mean())


def _read(network: WiredNetwork, reads: list[dict[str, Tensor]], node: int) -> dict[str, float]:
    """The read-outs of one node."""
    starts = network.wiring.starts
    place = next(k for k in range(len(reads)) if node < starts[k + 1])
    return {name: float(values[node - starts[place]]) for name, values in reads[place].items()}


def _named(network: WiredNetwork, reads: list[dict[str, Tensor]], node: int, cost: float) -> str:
    values = " ".join(f"{name} {value:.2f}" for name, value in _read(network, reads, node).items())
    return f"{network.wiring.name(node)} (+{cost:.2f}; {values})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where experiments/circuits/frontier.py keeps its networks")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    for seed in range(given.seeds):
        for told in of_seed(seed, given.out, given.steps):
            print(told, flush=True)
    print(f"{time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
