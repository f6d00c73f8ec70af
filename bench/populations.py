"""How much faster does `fit_many` train many small networks than a loop over them?

    python bench/populations.py                    # every case, blocks interleaved, CPU time
    python bench/populations.py --jobs 2           # two processes too: wall time, meaningful on an idle machine only
    python bench/populations.py tiny small --ensembles   # only against the ensemble of `torch.func`

The comparison is the loop that a user would write: a default Adam for each model, the same tensors, the same rows drawn from
the same generators, on one thread. `fit_many` does more than that loop: it clips gradients, follows a schedule, and checks for
divergence; the cost of this is printed separately (`callbacks`). The arithmetic rate is given as a share of that of a product
of 1024 x 1024 matrices in the same block. Each figure is the median over blocks.

`--ensembles` compares `fit_many` with the ensemble of PyTorch's tutorial on model ensembling instead (`vmap` over `grad` of
`functional_call` on stacked weights): once with a default Adam and a generator for each model, which draws the same rows as
`fit_many`; once with a fused Adam and one generator for all. Its ratios are of neighbouring runs in one block.

Expected on two idle cores: 64 MLPs of 64-128-128-32, batch 128, at least 3 times as fast as the loop with two processes, and 45
% of sgemm; 16-32-32-16, batch 32, at least 15 times; transformers no slower than the loop, and 1.8 times with two processes.
"""

import argparse
import copy
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from assay.jobs import run_parallel
from assay.models.reference import ModelConfig, rebuild
from assay.objective import Classification, Regression
from assay.training import TrainingConfig, TrainingData, TrainingRecord, fit_many
from assay.training.population.plan import Chunk, PopulationMember, _traced, build, make_plan

NUM_ROWS = 2048  # of each model's own table


class Case(NamedTuple):
    """One population: its models, their training data, and the number of steps in a block."""

    name: str
    models: Callable[[], list[nn.Module]]
    data: list[TrainingData]
    batch_size: int
    steps: int

    def members(self, models: list[nn.Module]) -> list[PopulationMember]:
        return [PopulationMember(*parts) for parts in zip(models, self.data, self.configs(), strict=True)]

    def configs(self) -> list[TrainingConfig]:
        return [TrainingConfig(steps=self.steps, batch_size=self.batch_size, seed=i) for i in range(len(self.data))]


