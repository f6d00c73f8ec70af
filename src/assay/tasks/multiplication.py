"""Multiplication by hand: a task whose answer is a scratchpad (Dziri et al. 2023, section 3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.bounds import check_seed, check_whole
from assay.computation import MISSING, Computations, joined
from assay.computation.decoding import Answer
from assay.errors import AssayError
from assay.objective import Sequences
from assay.task import Examples, Part, SourceToTarget, Split, Task, draw_rows
from assay.tasks.algorithms import multiplication

START, END, ZERO = 1, 2, 3
"""Tokens of the target: digit k is token `ZERO + k`."""
DIGIT, TIMES = 1, 11
"""Tokens of the source: digit k is token `DIGIT + k`, and `TIMES` separates the numbers."""
NONE = "none"
_MOST_PAIRS = 2**24
_MOST_DIGITS = 5


class FactorDigits(NamedTuple):
    """Digits of both factors."""

    first: int
    second: int

    def numbers(self) -> tuple[int, int]:
        """The number of first and of second factors with so many digits."""
        return _numbers(self.first), _numbers(self.second)

    def pairs(self) -> int:
        """The number of pairs, counting one and its exchange once."""
        a, b = self.numbers()
        return a * (a + 1) // 2 if self.first == self.second else a * b


class Layout(NamedTuple):
    """Positions of nodes in a scratchpad: first token and number of digits by the node's name; and its length."""

    start: dict[str, int]
    width: dict[str, int]
    length: int


def _numbers(digits: int) -> int:
    return 10 if digits == 1 else 9 * 10 ** (digits - 1)


