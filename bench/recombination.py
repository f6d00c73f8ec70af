"""CPU seconds of the instrument `recombination`, and how they grow.

    OMP_NUM_THREADS=1 python bench/recombination.py [CASE ...] [--effort quick] [--networks DIR] [--audit]
    OMP_NUM_THREADS=1 python bench/recombination.py --growth units tokens values
    OMP_NUM_THREADS=1 python bench/recombination.py --patched

A task of pairs, (i + j) mod 16 with seven tenths of all pairs trained, is given to each network in its own form: jittered
vectors, 64 tokens of which two matter, images with two patterns; `scan` is `scan:template_jump_around_right`. Networks are
trained until they answer their trained pairs, and kept in DIR. Seconds are those of this process and its children, after an
audit of a small network has imported everything. `--audit` also measures `assay.audit` on the case. A plain forward pass of one
example is timed too, so that machines and their load can be compared. `--growth` runs the quick instrument on networks that
grow along one dimension, and prints the exponent of its cost relative to a plain forward pass on as many examples, over the
networks that are not refused. `--patched` compares forward passes with a patched state and forward passes with a plain hook
that inserts the same numbers, in one run.
"""

import argparse
import math
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from assay.audit import audit
from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments.recombination import Recombination
from assay.models import build
from assay.models.transformer import Transformer
from assay.objective import Classification, Objective, Regression
from assay.subject import Subject
from assay.task import Examples, Part, Split, Swapped, Task
from assay.tasks import load_task
from assay.training import TrainingConfig, fit

Show = Callable[[Tensor, Generator], Mapping[str, Tensor]]
SCAN = "scan:template_jump_around_right"
GROWN = {"units": (32, 128, 512, 1024, 4096), "tokens": (8, 32, 128, 512), "values": (4, 16, 64, 256)}


class Pairs(Task):
    """(i + j) mod `size`, with inputs made by `show` and answers `answers[i + j mod size]`."""

    address, combines, input_spec = "pairs", ("i", "j"), None

    def __init__(self, show: Show, answers: Tensor | None = None, size: int = 16):
        self.size, self.show, self.answers = size, show, answers
        self.parts = tuple(Part(name, tuple(map(str, range(size)))) for name in "ij")
        grid = torch.cartesian_prod(torch.arange(size), torch.arange(size))
        trained = torch.rand(len(grid), generator=Generator().manual_seed(0)) < 0.7
        self.rows = {True: grid[trained], False: grid[~trained]}

    @property
    def objective(self) -> Objective:
        if self.answers is None:
            return Classification(self.size)
        return Regression(self.answers.shape[1], variance=float(self.answers.var(0, correction=0).sum()))

    def combinations(self, split: Split) -> Tensor:
        return self.rows[split != "novel"]

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        rows = self.combinations(split)
        rows = rows[torch.randint(len(rows), (n,), generator=generator)]
        parts = dict(zip("ij", rows.T, strict=True))
        return Examples(self.show(rows, generator), self._target(parts), parts, self.combination_id(parts))

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        parts = {name: (source if name == part else base).parts[name] for name in self.combines}
        return Swapped(self._target(parts), parts, self.combination_id(parts))

    def _target(self, parts: Mapping[str, Tensor]) -> Tensor:
        label = (parts["i"] + parts["j"]) % self.size
        return label if self.answers is None else self.answers[label]


def drawn(*size: int, key: int = 0) -> Tensor:
    return torch.randn(*size, generator=Generator().manual_seed(key))


