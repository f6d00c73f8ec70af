"""Small networks on non-adjacent sums: recombination at one size, and other sizes by layer.

    python experiments/subgraphs/small_networks.py SEED [SEED ...] [--sizes-steps 4000] [--fixed-steps 3000] [--runs DIR]

For each seed two networks are trained as `assay train ... --model causal` does, and decode greedily on their own steps:

- *sizes*: lists of two to five elements, tested on two to eight, by layer. Positions are drawn at random offsets.
- *fixed*: 500 lists of six elements, tested on 8,000 others: the three cells with intervals, the odds ratio of a trained full
  subgraph, and the share of right nodes at each layer beside what the layers before predict.

The second network is trained at twice the usual learning rate and with weight decay: without them it fits 500 lists one by one.
With `--runs` the trained networks are kept, and found again. docs/methods/subgraphs.md has the tables of three seeds.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Generator

from assay.computation.analysis import analyse, extrapolation
from assay.computation.decoding import given_right_parents, greedy
from assay.computation.forecast import forecast
from assay.computation.labels import KINDS
from assay.models import load_subject
from assay.store import RunDirectory
from assay.subject import Subject
from assay.tasks.non_adjacent_sum import NonAdjacentSum
from assay.training import train

LONGEST, TESTED = 8, 2_000


def trained(task: NonAdjacentSum, runs: Path | None, name: str, **config: float) -> tuple[Subject, float]:
    """A network that was trained on the task, and the CPU seconds that it took."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = (runs or Path(temporary)) / name
        if not (folder / "weights.safetensors").exists():
            train(task.address, "causal", out=folder, config=config, progress=None)
        return load_subject(str(folder)), RunDirectory.open(folder).read_record().cpu_seconds


def sizes(seed: int, steps: int, runs: Path | None) -> None:
    task = NonAdjacentSum(n=5, shortest=2, longer=LONGEST - 5, train=142_000, novel=TESTED, seed=seed)
    network, seconds = trained(task, runs, f"sizes-{seed}", seed=seed, steps=steps, batch_size=128)
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


def fixed(seed: int, steps: int, runs: Path | None) -> None:
    task = NonAdjacentSum(n=6, train=500, novel=16_000, seed=seed)
    how = {"batch_size": 64, "learning_rate": 4e-3, "weight_decay": 1.0}
    network, seconds = trained(task, runs, f"fixed-{seed}", seed=seed, steps=steps, **how)
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
        both = [forecast(tested, own.labels, own.seen.cell, depth, rng, changing=changing) for changing in (False, True)]
        told = "; ".join(
            f"{name} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]{'' if one.within else ', outside'}"
            for name, one in zip(("constant", "changing"), both, strict=True)
        )
        print(f"  layer {depth + 1}: {both[0].observed:.3f} right; predicted by rates that are {told}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("seeds", nargs="+", type=int)
    parser.add_argument("--sizes-steps", type=int, default=4_000)
    parser.add_argument("--fixed-steps", type=int, default=3_000)
    parser.add_argument("--runs", type=Path, help="a folder for the trained networks")
    given = parser.parse_args()
    for seed in given.seeds:
        start = time.process_time()
        if given.fixed_steps:
            fixed(seed, given.fixed_steps, given.runs)
        if given.sizes_steps:
            sizes(seed, given.sizes_steps, given.runs)
        print(f"seed {seed}: {time.process_time() - start:.0f} CPU s in all")
