"""The probe's cost beside scikit-learn's, and the gain of untrained networks over their nulls.

OMP_NUM_THREADS=1 python bench/decodability.py [--seeds 20]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from sklearn.linear_model import RidgeCV
from torch import Generator

from assay.instruments import load_instrument
from assay.models import build
from assay.probe import PENALTIES, Design
from assay.subject import Subject
from assay.tasks import load_task

TASK = "hyperteacher:num_modules=6,max_active=3,encoding=interval_shuffle"


def cpu_ms(function: Callable[[], object], repeats: int = 15) -> tuple[float, float]:
    """Minimum and median CPU milliseconds."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        spent.append(1000 * (time.process_time() - start))
    return min(spent), statistics.median(spent)


def probe_cost() -> None:
    """512 examples of 256 features to 16 targets, then 1,536 predictions; every penalty tried, in both."""
    generator = Generator().manual_seed(0)
    features, fresh = torch.randn(512, 256, generator=generator), torch.randn(1536, 256, generator=generator)
    targets = features[:, :16] + torch.randn(512, 16, generator=generator)
    ours = cpu_ms(lambda: Design.of(features).fit(targets)(fresh))
    alphas = [penalty * float(features.var()) * len(features) for penalty in PENALTIES]
    reference = RidgeCV(alphas=alphas, alpha_per_target=True)
    theirs = cpu_ms(lambda: reference.fit(features.numpy(), targets.numpy()).predict(fresh.numpy()))
    for name, (least, median) in {"ours": ours, "scikit-learn RidgeCV": theirs}.items():
        print(f"probe, CPU ms: {name} {least:.1f} (median {median:.1f})")


def untrained_gains(num_seeds: int) -> None:
    """How often the gain of an untrained network over its nulls has 0 within its interval."""
    task = load_task(TASK)
    inside = 0
    for seed in range(num_seeds):
        subject = Subject(build("mlp", task, generator=Generator().manual_seed(seed), width=64))
        evidence = load_instrument("decodability").measure(
            subject, task, effort="quick", generator=Generator().manual_seed(seed)
        )
        measures = [m for m in evidence.measures if m.name == "decodability gain"]
        covered = [m.interval.low <= 0 <= m.interval.high for m in measures if m.interval is not None]
        inside += sum(covered) >= 0.95 * len(covered)
        print(f"seed {seed}: 0 within the interval for {sum(covered)} of {len(covered)} readouts", flush=True)
    print(f"untrained networks on {TASK}: {inside} of {num_seeds} seeds with 0 within at least 95 % of their intervals")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    torch.set_num_threads(1)
    probe_cost()
    untrained_gains(parser.parse_args().seeds)


if __name__ == "__main__":
    main()