def as_vectors(width: int, size: int = 16) -> Show:
    codes = drawn(2, size, width) / width**0.5

    def show(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
        x = torch.cat([codes[0][rows[:, 0]], codes[1][rows[:, 1]]], 1)
        return {"input": x + 0.1 * torch.randn(x.shape, generator=generator) / width**0.5}

    return show


def as_tokens(length: int, size: int = 16) -> Show:
    def show(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
        tokens = torch.randint(2 * size, 2 * size + 8, (len(rows), length), generator=generator)
        tokens[:, 0], tokens[:, -1] = rows[:, 0], size + rows[:, 1]
        return {"tokens": tokens}

    return show


def as_images(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
    image = torch.zeros(len(rows), 1, 32, 32)
    for k, patterns in enumerate((drawn(2, 16, 10, 10) > 0).float()):
        image[:, 0, 3 + 16 * k : 13 + 16 * k, 3 + 16 * k : 13 + 16 * k] = patterns[rows[:, k]]
    return {"image": image + 0.1 * torch.rand(image.shape, generator=generator)}


def layers(*sizes: int) -> nn.Module:
    steps = [step for a, b in pairwise(sizes) for step in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*steps[:-1])


def transformer(depth: int, width: int, length: int, size: int = 16) -> nn.Module:
    return Transformer(vocab=2 * size + 8, length=length, num_outputs=size, width=width, depth=depth, heads=4)


class Wheel(nn.Module):
    """Finds two symbols among others and adds them as angles: right on every pair, with constructed weights."""

    def __init__(self, size: int):
        super().__init__()
        turns = torch.arange(size) * 2 * math.pi / size
        circle = torch.stack([turns.cos(), turns.sin()])
        self.embedding = nn.Embedding(2 * size + 8, 2 * size)
        self.angles, self.answers = nn.Linear(2 * size, 4, bias=False), nn.Linear(4, size, bias=False)
        with torch.no_grad():
            self.embedding.weight.copy_(torch.eye(2 * size + 8, 2 * size))
            self.angles.weight.copy_(torch.block_diag(circle, circle))
            self.answers.weight.copy_(torch.stack([circle[0], circle[1], circle[1], -circle[0]], 1))

    def forward(self, tokens: Tensor) -> Tensor:
        codes = torch.relu(self.embedding(tokens)).sum(1)
        first, second = self.angles(codes).unflatten(1, (2, 2)).unbind(1)
        return self.answers((first[:, :, None] * second[:, None]).flatten(1))


class Convolutions(nn.Module):
    """Three convolutions on an image of 32 x 32, and a head on the flattened map."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *(step for a, b in ((1, 16), (16, 32), (32, 32)) for step in (nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU()))
        )
        self.head = layers(512, 128, 16)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.convolutions(image).flatten(1))


@dataclass(frozen=True)
class Case:
    task: Callable[[], Task]
    model: Callable[[], nn.Module]
    steps: int = 1500


CASES: Mapping[str, Case] = {
    "mlp": Case(lambda: Pairs(as_vectors(64)), lambda: layers(128, 256, 256, 16), 600),
    "transformer-1": Case(lambda: Pairs(as_tokens(64)), lambda: transformer(1, 88, 64), 500),
    "transformer-2": Case(lambda: Pairs(as_tokens(64)), lambda: transformer(2, 64, 64), 500),
    "transformer-4": Case(lambda: Pairs(as_tokens(64)), lambda: transformer(4, 44, 64), 500),
    "cnn": Case(lambda: Pairs(as_images), Convolutions, 400),
    "wide-output": Case(lambda: Pairs(as_vectors(64), drawn(16, 4096, key=1)), lambda: layers(128, 128, 128, 64, 4096), 500),
    "scan": Case(
        lambda: load_task(SCAN), lambda: build("encoder-decoder", load_task(SCAN), generator=Generator().manual_seed(0)), 700
    ),
}


def trained(name: str, folder: Path) -> tuple[Subject, Task]:
    case, path = CASES[name], folder / f"{name}.pt"
    task = case.task()
    torch.manual_seed(0)
    model = case.model()
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
    else:
        fit(model, task, config=TrainingConfig(steps=case.steps, batch_size=128, learning_rate=3e-3, seed=0))
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), path)
    return Subject(model.eval(), name=name), task


def seconds(function: Callable[[], object]) -> float:
    """CPU seconds of this process and its children."""

    def now() -> float:
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + spent.ru_utime + spent.ru_stime

    start = now()
    function()
    return now() - start


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def of_cases(names: list[str], options: argparse.Namespace) -> None:
    print(f"case | weights | score on trained | CPU s, {options.effort} | peak MB | summary")
    warm = Pairs(as_vectors(8, 8), size=8)
    audit(Subject(layers(16, 16, 16, 8)), warm, effort="quick", progress=None)
    for name in names:
        subject, task = trained(name, Path(options.networks))
        some = task.examples("seen", 1000, generator=Generator().manual_seed(1))
        score = float(task.score(subject(some.inputs), some).mean())
        found = []
        spent = seconds(lambda: found.append(run(Recombination(), subject, task, effort=options.effort)))  # noqa: B023
        size = sum(weight.numel() for weight in subject.module.parameters())
        print(f"{name} | {size} | {score:.3f} | {spent:.2f} | {megabytes():.0f} | {found[0].summary}", flush=True)
        if options.audit:
            audited = seconds(lambda: audit(subject, task, effort=options.effort, level=2, progress=None))  # noqa: B023
            plain = min(seconds(lambda: subject(some.inputs)) for _ in range(3)) / len(some)  # noqa: B023
            print(f"{name} | whole audit: {audited:.2f} CPU s; a plain pass {1000 * plain:.3f} ms an example", flush=True)


def of_growth(dimension: str) -> None:
    """Networks that have learned their trained pairs, or are constructed to know them; others are skipped."""
    print(f"{dimension} | CPU s, quick | CPU ms of a plain forward pass on 500 examples | peak MB")
    found = []
    for size in GROWN[dimension]:
        torch.manual_seed(0)
        if dimension == "units":
            task, model, rate = Pairs(as_vectors(64)), layers(128, size, size, 16), 3e-3 if size < 1024 else 3e-4
            steps = 200 if size < 4096 else 30
            fit(model, task, config=TrainingConfig(steps=steps, batch_size=128, learning_rate=rate, seed=0))
        elif dimension == "tokens":
            task, model = Pairs(as_tokens(size)), Wheel(16)
        else:
            task, model = Pairs(as_tokens(2, size), size=size), Wheel(size)
        subject = Subject(model.eval())
        inputs = task.examples("seen", 500, generator=Generator().manual_seed(0)).inputs
        evidence: list[Evidence] = []
        spent = seconds(lambda: evidence.append(run(Recombination(), subject, task, effort="quick")))  # noqa: B023
        plain = min(seconds(lambda: subject(inputs)) for _ in range(5))  # noqa: B023
        if not evidence[0].not_enough:
            found.append((size, spent, plain))
        print(f"{size} | {spent:.2f} | {1000 * plain:.2f} | {megabytes():.0f} | {evidence[0].summary[:60]}", flush=True)
    x = [math.log(size) for size, _, _ in found]
    for name, y in (("CPU s", [math.log(s) for _, s, _ in found]), ("over a forward", [math.log(s / p) for _, s, p in found])):
        print(f"exponent of {name} in {dimension}: {statistics.linear_regression(x, y).slope:.2f}")


def of_patched(options: argparse.Namespace) -> None:
    print("case | patched forward passes a CPU s | with a plain hook | ratio")
    for name in ("mlp", "transformer-1"):
        subject, task = trained(name, Path(options.networks))
        module = subject.module[2] if name == "mlp" else subject.module.blocks[0]
        ours, hooked = per_second(subject, module, task.examples("seen", 2000, generator=Generator().manual_seed(0)).inputs)
        print(f"{name} | {ours:.0f} | {hooked:.0f} | {ours / hooked:.2f}", flush=True)


def per_second(subject: Subject, module: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[float, float]:
    """Passes per second with the first cut after the input that is a single tensor, and with a hook on its module."""
    cuts = subject.cuts(inputs)
    depth = next(cut.depth for cut in cuts if cut.depth and len(cut.names) == 1)
    state, kept = cuts.read(inputs, depth), []
    handle = module.register_forward_hook(lambda _, __, out: kept.append(out))
    subject(inputs)
    handle.remove()
    put = torch.cat(kept)

    def hooked() -> None:
        left = [put]

        def replace(module: nn.Module, args: object, out: Tensor) -> Tensor:
            instead, left[0] = left[0].split([len(out), len(left[0]) - len(out)])
            return instead

        handle = module.register_forward_hook(replace)
        subject(inputs)
        handle.remove()

    cuts.run(inputs, depth, state)
    spent = [(seconds(lambda: cuts.run(inputs, depth, state)), seconds(hooked)) for _ in range(7)]
    ours, theirs = (len(put) / statistics.median(some) for some in zip(*spent, strict=True))
    return ours, theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--networks", default="recombination-networks")
    parser.add_argument("--audit", action="store_true")
    parser.add_argument("--growth", nargs="*", choices=GROWN, default=[])
    parser.add_argument("--patched", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for dimension in options.growth:
        of_growth(dimension)
    if options.patched:
        of_patched(options)
    if not (options.growth or options.patched):
        of_cases(options.cases or list(CASES), options)


if __name__ == "__main__":
    main()
