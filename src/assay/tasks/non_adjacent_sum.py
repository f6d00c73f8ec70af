"""The largest sum of non-adjacent elements: a task whose answer is a scratchpad (Dziri et al. 2023, section 3.1)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.bounds import check_seed, check_whole
from assay.computation import MISSING, Computations
from assay.computation.ability import Answer
from assay.errors import AssayError
from assay.objective import PAD, Sequences
from assay.task import Examples, Part, SourceToTarget, Split, Task, draw_rows
from assay.tasks.algorithms import non_adjacent_values

START, END, FIRST = 1, 2, 3
"""Tokens of the target: value v is token `FIRST + v`."""
_MOST_LISTS = 2**24


@dataclass(frozen=True)
class NonAdjacentSum(Task):
    """From `n` elements to the best sums d_n to d_1 of all tails, then to what is picked (1) or skipped (2), and an end token.

    Each of these is one token of the target `(m, 2n + 1)`, so that a network that is trained on it writes a scratchpad. One
    combination is one list of elements.

    **Arguments:**

    - `n`: elements, 2 to 8.
    - `high`: elements are the integers from `-high` to `high`.
    - `train`, `novel`: lists in training, and others. The fewer are trained, the more can be said of recombination.
    - `seed`: of which lists these are.

    **Example:**

    ```python
    task = load_task("non-adjacent-sum:n=6,train=3000")
    ```
    """

    n: int = 6
    high: int = 5
    train: int = 3000
    novel: int = 8000
    seed: int = 0

    def __post_init__(self):
        name = "non-adjacent-sum"
        check_whole(f"{name}: n", self.n, least=2, most=8)
        check_whole(f"{name}: high", self.high, least=1, most=50)
        check_whole(f"{name}: train", self.train, least=1, most=_MOST_LISTS)
        check_whole(f"{name}: novel", self.novel, least=0, most=_MOST_LISTS)
        check_seed(f"{name}: seed", self.seed)
        lists = (2 * self.high + 1) ** self.n
        if self.train + self.novel > lists:
            raise AssayError(
                f"{name}: trained and novel lists must be different ones",
                given=f"{self.train:,} and {self.novel:,} of {lists:,}",
                next_step="take fewer, or longer lists",
            )

    @property
    def address(self) -> str:
        given = {"n": 6, "high": 5, "train": 3000, "novel": 8000, "seed": 0}
        options = ",".join(f"{name}={getattr(self, name)}" for name, value in given.items() if getattr(self, name) != value)
        return f"non-adjacent-sum:{options}" if options else "non-adjacent-sum"

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        values = tuple(str(value) for value in range(-self.high, self.high + 1))
        return tuple(Part(f"a{k + 1}", values) for k in range(self.n))

    @property
    def combines(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)

    @property
    def input_spec(self) -> SourceToTarget:
        return SourceToTarget(2 * self.high + 2, self.n, self._vocab, 2 * self.n + 1)

    @property
    def objective(self) -> Sequences:
        return Sequences(self._vocab)

    @property
    def _vocab(self) -> int:
        return FIRST + max(2, self.high * ((self.n + 1) // 2)) + 1

    @cached_property
    def _lists(self) -> dict[Split, Int[Tensor, "c n"]]:
        total, wanted = (2 * self.high + 1) ** self.n, self.train + self.novel
        rng = np.random.default_rng(self.seed)
        if total <= _MOST_LISTS:
            chosen = rng.permutation(total)[:wanted]
        else:  # too many to be listed: numbers are drawn until enough are different
            chosen = np.zeros(0, np.int64)
            while len(chosen) < wanted:
                drawn = np.concatenate([chosen, rng.integers(0, total, 2 * wanted)])
                chosen = drawn[np.sort(np.unique(drawn, return_index=True)[1])][:wanted]
        digits = np.stack([chosen // (2 * self.high + 1) ** k % (2 * self.high + 1) for k in range(self.n)], 1)
        rows = torch.from_numpy(digits)
        return {"train": rows[: self.train], "seen": rows[: self.train], "novel": rows[self.train :]}

    def combinations(self, split: Split) -> Int[Tensor, "c n"]:
        return self._lists[split]

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        rows = self._lists[split]
        rows = rows[draw_rows(len(rows), n, replacement=split == "train", generator=generator)]
        parts = {name: rows[:, k] for k, name in enumerate(self.combines)}
        steps = self._graphs(rows).values.reshape(len(rows), 3 * self.n + 1)[:, self._columns]
        targets = torch.cat([torch.from_numpy(steps) + FIRST, torch.full((len(rows), 1), END)], 1)
        prefix = torch.cat([torch.full_like(targets[:, :1], START), targets[:, :-1]], 1)
        return Examples({"source": rows + 1, "prefix": prefix}, targets, parts, self.combination_id(parts))

    # The ability DeclaresComputation

    def computation(self, examples: Examples) -> Computations:
        return self._graphs(torch.stack([examples.parts[name] for name in self.combines], 1))

    def node_values(self, examples: Examples, computations: Computations, answer: Answer) -> Int[np.ndarray, " v"]:
        tokens = answer(examples.inputs)[:, : 2 * self.n].numpy()
        values = computations.values.reshape(len(examples), 3 * self.n + 1).copy()
        values[:, self._columns] = np.where(tokens >= FIRST, tokens - FIRST, MISSING)
        return values.reshape(-1)

    def _graphs(self, rows: Int[Tensor, "c n"]) -> Computations:
        return non_adjacent_values(rows.numpy() - self.high)

    @property
    def _columns(self) -> list[int]:
        """Of the nodes of a graph those that are written: all but the elements and the 0 behind the end."""
        return [*range(self.n, 2 * self.n), *range(2 * self.n + 1, 3 * self.n + 1)]


assert PAD == 0, "no token of a target is 0"
