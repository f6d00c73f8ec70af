"""Combinations whose states are constructed, with their declared answers and real inputs of the same parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.instrument import Random
from assay.instruments.recombination.states import PartDesign
from assay.novelty import KINDS, Kind
from assay.objective import Objective
from assay.stats import in_turns
from assay.task import Examples, Part, SwapsParts, Task

HELD, OUTSIDE = 0, 1  # kinds of items: held-out trained combinations, and novel ones by `assay.novelty.KINDS`
KIND_OF: Mapping[Kind, int] = {"outside": OUTSIDE, "synonym": 2, "inside": 3}
assert set(KIND_OF) == set(KINDS)
SAME = 1e-6  # difference of scores below which two targets are the same
STARTS = 8  # draws of a trained example for each item, until one has another target


@dataclass(frozen=True, eq=False)
class CombinationItems:
    """Combinations with their rows, targets and examples.

    **Attributes:**

    - `rows`: of the design of all parts.
    - `targets`: declared by the task.
    - `ids`: of the combinations; `kinds`: `HELD`, `OUTSIDE` and so on.
    - `declared`: whether the target is known without a novel label.
    - `shown`: the row of a real input with the same parts, -1 where there is none.
    - `base`, `source`: the fitted example that receives a part, and the one that gives it; -1 where none is needed.
    """

    rows: Float[Tensor, "m q"]
    targets: Tensor
    ids: Int[Tensor, " m"]
    kinds: Int[Tensor, " m"]
    declared: Bool[Tensor, " m"]
    shown: Int[Tensor, " m"]
    base: Int[Tensor, " m"]
    source: Int[Tensor, " m"]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Tensor) -> "CombinationItems":
        """The items of these rows, in that order."""
        return CombinationItems(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})

    @classmethod
    def joined(cls, several: Sequence["CombinationItems"]) -> "CombinationItems":
        """Concatenation of several."""
        return cls(**{one.name: torch.cat([getattr(some, one.name) for some in several]) for one in fields(cls)})


def combinations_of(names: Sequence[str], examples: Examples) -> Int[Tensor, "n k"]:
    """The value indices of each example."""
    return torch.stack([examples.parts[name] for name in names], 1)


def held_out(combinations: Int[Tensor, "c k"], number: int, generator: Generator) -> Bool[Tensor, " c"]:
    """At most `number` random combinations to hold out, such that every value occurs among the others."""
    left = [column.bincount().tolist() for column in combinations.unbind(1)]
    rows, chosen = combinations.tolist(), torch.zeros(len(combinations), dtype=torch.bool)
    for k in torch.randperm(len(rows), generator=generator).tolist():
        if number and all(counts[value] > 1 for counts, value in zip(left, rows[k], strict=True)):
            number -= 1
            chosen[k] = True
            for counts, value in zip(left, rows[k], strict=True):
                counts[value] -= 1
    return chosen


def differ(objective: Objective, targets: Tensor, others: Tensor) -> Bool[Tensor, " m"]:
    """Where one target would be a wrong answer to the other."""
    return objective.score(objective.ideal(targets), others) < 1 - SAME


@dataclass(frozen=True, eq=False)
class ItemSampler:
    """Sampler of items from a task.

    **Attributes:** `fitted`: trained examples from which effects are estimated; `real`: examples with inputs, the held-out ones
    first; `real_rows`: their rows of the design; `num_held`: the number of held-out trained examples among `real`; `most`:
    combinations of a kind.
    """

    task: Task
    design: PartDesign
    fitted: Examples
    real: Examples
    real_rows: Float[Tensor, "r q"]
    num_held: int
    most: int

    def shown(self, rows: Tensor, kinds: Mapping[int, int]) -> CombinationItems:
        """Items that are real inputs, by their rows in `real`; `kinds`: of novel combinations by id."""
        ids, none = self.real.combination[rows], torch.full_like(rows, -1)
        return CombinationItems(
            rows=self.real_rows[rows],
            targets=self.real.targets[rows],
            ids=ids,
            kinds=torch.tensor([kinds.get(one, HELD) for one in ids.tolist()], dtype=torch.int64),
            declared=rows < self.num_held,
            shown=rows,
            base=none,
            source=none,
        )

    def exchanged(
        self, part: Part, wanted: Int[Tensor, "m k"], kinds: Int[Tensor, " m"], rng: Random
    ) -> tuple[CombinationItems, Bool[Tensor, " m"]]:
        """Each wanted combination by exchange of one part between two fitted examples, and a mask of those with a known target.
        The target comes from the task's executor, or else from a real example with the same parts."""
        combines, moved = self.task.combines, part.of or (part.name,)
        have = combinations_of(combines, self.fitted)
        inside = torch.tensor([name in moved for name in combines])
        base = _any_row(have[:, ~inside], wanted[:, ~inside], rng("base"))
        source = _any_row(have[:, inside], wanted[:, inside], rng("source"))
        found = (base >= 0) & (source >= 0)
        base, source = base.clamp(min=0), source.clamp(min=0)
        rows = self.design.with_columns(self.design.rows[base], self.design.rows[source], moved)
        shown = _matched(rows, self.real_rows)
        if isinstance(self.task, SwapsParts):
            swapped = self.task.swap(self.fitted.take(base), self.fitted.take(source), part.name)
            targets, known = swapped.targets, found & (torch.ones_like(found) if swapped.defined is None else swapped.defined)
            declared = torch.ones_like(known)
        elif len(self.real):
            targets, known = self.real.targets[shown.clamp(min=0)], found & (shown >= 0)
            known &= (shown < self.num_held) | (self.task.level == 2)
            declared = shown < self.num_held
        else:
            targets, known, declared = self.fitted.targets[base], torch.zeros_like(found), found
        ids = self.task.combination_id(dict(zip(combines, wanted.unbind(1), strict=True)))
        return CombinationItems(rows, targets, ids, kinds, declared, shown, base, source), known

    def further(
        self, parts: Sequence[Part], wanted: Int[Tensor, "m k"], kinds: Int[Tensor, " m"], rng: Random
    ) -> CombinationItems:
        """The wanted combinations that several exchanges in a row construct, with the targets that the task declares."""
        task, have = self.task, combinations_of(self.task.combines, self.fitted)
        assert isinstance(task, SwapsParts)
        moved = torch.tensor([name in {part.name for part in parts} for name in task.combines])
        base = _any_row(have[:, ~moved], wanted[:, ~moved], rng("base"))
        sources = {}
        for part in parts:
            column = [task.combines.index(part.name)]
            sources[part.name] = _any_row(have[:, column], wanted[:, column], rng("source", part.name))
        found = torch.stack([base, *sources.values()]).amin(0) >= 0
        base, wanted, kinds = base[found], wanted[found], kinds[found]
        known, now, rows = torch.ones(len(base), dtype=torch.bool), self.fitted.take(base), self.design.rows[base]
        for name, row in sources.items():
            source = self.fitted.take(row[found])
            swapped = task.swap(now, source, name)
            known &= True if swapped.defined is None else swapped.defined
            amounts = {key: (source if key == name else now).amounts[key] for key in now.amounts}
            now = Examples(now.inputs, swapped.targets, swapped.parts, swapped.combination, amounts)
            rows = self.design.with_columns(rows, self.design.rows[row[found]], (name,))
        items = CombinationItems(
            rows=rows,
            targets=now.targets,
            ids=now.combination,
            kinds=kinds,
            declared=torch.ones_like(known),
            shown=_matched(rows, self.real_rows),
            base=base,
            source=base,
        )
        return items.take(known.nonzero()[:, 0])

    def started(self, items: CombinationItems, generator: Generator) -> CombinationItems:
        """The same items with a fitted example of another target as base, where one was drawn, for states made by
        differences."""
        drawn = torch.randint(len(self.fitted), (STARTS, len(items)), generator=generator)
        base = drawn[0]
        for other in drawn[1:]:
            same = ~differ(self.task.objective, self.fitted.targets[base], items.targets)
            base = torch.where(same, other, base)
        return replace(items, base=base)


