"""Networks of one and of two layers on lists of entities: which are classified as binding, and what predicts new pairs.

Run `python experiments/binding_lists.py`. Transformers are trained on the task `lists` with two or three entities in a list,
and read as the instrument `binding` reads them, but without untrained copies, which affect neither scores nor conclusions. For
every network the script prints its accuracy at two entities on trained and on new pairs, its lowest score, the conclusion, and
the signature of patched states. Expected: one layer that has learned its trained pairs excludes unknown ones (imitation), and
two layers bind. Lists begin at the first place: one layer, which reads each item at a fixed position, does not learn them
elsewhere.

`python experiments/binding_lists.py --degrees` trains 30 smaller networks on lists of two, most of them stopped early so that
networks of every degree occur. With ten networks or more, the last lines are the rank correlations of the lowest score, and of
accuracy on trained pairs, with accuracy on balanced new pairs over all networks, with bootstrap intervals. These pairs are
drawn afresh, not those that enter the score. A network whose trained pairs are not answered above the nulls has no score, and
ranks lowest. Processor time, one thread.
"""

import argparse
import time

import torch
from scipy.stats import spearmanr
from torch import Generator

from assay.instrument import Random
from assay.instruments.binding.asked import ask, logits, right
from assay.instruments.binding.lists import ListsDraw
from assay.instruments.binding.metrics import BindingBudget
from assay.instruments.binding.scores import composite
from assay.models import build
from assay.subject import Subject
from assay.tasks import load_task
from assay.training import TrainingConfig, fit

RESAMPLES = 2_000
FRESH = 500
RECIPES = ((1, 8_000), (2, 1_500))
"""Layers and steps."""
DEGREES = ((2, 120), (2, 180), (2, 220), (2, 250), (2, 280), (2, 320), (2, 360), (2, 450), (1, 600), (1, 1_500))
TASK = "lists:largest=3,free=0"
SMALL = "lists:num_entities=8,num_attributes=8,largest=2,free=0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--degrees", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=float, default=1.0, help="factor of the number of steps of every network")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--contexts", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    task = load_task(SMALL if given.degrees else TASK)
    data = ListsDraw.draw(task, BindingBudget(contexts=given.contexts, sites=2), Random(0, "binding"))
    recipes = DEGREES if given.degrees else RECIPES
    rows = [
        _one(task, data, depth, round(given.steps * steps), seed, given) for depth, steps in recipes for seed in given.seeds
    ]
    if len(rows) >= 10:
        _correlations(rows)


def _one(task, data: ListsDraw, depth: int, steps: int, seed: int, given) -> tuple[float, float, float]:
    width = 32 if given.degrees else 64
    network = build("transformer", task, generator=Generator().manual_seed(seed), width=width, depth=depth)
    start = time.process_time()
    config = TrainingConfig(steps=steps, batch_size=given.batch, learning_rate=given.rate, seed=seed)
    fit(network, task, config=config)
    trained = time.process_time()
    subject = Subject(network)
    kept = data.read(subject, Random(seed, "network"), None).kept
    found = composite(kept.scores, generator=Generator().manual_seed(0))
    lowest = "none" if found is None else f"{found.value:.2f} [{found.interval.low:.2f}, {found.interval.high:.2f}]"
    read = time.process_time()
    known, queried, balanced = (_accuracy(subject, task, pairs, size=2) for pairs in ("trained", "queried", "balanced"))
    print(
        f"{depth} layers, {steps} steps, seed {seed}: trained pairs {known:.3f}, new {queried:.3f}, balanced {balanced:.3f}; "
        f"lowest score {lowest} in lists of {kept.base}: {kept.word}; {kept.inside.signature if kept.inside else 'not read'} "
        f"({trained - start:.0f} s trained, {read - trained:.1f} s read)",
        flush=True,
    )
    return float("-inf") if found is None else found.value, known, balanced


def _accuracy(subject: Subject, task, pairs: str, *, size: int) -> float:
    """Accuracy on pairs that enter no other figure."""
    contexts = task.contexts(FRESH, size=size, pairs=pairs, generator=Generator().manual_seed(1_000))
    asked = ask(task, contexts, contexts.at(contexts.queried)[0][:, None])
    return float(right(logits(subject, asked), asked).float().mean())


def _correlations(rows: list[tuple[float, float, float]]) -> None:
    table = torch.tensor(rows, dtype=torch.float64)
    table[table.isinf()] = float(table[table.isfinite()].min()) - 1
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
