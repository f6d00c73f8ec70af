"""Odd-one-out problems whose items are the inputs of another task."""

from collections.abc import Collection
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.stats import keyed_generator
from assay.task import POOLS, Examples, Image, Pool, Task, Tokens, Vector
from assay.tasks.addresses import load_task
from assay.tasks.odd_one_out import GroupedItems, OddOneOut
from assay.tasks.pools import hashed, is_in

NUM_GROUPS = 512
NUM_EXAMPLES = 50_000  # the most examples of each split of the other task that become items
_FORM = "i=0+1+2,j=0+1+2/modular:p=7"


@dataclass(frozen=True, kw_only=True)
class OddOneOutOf(OddOneOut):
    """An item is an input of another task, trained or novel there. It obeys a part when the part has one of the declared
    values.

    Items are grouped into 512 by a hash, which decides their pool.

    **Arguments:**

    - `of`: two parts with their values, then the address of the task, such as `i=0+1+2,j=0+1+2/modular:p=7`.
    - `trust`: of that task, as in `load_task`.

    **Raises:** `AssayError` for another form, for an unknown part or value, for a task whose input is not tokens, a vector or
    an image, and naming the part that some pool has no item to isolate.
    """

    family: ClassVar[str] = "odd-one-out"
    of: str
    trust: InitVar[Collection[str]] = ()
    task: Task = field(init=False, repr=False)
    wanted: dict[str, tuple[str, ...]] = field(init=False, repr=False)
    _items: Tensor = field(init=False, repr=False, compare=False)
    _group: Int[Tensor, " m"] = field(init=False, repr=False, compare=False)
    _obeys: Bool[Tensor, "m 2"] = field(init=False, repr=False, compare=False)

    def __post_init__(self, trust: Collection[str]):
        declared, _, address = self.of.partition("/")
        pairs = [piece.partition("=") for piece in declared.split(",")]
        wanted = {name: tuple(values.split("+")) for name, equals, values in pairs if equals and values}
        if not address or len(wanted) != 2 or len(pairs) != 2:
            raise AssayError("odd-one-out needs two parts with values, then a task", given=self.of, next_step=f"write {_FORM}")
        if (
            address.partition(":")[0] == self.family
        ):  # an odd-one-out task, whose inputs are four items, is refused before it is loaded
            raise self._cannot_be_item(address, "Items")
        self._set(task=load_task(address, trust=trust), wanted=wanted)
        self.item_spec()
        super().__post_init__()
        splits = [self._found(self.task.examples(split, NUM_EXAMPLES, generator=_draws(split))) for split in ("seen", "novel")]
        items, obeys = (torch.cat(columns) for columns in zip(*splits, strict=True))
        self._set(_items=items, _obeys=obeys, _group=hashed(items) % NUM_GROUPS)
        for (pool, setting), rows in self._rows.items():
            if not len(rows):
                raise self._cannot_isolate(torch.tensor([bool(setting & 1), bool(setting & 2)]), pool)

    @property
    def address(self) -> str:
        return f"{self.family}:{self.of}"

    def item_spec(self) -> Tokens | Vector | Image:
        spec = self.task.input_spec
        if not isinstance(spec, Tokens | Vector | Image):
            raise self._cannot_be_item(self.task.address, type(spec).__name__ if spec else "inputs of its own")
        return spec

    @staticmethod
    def _cannot_be_item(address: str, takes: str) -> AssayError:
        return AssayError("odd-one-out: an item must be tokens, a vector or an image", given=f"{address} takes {takes}")

    def candidates(self, obeys: Bool[Tensor, "m 2"], *, pool: Pool, generator: Generator) -> GroupedItems:
        chosen = torch.zeros(len(obeys), dtype=torch.int64)
        for setting in range(4):
            mine = (_setting(obeys) == setting).nonzero()[:, 0]
            rows = self._rows[pool, setting]
            chosen[mine] = rows[torch.randint(len(rows), (len(mine),), generator=generator)]
        return GroupedItems(self._items[chosen], self._group[chosen])

    @cached_property
    def _rows(self) -> dict[tuple[Pool, int], Int[Tensor, " r"]]:
        """The items of every pool that obey neither part (0), the first (1), the second (2) or both (3)."""
        setting = _setting(self._obeys)
        places = {pool: is_in(self._group, pool) for pool in POOLS}
        return {(pool, s): (places[pool] & (setting == s)).nonzero()[:, 0] for pool in POOLS for s in range(4)}

    def _names(self) -> tuple[str, str]:
        first, second = self.wanted
        return first, second

    def _found(self, examples: Examples) -> tuple[Tensor, Bool[Tensor, "m 2"]]:
        columns = []
        for name, values in self.wanted.items():
            known = self.task.part(name).values
            for value in values:
                if value not in known:
                    raise AssayError(f"{self.task.address}: part {name!r} has no such value", given=value, choices=known)
            numbers = torch.tensor([known.index(value) for value in values])
            columns.append(torch.isin(examples.parts[name], numbers))
        (items,) = examples.inputs.values()
        return items, torch.stack(columns, 1)


def _setting(obeys: Bool[Tensor, "m 2"]) -> Int[Tensor, " m"]:
    return obeys[:, 0] + 2 * obeys[:, 1].long()


def _draws(split: str) -> Generator:
    return keyed_generator(0, f"items from {split}")
