"""Projection to a density by a reused threshold against exact selection, and forward passes of a pruned network without its
dead rows and columns against whole passes.

`python -m bench.sparse` prints both; `--losses 3` also trains a small network with either projection, over three seeds.
"""

import argparse
import statistics
import time

import torch
from torch import Generator, nn

from assay.instruments.circuits.network import WiredNetwork, ablating
from assay.instruments.circuits.nodes import wiring_of
from assay.instruments.circuits.search import compacted
from assay.models import build
from assay.objective import Classification
from assay.subject import Subject
from assay.tasks import load_task
from assay.training import TrainingConfig, fit
from assay.training.sparse import Projection

DENSITY = 1 / 64
TASK = "modular:p=7,maps=permutation,num_first=6,num_second=6,coverage=0.8"


def seconds(*, exact: int, rounds: int, rows: int = 512, columns: int = 2048) -> float:
    """Mean time of one projection in training, whose updates move every weight a little."""
    layer = nn.Linear(columns, rows)
    config = TrainingConfig(sparse=DENSITY, sparse_floor=4, sparse_exact=exact)
    (matrix,) = Projection(layer, config).matrices
    target, generator, spent = matrix.target(DENSITY), Generator().manual_seed(0), []
    with torch.no_grad():
        layer.weight.normal_(0, 1, generator=generator)
        for step in range(rounds):
            noise = torch.randn(layer.weight.shape, generator=generator)
            layer.weight.add_(noise, alpha=0.02)
            start = time.perf_counter()
            matrix.project(target, exactly=step % exact == 0)
            spent.append(time.perf_counter() - start)
    kept = int(torch.count_nonzero(layer.weight))
    assert abs(kept - target) <= 0.1 * target, (kept, target)
    return statistics.fmean(spent[1:])


def losses(exact: int, seed: int) -> float:
    """The mean loss over the last tenth of a training run."""
    task = load_task(TASK)
    model = build("mlp", task, generator=Generator().manual_seed(seed), width=64)
    config = TrainingConfig(
        steps=600, batch_size=128, learning_rate=0.02, warmup=20, sparse=1 / 8, sparse_floor=2, sparse_exact=exact, seed=seed
    )
    found = [loss for _, loss in fit(model, task, config=config).losses]
    return statistics.fmean(found[-10:])


def passes(*, kept: float, rounds: int) -> tuple[float, float]:
    """Median seconds of a forward pass on 1,024 tokens of a gated feed-forward network, whole and compacted; both give the same
    outputs."""
    module = nn.Sequential(nn.Linear(512, 2048), nn.ReLU(), nn.Linear(2048, 512), nn.ReLU(), nn.Linear(512, 512)).eval()
    inputs = {"input": torch.randn(1024, 512, generator=Generator().manual_seed(0))}
    subject = Subject(module)
    wiring = wiring_of(subject, inputs)
    network = WiredNetwork(subject, wiring, Classification(512), reference=inputs, answered=torch.ones(512, dtype=torch.bool))
    live = torch.rand(wiring.num_nodes, generator=Generator().manual_seed(1)) < kept
    changes = ablating(wiring, live, network.wiring.split(network.means))

    def timed() -> tuple[float, torch.Tensor]:
        spent = []
        for _ in range(rounds):
            start = time.perf_counter()
            found = network.run(inputs, changes)
            spent.append(time.perf_counter() - start)
        return statistics.median(spent), found

    with torch.no_grad():
        whole, expected = timed()
        with compacted(module, wiring, live, network.means):
            small, found = timed()
    assert torch.allclose(found, expected, atol=1e-4), float((found - expected).abs().max())
    return whole, small


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--losses", type=int, default=0, help="seeds of a small network trained both ways")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    ways = {exact: seconds(exact=exact, rounds=asked.rounds) for exact in (1, 20)}
    print(f"projection of 512 x 2048 to {DENSITY:.4g}: exact {1e3 * ways[1]:.2f} ms, threshold used again")
    print(f"(mean, exact every 20th) {1e3 * ways[20]:.2f} ms: {ways[1] / ways[20]:.1f} times faster")
    whole, small = passes(kept=1 / 8, rounds=asked.rounds // 2)
    print(
        f"pass with 1/8 of the nodes alive (1/64 of the products): whole {1e3 * whole:.1f} ms, compacted {1e3 * small:.1f} ms:"
    )
    print(f"{whole / small:.1f} times faster")
    if asked.losses:
        found = {exact: [losses(exact, seed) for seed in range(asked.losses)] for exact in (1, 20)}
        for exact, some in found.items():
            print(f"exact every {exact}: loss {statistics.fmean(some):.4f}, between seeds {statistics.stdev(some):.4f}")


if __name__ == "__main__":
    main()