def changing(items: CombinationItems, fitted: Examples, objective: Objective, generator: Generator) -> Int[Tensor, " k"]:
    """Rows of the exchanges that change the answer, balanced so that no target has more than half of them: otherwise moving
    every state in one direction would look like an exchange of the part. Empty with a single target."""
    usable = differ(objective, fitted.targets[items.base], items.targets)
    if not items.targets.is_floating_point():
        for kind in items.kinds.unique().tolist():
            rows = (usable & (items.kinds == kind)).nonzero()[:, 0]
            usable[rows] = _balanced(items.targets[rows], generator)
    return usable.nonzero()[:, 0]


def _balanced(targets: Tensor, generator: Generator) -> Bool[Tensor, " m"]:
    """Rows with the commonest target reduced to the number of all others together."""
    if not len(targets):
        return torch.zeros(0, dtype=torch.bool)
    _, label, counts = targets.unique(dim=0, return_inverse=True, return_counts=True)
    rank = torch.rand(len(targets), generator=generator).masked_fill(label != counts.argmax(), -1.0).argsort().argsort()
    return rank < 2 * (len(targets) - int(counts.max()))


def dealt(ids: Int[Tensor, " m"], kinds: Int[Tensor, " m"], generator: Generator) -> Int[Tensor, " m"]:
    """A permutation of combinations within each kind, as one row for every row. Rows of one combination stay together: the n-th
    row is replaced by the n-th row of the other combination, cyclically where that has fewer."""
    order = torch.arange(len(ids))
    for kind in kinds.unique().tolist():
        rows = (kinds == kind).nonzero()[:, 0]
        _, group, counts = ids[rows].unique(return_inverse=True, return_counts=True)
        by_group, starts, place = _places(group, counts)
        other = torch.randperm(len(counts), generator=generator)[group]
        order[rows] = rows[by_group[starts[other] + place % counts[other]]]
    return order


