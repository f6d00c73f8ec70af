"""What the families share: symbols of which an input shows one for each part, a rule that answers them, and a split.

An input shows each symbol with *nuisance*: place, phase, contrast or wording are drawn anew for every example, and average out
over examples, so that the mean input of a symbol does not tell which it is.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.bounds import check_real, check_seed
from assay.errors import AssayError
from assay.objective import Classification, Steps
from assay.stats import keyed_generator
from assay.task import Examples, Part, Split, Swapped, Task, draw_rows
from zoo.rules import RULES, Rule


@dataclass(frozen=True, kw_only=True)
class SymbolTask(Task):
    """A task whose input shows one symbol of each part.

    **Attributes:**

    - `rule`: what is answered, one of `zoo.rules.RULES`; it fixes how many parts there are and how many values each has.
    - `coverage`: the share of combinations that are trained. Those of a lower coverage are among those of a higher one.
    - `seed`: of the symbols, of the rule where it is drawn, and of the split.

    A subclass draws inputs in `shown`. `side_by_side` says whether the parts can be read from the mean of the inputs.
    """

    family: ClassVar[str]
    side_by_side: ClassVar[bool] = False
    num_parts: ClassVar[int] = 2
    rule: str = "sum"
    coverage: float = 0.7
    seed: int = 0
    parts: tuple[Part, ...] = field(init=False, repr=False)
    combines: tuple[str, ...] = field(init=False, repr=False)
    objective: Classification | Steps = field(init=False, repr=False)
    input_spec = None  # no reference model fits

    def __post_init__(self):
        fitting = [name for name, rule in RULES.items() if len(rule.sizes) == self.num_parts]
        if self.rule not in fitting:
            raise AssayError(f"{self.family} answers by a rule of its number of parts", given=self.rule, choices=fitting)
        check_real("coverage", self.coverage, above=0.0)
        check_seed("seed", self.seed)
        rule = self._rule
        parts = tuple(Part(name, tuple(map(str, range(size)))) for name, size in zip(rule.names, rule.sizes, strict=True))
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "combines", rule.names)
        steps = rule.steps > 1
        objective = Steps(rule.num_answers, whole=True) if steps else Classification(rule.num_answers)
        object.__setattr__(self, "objective", objective)
        if not 0 < int(self.trained.sum()) < len(self.trained):
            raise AssayError("coverage must leave trained and novel combinations", given=self.coverage)

    @property
    def address(self) -> str:
        given = ",".join(f"{option.name}={getattr(self, option.name)}" for option in fields(self) if option.init)
        return f"{self.family}:{given}"

    @cached_property
    def _rule(self) -> Rule:
        return RULES[self.rule]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each part has."""
        return self._rule.sizes

    @property
    def num_answers(self) -> int:
        """Classes of each answer."""
        return self._rule.num_answers

    @cached_property
    def values(self) -> Int[Tensor, "c k"]:
        """Every combination."""
        return torch.cartesian_prod(*(torch.arange(size) for size in self.sizes))

    @cached_property
    def answers(self) -> Tensor:
        """The answer of every combination: `(c,)`, or `(c, steps)`."""
        return self._rule(self.values, keyed_generator(self.seed, f"rule {self.rule}"))

    @cached_property
    def trained(self) -> Bool[Tensor, " c"]:
        """Which combinations are trained.

        Those that show every value once come first, then the others in random order; a rule with `held` parts keeps together
        whatever agrees in these.
        """
        generator = keyed_generator(self.seed, "split")
        held = self._rule.held or tuple(range(len(self.sizes)))
        sizes = [self.sizes[part] for part in held]
        number = math.prod(sizes)
        group = _digits(self.values[:, list(held)], sizes)
        columns = [torch.randperm(size, generator=generator)[torch.arange(max(sizes)) % size] for size in sizes]
        first = _digits(torch.stack(columns, 1), sizes)
        order = torch.randperm(number, generator=generator)
        order = torch.cat([first, order[~torch.isin(order, first)]])
        chosen = torch.zeros(number, dtype=torch.bool)
        chosen[order[: max(len(first), round(self.coverage * number))]] = True
        return chosen[group]

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        return self.values[~self.trained if split == "novel" else self.trained]

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        """`train` draws combinations at random; `seen` and `novel` go through all in random order before one comes again.
        What else an input shows is drawn anew for each."""
        number = len(self.combinations(split))
        if split == "train":
            rows = draw_rows(number, n, replacement=True, generator=generator)
        else:
            rounds = [draw_rows(number, number, replacement=False, generator=generator) for _ in range(-(-n // number))]
            rows = torch.cat([*rounds, torch.zeros(0, dtype=torch.int64)])[:n]
        return self.of(self.combinations(split)[rows], generator=generator)

    def of(self, values: Int[Tensor, "n k"], *, generator: Generator) -> Examples:
        """An example of each of these combinations, whatever their split."""
        ids = self.ids(values)
        parts = dict(zip(self.combines, values.unbind(1), strict=True))
        return Examples({"x": self.shown(values, generator=generator)}, self.answers[ids], parts, ids)

    def ids(self, values: Int[Tensor, "n k"]) -> Int[Tensor, " n"]:
        """The row of `values` and `answers` of each combination."""
        return _digits(values, self.sizes)

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        self.part(part)
        parts: Mapping[str, Tensor] = {**base.parts, part: source.parts[part]}
        ids = self.combination_id(parts)
        return Swapped(self.answers[ids], parts, ids)

    @abstractmethod
    def shown(self, values: Int[Tensor, "n k"], *, generator: Generator) -> Tensor:
        """One input for each combination."""

    def drawn(self, *shape: int, key: str) -> Tensor:
        """Standard normal numbers that belong to the task."""
        return torch.randn(shape, generator=keyed_generator(self.seed, f"{self.family} {key}"))


def _digits(values: Int[Tensor, "n k"], sizes: tuple[int, ...] | list[int]) -> Int[Tensor, " n"]:
    ids = torch.zeros(len(values), dtype=torch.int64)
    for column, size in zip(values.unbind(1), sizes, strict=True):
        ids = ids * size + column
    return ids
