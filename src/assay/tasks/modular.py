"""Modular composition: y = g_j(f_i(x)) mod p. Two parts choose the functions, a third is their argument."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.objective import Classification
from assay.task import Examples, Part, Split, Swapped, Task, Tokens, draw_rows

Maps = Literal["shift", "affine", "permutation"]


@dataclass(frozen=True, kw_only=True)
class Modular(Task):
    """y = g_j(f_i(x)), with every f_i and g_j a map of the integers mod p.

    The input is three tokens: i, j, x, each from a vocabulary of its own. The combination is the pair (i, j).

    **Arguments:**

    - `p`: the modulus, at least 2.
    - `num_first`, `num_second`: how many f_i and g_j there are.
    - `coverage`: the share of the pairs (i, j) that are trained. Every i and every j is in at least one trained pair.
    - `maps`: `shift` (x + a), `affine` (a x + b, a invertible mod p) or `permutation` (arbitrary). Shifts can be
      learned as a rule; with arbitrary permutations of few symbols small networks memorise, whatever their coverage.
    - `seed`: of the maps and of the choice of pairs.
    """

    p: int = 11
    num_first: int = 12
    num_second: int = 12
    coverage: float = 0.8
    maps: Maps = "shift"
    seed: int = 0
    parts: tuple[Part, ...] = field(init=False, repr=False)
    combines: tuple[str, ...] = field(init=False, repr=False, default=("i", "j"))
    _first: Int[Tensor, "i p"] = field(init=False, repr=False, compare=False)
    _second: Int[Tensor, "j p"] = field(init=False, repr=False, compare=False)
    _trained: Bool[Tensor, "i j"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if self.p < 2:
            raise AssayError("modular: p must be at least 2", given=self.p)
        if self.maps not in get_args(Maps):
            raise AssayError("modular: maps must be of a known kind", given=self.maps, choices=get_args(Maps))
        if not 0 < self.coverage < 1:
            raise AssayError(
                "modular: coverage is the trained share of pairs and must lie between 0 and 1", given=self.coverage
            )
        names = ("i", self.num_first), ("j", self.num_second), ("x", self.p)
        parts = tuple(Part(name, tuple(str(value) for value in range(size))) for name, size in names)
        first, second, trained = self._draw()
        for name, value in (("parts", parts), ("_first", first), ("_second", second), ("_trained", trained)):
            object.__setattr__(self, name, value)

    @property
    def address(self) -> str:
        return (
            f"modular:p={self.p},num_first={self.num_first},num_second={self.num_second},"
            f"coverage={self.coverage},maps={self.maps},seed={self.seed}"
        )

    @property
    def input_spec(self) -> Tokens:
        return Tokens(vocab=self.num_first + self.num_second + self.p, length=3)

    @property
    def objective(self) -> Classification:
        return Classification(self.p)

    def combinations(self, split: Split) -> Int[Tensor, "c 2"]:
        return (~self._trained if split == "novel" else self._trained).nonzero()

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        pairs = self.combinations(split)
        rows = draw_rows(len(pairs) * self.p, n, replacement=split == "train", generator=generator)
        i, j = pairs[rows // self.p].unbind(1)
        return self._examples(i, j, rows % self.p)

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        self.part(part)
        parts = {**base.parts, part: source.parts[part]}
        return Swapped(self._target(parts["i"], parts["j"], parts["x"]), parts, self.combination_id(parts))

    def _examples(self, i: Int[Tensor, " n"], j: Int[Tensor, " n"], x: Int[Tensor, " n"]) -> Examples:
        parts = {"i": i, "j": j, "x": x}
        tokens = torch.stack([i, self.num_first + j, self.num_first + self.num_second + x], 1)
        return Examples({"tokens": tokens}, self._target(i, j, x), parts, self.combination_id(parts))

    def _target(self, i: Int[Tensor, " n"], j: Int[Tensor, " n"], x: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
        return self._second[j, self._first[i, x]]

    def _draw(self) -> tuple[Int[Tensor, "i p"], Int[Tensor, "j p"], Bool[Tensor, "i j"]]:
        """Tables of f and g, and which pairs are trained."""
        generator = Generator().manual_seed(self.seed)
        first = torch.stack([self._one_map(generator) for _ in range(self.num_first)])
        second = torch.stack([self._one_map(generator) for _ in range(self.num_second)])
        return first, second, self._draw_trained(generator)

    def _one_map(self, generator: Generator) -> Int[Tensor, " p"]:
        x = torch.arange(self.p)
        if self.maps == "permutation":
            return torch.randperm(self.p, generator=generator)
        units = [a for a in range(1, self.p) if torch.gcd(torch.tensor(a), torch.tensor(self.p)) == 1]
        scale = units[int(torch.randint(len(units), (1,), generator=generator))] if self.maps == "affine" else 1
        return (scale * x + torch.randint(self.p, (1,), generator=generator)) % self.p

    def _draw_trained(self, generator: Generator) -> Bool[Tensor, "i j"]:
        """A random cover of all values first, then random pairs up to the coverage."""
        rows, columns = self.num_first, self.num_second
        wanted = round(self.coverage * rows * columns)
        least = max(rows, columns)
        if not least <= wanted < rows * columns:
            raise AssayError(
                "modular: the trained pairs must use every i and every j and leave one pair out, "
                f"so there are {least} to {rows * columns - 1} of them",
                given=f"coverage {self.coverage} of {rows * columns} pairs is {wanted}",
                next_step=f"choose a coverage between {least / (rows * columns):.2f} and {1 - 1 / (rows * columns):.2f}",
            )
        trained = torch.zeros(rows, columns, dtype=torch.bool)
        order_i, order_j = torch.randperm(rows, generator=generator), torch.randperm(columns, generator=generator)
        steps = torch.arange(least)
        trained[order_i[steps % rows], order_j[steps % columns]] = True
        free = (~trained).flatten().nonzero().flatten()
        extra = free[torch.randperm(len(free), generator=generator)[: wanted - least]]
        trained.view(-1)[extra] = True
        return trained
