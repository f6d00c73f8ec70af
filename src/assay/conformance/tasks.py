"""Small tasks for repeated runs of every instrument, and wrappers that change one property."""

import dataclasses

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.objective import Objective
from assay.task import Examples, InputSpec, Part, Split, Swapped, SwapsParts, Task, Vector
from assay.tasks.modular import Modular


def small_task() -> Modular:
    """36 pairs, 22 of them trained, of 5 symbols; the one-hot input shows every part."""
    return Modular(p=5, num_first=6, num_second=6, synonyms=True, coverage=0.6)


class Wrapped(Task):
    """A task that delegates to `inner` whatever a subclass does not override."""

    def __init__(self, inner: Task):
        self.inner = inner

    @property
    def address(self) -> str:
        return self.inner.address

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.inner.parts

    @property
    def combines(self) -> tuple[str, ...]:
        return self.inner.combines

    @property
    def input_spec(self) -> InputSpec | None:
        return self.inner.input_spec

    @property
    def objective(self) -> Objective:
        return self.inner.objective

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        return self.inner.combinations(split)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        return self.inner.examples(split, n, generator=generator)


class Swapping(Wrapped):
    """A wrapper that also delegates `swap`."""

    def __init__(self, inner: Task):
        super().__init__(inner)
        assert isinstance(inner, SwapsParts)
        self.swaps: SwapsParts = inner

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        return self.swaps.swap(base, source, part)


class Scrambled(Swapping):
    """The same rows with an input from which no linear map can read the parts: a product of random codes."""

    def __init__(self, inner: Modular, width: int = 24):
        super().__init__(inner)
        generator = Generator().manual_seed(7)
        shown = [part for part in inner.parts if part.name not in inner.derived]
        self.codes = {part.name: torch.randn(len(part.values), width, generator=generator) for part in shown}
        self.width = width

    @property
    def input_spec(self) -> Vector:
        return Vector(self.width)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        examples = self.inner.examples(split, n, generator=generator)
        first, second, third = (code[examples.parts[name]] for name, code in self.codes.items())
        return dataclasses.replace(examples, inputs={"x": torch.sin(2 * first * second + third)})


class Reordered(Swapping):
    """The same examples in another order."""

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        examples = super().examples(split, n, generator=generator)
        return examples.take(torch.randperm(len(examples), generator=Generator().manual_seed(99)))


class Few(Wrapped):
    """The task reduced to the first combinations of each split."""

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


class ShuffledTargets(Swapping):
    """The task with shuffled training targets, which can only be memorised."""

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        examples = super().examples(split, n, generator=generator)
        if split != "train":
            return examples
        # The wrong target depends on the row only, so it is the same at every draw.
        key = examples.combination * 31 + examples.parts["x"]
        targets = (key * 2654435761 % 1_000_003) % self.objective.width()
        return dataclasses.replace(examples, targets=targets)
