"""Tasks small enough that every instrument can be run on them dozens of times, and wrappers that change one thing."""

import dataclasses

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.task import Examples, Split, Task, Vector
from assay.tasks.modular import Modular


def small_task() -> Modular:
    """36 pairs, 22 of them trained, 5 symbols: the one-hot input gives every part away."""
    return Modular(p=5, num_first=6, num_second=6, coverage=0.6)


class Wrapped(Task):
    """A task that differs from `inner` in what a subclass overrides."""

    def __init__(self, inner: Task):
        self.inner = inner
        self.address = inner.address
        self.parts, self.combines = inner.parts, inner.combines
        self.input_spec, self.objective = inner.input_spec, inner.objective

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        return self.inner.combinations(split)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        return self.inner.examples(split, n, generator=generator)


class Scrambled(Wrapped):
    """The same rows behind an input from which no linear map can read the parts: a product of random codes."""

    def __init__(self, inner: Modular, width: int = 24):
        super().__init__(inner)
        generator = Generator().manual_seed(7)
        sizes = [len(part.values) for part in inner.parts]
        self.codes = [torch.randn(size, width, generator=generator) for size in sizes]
        self.input_spec = Vector(width)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        examples = self.inner.examples(split, n, generator=generator)
        first, second, third = (code[examples.parts[part.name]] for part, code in zip(self.parts, self.codes, strict=True))
        return dataclasses.replace(examples, inputs={"x": torch.sin(2 * first * second + third)})


class Reordered(Wrapped):
    """The same examples in another order."""

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        examples = super().examples(split, n, generator=generator)
        return examples.take(torch.randperm(len(examples), generator=Generator().manual_seed(99)))


class Few(Wrapped):
    """Only the first combinations of each split."""

    def __init__(self, inner: Task, *, seen: int, novel: int):
        super().__init__(inner)
        self.limits = {"train": seen, "seen": seen, "novel": novel}

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        return self.inner.combinations(split)[: self.limits[split]]

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        rows = self.combinations(split)
        kept = self.combination_id({name: rows[:, k] for k, name in enumerate(self.combines)})
        examples = super().examples(split, 10**6, generator=generator)
        return examples.take(torch.isin(examples.combination, kept).nonzero().flatten()[:n])


class ShuffledTargets(Wrapped):
    """Training rows whose targets belong to other rows: what is learned from it is memorised."""

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        examples = super().examples(split, n, generator=generator)
        if split != "train":
            return examples
        # The wrong target depends on the row alone, so that it is the same whenever the row is drawn.
        key = examples.combination * 31 + examples.parts["x"]
        targets = (key * 2654435761 % 1_000_003) % self.objective.width()
        return dataclasses.replace(examples, targets=targets)
