"""Networks of one layer and of two on lists of entities: which are said to bind, and what predicts new pairs.

Run `python experiments/binding_lists.py`. Transformers of width 64 are trained on the task `lists` and read by the instrument
`binding`. One layer answers trained pairs and leaves unknown ones out: an imitation; two layers bind. Every network prints
its accuracy at two entities on trained pairs and on new ones, its lowest score, the word for it, and the signature of
exchanged states; the last lines are the rank correlation of the lowest score, and of accuracy on trained pairs, with accuracy
on balanced new pairs over all networks, with its bootstrap interval. Processor time, one thread.
"""

import argparse
import time

import torch
from scipy.stats import spearmanr
from torch import Generator

from assay.instrument import run
from assay.instruments.binding import Binding
from assay.models import build
from assay.subject import Subject
from assay.tasks import load_task
from assay.training import TrainingConfig, fit

RESAMPLES = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, nargs="+", default=[4_000], help="every number makes networks of its own")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--tasks", nargs="+", default=["lists"], help="such as lists:fixed=0.98")
    parser.add_argument("--effort", default="quick", choices=("quick", "standard"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for address in given.tasks:
        task = load_task(address)
        for depth in given.depths:
            for steps in given.steps:
                for seed in range(given.seeds):
                    rows.append(_one(address, task, depth, steps, seed, given))
    if len(rows) > 4:
        _correlations(rows)


def _one(address, task, depth: int, steps: int, seed: int, given) -> tuple[float, float, float]:
    network = build("transformer", task, generator=Generator().manual_seed(seed), width=64, depth=depth)
    start = time.process_time()
    config = TrainingConfig(steps=steps, batch_size=given.batch, learning_rate=given.rate, seed=seed)
    fit(network, task, config=config)
    trained = time.process_time()
    evidence = run(Binding(), Subject(network, name=f"{depth} layers"), task, effort=given.effort, seed=seed)
    read = time.process_time()
    known = evidence.measure("accuracy", entities="2").value
    new = {pairs: evidence.measure("novel_accuracy", pairs=pairs, entities="2").value for pairs in ("queried", "balanced")}
    lowest = evidence.measure("novel_binding")
    told = "none" if lowest.value is None else f"{lowest.value:.2f} [{lowest.interval.low:.2f}, {lowest.interval.high:.2f}]"
    print(
        f"{address}, {depth} layers, {steps} steps, seed {seed}: trained pairs {known:.3f}, new {new['queried']:.3f}, balanced "
        f"{new['balanced']:.3f}; lowest score {told} in lists of {evidence.settings['entities in a list']}: "
        f"{evidence.settings['verdict']}; {evidence.summary.rpartition('(')[2]} "
        f"({trained - start:.0f} s trained, {read - trained:.1f} s read)",
        flush=True,
    )
    return float("nan") if lowest.value is None else lowest.value, known, new["balanced"]


def _correlations(rows: list[tuple[float, float, float]]) -> None:
    table = torch.tensor([row for row in rows if row[0] == row[0]], dtype=torch.float64)
    generator = Generator().manual_seed(0)
    for name, column in (("the lowest score", 0), ("accuracy on trained pairs", 1)):
        value = spearmanr(table[:, column], table[:, 2]).statistic
        draws = torch.randint(len(table), (RESAMPLES, len(table)), generator=generator)
        found = torch.tensor([float(spearmanr(table[d, column], table[d, 2]).statistic) for d in draws]).nan_to_num()
        low, high = torch.quantile(found, torch.tensor([0.025, 0.975])).tolist()
        print(
            f"rank correlation of {name} with accuracy on balanced new pairs over {len(table)} networks: {value:.2f} "
            f"[{low:.2f}, {high:.2f}]"
        )


if __name__ == "__main__":
    main()
