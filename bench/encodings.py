"""Linear decodability of z from the network's input, and how well a network learns from it, for every encoding.

    OMP_NUM_THREADS=1 python bench/encodings.py [--seeds 3] [--num-modules 8] [--steps 2000]

Probes are fitted on trained supports and scored on novel ones. `pooled`: R2 of z, pooled over modules; `active`: R2 of the same
predictions where the module is active; `amount`: R2 of the amount, for a probe fitted where the module is active; `presence`:
area under the ROC curve for whether it is active. `seen` and `novel`: pooled R2 of the targets for an MLP of 3 x 256 after
training on each encoding; `nothing` hides z. With --steps 0 nothing is trained. Means over seeds, each of which draws
everything afresh.
"""

import argparse
import statistics
import time
from typing import NamedTuple

import torch
from sklearn.linear_model import RidgeCV
from torch import Generator, Tensor

from assay.models import build
from assay.subject import Subject
from assay.task import Examples
from assay.tasks.encodings import ENCODINGS
from assay.tasks.hyperteacher import Hyperteacher
from assay.tasks.teacher import SIZE
from assay.training import TrainingConfig, fit

NUM_ROWS = 8192


class Read(NamedTuple):
    """Scores of linear probes on the input."""

    pooled: float
    active: float
    amount: float
    presence: float


class Blind(Hyperteacher):
    """The same task without z: the part of the target that x alone predicts."""

    def examples(self, split, n, *, generator):
        examples = super().examples(split, n, generator=generator)
        examples.inputs["x"][:, :-SIZE] = 0.0
        return examples


def r2(predicted: Tensor, true: Tensor) -> float:
    """R2 pooled over columns; NaN where the targets do not vary, such as amounts that are always 1."""
    if (true == true[0]).all():
        return float("nan")
    return float(1 - (predicted - true).square().sum() / (true - true.mean(0)).square().sum())


def read(task: Hyperteacher, seed: int) -> Read:
    from sklearn.metrics import roc_auc_score

    def drawn(split, key) -> tuple[Tensor, Tensor]:
        examples: Examples = task.examples(split, NUM_ROWS, generator=Generator().manual_seed(2 * seed + key))
        return examples.inputs["x"][:, :-SIZE], torch.stack([examples.amounts[name] for name in task.combines], 1)

    (code, z), (novel_code, novel_z) = drawn("seen", 10**6), drawn("novel", 10**6 + 1)
    predicted, presence = (linear(code, labels, novel_code) for labels in (z, (z > 0).float()))
    where = novel_z > 0
    amounts, areas = [], []
    for module in range(task.num_modules):
        active, novel_active = z[:, module] > 0, where[:, module]
        own = linear(code[active], z[active][:, [module]], novel_code[novel_active])
        amounts.append(r2(own, novel_z[novel_active][:, [module]]))
        areas.append(float(roc_auc_score(novel_active.numpy(), presence[:, module].numpy())))
    return Read(r2(predicted, novel_z), r2(predicted[where], novel_z[where]), statistics.mean(amounts), statistics.mean(areas))


def linear(features: Tensor, labels: Tensor, fresh: Tensor) -> Tensor:
    """Predictions for fresh rows by scikit-learn's ridge regression, with the penalty chosen by cross-validation."""
    fitted = RidgeCV(alphas=(1e-2, 1e0, 1e2)).fit(features.numpy(), labels.numpy())
    return torch.from_numpy(fitted.predict(fresh.numpy())).view(len(fresh), -1)


def learned(task: Hyperteacher, steps: int, seed: int) -> tuple[float, float]:
    """Pooled R2 of a trained network on fresh rows of seen and of novel supports."""
    model = build("mlp", task, width=256, depth=3, generator=Generator().manual_seed(seed))
    fit(model, task, config=TrainingConfig(steps=steps, batch_size=512, seed=seed))
    scores = []
    for key, split in enumerate(("seen", "novel")):
        examples = task.examples(split, NUM_ROWS, generator=Generator().manual_seed(2 * 10**6 + 2 * seed + key))
        scores.append(float(task.objective.unclipped(Subject(model)(examples.inputs), examples.targets).mean()))
    return scores[0], scores[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--num-modules", type=int, default=8)
    parser.add_argument("--weights", default="discrete")
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    head = [*Read._fields, *(("seen", "novel") if options.steps else ())]
    print(f"M={options.num_modules}, K=3, weights {options.weights}, {options.seeds} seeds, {options.steps} steps of 512 rows")
    print(f"{'encoding':<18}" + "".join(f"{name:>10}" for name in head))
    for encoding in (*ENCODINGS, *(("nothing",) if options.steps else ())):
        repeats = []
        for seed in range(options.seeds):
            settings = {"num_modules": options.num_modules, "weights": options.weights, "seed": seed}
            blind = encoding == "nothing"
            task = Blind(**settings) if blind else Hyperteacher(**settings, encoding=encoding)
            values = [float("nan")] * 4 if blind else list(read(task, seed))
            repeats.append(values + list(learned(task, options.steps, seed) if options.steps else ()))
        print(
            f"{encoding:<18}" + "".join(f"{statistics.mean(column):>10.3f}" for column in zip(*repeats, strict=True)),
            flush=True,
        )
    print(f"{time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