def mlps(name: str, sizes: Sequence[int], *, num: int, batch_size: int, steps: int) -> Case:
    def models() -> list[nn.Module]:
        made = []
        for seed in range(num):
            torch.manual_seed(seed)
            layers = [layer for a, b in itertools.pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
            made.append(nn.Sequential(*layers[:-1]))
        return made

    def table(seed: int) -> TrainingData:
        draw = Generator().manual_seed(seed)
        x = torch.randn(NUM_ROWS, sizes[0], generator=draw)
        return TrainingData({"input": x}, torch.randn(NUM_ROWS, sizes[-1], generator=draw), Regression(sizes[-1], 1.0))

    return Case(name, models, [table(seed) for seed in range(num)], batch_size, steps)


def transformers(name: str, *, num: int, batch_size: int, steps: int) -> Case:
    sizes = {"vocab": 32, "length": 32, "num_outputs": 16, "width": 64, "depth": 2, "heads": 4}

    def models() -> list[nn.Module]:
        return [rebuild(ModelConfig("transformer", sizes), generator=Generator().manual_seed(seed)) for seed in range(num)]

    def table(seed: int) -> TrainingData:
        draw = Generator().manual_seed(seed)
        tokens = torch.randint(32, (NUM_ROWS, 32), generator=draw)
        return TrainingData({"tokens": tokens}, torch.randint(16, (NUM_ROWS,), generator=draw), Classification(16))

    return Case(name, models, [table(seed) for seed in range(num)], batch_size, steps)


CASES = {
    "tiny": lambda scale: mlps("64 MLPs 16-32-32-16, batch 32", (16, 32, 32, 16), num=64, batch_size=32, steps=600 * scale),
    "small": lambda scale: mlps(
        "64 MLPs 64-128-128-32, batch 128", (64, 128, 128, 32), num=64, batch_size=128, steps=25 * scale
    ),
    "transformers": lambda scale: transformers(
        "16 transformers (2 layers, d 64, 4 heads, length 32), batch 64", num=16, batch_size=64, steps=4 * scale
    ),
    "short": lambda scale: transformers("16 of the same, batch 8", num=16, batch_size=8, steps=20 * scale),
}


def loop(case: Case, models: list[nn.Module]) -> None:
    """The loop that a user would write."""
    optimisers = [torch.optim.Adam(model.parameters()) for model in models]
    generators = [Generator().manual_seed(config.seed) for config in case.configs()]
    for _ in range(case.steps):
        for model, optimiser, generator, table in zip(models, optimisers, generators, case.data, strict=True):
            rows = torch.randint(NUM_ROWS, (case.batch_size,), generator=generator)
            optimiser.zero_grad()
            loss = table.objective.loss(model(**{name: x[rows] for name, x in table.inputs.items()}), table.targets[rows])
            loss.backward()
            optimiser.step()


def ensemble(case: Case, models: list[nn.Module], *, quick: bool) -> None:
    """The ensemble of PyTorch's tutorial; `quick` with a fused Adam and one generator."""
    weights, buffers = stack_module_state(models)
    base, objective, num = copy.deepcopy(models[0]).to("meta"), case.data[0].objective, len(models)
    inputs, targets = (torch.stack(c) for c in zip(*[(t.inputs["input"], t.targets) for t in case.data], strict=True))
    gradients = vmap(grad(lambda w, b, x, y: objective.loss(functional_call(base, (w, b), (x,)), y)))
    optimiser = torch.optim.Adam(weights.values(), fused=quick)
    generators = [Generator().manual_seed(config.seed) for config in case.configs()]
    which = torch.arange(num)[:, None]
    for _ in range(case.steps):
        if quick:
            rows = torch.randint(NUM_ROWS, (num, case.batch_size), generator=generators[0])
        else:
            rows = torch.stack([torch.randint(NUM_ROWS, (case.batch_size,), generator=drawn) for drawn in generators])
        found = gradients(weights, buffers, inputs[which, rows], targets[which, rows])
        for name, weight in weights.items():
            weight.grad = found[name]
        optimiser.step()


def many(case: Case, models: list[nn.Module], jobs: int = 1) -> list[TrainingRecord]:
    return fit_many(models, case.data, configs=case.configs(), strategy="rule", jobs=jobs)


def bare(case: Case, models: list[nn.Module]) -> None:
    """The plan and the steps of `fit_many` alone: no clipping, no checks, no record of losses."""
    members = case.members(models)
    for chunk in make_plan(members, strategy="rule", jobs=1):
        cohort = build(chunk.way, [members[i] for i in chunk.models])
        for step in range(case.steps):
            cohort.backward(())
            cohort.update(step, ())


def plan(case: Case, models: list[nn.Module]) -> list[Chunk]:
    return make_plan(case.members(models), strategy="rule", jobs=1)


def cost(function: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    function()
    return clock() - start


def sgemm_rate() -> float:
    """Operations per CPU second."""
    a = torch.randn(1024, 1024)
    return 5 * 2 * 1024**3 / cost(lambda: [a @ a for _ in range(5)], time.process_time)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"any of {', '.join(CASES)}; all by default")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument(
        "--scale",
        type=int,
        default=1,
        help="factor of the number of steps in a block; with more steps, start-up costs weigh less",
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--ensembles", action="store_true", help="only against the ensemble of torch.func, with MLPs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.jobs > 1:
        starting = cost(lambda: run_parallel(_import_all, range(options.jobs), jobs=options.jobs), time.perf_counter)
        print(f"starting {options.jobs} processes: {starting:.1f} s wall, once for each session; not in what follows\n")
    for name in options.cases:
        case = CASES[name](options.scale)
        if options.ensembles:
            report_ensembles(case, options.blocks)
        else:
            report(case, options)


def report_ensembles(case: Case, blocks: int) -> None:
    runs: dict[str, Callable[[list[nn.Module]], object]] = {
        "fit_many": lambda models: many(case, models),
        "its planning": lambda models: plan(case, models),
        "ensemble, default Adam": lambda models: ensemble(case, models, quick=False),
        "ensemble, fused Adam, one generator": lambda models: ensemble(case, models, quick=True),
    }
    ensemble(case._replace(steps=2), case.models(), quick=True)  # so that what is imported and made once is not timed
    many(case._replace(steps=2), case.models())
    seconds: dict[str, list[float]] = {what: [] for what in runs}
    for _ in range(blocks):
        for what, run in runs.items():
            models = case.models()
            seconds[what].append(cost(lambda run=run, models=models: run(models), time.process_time))
    print(f"{case.name}, {case.steps} steps, {blocks} blocks: CPU seconds, and times the cost of fit_many [lowest, highest]")
    for what, taken in seconds.items():
        ratios = [theirs / ours for theirs, ours in zip(taken, seconds["fit_many"], strict=True)]
        middle, spread = statistics.median(ratios), f"[{min(ratios):.2f}, {max(ratios):.2f}]"
        print(f"  {what:<38}{statistics.median(taken):>7.3f} s {middle:>7.2f} {spread}")
    print(flush=True)


def report(case: Case, options: argparse.Namespace) -> None:
    clocked: dict[str, list[float]] = {}

    def clock(what: str, run: Callable[..., Any], clock: Callable[[], float] = time.process_time, **more: int) -> Any:
        models = case.models()
        start = clock()
        result = run(case, models, **more)
        clocked.setdefault(what, []).append(clock() - start)
        return result

    for _ in range(options.blocks):
        clock("loop", loop)
        clock("many", many)
        clock("bare", bare)
        clock("plan", plan)
        clocked.setdefault("sgemm", []).append(sgemm_rate())
        if options.jobs > 1:
            clock("loop, wall", loop, time.perf_counter)
            trained = clock("many, wall", many, time.perf_counter, jobs=options.jobs)
            clocked.setdefault("many, each", []).append(sum(record.cpu_seconds for record in trained) / options.jobs)
    median = {what: statistics.median(values) for what, values in clocked.items()}
    steps = len(case.data) * case.steps

    def line(what: str, seconds: float, beside: float) -> None:
        each = f"{1e6 * seconds / steps:>9.1f} us a model-step {steps / seconds:>9.0f} a second"
        print(f"  {what:<28}{each}{beside / seconds:>8.2f} x")

    models = case.models()
    operations = _traced(case.members(models)[0])[1]
    ways = ", ".join(f"{chunk.way} of {len(chunk.models)}" for chunk in plan(case, models))
    print(f"{case.name}: {operations / 1e6:.1f} million operations a model-step; by rule: {ways}")
    training, bare_training = median["many"] - median["plan"], median["bare"] - median["plan"]
    line("loop, default Adam, CPU", median["loop"], median["loop"])
    line("fit_many, CPU", median["many"], median["loop"])
    line("  without planning", training, median["loop"])
    line("  and without callbacks", bare_training, median["loop"])
    print(f"  planning: {median['plan']:.2f} s, once; callbacks: {100 * (1 - bare_training / training):.0f} % of training")
    share = 100 * operations * steps / training / median["sgemm"]
    print(f"  sgemm: {median['sgemm'] / 1e9:.0f} Gop/s; fit_many without planning: {share:.0f} % of it")
    if options.jobs > 1:
        line(f"CPU of each of {options.jobs} processes", median["many, each"], median["loop"])
        line("loop, wall", median["loop, wall"], median["loop, wall"])
        line(f"fit_many, {options.jobs} processes, wall", median["many, wall"], median["loop, wall"])
    print(flush=True)


def _import_all(number: int) -> None:
    """Import everything that a process will need."""
    import assay.training.population  # noqa: F401


if __name__ == "__main__":
    main()