def firsts(group: Int[Tensor, " n"]) -> Int[Tensor, " c"]:
    """The first row of each group, groups being numbered from 0."""
    count = int(group.max()) + 1 if len(group) else 0
    return torch.full((count,), len(group)).scatter_reduce(0, group, torch.arange(len(group)), "amin")


def spread(combination: Int[Tensor, " n"], number: int, generator: Generator) -> Int[Tensor, " m"]:
    """At most `number` rows, but at least one of every combination, in their order: one of each combination before a second of
    any."""
    return in_turns(combination, generator)[: max(number, len(combination.unique()))].sort().values


def _places(group: Int[Tensor, " n"], counts: Int[Tensor, " c"]) -> tuple[Tensor, Tensor, Tensor]:
    """Rows sorted by group, the start of each group among them, and the position of each row within its group."""
    by_group, starts = group.argsort(stable=True), counts.cumsum(0) - counts
    place = torch.empty_like(group)
    place[by_group] = torch.arange(len(group)) - starts[group[by_group]]
    return by_group, starts, place


def _any_row(have: Int[Tensor, "n k"], wanted: Int[Tensor, "m k"], generator: Generator) -> Int[Tensor, " m"]:
    """For every wanted row the index of a random equal row, -1 where there is none."""
    group, sought = numbered(have, wanted)
    counts = group.bincount(minlength=int(torch.cat([group, sought]).max()) + 1)
    place = (counts.cumsum(0) - counts)[sought] + (torch.rand(len(wanted), generator=generator) * counts[sought]).long()
    return torch.where(counts[sought] > 0, group.argsort(stable=True)[place.clamp(max=len(have) - 1)], -1)


def _matched(rows: Float[Tensor, "m q"], others: Float[Tensor, "r q"]) -> Int[Tensor, " m"]:
    """The index of the first equal row among the others, -1 where there is none."""
    known, sought = numbered(others, rows)
    first = torch.full((len(known) + len(sought),), len(others)).scatter_reduce(0, known, torch.arange(len(others)), "amin")
    return torch.where(first[sought] < len(others), first[sought], -1)


def numbered(one: Tensor, other: Tensor) -> tuple[Int[Tensor, " n"], Int[Tensor, " m"]]:
    """An integer for each row of two matrices, equal for equal rows, by their product with a random vector."""
    rows = torch.cat([one, other]).double()
    vector = torch.randn(rows.shape[1], generator=Generator().manual_seed(0), dtype=torch.float64)
    _, number = (rows * vector).sum(1).unique(return_inverse=True)
    return number[: len(one)], number[len(one) :]
