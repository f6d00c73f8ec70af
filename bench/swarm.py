"""Speed of a swarm: its update, one candidate's adapter, and 32 candidates at once beside loops over them.

`python bench/swarm.py`: seconds of processor time on one thread, the median of several runs. Ten LoRA experts of 12.85
million parameters each (28 layers, rank 16, four matrices of 3072 and 4096) need 0.6 GB. Two loops stand beside the batch: one
in memory, in which the factors of every candidate are multiplied out and added to the weights; and one that, like the published
code, reads base and adapter of every candidate from files. Scores agree.
"""

import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Generator, nn

from assay.swarm.evaluate import Evaluator
from assay.swarm.expert import Expert, Factors
from assay.swarm.pool import ExpertPool, Space
from assay.swarm.published import PublishedSwarm, SwarmOptions
from assay.swarm.scores import accuracy, log_probability
from assay.swarm.utility import ScoredItems, Utility
from assay.swarm.worlds import ChainNetwork

LAYERS, RANK, EXPERTS, PARTICLES = 28, 16, 10, 20


def main() -> None:
    torch.set_num_threads(1)
    print(f"one update of {PARTICLES} particles over {EXPERTS} experts: {1e3 * update():.2f} ms")
    for space, seconds in adapters():
        print(f"one candidate of 12.85M LoRA parameters as an adapter, {space} space: {1e3 * seconds:.0f} ms")
    for name, base, space in (("three layers of 512", plain(), "delta"), ("the cell of the world", cell(), "delta")):
        batched, loop, loaded, apart = candidates(*base, space)
        print(
            f"{name}: 32 candidates on 200 items at once {batched:.3f} s; in a loop {loop:.3f} s, {loop / batched:.1f} times; "
            f"loading each {loaded:.3f} s, {loaded / batched:.1f} times; log-probabilities differ by {apart:.0e}"
        )


def median(call: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        start = time.process_time()
        call()
        spent.append(time.process_time() - start)
    return statistics.median(spent)


def update() -> float:
    """One iteration: ask and tell."""
    options = SwarmOptions(patience=10**6, most=10**6, particles=PARTICLES)
    engine = PublishedSwarm(EXPERTS, "affine", rng=np.random.default_rng(0), options=options)
    values = np.random.default_rng(1).random(PARTICLES)

    def once() -> None:
        engine.tell(engine.ask(), values)

    once()
    return median(once, 50)


def adapters() -> list[tuple[str, float]]:
    rng = Generator().manual_seed(0)
    shapes = {"q": (4096, 3072), "k": (4096, 3072), "v": (4096, 3072), "o": (3072, 4096)}
    # The base is never read here: one number that is expanded stands for each of its matrices.
    base = {f"{layer}.{name}": torch.zeros(1).expand(shape) for layer in range(LAYERS) for name, shape in shapes.items()}

    def expert() -> Expert:
        changes = {
            weight: Factors(
                down=torch.randn(RANK, tensor.shape[1], generator=rng), up=torch.randn(tensor.shape[0], RANK, generator=rng)
            )
            for weight, tensor in base.items()
        }
        return Expert(changes=changes)

    experts = {f"e{k}": expert() for k in range(EXPERTS)}
    found = []
    for space in ("factor", "delta"):
        pool = ExpertPool(base, experts, space=space)
        c = np.full(EXPERTS, 1 / EXPERTS)
        found.append((space, median(lambda pool=pool, c=c: pool.factors(c), 5)))
    return found


def plain() -> tuple[nn.Module, ScoredItems]:
    rng = Generator().manual_seed(0)
    sizes = [64, 512, 512, 512, 16]
    layers = [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(*layers[:-1]), ScoredItems(
        torch.randn(200, 64, generator=rng), torch.randint(16, (200,), generator=rng)
    )


def cell() -> tuple[nn.Module, ScoredItems]:
    rng = Generator().manual_seed(0)
    network = ChainNetwork(modulus=13, operations=15, state=48, operation=48, hidden=256)
    return network, ScoredItems(torch.randint(13, (200, 4), generator=rng), torch.randint(13, (200,), generator=rng))


def candidates(network: nn.Module, items: ScoredItems, space: Space) -> tuple[float, float, float, float]:
    """32 candidates among ten experts, on 200 items."""
    rng = Generator().manual_seed(0)
    weights = {f"{name}.weight": m.weight.shape for name, m in network.named_modules() if isinstance(m, nn.Linear)}

    def expert() -> Expert:
        drawn = {
            w: Factors(down=torch.randn(8, s[1], generator=rng) / s[1] ** 0.5, up=torch.randn(s[0], 8, generator=rng) / 8)
            for w, s in weights.items()
        }
        return Expert(changes=drawn)

    pool = ExpertPool(network, {f"e{k}": expert() for k in range(EXPERTS)}, space=space)
    utility = Utility(items=items, score=accuracy, graded=log_probability)
    c = np.random.default_rng(0).dirichlet(np.ones(EXPERTS), 32)
    ways = {way: Evaluator(network, pool, utility=utility, way=way, graded=True) for way in ("rows", "loop")}
    scores = {way: one.scores(c, graded=True) for way, one in ways.items()}
    seconds = {way: median(lambda one=one: one.fresh().scores(c, graded=True), 5) for way, one in ways.items()}
    with tempfile.TemporaryDirectory() as folder:
        base, adapters = Path(folder) / "base.safetensors", [Path(folder) / f"{k}.safetensors" for k in range(len(c))]
        save_file({name: tensor.clone() for name, tensor in network.state_dict().items()}, base)
        for path, one in zip(adapters, c, strict=True):
            each = {f"{w}.{side}": t.clone() for w, f in pool.factors(one).items() for side, t in (("A", f.down), ("B", f.up))}
            save_file({name: tensor.contiguous() for name, tensor in each.items()}, path)

        @torch.no_grad()
        def loading() -> None:
            for path in adapters:
                own, other = load_file(base), copy.deepcopy(network)
                factors = load_file(path)
                for weight in weights:
                    own[weight] += factors[f"{weight}.B"] @ factors[f"{weight}.A"]
                other.load_state_dict(own)
                log_probability(other, items.inputs, items.targets)

        loaded = median(loading, 5)
    return seconds["rows"], seconds["loop"], loaded, float(np.abs(scores["rows"] - scores["loop"]).max())


if __name__ == "__main__":
    main()
