"""The cost of the preference grid, and whether a network learns it: expert labels of 1,024 episodes, and scores with nulls.

    OMP_NUM_THREADS=1 python bench/preference_grid.py [--steps 0] [--seeds 3]

First the time, on one thread, of the expert alone (with grids and preferences given), of whole training batches, and of one
update of the network on such a batch. Then, unless --steps is 0, an MLP for each kind of supports, scored on seen and on novel
supports, by action and by whole episode. Nulls: always the most frequent action; the most frequent action at that step of an
episode; the untrained network; and the trained network given the z of another episode, which shows how far it needs z.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.models import build
from assay.objective import NOT_ASKED
from assay.subject import Subject
from assay.task import Examples, Split
from assay.tasks.encodings import width
from assay.tasks.grid_expert import demonstrate
from assay.tasks.grid_world import draw_grids
from assay.tasks.preference_grid import PreferenceGrid
from assay.training import TrainingConfig, fit

NUM_TIMED = 1024
NUM_SCORED = 8192
KINDS = {"random": {}, "non_compositional": {"supports": "non_compositional"}}


def seconds(work: Callable[[], object], repeats: int = 10) -> tuple[float, float]:
    """Median CPU and wall seconds."""
    cpu, wall = [], []
    for _ in range(repeats + 1):
        started = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
    return statistics.median(cpu[1:]), statistics.median(wall[1:])  # the first fills caches


def time_all(task: PreferenceGrid, options: argparse.Namespace) -> None:
    generator = Generator().manual_seed(0)
    grids = draw_grids(
        NUM_TIMED, num_objects=task.num_objects, num_colours=task.num_colours, purpose="train", generator=generator
    )
    pays = torch.randn(NUM_TIMED, task.num_objects, generator=generator)
    active = demonstrate(grids, pays).active
    model = build("mlp", task, width=options.width, depth=options.depth, generator=generator)
    batch = task.examples("train", options.batch_size, generator=generator)

    def update() -> None:
        model.zero_grad()
        task.loss(model(**batch.inputs), batch).backward()

    rows = {
        f"expert labels, {NUM_TIMED} episodes, {int(active.sum())} actions": lambda: demonstrate(grids, pays),
        f"whole examples, {NUM_TIMED} episodes": lambda: task.examples("train", NUM_TIMED, generator=generator),
        f"a training batch, {options.batch_size} episodes": lambda: task.examples(
            "train", options.batch_size, generator=generator
        ),
        f"loss and gradient of {options.depth} x {options.width} on it": update,
    }
    print(f"{task.num_objects} objects, {task.num_colours} colours{'':<32}{'CPU s':>9}{'wall s':>9}")
    for name, work in rows.items():
        cpu, wall = seconds(work)
        print(f"{name:<54}{cpu:>9.4f}{wall:>9.4f}")


def commonest(train: Tensor) -> Tensor:
    """Constant logits for the most frequent action."""
    return torch.bincount(train[train != NOT_ASKED], minlength=5).float().expand(*train.shape, 5)


def commonest_by_step(train: Tensor) -> Tensor:
    counts = F.one_hot(train.clamp(min=0), 5) * (train != NOT_ASKED)[..., None]
    return counts.sum(0).float().expand(*train.shape, 5)


def told_another(examples: Examples, columns: int) -> dict[str, Tensor]:
    x = examples.inputs["x"].clone()
    x[..., :columns] = x[..., :columns].roll(1, 0)
    return {"x": x}


def scores(task: PreferenceGrid, outputs: Tensor, examples: Examples) -> list[float]:
    whole = dataclasses.replace(task, scored="episode")
    return [float(each.score(outputs, examples).mean()) for each in (task, whole)]


def learned(task: PreferenceGrid, options: argparse.Namespace, seed: int) -> dict[str, list[float]]:
    """Scores by action and by episode, on seen and then on novel supports, of the network and of every null."""
    generator = Generator().manual_seed(seed)
    model = build("mlp", task, width=options.width, depth=options.depth, generator=generator)
    untrained = Subject(model).untrained(generator)
    config = TrainingConfig(steps=options.steps, batch_size=options.batch_size, learning_rate=options.learning_rate, seed=seed)
    fit(model, task, config=config)
    train = task.examples("train", NUM_SCORED, generator=Generator().manual_seed(10**6 + seed)).targets
    rows: dict[str, list[float]] = {}
    splits: tuple[Split, ...] = ("seen", "novel")
    for number, split in enumerate(splits):
        examples = task.examples(split, NUM_SCORED, generator=Generator().manual_seed(2 * 10**6 + 2 * seed + number))
        columns = width(task.encoding, task.num_modules)
        for name, outputs in {
            "network": Subject(model)(examples.inputs),
            "told another z": Subject(model)(told_another(examples, columns)),
            "untrained": untrained(examples.inputs),
            "commonest": commonest(train),
            "commonest by step": commonest_by_step(train),
        }.items():
            rows.setdefault(name, []).extend(scores(task, outputs, examples))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--num-modules", type=int, default=8)
    parser.add_argument("--max-active", type=int, default=3)
    parser.add_argument("--num-colours", type=int, default=8)
    parser.add_argument("--num-objects", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    small = {name: getattr(options, name) for name in ("num_modules", "max_active", "num_colours", "num_objects")}
    time_all(PreferenceGrid(), options)
    time_all(PreferenceGrid(**small), options)
    if not options.steps:
        return
    print(f"\n{small}, MLP {options.depth} x {options.width}, {options.steps} steps of {options.batch_size} episodes")
    print(f"{'supports':<20}{'':<20}{'seen: action':>14}{'episode':>9}{'novel: action':>15}{'episode':>9}")
    for kind, changes in KINDS.items():
        start = time.process_time()
        repeats = [learned(PreferenceGrid(**small, **changes, seed=seed), options, seed) for seed in range(options.seeds)]
        for name in repeats[0]:
            means = [statistics.mean(values) for values in zip(*(rows[name] for rows in repeats), strict=True)]
            print(f"{kind:<20}{name:<20}{means[0]:>14.3f}{means[1]:>9.3f}{means[2]:>15.3f}{means[3]:>9.3f}", flush=True)
        print(f"{(time.process_time() - start) / options.seeds:.0f} CPU s a network")


if __name__ == "__main__":
    main()
