"""The cost of the evidence against the published probe, of the probe against scikit-learn's, and the gain of untrained
networks.

    OMP_NUM_THREADS=1 python bench/decodability.py [--seeds 20]

The setting is that of Redhardt, Akram and Schug 2025 (arXiv 2507.07207): hyperteacher of 16 modules of which up to 3 are
active, an MLP of 4 hidden layers of 1,024 units, one example per task. Their callback fits a probe on 512 seen tasks and scores
it on 512 others and on 1,024 novel ones, without a null. The evidence fits on 800 seen tasks and scores on 200 others in each
of five folds, scores 1,000 novel ones, and repeats this in five untrained copies, from the encoded input, with shuffled labels
and for the control task, with an interval for every measure. Both are timed on the same network in the same run, interleaved,
after the forward passes.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from sklearn.linear_model import RidgeCV
from torch import Generator, Tensor

from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments import load_instrument
from assay.instruments.decodability import Decodability
from assay.models import build
from assay.probe import PENALTIES, Design
from assay.subject import Inputs, Site, Subject
from assay.tasks import load_task
from assay.tasks.hyperteacher import Hyperteacher

TASK = "hyperteacher:num_modules=6,max_active=3,encoding=interval_shuffle"
SITES = tuple(f"layers.{layer}:out" for layer in (0, 2, 4, 6))  # before each non-linearity, as in the published code
NUM_STEPS, LAMBDA = 10, 1.0


def cpu_ms(function: Callable[[], object], repeats: int = 15) -> tuple[float, float]:
    """Minimum and median CPU time in milliseconds."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        spent.append(1000 * (time.process_time() - start))
    return min(spent), statistics.median(spent)


class Timed(Subject):
    """Sums the CPU seconds in which the network or an untrained copy is drawn, run and read."""

    spent = 0.0  # of all, so that the copies' count too

    def read(self, inputs: Inputs, sites: list[str]) -> dict[str, Tensor]:
        return self._timed(partial(super().read, inputs, sites))

    def match(self, patterns: tuple[str, ...], inputs: Inputs) -> tuple[Site, ...]:
        return self._timed(partial(super().match, patterns, inputs))

    def untrained(self, generator: Generator) -> Subject:
        return Timed(self._timed(partial(super().untrained, generator)).module)

    @staticmethod
    def _timed(function: Callable[[], object]):
        start = time.process_time()
        result = function()
        Timed.spent += time.process_time() - start
        return result


def published_probe(layers: list[tuple[Tensor, Tensor, Tensor]], latents: tuple[Tensor, Tensor, Tensor]) -> list[float]:
    """Mean R2 by layer and split: ridge by conjugate gradients, one latent dimension at a time, refitted for every split."""
    scores = []
    for fitted, *tested in layers:
        for table, wanted in zip(tested, latents[1:], strict=True):
            by_dimension = []
            for dimension in range(wanted.shape[1]):
                features = torch.cat([fitted, torch.ones(len(fitted), 1)], 1)
                weights = conjugate_gradients(features, latents[0][:, dimension])
                predictions = torch.cat([table, torch.ones(len(table), 1)], 1) @ weights
                errors, target = (wanted[:, dimension] - predictions).square().mean(), wanted[:, dimension]
                by_dimension.append(float(1 - errors / target.var(correction=0)))
            scores.append(statistics.mean(by_dimension))
    return scores


def conjugate_gradients(features: Tensor, target: Tensor) -> Tensor:
    """`NUM_STEPS` steps towards (X'X + lambda I) w = X'y from 0."""
    weights = torch.zeros(features.shape[1])
    residual = features.T @ target
    direction, square = residual, residual @ residual
    for _ in range(NUM_STEPS):
        product = features.T @ (features @ direction) + LAMBDA * direction
        step = square / (direction @ product)
        weights = weights + step * direction
        residual = residual - step * product
        square, before = residual @ residual, square
        direction = residual + square / before * direction
    return weights


