"""How much computing until novel combinations work? Schedules on the hyperteacher, against the published one.

    OMP_NUM_THREADS=1 python bench/time_to_result.py

The published schedule (Redhardt, Akram and Schug 2025) is AdamW at a constant 3e-4, weight decay .003 except on biases, and 128
tasks of 16 samples, 2,048 rows, in each step: here a plain torch loop. The middle rows change one setting at a time: the
learning rate, then the number of rows. Assay's schedules are `fit` with the library's recommended settings, whose number of
steps is chosen in advance; a short one that ends a little above .8; and the settings recommended for the same network on other
tasks. All use the same task (M=8, K=3, 69 trained supports of 92), the same generator of batches, the same MLP of two hidden
layers of 128 (the published 4 x 1,024 needs days on a CPU) and, per seed, the same initial weights. Seeds are interleaved, so
that load on the machine affects all alike; the settings were tuned on seeds 100 to 102.

R2 is pooled, not floored, on 16,384 fresh rows of novel supports, over the variance of the trained supports and, where stated,
over the variance of those rows. Times and floating-point operations cover drawing batches and training; the clock is stopped
while R2 is measured, every 20 steps, or every hundredth of one of Assay's schedules. About three minutes on one core; with
`--max-steps 20` the schedules at a constant rate stop after one measurement.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from hyperteacher import r2, told
from torch import Generator, nn
from torch.utils.flop_counter import FlopCounterMode

from assay.jobs import one_thread
from assay.models import build
from assay.subject import Subject
from assay.tasks import load_task
from assay.tasks.hyperteacher import Hyperteacher
from assay.training import TrainingConfig, fit, recommended

LEVELS = (0.8, 0.9)
BUDGETS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # CPU seconds
MEASURE_EVERY = 20
SHORT = 500  # steps


@dataclass(frozen=True)
class Constant:
    """A constant learning rate, until the last level is reached or `steps` have been taken."""

    learning_rate: float
    batch_size: int
    steps: int


REFERENCE = "published: 3e-4 constant, 2,048 rows"


def schedules(ours: TrainingConfig, max_steps: int) -> dict[str, Constant | TrainingConfig]:
    """The schedules that are compared, the published one first."""
    rate, rows = ours.learning_rate, ours.batch_size
    return {
        REFERENCE: Constant(3e-4, 2048, max_steps),
        "1e-3 constant, 2,048 rows": Constant(1e-3, 2048, max_steps),
        f"{rate:g} constant, 2,048 rows": Constant(rate, 2048, max_steps),
        f"{rate:g} constant, {rows} rows": Constant(rate, rows, max_steps),
        "the MLP's on other tasks": recommended("mlp"),
        f"recommended, {ours.steps} steps": ours,
        f"recommended, {SHORT} steps": replace(ours, steps=SHORT),
    }


@dataclass(frozen=True)
class Point:
    """A point of a run: R2 on novel rows over the variance of the trained supports, and over their own."""

    step: int
    seconds: float
    novel: float
    novel_over_its_own: float


class Run:
    """One network in training, with a clock that is stopped during measurements."""

    def __init__(self, task: Hyperteacher, schedule: Constant | TrainingConfig, *, seed: int, width: int, depth: int):
        self.task, self.seed, self.rows = task, seed, schedule.batch_size
        self.model = build("mlp", task, width=width, depth=depth, generator=Generator().manual_seed(seed))
        self.flops = flops_of_a_step(self.model, task, self.rows)
        self.has_end = isinstance(schedule, TrainingConfig)
        self.points: list[Point] = []
        self.spent, self.started = 0.0, time.process_time()
        if isinstance(schedule, Constant):
            self._train_at_a_constant_rate(schedule)
        else:
            steps = schedule.steps
            fit(self.model, task, config=schedule, progress=lambda doing, done: self._measure(round(done * steps)))

    def _train_at_a_constant_rate(self, schedule: Constant) -> None:
        biases = [parameter for name, parameter in self.model.named_parameters() if name.endswith("bias")]
        others = [parameter for name, parameter in self.model.named_parameters() if not name.endswith("bias")]
        groups = [{"params": others}, {"params": biases, "weight_decay": 0.0}]
        optimiser = torch.optim.AdamW(groups, lr=schedule.learning_rate, weight_decay=0.003)
        generator = Generator().manual_seed(self.seed)
        for step in range(1, schedule.steps + 1):
            optimiser.zero_grad()
            backward(self.model, self.task, self.rows, generator)
            optimiser.step()
            if step % MEASURE_EVERY == 0:
                self._measure(step)
                if self.points[-1].novel >= LEVELS[-1]:
                    return

    def _measure(self, step: int) -> None:
        self.spent += time.process_time() - self.started
        self.points.append(Point(step, self.spent, *r2(Subject(self.model), self.task, "novel", self.seed)))
        self.started = time.process_time()

    def reached(self, level: float) -> Point | None:
        """Where R2 was first this high."""
        return next((point for point in self.points if point.novel >= level), None)

    def after(self, seconds: float) -> Point:
        """Where it was at that time; where it ended, if that was before."""
        return [self.points[0], *(point for point in self.points if point.seconds <= seconds)][-1]


def backward(model: nn.Module, task: Hyperteacher, rows: int, generator: Generator) -> None:
    """Draw a batch and compute the gradient."""
    examples = task.examples("train", rows, generator=generator)
    task.loss(model(**examples.inputs), examples).backward()


def flops_of_a_step(model: nn.Module, task: Hyperteacher, rows: int) -> int:
    """Floating-point operations of the matrix products, as counted by torch."""
    with FlopCounterMode(display=False) as counter:
        backward(model, task, rows, Generator().manual_seed(0))
    model.zero_grad()
    return counter.get_total_flops()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="hyperteacher")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--max-steps", type=int, default=8000, help="most steps of the schedules without a fixed end")
    parser.add_argument("--learning-rate", type=float, help="instead of the recommended one, as the next two")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--weight-decay", type=float)
    options = parser.parse_args()
    task = load_task(options.task)
    assert isinstance(task, Hyperteacher)
    names = ("learning_rate", "batch_size", "weight_decay")
    changes = {name: value for name in names if (value := getattr(options, name)) is not None}
    plans = schedules(recommended("mlp", task, **changes), options.max_steps)
    runs: dict[str, list[Run]] = {name: [] for name in plans}
    with one_thread():
        for seed in options.seeds:
            for name, plan in plans.items():
                if isinstance(plan, TrainingConfig):
                    plan = replace(plan, seed=seed)
                run = Run(replace(task, seed=seed), plan, seed=seed, width=options.width, depth=options.depth)
                runs[name].append(run)
                print(f"{name}, seed {seed}: {run.points[-1]}", flush=True)
    print(f"\n{options.task}, MLP {options.depth} x {options.width}, seeds {options.seeds}")
    for level in LEVELS:
        print_cost(runs, level)
    print_quality(runs)
    print_drawing(task)


def print_cost(runs: dict[str, list[Run]], level: float) -> None:
    """The cost of each schedule until the level, and the ratio to the published one, paired by seed."""
    costs: dict[str, Callable[[Run, Point], float]] = {
        "CPU seconds": lambda run, point: point.seconds,
        "steps": lambda run, point: point.step,
        "1,000 rows": lambda run, point: point.step * run.rows / 1e3,
        "GFLOP": lambda run, point: point.step * run.flops / 1e9,
    }
    print(f"\nUntil R2 on novel rows is {level} for the first time; whole: to the end of a schedule that ends at or above it")
    print(f"{'':<40}{'':<20}{'mean':>8}  {'times less: mean and 95 % interval':<36}seeds")
    for name, repeats in runs.items():
        for what, cost in costs.items():
            spent, published = (
                [cost_to(run.reached(level), run, cost) for run in group] for group in (repeats, runs[REFERENCE])
            )
            print(f"{name:<40}{what:<20}{told_costs(spent, published)}")
            if what == "CPU seconds" and repeats[0].has_end:
                ends = [point if (point := run.points[-1]).novel >= level else None for run in repeats]
                whole = [cost_to(end, run, cost) for end, run in zip(ends, repeats, strict=True)]
                print(f"{name:<40}{'CPU seconds, whole':<20}{told_costs(whole, published)}")


def cost_to(point: Point | None, run: Run, cost: Callable[[Run, Point], float]) -> float:
    """The cost until a level; infinite if it was not reached."""
    return math.inf if point is None else cost(run, point)


def told_costs(spent: list[float], published: list[float]) -> str:
    """Mean, geometric mean of the ratios with its t interval, and the single values."""
    from scipy.stats import t

    raw = " ".join(f"{cost:.4g}" for cost in spent)
    if not all(map(math.isfinite, [*spent, *published])):
        return f"{'':>8}  {'not reached by every seed':<36}{raw}"
    logs = [math.log(base / cost) for cost, base in zip(spent, published, strict=True)]
    mean = statistics.mean(logs)
    times = f"{math.exp(mean):.2f}"
    if len(logs) > 1:
        half = float(t.ppf(0.975, len(logs) - 1)) * statistics.stdev(logs) / math.sqrt(len(logs))
        times += f" [{math.exp(mean - half):.2f}, {math.exp(mean + half):.2f}]"
    return f"{statistics.mean(spent):>8.4g}  {times:<36}{raw}"


def print_quality(runs: dict[str, list[Run]]) -> None:
    """The score of each schedule after the same time, and at its end."""
    print("\nR2 on novel rows after so many CPU seconds, mean over seeds (a run that had ended counts as it was)")
    print(f"{'':<40}" + "".join(f"{budget:>8g}" for budget in BUDGETS))
    for name, repeats in runs.items():
        reached = [statistics.mean(run.after(budget).novel for run in repeats) for budget in BUDGETS]
        print(f"{name:<40}" + "".join(f"{value:>8.3f}" for value in reached))
    print(f"\nAt the end\n{'':<40}{'seconds':<9}{'R2':<22}{'mean':>7}  {'95 % interval':<20}seeds")
    for name, repeats in runs.items():
        seconds = statistics.mean(run.points[-1].seconds for run in repeats)
        for what in ("novel", "novel_over_its_own"):
            values = [getattr(run.points[-1], what) for run in repeats]
            print(f"{name:<40}{seconds:<9.2f}{what.replace('_', ' '):<22}{told(values)}")


def print_drawing(task: Hyperteacher) -> None:
    """The cost of drawing a batch: the smallest of 20 means over 50 draws."""
    print("\nCPU milliseconds to draw a batch")
    generator = Generator().manual_seed(0)
    for rows in (128, 256, 512, 2048):
        means = []
        for _ in range(20):
            start = time.process_time()
            for _ in range(50):
                task.examples("train", rows, generator=generator)
            means.append((time.process_time() - start) / 50 * 1e3)
        print(f"{rows:>6} rows {min(means):>8.3f}")


if __name__ == "__main__":
    main()
