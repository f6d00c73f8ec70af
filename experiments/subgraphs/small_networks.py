"""Small networks on non-adjacent sums: recombination at one size, and other sizes by layer.

    python experiments/subgraphs/small_networks.py SEED [SEED ...] [--sizes-steps 5000] [--fixed-steps 4000]

For each seed two networks are trained as `assay train ... --model causal` does, and decode greedily on their own steps:

- *sizes*: lists of two to five elements, tested on two to eight, by layer. Positions are drawn at random offsets.
- *fixed*: 500 lists of six elements, tested on 8,000 others: the three cells with intervals, the odds ratio of a trained full
  subgraph, and the share of right nodes at each layer beside what the layers before predict.

docs/methods/subgraphs.md has the tables of three seeds.
"""

import argparse
import tempfile
import time

import numpy as np
import torch
from torch import Generator

from assay.computation.analysis import analyse, extrapolation
from assay.computation.decoding import given_right_parents, greedy
from assay.computation.forecast import forecast
from assay.computation.labels import KINDS
from assay.models import load_subject
from assay.tasks.non_adjacent_sum import NonAdjacentSum
from assay.training import train

LONGEST, TESTED = 8, 2_000


def trained(task: NonAdjacentSum, seed: int, steps: int, batch_size: int, weight_decay: float = 0.0):
    """A network that was trained on the task, and the CPU seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        config = {"steps": steps, "batch_size": batch_size, "seed": seed, "learning_rate": 2e-3}
        config["weight_decay"] = weight_decay
        run = train(task.address, "causal", out=folder, config=config, progress=None)
        return load_subject(str(run.path)), run.read_record().cpu_seconds


def sizes(seed: int, steps: int) -> None:
    task = NonAdjacentSum(n=5, shortest=2, longer=LONGEST - 5, train=142_000, novel=TESTED, seed=seed)
    network, seconds = trained(task, seed, steps, 128)
    known = set(task.combination_id(dict(zip(task.combines, task.combinations("seen").T, strict=True))).tolist())
    graphs = task.computation(task.examples("seen", 20_000, generator=Generator().manual_seed(0)))
    print(f"seed {seed}: 2 to 5 elements, {steps} steps, {seconds:.0f} CPU s")
    for k in range(2, LONGEST + 1):
        other = NonAdjacentSum(n=k, longer=LONGEST - k, train=min(2 * TESTED, 11**k), novel=0, seed=seed + 1000)
        examples = other.examples("seen", 2 * TESTED, generator=Generator().manual_seed(0))
        new = torch.tensor([one not in known for one in examples.combination.tolist()])
        kept = new if new.sum() >= 100 else torch.ones_like(new)
        examples = examples.take(kept.nonzero()[:TESTED, 0])
        tested = other.computation(examples)
        found = analyse(graphs, tested, other.node_values(examples, tested, greedy(network)))
        beyond = extrapolation(found)
        ratios = found.layers.ratios()[:k]
        low, high = beyond.exact.low[0], beyond.exact.high[0]
        what = "new" if kept is new else "trained"
        print(f"  {k} elements ({what}): all right {beyond.exact.value[0]:.3f} [{low:.3f}, {high:.3f}]", end="; ")
        print(f"layer 1 wrong {beyond.first.value[0]:.3f}{', positions' if beyond.positions else ''}")
        for i, kind in enumerate(KINDS[:4]):
            print(f"    {kind}: {' '.join(f'{share:.3f}' for share in ratios[:, i])}")


def fixed(seed: int, steps: int, weight_decay: float) -> None:
    task = NonAdjacentSum(n=6, train=500, novel=16_000, seed=seed)
    network, seconds = trained(task, seed, steps, 64, weight_decay)
    graphs = task.computation(task.examples("seen", 500, generator=Generator().manual_seed(0)))
    examples = task.examples("novel", 16_000, generator=Generator().manual_seed(0))
    other = task.computation(examples.take(torch.arange(8_000, 8_500)))
    examples = examples.take(torch.arange(8_000))
    tested = task.computation(examples)
    given = task.node_values(examples, tested, given_right_parents(network))
    local = analyse(graphs, tested, given, other_trained=other, given_right_parents=True)
    own = analyse(graphs, tested, task.node_values(examples, tested, greedy(network)), other_trained=other)
    print(f"seed {seed}: 500 lists of 6 elements, {steps} steps, {seconds:.0f} CPU s; all right {own.exact.mean():.3f}")
    print("  on right values:", local.sentence)
    for kind in ("best sum", "pick"):
        of_kind = np.array([operation.family == kind for operation in tested.operations])[tested.operation] & ~tested.is_source
        right = [local.labels.right[of_kind & (local.seen.cell == cell)] for cell in range(3)]
        print(f"    {kind}: {' '.join(f'{some.mean():.4f}' if len(some) else 'none' for some in right)}")
    for name, odds in (("this", local.odds), ("another", local.elsewhere)):
        print(f"  odds ratio, {name} training set: {np.exp(odds.value):.2f} [{np.exp(odds.low):.2f}, {np.exp(odds.high):.2f}]")
    rng = np.random.default_rng(seed)
    for depth in range(1, 6):
        ahead = forecast(tested, own.labels, own.seen.cell, depth, rng)
        told = "within" if ahead.within else "outside"
        print(f"  layer {depth + 1}: {ahead.observed:.3f} right, {told} {ahead.value:.3f} [{ahead.low:.3f}, {ahead.high:.3f}]")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("seeds", nargs="+", type=int)
    parser.add_argument("--sizes-steps", type=int, default=5_000)
    parser.add_argument("--fixed-steps", type=int, default=4_000)
    parser.add_argument("--weight-decay", type=float, default=0.5, help="of the second network")
    given = parser.parse_args()
    for seed in given.seeds:
        start = time.process_time()
        if given.fixed_steps:
            fixed(seed, given.fixed_steps, given.weight_decay)
        if given.sizes_steps:
            sizes(seed, given.sizes_steps)
        print(f"seed {seed}: {time.process_time() - start:.0f} CPU s in all")