def evidence_cost(repeats: int = 9) -> None:
    """The evidence for 4 layers of 1,024 units against the published procedure, both after the forward passes."""
    # 487 of 696 supports are trained, so that each has the two examples that a control task needs.
    task = Hyperteacher(num_modules=16, max_active=3, held_out=0.3, samples_per_task=1)
    module = build("mlp", task, width=1024, depth=4, generator=Generator().manual_seed(0))
    subject, instrument = Timed(module), Decodability(sites=SITES)

    generator = Generator().manual_seed(1)
    splits = [task.examples(split, n, generator=generator) for split, n in (("seen", 512), ("seen", 512), ("novel", 1024))]
    latents = tuple(torch.stack([examples.amounts[name] for name in task.combines], 1) for examples in splits)
    read = [{**Subject(module).read(examples.inputs, SITES), "z": z} for examples, z in zip(splits, latents, strict=True)]
    layers = [tuple(table[layer] for table in read) for layer in read[0]]

    spent: dict[str, list[float]] = {"forward": [], "evidence": [], "published": [], "floor": []}
    evidence: Evidence | None = None
    landmarks = torch.randn(1024, 64)
    for _ in range(repeats):
        Timed.spent, start = 0.0, time.process_time()
        evidence = run(instrument, subject, task, effort="quick", seed=0)
        spent["evidence"].append(1000 * (time.process_time() - start - Timed.spent))
        spent["forward"].append(1000 * Timed.spent)
        spent["published"].append(cpu_ms(lambda: published_probe(layers, latents), 1)[0])
        tables = [torch.randn(1000, 1024) for _ in range(6 * len(SITES))]
        spent["floor"].append(cpu_ms(lambda tables=tables: [table @ landmarks for table in tables], 1)[0])
    assert evidence is not None
    nulls = sorted({null.name for measure in evidence.measures for null in measure.nulls})
    print(f"4 layers x 1,024 units: {len(evidence.measures)} measures with intervals and nulls: {', '.join(nulls)}")
    names = {
        "forward": "forward passes of the network and 5 untrained copies, drawing them included",
        "evidence": "the whole evidence after the forward passes",
        "floor": "of which products of 24 sites with 64 directions take",
        "published": "the published procedure after its forward passes, 4 layers and z, no null",
    }
    for name, told in names.items():
        print(f"CPU ms: {told}: {min(spent[name]):.0f} (median {statistics.median(spent[name]):.0f})")
    ratios = [ours / theirs for ours, theirs in zip(spent["evidence"], spent["published"], strict=True)]
    print(f"evidence / published procedure, by repeat: median {statistics.median(ratios):.2f}")


def probe_cost() -> None:
    """A fit on 512 examples with 256 features and 16 targets, then 1,536 predictions; both sides try every penalty."""
    generator = Generator().manual_seed(0)
    features, fresh = torch.randn(512, 256, generator=generator), torch.randn(1536, 256, generator=generator)
    targets = features[:, :16] + torch.randn(512, 16, generator=generator)
    ours = cpu_ms(lambda: Design.of(features[None, None]).fit(targets[None, None]).probe()(fresh))
    alphas = [penalty * float(features.var()) * len(features) for penalty in PENALTIES]
    reference = RidgeCV(alphas=alphas, alpha_per_target=True)
    theirs = cpu_ms(lambda: reference.fit(features.numpy(), targets.numpy()).predict(fresh.numpy()))
    for name, (least, median) in {"ours": ours, "scikit-learn RidgeCV": theirs}.items():
        print(f"probe, CPU ms: {name} {least:.1f} (median {median:.1f})")


def untrained_gains(num_seeds: int) -> None:
    """How often the interval of an untrained network's gain over its nulls contains 0."""
    task = load_task(TASK)
    inside = 0
    for seed in range(num_seeds):
        subject = Subject(build("mlp", task, generator=Generator().manual_seed(seed), width=64))
        evidence = run(load_instrument("decodability"), subject, task, effort="quick", seed=seed)
        measures = [m for m in evidence.measures if m.key == "decodability_gain"]
        covered = [m.interval.low <= 0 <= m.interval.high for m in measures if m.interval is not None]
        inside += sum(covered) >= 0.95 * len(covered)
        print(f"seed {seed}: 0 within the interval for {sum(covered)} of {len(covered)} readouts", flush=True)
    print(f"untrained networks on {TASK}: {inside} of {num_seeds} seeds with 0 within at least 95 % of their intervals")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    evidence_cost()
    probe_cost()
    untrained_gains(options.seeds)


if __name__ == "__main__":
    main()
