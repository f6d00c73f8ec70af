"""Small orders that every test of a kind starts from, and what it asks of the subjects."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from assay.models import configure
from assay.task import Part
from assay.tasks.modular import Modular
from assay.tasks.slots import Derived, SlotTask, Values
from assay.training import TrainingConfig
from assay.zoo.kinds import Order
from assay.zoo.kinds.tables import novel, trained

SIZES = {"mlp": {"width": 64, "depth": 2}, "transformer": {"width": 16, "depth": 2, "heads": 2}}


def order(name: str = "mlp", *, seed: int = 0, steps: int = 600, sizes: dict[str, int] | None = None, **task) -> Order:
    """Of modular composition with five symbols, and five functions on either side."""
    made = Modular(**{"p": 5, "num_first": 5, "num_second": 5, "synonyms": True, "coverage": 0.4, "seed": seed, **task})
    return of_task(made, name, seed=seed, steps=steps, sizes=sizes)


def of_task(
    task: SlotTask, name: str = "mlp", *, seed: int = 0, steps: int = 600, sizes: dict[str, int] | None = None
) -> Order:
    config = TrainingConfig(steps=steps, batch_size=64, learning_rate=1e-2, weight_decay=0.1, warmup=20, seed=seed)
    return Order(task, configure(name, task, **{**SIZES[name], **(sizes or {})}), config)


def accuracy(model: nn.Module, made: Order) -> tuple[float, float]:
    """On trained and on novel tuples."""
    tables = trained(made), novel(made)
    with torch.no_grad():
        scores = [float(made.task.score(model(**table.inputs), table).mean()) for table in tables]
    return scores[0], scores[1]


@dataclass(frozen=True, kw_only=True)
class TwoSums(SlotTask):
    """The answer is s + 2 t of two sums of two slots: s = a + b, t = c + d, all mod 3."""

    family: ClassVar[str] = "two sums"

    def _slot_parts(self) -> tuple[Part, ...]:
        return tuple(Part(name, ("0", "1", "2")) for name in "abcd")

    def _combined(self) -> tuple[str, ...]:
        return ("a", "c")

    def _num_classes(self) -> int:
        return 3

    def _rule(self, values: Values) -> Tensor:
        return (values["a"] + values["b"] + 2 * (values["c"] + values["d"])) % 3

    def _derived(self) -> tuple[Derived, ...]:
        def total(one: str, other: str) -> Derived:
            return Derived(Part(one + other, ("0", "1", "2")), (one, other), lambda values: (values[one] + values[other]) % 3)

        whole = Derived(Part("answer", ("0", "1", "2")), tuple("abcd"), self._rule)
        parity = Derived(Part("parity", ("0", "1")), ("a",), lambda values: values["a"] % 2)  # says too little to answer from
        return (whole, parity, total("a", "b"), total("c", "d"))
