"""Speed of a swarm: its update, one candidate's adapter, and 32 candidates at once against loops over them.

`python bench/swarm.py`: seconds of processor time on one thread, medians of several runs. Ten LoRA experts of 12.85 million
parameters each (28 layers, rank 16, four matrices of 3072 and 4096) need 0.6 GB. The batch is compared with two loops: one in
memory, in which the factors of every candidate are multiplied out and added to the weights; and one that, like the published
code, reads base and adapter of every candidate from files. Scores agree.

A batch saves the work that a loop does once per candidate, not the work per item, so the ratio depends on the number of items.
The script also prints the largest ratio that any method could reach if it computes the products of the base for every candidate
and item: the loop's time over that of one pass of the base on as many rows.
"""

import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Generator, nn

from assay.swarm.evaluate import MOST_ROWS, Evaluator
from assay.swarm.expert import Expert, Factors
from assay.swarm.pool import ExpertPool
from assay.swarm.published import PublishedSwarm, SwarmOptions
from assay.swarm.scores import accuracy, log_probability
from assay.swarm.utility import ScoredItems, Utility
from assay.swarm.worlds import ChainNetwork

LAYERS, RANK, EXPERTS, PARTICLES = 28, 16, 10, 20
ITEMS = (20, 50, 200)  # 20 is the least that a utility takes


def main() -> None:
    torch.set_num_threads(1)
    print(f"one update of {PARTICLES} particles over {EXPERTS} experts: {1e3 * update():.2f} ms")
    for space, seconds in adapters():
        print(f"one candidate of 12.85M LoRA parameters as an adapter, {space} space: {1e3 * seconds:.0f} ms")
    for name, base in (
        ("three layers of 512", plain),
        ("three layers of 2048", partial(plain, wide=2048)),
        ("the world's cell", cell),
    ):
        for num in ITEMS:
            batched, loop, loaded, least, apart = candidates(*base(num))
            print(
                f"{name}, 32 candidates on {num} items: at once {1e3 * batched:.0f} ms; in a loop {1e3 * loop:.0f}, "
                f"{loop / batched:.1f} times; loading each {1e3 * loaded:.0f}, {loaded / batched:.1f} times (at most "
                f"{loaded / least:.1f}); log-probabilities differ by {apart:.0e}",
                flush=True,
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


def plain(num: int, *, wide: int = 512) -> tuple[nn.Module, ScoredItems]:
    rng = Generator().manual_seed(0)
    sizes = [64, wide, wide, wide, 16]
    layers = [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(*layers[:-1]), ScoredItems(
        torch.randn(num, 64, generator=rng), torch.randint(16, (num,), generator=rng)
    )


def cell(num: int) -> tuple[nn.Module, ScoredItems]:
    rng = Generator().manual_seed(0)
    network = ChainNetwork(modulus=13, operations=15, state=48, operation=48, hidden=256)
    return network, ScoredItems(torch.randint(13, (num, 4), generator=rng), torch.randint(13, (num,), generator=rng))


def candidates(network: nn.Module, items: ScoredItems) -> tuple[float, float, float, float, float]:
    """Seconds for 32 candidates among ten experts: at once, in a loop, with loading each, and for the base on as many rows; and
    the largest difference of scores."""
    rng = Generator().manual_seed(0)
    weights = {f"{name}.weight": m.weight.shape for name, m in network.named_modules() if isinstance(m, nn.Linear)}

    def expert() -> Expert:
        drawn = {
            w: Factors(down=torch.randn(8, s[1], generator=rng) / s[1] ** 0.5, up=torch.randn(s[0], 8, generator=rng) / 8)
            for w, s in weights.items()
        }
        return Expert(changes=drawn)

    pool = ExpertPool(network, {f"e{k}": expert() for k in range(EXPERTS)})
    utility = Utility(items=items, score=accuracy, graded=log_probability)
    c = np.random.default_rng(0).dirichlet(np.ones(EXPERTS), 32)
    ways = {way: Evaluator(network, pool, utility=utility, way=way, graded=True) for way in ("rows", "loop")}
    scores = {way: one.scores(c, graded=True) for way, one in ways.items()}
    seconds = {way: median(lambda one=one: one.fresh().scores(c, graded=True), 3) for way, one in ways.items()}
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

        loaded = median(loading, 3)
    many = items.take(torch.arange(len(items)).repeat(len(c)))
    parts = [many.take(one) for one in torch.arange(len(many)).split(MOST_ROWS)]
    with torch.no_grad():
        least = median(lambda: [network(part.inputs) for part in parts], 3)
    return seconds["rows"], seconds["loop"], loaded, least, float(np.abs(scores["rows"] - scores["loop"]).max())


if __name__ == "__main__":
    main()
