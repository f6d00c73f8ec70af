"""Slot attention on small scenes: FG-ARI of its masks and of segmentations that need no network.

Run `python experiments/binding_slots.py`. A slot autoencoder is trained on the task `scenes` and read by the instrument
`binding`. The aim is an FG-ARI of .80 at 10 x 10 pixels with 3 or 4 overlapping objects; it is not reached. With `--task
scenes:size=16,...` FG-ARI may be below that of a blind grid, and the conclusion is then "not shown". Processor time, one
thread.
"""

import argparse
import time

import torch
from torch import Generator

from assay.instrument import run
from assay.instruments.binding import Binding
from assay.models import build
from assay.subject import Subject
from assay.tasks import load_task
from assay.training import fit, recommended

SETTINGS = {"steps": int, "batch_size": int, "learning_rate": float, "warmup": int, "clip": float}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="scenes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--width", type=int, default=32)
    for name, kind in SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help="by default the recommended value")
    parser.add_argument("--effort", default="quick", choices=("quick", "standard"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    task = load_task(given.task)
    changes = {name: value for name in SETTINGS if (value := getattr(given, name)) is not None}
    for seed in given.seeds:
        network = build("slot-attention", task, generator=Generator().manual_seed(seed), width=given.width, slots=task.most + 1)
        start = time.process_time()
        fit(network, task, config=recommended("slot-attention", task, seed=seed, **changes))
        trained = time.process_time()
        evidence = run(Binding(), Subject(network, name="slot attention"), task, effort=given.effort, seed=seed)
        raw, iou = (evidence.measure(key, objects=str(task.fewest)) for key in ("fg_ari", "matched_iou"))
        score = evidence.measure("segregation")
        nulls = ", ".join(f"{null.name} {null.mean:.2f}" for null in raw.nulls)
        told = score.note if score.value is None else f"{score.value:.2f} [{score.interval.low:.2f}, {score.interval.high:.2f}]"
        found = f"FG-ARI {raw.value:.3f} ({nulls}); matched IoU {iou.value:.3f}; score {told}"
        print(f"seed {seed}: {found}; {trained - start:.0f} s trained", flush=True)
        print(f"  {evidence.summary}", flush=True)


if __name__ == "__main__":
    main()
