"""Does coverage decide whether novel combinations work? The hyperteacher with 28 trained supports of three kinds.

    python bench/hyperteacher.py

`random` supports are connected; `two_halves` never mix the two halves of the modules; `non_compositional` never show the last
module, so that all novel supports contain a module that was never trained. Teacher, batches and the number of trained supports
are the same for each seed; `random` with 69 supports shows the effect of more supports. The script prints pooled R2 (not
floored) on novel supports, over the variance of the trained supports (the task's own score) and over that of the novel ones,
since the kinds differ in it. Intervals are Student's t over seeds. About a minute per seed on one core.
"""

import argparse
import math
import statistics
import time
from typing import NamedTuple

from torch import Generator

from assay.models import build
from assay.subject import Subject
from assay.task import Split
from assay.tasks.hyperteacher import Hyperteacher
from assay.tasks.supports import Kind
from assay.training.fit import TrainingConfig, fit

SETTINGS: dict[str, tuple[Kind, int | None]] = {
    "random 28": ("random", 28),
    "two_halves 28": ("two_halves", 28),
    "non_compositional 28": ("non_compositional", 28),
    "random 69": ("random", None),
}
NUM_TEST_ROWS = 16384


class Result(NamedTuple):
    seen: float
    novel: float
    novel_over_its_own: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--weights", default="discrete")
    options = parser.parse_args()
    results: dict[str, list[Result]] = {name: [] for name in SETTINGS}
    start = time.process_time()
    for seed in range(options.seeds):
        for name, (supports, num_train) in SETTINGS.items():
            task = Hyperteacher(seed=seed, weights=options.weights, supports=supports, num_train=num_train)
            results[name].append(train_and_score(task, options, seed))
            print(f"{name}, seed {seed}: {results[name][-1]}", flush=True)
    print(f"\nM=8, K=3, MLP 2 x {options.width}, {options.steps} steps of 512 rows, weight decay {options.weight_decay}")
    print(f"{time.process_time() - start:.0f} CPU seconds\n")
    print(f"{'supports':<24}{'R2 on':<22}{'mean':>7}  {'95 % interval':<20}seeds")
    for name, repeats in results.items():
        for split in Result._fields:
            print(f"{name:<24}{split.replace('_', ' '):<22}{told([getattr(result, split) for result in repeats])}")
    print("\nDifferences on novel supports, paired by seed")
    for better, worse in (
        ("random 28", "two_halves 28"),
        ("two_halves 28", "non_compositional 28"),
        ("random 69", "random 28"),
    ):
        for split in ("novel", "novel_over_its_own"):
            pairs = zip(results[better], results[worse], strict=True)
            gaps = [getattr(a, split) - getattr(b, split) for a, b in pairs]
            print(f"{f'{better} - {worse}':<37}{split.replace('_', ' '):<20}{told(gaps)}")


def train_and_score(task: Hyperteacher, options: argparse.Namespace, seed: int) -> Result:
    """One network, trained and scored on fresh rows."""
    model = build("mlp", task, width=options.width, depth=2, generator=Generator().manual_seed(seed))
    config = TrainingConfig(steps=options.steps, batch_size=512, weight_decay=options.weight_decay, seed=seed)
    fit(model, task, config=config)
    subject = Subject(model)
    return Result(r2(subject, task, "seen", seed)[0], *r2(subject, task, "novel", seed))


def r2(subject: Subject, task: Hyperteacher, split: Split, seed: int) -> tuple[float, float]:
    """Pooled R2 on fresh rows: over the variance of the trained supports, and over that of these rows."""
    examples = task.examples(split, NUM_TEST_ROWS, generator=Generator().manual_seed(1_000_000 + seed))
    score = float(task.objective.unclipped(subject(examples.inputs), examples.targets).double().mean())
    variance = float(examples.targets.double().var(0, correction=0).sum())
    return score, 1 - (1 - score) * task.objective.variance / variance


def told(values: list[float]) -> str:
    """Mean, t interval and the single values."""
    from scipy.stats import t

    mean, raw = statistics.mean(values), " ".join(f"{value:.3f}" for value in values)
    if len(values) < 2:
        return f"{mean:>7.3f}  {'(one seed)':<20}{raw}"
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:>7.3f}  {f'[{mean - half:.3f}, {mean + half:.3f}]':<20}{raw}"


if __name__ == "__main__":
    main()
