"""The largest sum of non-adjacent elements: a task whose answer is a scratchpad (Dziri et al. 2023, section 3.1)."""

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.bounds import check_seed, check_whole
from assay.computation import MISSING, Computations, joined
from assay.computation.decoding import Answer
from assay.errors import AssayError
from assay.objective import PAD, Sequences
from assay.task import Examples, Part, SourceToTarget, Split, Task, draw_rows
from assay.tasks.algorithms import non_adjacent_values

START, END, FIRST = 1, 2, 3
"""Tokens of the target: value v is token `FIRST + v`."""
_MOST_LISTS = 2**24
_LONGEST = 8
NONE = "none"


@dataclass(frozen=True)
class NonAdjacentSum(Task):
    """From `k` elements to the best sums d_k to d_1 of all tails, then to which elements are picked (1) or skipped (2), and an
    end token.

    Each of these is one token of the target, so that a network that is trained on it writes a scratchpad. One combination is
    one list of elements. All lists have `n` elements, or trained ones `shortest` to `n` and novel ones `longer` more: a test of
    length generalisation, not of recombination. Inputs and targets are padded at the end.

    **Arguments:**

    - `n`: elements, 2 to 8.
    - `high`: elements are the integers from `-high` to `high`.
    - `train`, `novel`: numbers of trained and of novel lists. Fewer trained lists make a stronger test of recombination.
    - `seed`: random seed of the choice of lists.
    - `shortest`: trained lists have from so many to `n` elements, with equally many lists of each size where there are enough;
      0 for `n` alone.
    - `longer`: novel lists have so many elements more than `n`.

    **Example:**

    ```python
    task = load_task("non-adjacent-sum:n=6,train=3000")
    longer = load_task("non-adjacent-sum:n=5,shortest=2,longer=1,train=100000")
    ```
    """

    n: int = 6
    high: int = 5
    train: int = 3000
    novel: int = 8000
    seed: int = 0
    shortest: int = 0
    longer: int = 0

    def __post_init__(self):
        name = "non-adjacent-sum"
        check_whole(f"{name}: n", self.n, least=2, most=_LONGEST)
        check_whole(f"{name}: high", self.high, least=1, most=50)
        check_whole(f"{name}: train", self.train, least=1, most=_MOST_LISTS)
        check_whole(f"{name}: novel", self.novel, least=0, most=_MOST_LISTS)
        check_seed(f"{name}: seed", self.seed)
        check_whole(f"{name}: shortest", self.shortest, least=0, most=self.n)
        check_whole(f"{name}: longer", self.longer, least=0, most=_LONGEST - self.n)
        sizes, total = self._sizes
        if self.train > sum(total[k] for k in sizes):
            raise self._too_many(f"{self.train:,} trained of {sum(total[k] for k in sizes):,}")
        taken = 0 if self.longer else self._shares[self.n]
        if taken + self.novel > total[self.n + self.longer]:
            raise self._too_many(f"{taken:,} and {self.novel:,} of {total[self.n + self.longer]:,}")

    @staticmethod
    def _too_many(given: str) -> AssayError:
        return AssayError(
            "non-adjacent-sum: trained and novel lists must be different ones",
            given=given,
            next_step="take fewer, or longer lists",
        )

    @property
    def address(self) -> str:
        given = {field.name: field.default for field in fields(self)}
        options = ",".join(f"{name}={getattr(self, name)}" for name, value in given.items() if getattr(self, name) != value)
        return f"non-adjacent-sum:{options}" if options else "non-adjacent-sum"

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        values = tuple(str(value) for value in range(-self.high, self.high + 1))
        absent = (NONE,) if self.shortest or self.longer else ()
        return tuple(Part(f"a{k + 1}", (*absent, *values)) for k in range(self._longest))

    @property
    def combines(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)

    @property
    def input_spec(self) -> SourceToTarget:
        return SourceToTarget(2 * self.high + 2, self._longest, self._vocab, 2 * self._longest + 1)

    @property
    def objective(self) -> Sequences:
        return Sequences(self._vocab)

    @property
    def _longest(self) -> int:
        return self.n + self.longer

    @property
    def _vocab(self) -> int:
        return FIRST + max(2, self.high * ((self._longest + 1) // 2)) + 1

    @cached_property
    def _sizes(self) -> tuple[range, dict[int, int]]:
        """The sizes of trained lists, and the number of lists of every size."""
        return range(self.shortest or self.n, self.n + 1), {k: (2 * self.high + 1) ** k for k in range(1, _LONGEST + 1)}

    @cached_property
    def _shares(self) -> dict[int, int]:
        """The number of trained lists of each size: equal, as far as there are enough of each."""
        sizes, total = self._sizes
        shares, left = {}, self.train
        for place, k in enumerate(sizes):
            shares[k] = min(total[k], left // (len(sizes) - place))
            left -= shares[k]
        return shares

    @cached_property
    def _lists(self) -> dict[Split, Int[Tensor, "c longest"]]:
        """Every list as its tokens, padded with 0."""
        rng, wanted = np.random.default_rng(self.seed), dict(self._shares)
        wanted[self._longest] = wanted.get(self._longest, 0) + self.novel
        drawn = {k: self._drawn(k, num, rng) for k, num in wanted.items()}
        trained = torch.cat([drawn[k][:num] for k, num in self._shares.items()])
        novel = drawn[self._longest][0 if self.longer else self._shares[self.n] :]
        return {"train": trained, "seen": trained, "novel": novel}

    def _drawn(self, k: int, wanted: int, rng: np.random.Generator) -> Int[Tensor, "wanted longest"]:
        """Distinct lists of k elements, in random order."""
        base, total = 2 * self.high + 1, self._sizes[1][k]
        if total <= _MOST_LISTS:
            chosen = rng.permutation(total)[:wanted]
        else:  # too many to list: indices are drawn until enough are distinct
            chosen = np.zeros(0, np.int64)
            while len(chosen) < wanted:
                drawn = np.concatenate([chosen, rng.integers(0, total, 2 * wanted)])
                chosen = drawn[np.sort(np.unique(drawn, return_index=True)[1])][:wanted]
        rows = np.zeros((len(chosen), self._longest), np.int64)
        for place in range(k):
            rows[:, place] = chosen // base**place % base + 1
        return torch.from_numpy(rows)

    def combinations(self, split: Split) -> Int[Tensor, "c longest"]:
        return self._lists[split] - (0 if self.shortest or self.longer else 1)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        rows = self._lists[split]
        rows = rows[draw_rows(len(rows), n, replacement=split == "train", generator=generator)]
        parts = {name: rows[:, k] - (0 if self.shortest or self.longer else 1) for k, name in enumerate(self.combines)}
        graphs = self._graphs(rows)
        nodes, example, place = self._written(graphs, rows)
        targets = torch.zeros(len(rows), 2 * self._longest + 1, dtype=torch.int64)
        targets[example, place] = torch.from_numpy(graphs.values[nodes]) + FIRST
        targets[torch.arange(len(rows)), 2 * (rows > 0).sum(1)] = END
        prefix = torch.cat([torch.full_like(targets[:, :1], START), targets[:, :-1]], 1)
        prefix[prefix == END] = PAD  # positions after the end are not scored
        return Examples({"source": rows, "prefix": prefix}, targets, parts, self.combination_id(parts))

    # The ability WritesInputs

    def input_texts(self, examples: Examples) -> list[str]:
        rows = examples.inputs["source"].tolist()
        return [" ".join(str(token - self.high - 1) for token in row if token) for row in rows]

    # The ability DeclaresComputation

    def computation(self, examples: Examples) -> Computations:
        return self._graphs(examples.inputs["source"])

    def node_values(self, examples: Examples, computations: Computations, answer: Answer) -> Int[np.ndarray, " v"]:
        tokens = answer(examples.inputs).numpy()
        nodes, example, place = self._written(computations, examples.inputs["source"])
        found = tokens[example.numpy(), place.numpy()]
        values = computations.values.copy()
        values[nodes] = np.where(found >= FIRST, found - FIRST, MISSING)
        return values

    def _graphs(self, rows: Int[Tensor, "c longest"]) -> Computations:
        """The graphs of lists of several sizes, those of one size contiguous."""
        sizes, elements = (rows > 0).sum(1).numpy(), rows.numpy() - self.high - 1
        order = np.argsort(sizes, kind="stable")
        of_size = [(k, order[sizes[order] == k]) for k in np.unique(sizes).tolist()] or [(self._longest, order)]
        graphs = [non_adjacent_values(elements[some, :k]) for k, some in of_size]
        if len(graphs) == 1:
            return graphs[0]
        together = joined(graphs)
        return replace(together, example=order[together.example])

    @staticmethod
    def _written(
        graphs: Computations, rows: Int[Tensor, "c longest"]
    ) -> tuple[Int[np.ndarray, " w"], Int[Tensor, " w"], Int[Tensor, " w"]]:
        """The nodes that are written, the example of each, and its position in the target: d_k to d_1, then o_1 to o_k."""
        nodes = np.flatnonzero(~graphs.is_source)
        number = np.array([int(name[1:]) if name[1:].isdigit() else 0 for name in graphs.names])[graphs.name[nodes]]
        is_sum = np.array([name.startswith("d") for name in graphs.names])[graphs.name[nodes]]
        example = graphs.example[nodes].astype(np.int64)
        size = (rows > 0).sum(1).numpy()[example]
        place = np.where(is_sum, size - number, size + number - 1)
        return nodes, torch.from_numpy(example), torch.from_numpy(place)


assert PAD == 0, "no token of a target is 0"
