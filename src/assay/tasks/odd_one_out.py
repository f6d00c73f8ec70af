"""Odd-one-out problems with two declared parts: of four items three obey a rule and one breaks it.

The construction of Lepori, Serre and Pavlick 2023 (arXiv 2301.10884), for any source of items whose two parts can be chosen
independently. An item obeys or breaks each part, as the source of items defines.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.objective import Classification
from assay.task import Examples, Image, Items, Part, Pool, Split, Task, Tokens, Vector
from assay.tasks.pools import hashed, is_in

NUM_ITEMS = 4
_MOST_ROUNDS = 200  # rounds of drawing missing items
_POOL_OF: dict[Split, Pool] = {"train": "base", "seen": "base", "novel": "test"}


class GroupedItems(NamedTuple):
    """Items `(m, ...)` and the group of each, `(m,)`: all items of a group are in one pool."""

    items: Tensor
    group: Int[Tensor, " m"]


@dataclass(frozen=True, kw_only=True)
class OddOneOut(Task):
    """Four items, of which three obey both parts and one breaks one of them; the answer is its position.

    Subclasses name the parts, specify the items, and draw items that obey or break given parts.

    The parts of an example are those of its odd item, with the values `broken` and `obeyed`. Its `combination` is finer than
    theirs: the group of the odd item, such as its noun and verb. Groups are the independent units, and no two pools share one.
    `train` and `seen` draw from the pool `base`, `novel` from `test`: new items, not new combinations of the parts, of which
    there are none.

    **Attributes:**

    - `family`: as in the address.
    - `part_names`: of the two parts.
    - `spare`: candidates drawn per missing item, since many fall into other pools.
    """

    family: ClassVar[str]
    part_names: ClassVar[tuple[str, str]]
    spare: ClassVar[int] = 1
    parts: tuple[Part, ...] = field(init=False, repr=False)

    def __post_init__(self):
        self._set(parts=tuple(Part(name, ("broken", "obeyed")) for name in self._names()))

    # Defined by a family

    @abstractmethod
    def item_spec(self) -> Tokens | Vector | Image:
        """The input of one item."""

    @abstractmethod
    def candidates(self, obeys: Bool[Tensor, "m 2"], *, pool: Pool, generator: Generator) -> GroupedItems:
        """Candidates, one for every row, that obey exactly the parts in it. Those outside the pool are rejected and drawn
        again."""

    def _names(self) -> tuple[str, str]:
        return self.part_names

    # Derived

    @property
    def address(self) -> str:
        given = [(option.name, getattr(self, option.name)) for option in fields(self) if option.init]
        return f"{self.family}:" + ",".join(f"{name}={value}" for name, value in given)

    @property
    def combines(self) -> tuple[str, ...]:
        return self._names()

    @property
    def input_spec(self) -> Items:
        return Items(self.item_spec())

    @property
    def objective(self) -> Classification:
        return Classification(NUM_ITEMS)

    def combinations(self, split: Split) -> Int[Tensor, "c 2"]:
        """Combinations: the odd item breaks one part or the other. None is novel."""
        return torch.tensor([[0, 1], [1, 0]])[: 0 if split == "novel" else 2]

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        """`n` new problems that both parts decide."""
        return self.problems(n, pool=_POOL_OF[split], generator=generator)

    def problems(self, n: int, *, pool: Pool, generator: Generator) -> Examples:
        """Three items obey both parts; the odd one breaks only the first in one half of the problems, only the second in the
        other."""
        obeys = torch.ones(n, NUM_ITEMS, 2, dtype=torch.bool)
        obeys[torch.arange(n), 0, torch.randperm(n, generator=generator) % 2] = False
        return self._posed(obeys, pool, generator)

    def reading(self, part: str, n: int, *, pool: Pool, generator: Generator) -> Examples:
        """Problems that one part decides: the odd item breaks it and the others obey it. Each of the four obeys or breaks the
        other part independently with probability 1/2.

        In the published sets the odd item always obeys the other part, so that guessing among items that obey it beats chance.

        **Raises:** `AssayError` for an unknown part.
        """
        own = self._index(part)
        obeys = torch.ones(n, NUM_ITEMS, 2, dtype=torch.bool)
        obeys[:, 0, own] = False
        obeys[:, :, 1 - own] = torch.rand(n, NUM_ITEMS, generator=generator) < 0.5
        return self._posed(obeys, pool, generator)

    def testing(self, part: str, n: int, *, pool: Pool, generator: Generator) -> Examples:
        """Problems whose odd item breaks this part only; the others obey both. **Raises:** as `reading`."""
        obeys = torch.ones(n, NUM_ITEMS, 2, dtype=torch.bool)
        obeys[:, 0, self._index(part)] = False
        return self._posed(obeys, pool, generator)

    def nonsense(self, seed: int, n: int, *, pool: Pool, generator: Generator) -> Examples:
        """Problems decided by a hash: the odd item differs from the others in one bit of it. Items obey or break both parts at
        random."""
        obeys = torch.rand(n, NUM_ITEMS, 2, generator=generator) < 0.5
        odd = (torch.arange(NUM_ITEMS) == 0).expand(n, -1).flatten()
        return self._posed(obeys, pool, generator, lambda items, rows: (hashed(items, seed) & 1).bool() == odd[rows])

    # Inside

    def _posed(
        self,
        obeys: Bool[Tensor, "n 4 2"],
        pool: Pool,
        generator: Generator,
        accepts: Callable[[Tensor, Int[Tensor, " m"]], Bool[Tensor, " m"]] | None = None,
    ) -> Examples:
        """Problems whose odd item is the first of every row, in shuffled positions."""
        n = len(obeys)
        drawn = self._filled(obeys.flatten(0, 1), pool, generator, accepts)
        order = torch.rand(n, NUM_ITEMS, generator=generator).argsort(1)
        items = drawn.items.unflatten(0, (n, NUM_ITEMS))[torch.arange(n)[:, None], order]
        parts = {name: obeys[:, 0, k].long() for k, name in enumerate(self._names())}
        return Examples({"items": items}, (order == 0).long().argmax(1), parts, drawn.group[::NUM_ITEMS])

    def _filled(
        self,
        obeys: Bool[Tensor, "m 2"],
        pool: Pool,
        generator: Generator,
        accepts: Callable[[Tensor, Int[Tensor, " m"]], Bool[Tensor, " m"]] | None,
    ) -> GroupedItems:
        """Items of the pool that obey the parts in each row, drawn again until all are accepted."""
        drawn = self.candidates(obeys[:0], pool=pool, generator=generator)
        items = drawn.items.new_empty(len(obeys), *drawn.items.shape[1:])
        group = torch.zeros(len(obeys), dtype=torch.int64)
        missing = torch.arange(len(obeys))
        for _ in range(_MOST_ROUNDS):
            if not len(missing):
                return GroupedItems(items, group)
            rows = missing.repeat(self.spare)
            drawn = self.candidates(obeys[rows], pool=pool, generator=generator)
            fits = is_in(drawn.group, pool)
            if accepts is not None:
                fits &= accepts(drawn.items, rows)
            fits = fits.unflatten(0, (self.spare, len(missing)))
            found = fits.any(0)
            first = (fits.long().argmax(0) * len(missing) + torch.arange(len(missing)))[found]
            items[missing[found]], group[missing[found]] = drawn.items[first], drawn.group[first]
            missing = missing[~found]
        raise self._cannot_isolate(obeys[missing[0]], pool)

    def _index(self, part: str) -> int:
        return self._names().index(self.part(part).name)

    def _cannot_isolate(self, obeys: Bool[Tensor, " 2"], pool: Pool) -> AssayError:
        """The error for a pool without an item that obeys exactly these parts."""
        wanted = ", ".join(
            f"{'obeys' if held else 'breaks'} {name}" for name, held in zip(self._names(), obeys.tolist(), strict=True)
        )
        broken = [name for name, held in zip(self._names(), obeys.tolist(), strict=True) if not held] or list(self._names())
        return AssayError(
            f"{self.address}: a part can be isolated only if items obey and break it whatever the other part does",
            given=f"no item of the pool {pool!r} {wanted}, so {' and '.join(broken)} cannot be isolated",
            next_step="declare parts that can be chosen apart, or a source with more items",
        )

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)
