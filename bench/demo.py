"""What the demo's first network needs in order to compose: novel accuracy when one setting is changed at a time.

OMP_NUM_THREADS=1 python bench/demo.py [--seeds 3]
"""

import argparse
import time

import torch
from torch import Generator

from assay.demo import MODEL, TASK, TRAINING
from assay.models import build
from assay.subject import Subject
from assay.task import Task
from assay.tasks import load_task
from assay.training import TrainingConfig, fit

SETTINGS = {
    "the demo, weight decay 1": (TASK, {"weight_decay": 1.0}),
    "the demo, weight decay 0": (TASK, {"weight_decay": 0.0}),
    "weight decay .1": (TASK, {"weight_decay": 0.1}),
    "weight decay .3": (TASK, {"weight_decay": 0.3}),
    "weight decay 1, 50 % of the pairs": ("modular-addition:p=31,coverage=0.5", {"weight_decay": 1.0}),
    "weight decay 1, 30 % of the pairs": ("modular-addition:p=31,coverage=0.3", {"weight_decay": 1.0}),
    "weight decay 1, answers dealt anew": (f"{TASK},targets=table", {"weight_decay": 1.0}),
}


def score(subject: Subject, task: Task, split: str) -> float:
    """Mean accuracy over all examples of the split."""
    examples = task.examples(split, 10**6, generator=Generator().manual_seed(0))
    return float(task.score(subject(examples.inputs), examples).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)
    start = time.process_time()
    for name, (address, changes) in SETTINGS.items():
        seen, novel = [], []
        for seed in seeds:
            task = load_task(f"{address},seed={seed}")
            model = build("mlp", task, generator=Generator().manual_seed(seed), **MODEL)
            fit(model, task, config=TrainingConfig(**{**TRAINING, **changes, "seed": seed}))
            seen.append(score(Subject(model), task, "seen"))
            novel.append(score(Subject(model), task, "novel"))
        print(f"{name:36} seen {' '.join(f'{x:.3f}' for x in seen)}   novel {' '.join(f'{x:.3f}' for x in novel)}", flush=True)
    print(f"{time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