def _shares(there_are: Mapping[FactorDigits, int], wanted: int) -> dict[FactorDigits, int]:
    """The number of pairs of each size: equal, as far as there are enough of each."""
    shares, left = {}, wanted
    ascending = sorted(there_are, key=lambda size: there_are[size])
    for place, size in enumerate(ascending):
        shares[size] = min(there_are[size], left // (len(ascending) - place))
        left -= shares[size]
    return shares


@dataclass(frozen=True)
class Multiplication(Task):
    """From the digits of two numbers to every step of long multiplication, and an end token.

    The steps are the nodes of `assay.tasks.algorithms.multiplication`, in its order. Each is written with as many digits as it
    can have, the last digit first, so that a position of the answer belongs to one node for all numbers. One combination is one
    pair of numbers; of a pair of equal size and its exchange, which have one product, only one is drawn.

    **Arguments:**

    - `first`, `second`: digits of the factors in training, 1 to 5.
    - `train`, `novel`: numbers of trained and of novel pairs. Fewer trained pairs make a stronger test of recombination.
    - `seed`: random seed of the choice of pairs.
    - `smaller`: factors may have fewer digits too, with equally many pairs of each size where there are enough.
    - `longer`: novel factors may have so many digits more than `first` and `second`, and no novel pair has a trained size: a
      test of length generalisation, not of recombination.
    - `nonce`: an arbitrary table instead of the product of two digits, with the same graph.

    **Example:**

    ```python
    task = load_task("multiplication:first=2,second=2,train=2000")
    longer = load_task("multiplication:first=3,second=2,smaller=true,longer=1,train=100000")
    ```
    """

    first: int = 2
    second: int = 2
    train: int = 2000
    novel: int = 2000
    seed: int = 0
    smaller: bool = False
    longer: int = 0
    nonce: bool = False

    def __post_init__(self):
        name = "multiplication"
        check_whole(f"{name}: first", self.first, least=1, most=_MOST_DIGITS)
        check_whole(f"{name}: second", self.second, least=1, most=_MOST_DIGITS)
        check_whole(f"{name}: train", self.train, least=1, most=_MOST_PAIRS)
        check_whole(f"{name}: novel", self.novel, least=0, most=_MOST_PAIRS)
        check_seed(f"{name}: seed", self.seed)
        check_whole(f"{name}: longer", self.longer, least=0, most=_MOST_DIGITS - max(self.first, self.second))
        for kind, wanted, there_are in (("trained", self.train, self._trainable), ("novel", self.novel, self._left)):
            if wanted > sum(there_are.values()):
                raise self._too_many(f"{wanted:,} {kind} of {sum(there_are.values()):,}")

    @staticmethod
    def _too_many(given: str) -> AssayError:
        return AssayError(
            "multiplication: trained and novel pairs must be different ones",
            given=given,
            next_step="take fewer, or factors with more digits",
        )

    @property
    def address(self) -> str:
        given = {field.name: field.default for field in fields(self)}
        options = ",".join(
            f"{name}={str(getattr(self, name)).lower()}" for name, value in given.items() if getattr(self, name) != value
        )
        return f"multiplication:{options}" if options else "multiplication"

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        digits = tuple(map(str, range(10)))
        values = (NONE, *digits) if self._varied else digits
        names = [*(f"x{k + 1}" for k in range(self._largest.first)), *(f"y{k + 1}" for k in range(self._largest.second))]
        return tuple(Part(name, values) for name in names)

    @property
    def combines(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)

    @property
    def input_spec(self) -> SourceToTarget:
        return SourceToTarget(TIMES + 1, sum(self._largest) + 1, ZERO + 10, self._layouts[self._largest].length + 1)

    @property
    def objective(self) -> Sequences:
        return Sequences(ZERO + 10)

    @property
    def _varied(self) -> bool:
        return self.smaller or self.longer > 0

    @property
    def _largest(self) -> FactorDigits:
        return FactorDigits(self.first + self.longer, self.second + self.longer)

    @cached_property
    def _trainable(self) -> dict[FactorDigits, int]:
        """The number of pairs of every trained size."""
        return {size: size.pairs() for size in self._up_to(FactorDigits(self.first, self.second))}

    @cached_property
    def _left(self) -> dict[FactorDigits, int]:
        """The number of pairs of every size that may be novel."""
        if not self.longer:
            return {size: num - self._trained[size] for size, num in self._trainable.items()}
        return {size: size.pairs() for size in self._up_to(self._largest) if size not in self._trainable}

    def _up_to(self, most: FactorDigits) -> list[FactorDigits]:
        smallest = FactorDigits(1, 1) if self.smaller else FactorDigits(self.first, self.second)
        return [
            FactorDigits(a, b) for a in range(smallest.first, most.first + 1) for b in range(smallest.second, most.second + 1)
        ]

    @cached_property
    def _trained(self) -> dict[FactorDigits, int]:
        """The number of trained pairs of every size."""
        return _shares(self._trainable, self.train)

    @cached_property
    def _novel(self) -> dict[FactorDigits, int]:
        """The number of novel pairs of every size."""
        return _shares(self._left, self.novel)

    @cached_property
    def _layouts(self) -> dict[FactorDigits, Layout]:
        return {size: self._layout(size) for size in (*self._trainable, *self._left)}

    def _layout(self, size: FactorDigits) -> Layout:
        graph = self._multiplied(np.zeros((1, 2), np.int64) + [10 ** (k - 1) if k > 1 else 0 for k in size], size)
        start, width, length = {}, {}, 0
        for node in np.flatnonzero(~graph.is_source).tolist():
            name = graph.names[graph.name[node]]
            start[name], width[name] = length, self._digits(name, size)
            length += width[name]
        return Layout(start, width, length)

    def _digits(self, name: str, size: FactorDigits) -> int:
        """The largest number of digits of a node's values; sums of the nonce operation have one more than those of products."""
        kind, _, number = name.partition(" ")
        row = size.first + 1
        of_kind = {"product": 2, "carried": 2, "digit": 1, "carry": 1, "row": row}
        return of_kind[kind] if kind in of_kind else row + int(number) - 1 + (kind == "sum" and self.nonce)

    @cached_property
    def _pairs(self) -> dict[Split, Int[Tensor, "c digits"]]:
        """Every pair as its digits plus 1, those of the first factor first, padded with 0."""
        rng, trained, novel = np.random.default_rng(self.seed), [], []
        for size in dict.fromkeys((*self._trainable, *self._left)):
            num, others = self._trained.get(size, 0), self._novel.get(size, 0)
            drawn = self._drawn(size, num + others, rng)
            trained.append(drawn[:num])
            novel.append(drawn[num:])
        seen = torch.cat(trained)
        return {"train": seen, "seen": seen, "novel": torch.cat(novel)}

    def _drawn(self, size: FactorDigits, wanted: int, rng: np.random.Generator) -> Int[Tensor, "wanted digits"]:
        """Distinct pairs in random order."""
        a, b = size.numbers()
        chosen = np.zeros(0, np.int64)
        while len(chosen) < wanted:
            more = rng.permutation(a * b) if a * b <= _MOST_PAIRS else rng.integers(0, a * b, 2 * wanted)
            chosen = np.concatenate([chosen, more])
            one, other = chosen // b, chosen % b
            key = np.minimum(one, other) * b + np.maximum(one, other) if a == b else chosen
            chosen = chosen[np.sort(np.unique(key, return_index=True)[1])]
        chosen = chosen[:wanted]
        rows = np.zeros((len(chosen), sum(self._largest)), np.int64)
        for at, digits, numbers in ((0, size.first, chosen // b), (self._largest.first, size.second, chosen % b)):
            numbers = numbers + (10 ** (digits - 1) if digits > 1 else 0)
            for place in range(digits):
                rows[:, at + place] = numbers // 10 ** (digits - 1 - place) % 10 + 1
        return torch.from_numpy(rows)

    def combinations(self, split: Split) -> Int[Tensor, "c digits"]:
        return self._pairs[split] - (0 if self._varied else 1)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        rows = self._pairs[split]
        rows = rows[draw_rows(len(rows), n, replacement=split == "train", generator=generator)]
        parts = {name: rows[:, k] - (0 if self._varied else 1) for k, name in enumerate(self.combines)}
        graphs = self._graphs(rows)
        nodes, start, width = self._written(graphs, rows)
        source = torch.zeros(len(rows), sum(self._largest) + 1, dtype=torch.int64)
        targets = torch.zeros(len(rows), self._layouts[self._largest].length + 1, dtype=torch.int64)
        for size, some in self._of_size(rows):
            first, second = rows[some, : size.first], rows[some, self._largest.first : self._largest.first + size.second]
            between = torch.full_like(first[:, :1], TIMES)
            source[some, : sum(size) + 1] = torch.cat([first - 1 + DIGIT, between, second - 1 + DIGIT], 1)
            targets[some, self._layouts[size].length] = END
        example, values = torch.from_numpy(graphs.example[nodes].astype(np.int64)), graphs.values[nodes]
        for place in range(int(width.max(initial=0))):
            has = width > place
            digit = torch.from_numpy(values[has] // 10**place % 10)
            targets[example[torch.from_numpy(has)], torch.from_numpy(start[has] + place)] = ZERO + digit
        prefix = torch.cat([torch.full_like(targets[:, :1], START), targets[:, :-1]], 1)
        prefix[prefix == END] = 0  # positions after the end are not scored
        return Examples({"source": source, "prefix": prefix}, targets, parts, self.combination_id(parts))

    # The ability WritesInputs

    def input_texts(self, examples: Examples) -> list[str]:
        words = ("", *"0123456789", " x ")
        return ["".join(words[token] for token in row) for row in examples.inputs["source"].tolist()]

    # The ability DeclaresComputation

    def computation(self, examples: Examples) -> Computations:
        return self._graphs(self._rows(examples))

    def node_values(self, examples: Examples, computations: Computations, answer: Answer) -> Int[np.ndarray, " v"]:
        tokens = answer(examples.inputs).numpy()
        nodes, start, width = self._written(computations, self._rows(examples))
        found, example = np.zeros(len(nodes), np.int64), computations.example[nodes]
        for place in range(int(width.max(initial=0))):
            has = (width > place) & (found != MISSING)
            digit = tokens[example[has], start[has] + place] - ZERO
            found[has] = np.where(digit >= 0, found[has] + digit * 10**place, MISSING)
        values = computations.values.copy()
        values[nodes] = found
        return values

    def problem_sizes(self, examples: Examples) -> Mapping[str, Int[np.ndarray, " n"]]:
        """The digits of both factors (the ability DeclaresSizes)."""
        rows, first = self._rows(examples), self._largest.first
        factors = {"digits of the first factor": rows[:, :first], "digits of the second factor": rows[:, first:]}
        return {name: (digits > 0).sum(1).numpy() for name, digits in factors.items()}

    def _rows(self, examples: Examples) -> Int[Tensor, "n digits"]:
        return torch.stack([examples.parts[name] for name in self.combines], 1) + (0 if self._varied else 1)

    def _of_size(self, rows: Int[Tensor, "n digits"]) -> list[tuple[FactorDigits, Int[Tensor, " some"]]]:
        """The rows of each size, in ascending order of it."""
        first, second = ((some > 0).sum(1) for some in (rows[:, : self._largest.first], rows[:, self._largest.first :]))
        sizes = torch.stack([first, second], 1)
        return [
            (FactorDigits(*size), (sizes == torch.tensor(size)).all(1).nonzero()[:, 0]) for size in sizes.unique(dim=0).tolist()
        ]

    def _graphs(self, rows: Int[Tensor, "n digits"]) -> Computations:
        """The graphs of pairs of several sizes, those of one size contiguous."""
        graphs, order = [], []
        for size, some in self._of_size(rows) or [(self._largest, torch.zeros(0, dtype=torch.int64))]:
            digits = rows[some].numpy() - 1
            of_first, of_second = digits[:, : size.first], digits[:, self._largest.first :][:, : size.second]
            numbers = [part @ 10 ** np.arange(part.shape[1])[::-1] for part in (of_first, of_second)]
            graphs.append(self._multiplied(np.stack(numbers, 1), size))
            order.append(some.numpy())
        together = graphs[0] if len(graphs) == 1 else joined(graphs)
        return replace(together, example=np.concatenate(order)[together.example])

    def _multiplied(self, numbers: Int[np.ndarray, "n 2"], size: FactorDigits) -> Computations:
        return multiplication(numbers[:, 0], numbers[:, 1], *size, nonce=self.nonce)

    def _written(
        self, graphs: Computations, rows: Int[Tensor, "n digits"]
    ) -> tuple[Int[np.ndarray, " w"], Int[np.ndarray, " w"], Int[np.ndarray, " w"]]:
        """The nodes that are written, the position in the answer at which each starts, and its number of digits."""
        nodes = np.flatnonzero(~graphs.is_source)
        start, width = (np.zeros(len(nodes), np.int64) for _ in range(2))
        example, name = graphs.example[nodes], graphs.name[nodes]
        of_size = np.zeros(len(rows), np.int64)
        for number, (size, some) in enumerate(self._of_size(rows)):
            of_size[some.numpy()] = number
            layout, own = self._layouts[size], of_size[example] == number
            for column, of_name in ((start, layout.start), (width, layout.width)):
                column[own] = np.array([of_name.get(one, 0) for one in graphs.names])[name[own]]
        return nodes, start, width
