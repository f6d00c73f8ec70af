"""What a network may be judged by when no novel input may be made: trained examples, and what the declared task says of
one part exchanged between two of them. Plain tensors: nothing in here leads back to the task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.display import brief
from assay.objective import Objective
from assay.stats import child_generator
from assay.task import Examples, Part, SwapsParts, Task

GROUP = 5  # combinations in a fold
SAME = 1e-6  # of the score, below which two targets are the same
UNDECIDED = 0.01  # share of examples that may differ from others of the same parts, where parts still decide the answer
DRAWS = 8  # pairs drawn for each one wanted: some exchange nothing, or hold more of one kind than is wanted


class Scramble(NamedTuple):
    """A wrong declaration of an exchange: its `targets`, and where they are `known`."""

    targets: Tensor
    known: Bool[Tensor, " p"]


@dataclass(frozen=True)
class Exchange:
    """One part exchanged between pairs of trained examples; row r is base r with the part of source r.

    **Attributes:**

    - `base`, `source`: rows of `Observed.examples`, which differ in the part.
    - `targets`: of the exchange, as the declared task says; they differ from those of the base.
    - `combination`: that the inside holds then.
    - `novel`: where that combination was never trained.
    - `scrambled`: the targets if every value of the part meant another: wrong declarations of equal complexity.
    """

    __repr__ = brief

    base: Int[Tensor, " p"]
    source: Int[Tensor, " p"]
    targets: Tensor
    combination: Int[Tensor, " p"]
    novel: Bool[Tensor, " p"]
    scrambled: tuple[Scramble, ...]

    def __len__(self) -> int:
        return len(self.base)


@dataclass(frozen=True, eq=False)
class Observed:
    """**Attributes:**

    - `examples`: of trained combinations, in canonical order.
    - `fold`: the group of every example's combination; what is fitted on the others is tried on it.
    - `parts`, `combines`, `objective`: as the task declares them.
    - `trained`: ids of the trained combinations.
    - `assumed`: the list of trained combinations was not given: those of the examples stand for it.
    - `exchanges`: for every part that can be exchanged.
    - `declared`: the task says what follows from any exchange; else only those that lead to another trained example are here.
    - `contradicted`: how many exchanges have another answer than the trained examples that show the same values of all parts,
      and how many could be checked so.
    """

    __repr__ = brief

    examples: Examples
    fold: Int[Tensor, " n"]
    parts: tuple[Part, ...]
    combines: tuple[str, ...]
    objective: Objective
    trained: Int[Tensor, " c"]
    assumed: bool
    exchanges: Mapping[str, Exchange]
    declared: bool
    contradicted: tuple[int, int]

    @property
    def num_folds(self) -> int:
        """How many groups there are."""
        return int(self.fold.max()) + 1 if len(self.fold) else 0

    def part(self, name: str) -> Part:
        """The part of that name."""
        return next(part for part in self.parts if part.name == name)


def observe(
    task: Task,
    *,
    num_examples: int,
    num_pairs: int,
    num_scrambles: int,
    num_folds: int,
    generator: Generator,
    assumed: bool = False,
) -> Observed:
    """Draw what may be observed.

    **Arguments:**

    - `num_examples`, `num_pairs`: at most so many trained examples, and pairs for every part, half of which lead to
      novel combinations where both kinds are found.
    - `num_scrambles`: wrong declarations of every part.
    - `num_folds`: at most so many groups into which combinations are dealt, `GROUP` or more in each; both examples of a pair
      are of one group.
    - `assumed`: take the combinations of the examples for those that were trained.
    """
    examples = task.examples("seen", num_examples, generator=generator).in_canonical_order()
    rows = task.combinations("seen")
    listed = task.combination_id(dict(zip(task.combines, rows.unbind(1), strict=True)))
    trained = (examples.combination if assumed else listed).unique()
    fold = _deal(examples.combination, num_folds, child_generator(generator))
    pairs = _Pairs(task, examples, fold, trained, num_pairs, num_scrambles)
    drawn = {part.name: pairs.draw(part, child_generator(generator)) for part in task.parts}
    checks = [pairs.contradicted(part, child_generator(generator)) for part in task.parts]
    return Observed(
        examples=examples,
        fold=fold,
        parts=task.parts,
        combines=task.combines,
        objective=task.objective,
        trained=trained,
        assumed=assumed,
        exchanges={name: exchange for name, exchange in drawn.items() if len(exchange)},
        declared=isinstance(task, SwapsParts),
        contradicted=(sum(wrong for wrong, _ in checks), sum(checked for _, checked in checks)),
    )


def _deal(combination: Int[Tensor, " n"], num_folds: int, generator: Generator) -> Int[Tensor, " n"]:
    """The fold of every example's combination."""
    ids, own = combination.unique(return_inverse=True)
    num_folds = max(2, min(num_folds, len(ids) // GROUP))
    return (torch.randperm(len(ids), generator=generator) % num_folds)[own]


@dataclass(frozen=True)
class _Pairs:
    """Draws the exchanges."""

    task: Task
    examples: Examples
    fold: Int[Tensor, " n"]
    trained: Int[Tensor, " c"]
    num_pairs: int
    num_scrambles: int

    def draw(self, part: Part, generator: Generator) -> Exchange:
        if not len(self.examples):
            none = torch.zeros(0, dtype=torch.int64)
            return Exchange(none, none, self.examples.targets, none, none.bool(), ())
        base, source = self._any(generator)
        after = self._after(base, source, part)
        novel = ~torch.isin(after.combination, self.trained)
        kept = self._kept(after.known & self._differ(self.examples.targets[base], after.targets), novel)
        base, source = base[kept], source[kept]
        scrambled = [self._scrambled(base, source, part, generator) for _ in range(self.num_scrambles)]
        return Exchange(base, source, after.targets[kept], after.combination[kept], novel[kept], tuple(scrambled))

    def contradicted(self, part: Part, generator: Generator) -> tuple[int, int]:
        """How many exchanges the trained examples contradict, and how many they show; 0 and 0 where the task declares none."""
        if not len(self.examples) or not isinstance(self.task, SwapsParts):
            return 0, 0
        base, source = self._any(generator)
        after, shown = self._after(base, source, part), self._looked_up(base, source, part)
        checked = after.known & shown.known
        wrong = checked & self._differ(shown.targets, after.targets)
        return int(wrong.sum()), int(checked.sum())

    def _any(self, generator: Generator) -> tuple[Int[Tensor, " p"], Int[Tensor, " p"]]:
        """Pairs of one fold."""
        base = torch.randint(len(self.examples), (DRAWS * self.num_pairs,), generator=generator)
        return base, self._of_same_fold(base, generator)

    def _of_same_fold(self, rows: Int[Tensor, " p"], generator: Generator) -> Int[Tensor, " p"]:
        """For every row another at random, of a combination in the same fold."""
        return _any_of(self.fold, self.fold[rows], generator)

    def _kept(self, usable: Bool[Tensor, " p"], novel: Bool[Tensor, " p"]) -> Int[Tensor, " k"]:
        """Half of the pairs novel and half seen, or more of one kind where the other runs out."""
        first, second = (usable & novel).nonzero()[:, 0], (usable & ~novel).nonzero()[:, 0]
        half = self.num_pairs // 2
        num_first = min(len(first), max(half, self.num_pairs - len(second)))
        return torch.cat([first[:num_first], second[: self.num_pairs - num_first]]).sort().values

    def _differ(self, targets: Tensor, others: Tensor) -> Bool[Tensor, " p"]:
        """Where the one would be a wrong answer to the other."""
        objective = self.task.objective
        return objective.score(objective.ideal(targets), others) < 1 - SAME

    def _after(self, base: Int[Tensor, " p"], source: Int[Tensor, " p"], part: Part) -> "_After":
        if isinstance(self.task, SwapsParts):
            swapped = self.task.swap(self.examples.take(base), self.examples.take(source), part.name)
            known = torch.ones(len(base), dtype=torch.bool) if swapped.defined is None else swapped.defined
            return _After(swapped.targets, swapped.combination, known)
        return self._looked_up(base, source, part)

    def _looked_up(self, base: Int[Tensor, " p"], source: Int[Tensor, " p"], part: Part) -> "_After":
        """What the example answers that has the exchanged parts, where there is one and parts decide the answer."""
        exchanged = part.of or (part.name,)
        columns = {one.name: self.examples.parts[one.name] for one in self.task.parts if not one.of}
        columns |= {f"{name} amount": amount for name, amount in self.examples.amounts.items()}
        having = torch.stack([column.double() for column in columns.values()], 1)
        moved = [name.removesuffix(" amount") in exchanged for name in columns]
        wanted = having[source].where(torch.tensor(moved), having[base])
        _, number = torch.cat([having, wanted]).unique(dim=0, return_inverse=True)
        own, asked = number[: len(having)], number[len(having) :]
        row_of = torch.full((int(number.max()) + 1,), -1).scatter_(0, own, torch.arange(len(having)))
        undecided = self._differ(self.examples.targets[row_of[own]], self.examples.targets).double().mean()
        found = row_of[asked]
        known = (found >= 0) & (asked != own[base]) & (undecided <= UNDECIDED)
        return _After(self.examples.targets[found], self.examples.combination[found], known)

    def _scrambled(self, base: Int[Tensor, " p"], source: Int[Tensor, " p"], part: Part, generator: Generator) -> Scramble:
        """Targets when every value of the source stands for another: of pairs whose source has that other value."""
        values = self.examples.parts[part.name]
        present, own = values.unique(return_inverse=True)
        shift = torch.randperm(len(present), generator=generator)
        other = shift[(shift.argsort()[own[source]] + 1) % len(present)]  # the next one on a random cycle through all
        after = self._after(base, _any_of(own, other, generator), part)
        return Scramble(after.targets, after.known)


def _any_of(group: Int[Tensor, " n"], wanted: Int[Tensor, " p"], generator: Generator) -> Int[Tensor, " p"]:
    """For every wanted group one of its rows at random."""
    order = group.argsort(stable=True)
    counts = group.bincount()
    starts = counts.cumsum(0) - counts
    return order[starts[wanted] + (torch.rand(len(wanted), generator=generator) * counts[wanted]).long()]


class _After(NamedTuple):
    """What the task says after an exchange, and whether it says anything."""

    targets: Tensor
    combination: Int[Tensor, " p"]
    known: Bool[Tensor, " p"]
