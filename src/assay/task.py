"""Tasks with declared parts: `Part`, `Examples`, `Task`, and the optional abilities of a task."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.display import brief
from assay.errors import AssayError
from assay.figure import Level
from assay.input_spec import Image as Image
from assay.input_spec import InputSpec as InputSpec
from assay.input_spec import Items as Items
from assay.input_spec import Pixels as Pixels
from assay.input_spec import SourceToTarget as SourceToTarget
from assay.input_spec import Tokens as Tokens
from assay.input_spec import TokenSequence as TokenSequence
from assay.input_spec import Vector as Vector
from assay.input_spec import VectorSequence as VectorSequence
from assay.objective import Objective

Split = Literal["train", "seen", "novel"]
"""Split of a task: `train` and `seen` have the same combinations, the one with examples to learn from, the other with examples
to score on; `novel` has combinations that occur in neither.

Example::

    >>> task = assay.load_task("modular-addition:p=7")
    >>> {split: len(task.combinations(split)) for split in ("train", "seen", "novel")}
    {'train': 34, 'seen': 34, 'novel': 15}
"""
SPLITS: tuple[Split, ...] = ("train", "seen", "novel")
NO_ANSWER = -1
"""Target of a novel input without an answer where targets are whole numbers; for real targets it is NaN."""
Pool = Literal["base", "mask", "test"]
"""Disjoint sets of items: for training the network, for training a mask, and for testing both."""
POOLS: tuple[Pool, ...] = ("base", "mask", "test")


@dataclass(frozen=True)
class Part:
    """One part of an input (factor, constituent), with its values.

    **Attributes:**

    - `name`: unique within the task.
    - `values`: names of its values, at least two. `Examples.parts` holds indices into them.
    - `graded`: whether the part is absent (value 0) or present (value 1) with a real amount, given in `Examples.amounts`.
    - `of`: for a derived part, such as an intermediate result, the parts that determine it.
    - `absent`: the value for which the part takes no place in a sequence, so that later parts move up. Combinations with the
      same absent parts have the others at the same places.

    Example::

        >>> assay.Part("colour", ("red", "green", "blue")).values.index("blue")
        2
    """

    __repr__ = brief

    name: str
    values: tuple[str, ...]
    graded: bool = False
    of: tuple[str, ...] = ()
    absent: str | None = None

    def __post_init__(self):
        if len(self.values) < 2:
            raise AssayError(
                f"part {self.name!r} must take at least two values, or there is nothing to combine",
                given=list(self.values) or "none",
                next_step="declare it with two values or more, or leave it out of the parts",
            )
        if self.absent not in (None, *self.values):
            raise AssayError(f"`absent` must be a value of part {self.name!r}", given=self.absent, choices=list(self.values))
        if self.graded and len(self.values) != 2:
            raise AssayError(f"graded part {self.name!r} must have the two values absent and present", given=self.values)


@dataclass(frozen=True)
class Examples:
    """A table: tensors that share the first dimension `n`.

    **Attributes:**

    - `inputs`: keyword arguments of the network's forward, each `(n, ...)`.
    - `targets`: `(n, ...)`, in the form of the task's objective.
    - `parts`: for every part the index of its value, int64 `(n,)`.
    - `combination`: the id of the combination, int64 `(n,)`, equal if and only if the combined parts are equal.
    - `amounts`: for every graded part its amount as a real number, `(n,)`; 0 where the part is absent.

    Example::

        >>> task = assay.load_task("modular-addition:p=7")
        >>> drawn = task.examples("novel", 4, generator=torch.Generator().manual_seed(0))
        >>> {name: tuple(tensor.shape) for name, tensor in drawn.inputs.items()}, tuple(drawn.targets.shape), list(drawn.parts)
        ({'tokens': (4, 2)}, (4,), ['i', 'j'])
    """

    __repr__ = brief

    inputs: Mapping[str, Tensor]
    targets: Tensor
    parts: Mapping[str, Int[Tensor, " n"]]
    combination: Int[Tensor, " n"]
    amounts: Mapping[str, Float[Tensor, " n"]] = field(default_factory=dict)

    def __post_init__(self):
        columns = {"targets": self.targets, **self.inputs, **self.parts, **self.amounts}
        lengths = {name: len(column) for name, column in columns.items()}
        assert set(lengths.values()) <= {len(self.combination)}, f"columns differ in length: {lengths}"

    def __len__(self) -> int:
        return len(self.combination)

    def take(self, rows: Tensor) -> "Examples":
        """The chosen rows (indices or a boolean mask), in that order."""
        return Examples(
            inputs={name: column[rows] for name, column in self.inputs.items()},
            targets=self.targets[rows],
            parts={name: column[rows] for name, column in self.parts.items()},
            combination=self.combination[rows],
            amounts={name: column[rows] for name, column in self.amounts.items()},
        )

    @classmethod
    def joined(cls, *several: "Examples") -> "Examples":
        """The rows of several tables, concatenated, with the columns that all of them have."""

        def columns(kind: str) -> dict[str, Tensor]:
            tables = [getattr(one, kind) for one in several]
            return {name: torch.cat([table[name] for table in tables]) for name in tables[0] if all(name in t for t in tables)}

        return cls(
            inputs=columns("inputs"),
            targets=torch.cat([one.targets for one in several]),
            parts=columns("parts"),
            combination=torch.cat([one.combination for one in several]),
            amounts=columns("amounts"),
        )

    def in_canonical_order(self) -> "Examples":
        """The same rows, ordered by combination and then by content, independently of their present order."""
        if not len(self):
            return self
        order = np.arange(len(self))
        for column in self.inputs.values():
            # Ordered by their bytes, which is arbitrary but does not depend on the number of columns.
            rows = np.ascontiguousarray(column.reshape(len(self), -1).numpy())
            keys = rows.view(np.dtype((np.void, rows.strides[0])))[:, 0]
            order = order[keys[order].argsort(kind="stable")]
        order = torch.from_numpy(order[self.combination.numpy()[order].argsort(kind="stable")])
        return self.take(order)


LACKS: Mapping[Level, str] = {0: "has no novel combinations", 1: "has novel combinations without answers"}
"""What a task of level 0 or 1 (`Task.level`) lacks, as the end of a sentence about it."""


class Task(ABC):
    """A task with declared parts.

    Subclasses set the attributes and implement `combinations` and `examples`.

    **Attributes:**

    - `address`: the text from which the task can be loaded again, such as `modular:coverage=0.8`.
    - `parts`: every declared part.
    - `combines`: names of the parts that make up a combination; others, such as an argument, vary freely.
    - `input_spec`: the inputs of a reference network for this task; None where only a user's module fits.
    - `objective`: loss and score.
    - `level`: the highest access level that its rows allow (`assay.evidence.Level`): 2 where novel combinations have answers, 1
      where they have none and their targets mean nothing, 0 without novel combinations.

    Example::

        >>> task = assay.load_task("modular-addition:p=7")
        >>> task.combines, len(task.combinations("seen")), len(task.combinations("novel"))
        (('i', 'j'), 34, 15)
        >>> task.examples("train", 5, generator=torch.Generator().manual_seed(0)).inputs["tokens"].shape
        torch.Size([5, 2])
    """

    level: Level = 2
    if TYPE_CHECKING:
        # Read-only; a field in some subclasses, a property in others.
        @property
        def address(self) -> str: ...
        @property
        def parts(self) -> tuple[Part, ...]: ...
        @property
        def combines(self) -> tuple[str, ...]: ...
        @property
        def input_spec(self) -> InputSpec | None: ...
        @property
        def objective(self) -> Objective: ...

    @abstractmethod
    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        """Every combination of the split: value indices of the parts in `combines`, one row per combination.

        `train` and `seen` have the same combinations; `novel` shares none with them.
        """

    @abstractmethod
    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        """Draw examples.

        `train` draws `n` with replacement. `seen` (trained combinations) and `novel` draw without replacement; a finite split
        of at most `n` examples is given whole, in random order. `n` may be 0.
        """

    def trained_examples(self, n: int, *, generator: Generator) -> Examples:
        """At most `n` examples that training may have shown, drawn like `seen`, which may hold a part of them only."""
        return self.examples("seen", n, generator=generator)

    def part(self, name: str) -> Part:
        """The part of that name. **Raises:** `AssayError` listing the names."""
        for part in self.parts:
            if part.name == name:
                return part
        raise AssayError(f"{self.address} has no such part", given=name, choices=[part.name for part in self.parts])

    def combination_id(self, parts: Mapping[str, Int[Tensor, " n"]]) -> Int[Tensor, " n"]:
        """The id of each combination: its value indices read as digits, the last of `combines` varying fastest."""
        sizes = [len(self.part(name).values) for name in self.combines]
        assert math.prod(sizes) < 2**63, "too many combinations for a 64-bit id"
        ids = torch.zeros_like(parts[self.combines[0]])
        for name, size in zip(self.combines, sizes, strict=True):
            ids = ids * size + parts[name]
        return ids

    def combination_name(self, row: Sequence[int]) -> str:
        """A row of `combinations` as text, such as `i=3, j=7`."""
        names = (f"{name}={self.part(name).values[value]}" for name, value in zip(self.combines, row, strict=True))
        return ", ".join(names)

    def loss(self, outputs: Tensor, examples: Examples) -> Float[Tensor, ""]:
        """Scalar loss."""
        return self.objective.loss(outputs, examples.targets)

    def score(self, outputs: Tensor, examples: Examples) -> Float[Tensor, " n"]:
        """One number in [0, 1] per example; 1 is right."""
        return self.objective.score(outputs, examples.targets)


class Swapped(NamedTuple):
    """Parts and targets of examples after an exchange of one part. There are no inputs, since novel ones are never fed.
    `defined`: where there is an answer (None: everywhere); targets mean nothing where it is false.

    Example::

        >>> from assay.task import Swapped
        >>> parts = {"first": torch.tensor([1, 2]), "second": torch.tensor([3, 3])}  # `second` was exchanged
        >>> swapped = Swapped(targets=sum(parts.values()) % 9, parts=parts, combination=torch.tensor([12, 21]))
        >>> swapped.targets.tolist(), swapped.defined is None
        ([4, 5], True)
    """

    targets: Tensor
    parts: Mapping[str, Int[Tensor, " n"]]
    combination: Int[Tensor, " n"]
    defined: Bool[Tensor, " n"] | None = None


@runtime_checkable
class SwapsParts(Protocol):
    """What a task must offer: targets after one part of `base` takes its value (and amount) from `source`."""

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        """`base` and `source` have the same length; row r of the result is base r with the part of source r."""
        ...


@runtime_checkable
class IsolatesParts(Protocol):
    """What a task must offer: examples whose target one part alone determines, with all else uninformative."""

    def isolate(self, part: str, n: int, *, generator: Generator) -> Examples:
        """At most `n` examples of trained combinations whose targets are the value of `part`."""
        ...


@runtime_checkable
class TrainsOnMore(Protocol):
    """What a task must offer: training data beyond examples of the combinations, such as other kinds of sentences.

    Example::

        >>> from assay.task import TrainsOnMore
        >>> class WithText(assay.Table):
        ...     def training(self, n, *, generator):
        ...         prices = self.examples("train", n // 2, generator=generator)
        ...         text = self.examples("train", n - n // 2, generator=generator)  # in its place: rows of another kind
        ...         return assay.Examples.joined(prices, text)
        >>> parts = {"colour": list("rrbb"), "shape": list("dgdg")}
        >>> task = WithText(inputs=torch.rand(4, 8), targets=torch.tensor([0, 1, 1, 0]), parts=parts)
        >>> isinstance(task, TrainsOnMore), len(task.training(6, generator=torch.Generator()))
        (True, 6)
    """

    def training(self, n: int, *, generator: Generator) -> Examples:
        """The next `n` training examples, which include those of `examples("train", ...)`; others may have no parts."""
        ...


@runtime_checkable
class PosesPartProblems(Protocol):
    """What a task must offer: odd-one-out problems that one declared part alone determines, from disjoint pools of items.

    Every problem is four items, `items` `(n, 4, ...)`, one of which is the odd one; its position is the target.
    """

    def problems(self, n: int, *, pool: Pool, generator: Generator) -> Examples:
        """`n` problems in which both parts matter: the odd item breaks the rule of one or the other."""
        ...

    def reading(self, part: str, n: int, *, pool: Pool, generator: Generator) -> Examples:
        """`n` problems that the part determines, with the other part uninformative."""
        ...

    def testing(self, part: str, n: int, *, pool: Pool, generator: Generator) -> Examples:
        """`n` problems drawn like `problems`, in which the odd item breaks the rule of this part only."""
        ...

    def nonsense(self, seed: int, n: int, *, pool: Pool, generator: Generator) -> Examples:
        """`n` problems determined by a hash of the item, a different one for every seed, instead of a part."""
        ...


@runtime_checkable
class WritesInputs(Protocol):
    """What a task must offer: inputs as text, for people to read.

    Example::

        >>> from assay.task import WritesInputs
        >>> task = assay.load_task("commands")
        >>> drawn = task.examples("seen", 1, generator=torch.Generator().manual_seed(0))
        >>> isinstance(task, WritesInputs), task.input_texts(drawn)[0].split()[0] in task.part("verb1").values
        (True, True)
    """

    def input_texts(self, examples: Examples) -> Sequence[str]:
        """The inputs of every example as text; empty where there is none for them."""
        ...


@runtime_checkable
class WritesExamples(WritesInputs, Protocol):
    """What a task must offer: inputs and answers as text, for people to read.

    Example::

        >>> from assay.task import WritesExamples
        >>> task = assay.load_task("lists")
        >>> isinstance(task, WritesExamples), task.answer_texts(torch.tensor([0])) == [task.part("attribute").values[0]]
        (True, True)
    """

    def answer_texts(self, answers: Tensor) -> Sequence[str]:
        """Targets, or the most likely classes of an output, as text; empty where there is none for them."""
        ...


def draw_rows(total: int, n: int, *, replacement: bool, generator: Generator) -> Int[Tensor, " m"]:
    """Row numbers drawn from a finite split as described in `Task.examples`.

    Example::

        >>> from assay.task import draw_rows
        >>> generator = torch.Generator().manual_seed(0)
        >>> draw_rows(4, 9, replacement=True, generator=generator).shape
        torch.Size([9])
        >>> sorted(draw_rows(4, 9, replacement=False, generator=generator).tolist())
        [0, 1, 2, 3]
    """
    if replacement:
        return torch.randint(total, (n,), generator=generator) if total else torch.zeros(0, dtype=torch.int64)
    return torch.randperm(total, generator=generator)[:n]
