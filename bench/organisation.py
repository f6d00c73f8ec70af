"""Tell tidy networks from their function-preserving twins by each measure of disorder, and print the areas under the curve.

Run `python bench/organisation.py`; about two minutes on one core. Networks of several widths and weight decays, small
initial weights among them, learn the modular task at two coverages; every one is compared with a twin of each kind. Expected:
the score separates `fractured` at 1.00 for every architecture, and `permuted` at about .50.
"""

import argparse
import dataclasses
from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, nn

from assay.instruments.organisation.disorder import unit_sites, written
from assay.models import build
from assay.subject import Subject
from assay.tasks.modular import Modular
from assay.training.config import TrainingConfig
from assay.training.population.many import fit_many
from assay.zoo.twins import fractured, permuted, rescaled, split, with_cancelling_pairs

TWINS: dict[str, Callable[[nn.Module, Generator], nn.Module]] = {
    "permuted": permuted,
    "rescaled": rescaled,
    "split": split,
    "pairs": partial(with_cancelling_pairs, num=16),
    "fractured": fractured,
}
RECIPES: list[tuple[str, dict[str, int | float], float]] = [
    *[("mlp", {"width": width}, decay) for width in (64, 128, 256) for decay in (0.0, 1.0)],
    ("mlp", {"width": 128, "init_scale": 0.3}, 0.0),
    ("mlp", {"width": 128, "init_scale": 0.1}, 1.0),
    *[("transformer", {"width": 32, "depth": 1}, decay) for decay in (0.0, 0.3)],
    *[("gru", {"width": 48}, decay) for decay in (0.0, 0.3)],
]
COVERAGES = (0.8, 0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    seeds = range(parser.parse_args().seeds)
    rows: dict[str, dict[str, list[dict[str, float]]]] = {}
    members = [(*recipe, coverage, seed) for recipe in RECIPES for coverage in COVERAGES for seed in seeds]
    tasks = [Modular(p=7, num_first=7, num_second=7, coverage=coverage) for *_, coverage, _ in members]
    models = [
        build(name, task, generator=Generator().manual_seed(seed), **sizes)
        for (name, sizes, _, _, seed), task in zip(members, tasks, strict=True)
    ]
    config = TrainingConfig(steps=1500, batch_size=256, learning_rate=2e-3)
    configs = [dataclasses.replace(config, weight_decay=decay, seed=seed) for _, _, decay, _, seed in members]
    fit_many(models, tasks, configs=configs, strategy="rule")
    for k, ((name, *_), task, model) in enumerate(zip(members, tasks, models, strict=True)):
        inputs = task.examples("seen", 200, generator=Generator().manual_seed(1)).inputs
        made = {"tidy": model, **{kind: twin(model, Generator().manual_seed(k)) for kind, twin in TWINS.items()}}
        for kind, module in made.items():
            subject, draws = Subject(module), Generator().manual_seed(2)
            found = written(subject, inputs, unit_sites(subject, inputs), num_directions=8, generator=draws).disorder()
            values = {**dataclasses.asdict(found), "score": found.score}
            rows.setdefault(name, {}).setdefault(kind, []).append(values)
    for name, kinds in rows.items():
        print(f"{name}: {len(kinds['tidy'])} networks, area under the curve of each twin against the tidy ones")
        for measure in kinds["tidy"][0]:
            tidy = torch.tensor([values[measure] for values in kinds["tidy"]])
            areas = []
            for kind in TWINS:
                twins = torch.tensor([values[measure] for values in kinds[kind]])
                above = ((twins[:, None] > tidy).double() + (twins[:, None] == tidy).double() / 2).mean()
                areas.append(f"{kind} {float(1 - above if measure == 'score' else above):.2f}")
            told = f"tidy {float(tidy.min()):.2f} to {float(tidy.max()):.2f}"
            print(f"  {measure:13}", *areas, told, sep="  ")


if __name__ == "__main__":
    main()
