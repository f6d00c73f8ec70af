"""SCAN: what the call says of a compiled network, of tables, and of networks that were trained on a split.

    python experiments/subgraphs/scan_row.py [--splits addprim_jump simple] [--seeds 0] [--steps 1200] [--weight-decay 0]

For each split four answers to the phrases of the same novel commands: of the network of `compiled_scan.py`, whose weights are
written; of a noisy executor and a noisy table of full subgraphs (3 % of nodes with another value); and of an encoder-decoder
that `assay train` makes, one for each seed, which answers every phrase as a command of its own. Short commands are rare in
training, so that a network may know whole commands and not their phrases: of it, whole commands alone are analysed too, as
many trained ones beside the novel ones. With `--runs` trained networks are kept, and found again.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from compiled_scan import CompiledScan
from torch import Generator

from assay.computation import MISSING, Computations, joined
from assay.computation.analysis import Analysis, analyse, gaps
from assay.computation.decoding import greedy
from assay.computation.predictors import full_table, noisy_executor
from assay.models import load_subject
from assay.store import RunDirectory
from assay.subject import Subject
from assay.tasks.scan import Scan
from assay.training import train

ERROR = 0.03


def told(name: str, found: Analysis, *, steps: bool = True) -> None:
    """Print an analysis; `steps`: also what takes an answer to every step."""
    cells = " ".join(
        f"{value:.3f} ({count})" for value, count in zip(found.cells.value, found.nodes.sum(0).tolist(), strict=True)
    )
    outside = f"{found.sides.cells.value[1]:.3f} ({found.sides.nodes[1]})"
    print(f"  {name}: {found.call}; full, step, new: {cells}; new outside 1-coverage: {outside}", end="; " if steps else "\n")
    if not steps:
        return
    more, above = gaps(found.computations, found.predicted)
    print(f"whole command right {found.exact.mean():.3f}; composition gap {more.sum() / above.sum():.3f}")


def whole_commands(task: Scan, trained: Computations, num: int, network: Subject) -> Analysis:
    """Of trained and novel commands the node of the whole command alone."""
    drawn = [task.examples(split, num, generator=Generator().manual_seed(1)) for split in ("seen", "novel")]
    graphs = [task.computation(examples) for examples in drawn]
    values = [task.node_values(*both, greedy(network)) for both in zip(drawn, graphs, strict=True)]
    tested, predicted = joined(graphs), np.concatenate(values)
    is_parent = np.zeros(len(tested) + 1, bool)
    is_parent[tested.parents] = True  # the last, at index -1, stands for no parent
    is_whole = ~is_parent[:-1] & ~tested.is_source
    return analyse(trained, tested, np.where(is_whole, predicted, MISSING), given_right_parents=True, asked=is_whole)


def main(splits: list[str], seeds: list[int], steps: int, weight_decay: float, num: int, runs: Path | None) -> None:
    for split in splits:
        task, rng = Scan(split), np.random.default_rng(0)
        trained = task.computation(task.examples("seen", 10**6, generator=Generator().manual_seed(0)))
        examples = task.examples("novel", num, generator=Generator().manual_seed(0))
        tested = task.computation(examples)
        print(f"scan:{split}, {trained.num_examples:,} trained commands, {tested.num_examples:,} novel ones")
        compiled = greedy(Subject(CompiledScan().eval()))
        told("compiled", analyse(trained, tested, task.node_values(examples, tested, compiled)))
        told("noisy executor", analyse(trained, tested, noisy_executor(tested, ERROR, rng)))
        table = full_table(trained, tested, rng)
        slips = ~tested.is_source & (rng.random(len(tested)) < ERROR)
        told("noisy table of full subgraphs", analyse(trained, tested, np.where(slips, rng.permutation(table), table)))
        for seed in seeds:
            with tempfile.TemporaryDirectory() as temporary:
                folder = (runs or Path(temporary)) / f"{split}-{steps}-{seed}"
                if not (folder / "weights.safetensors").exists():
                    config = {"steps": steps, "seed": seed, "weight_decay": weight_decay}
                    train(task.address, "encoder-decoder", out=folder, config=config, progress=None)
                network, record = load_subject(str(folder)), RunDirectory.open(folder).read_record()
            start = time.process_time()
            found = analyse(trained, tested, task.node_values(examples, tested, greedy(network)))
            seconds = f"{record.cpu_seconds:.0f} + {time.process_time() - start:.0f} CPU s"
            scores = ", ".join(f"{name} {score:.3f}" for name, score in record.scores.items())
            told(f"trained, seed {seed} ({scores}; {seconds})", found)
            told("  its whole commands", whole_commands(task, trained, num, network), steps=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", nargs="+", default=["addprim_jump", "simple"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=1_200)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--runs", type=Path, help="a folder for the trained networks")
    parser.add_argument("--tested", type=int, default=1_000)
    given = parser.parse_args()
    main(given.splits, given.seeds, given.steps, given.weight_decay, given.tested, given.runs)
