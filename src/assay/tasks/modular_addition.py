"""Modular addition: y = (i + j) mod p, of two numbers that are one token each."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Int
from torch import Tensor

from assay.task import Part
from assay.tasks.slots import SlotTask, Values


@dataclass(frozen=True, kw_only=True)
class ModularAddition(SlotTask):
    """y = (i + j) mod p, the task on which delayed generalisation was described (Power et al. 2022, arXiv 2201.02177).

    The input is the two tokens i and j, each from a vocabulary of its own, without information on the order of numbers. The
    combination is the pair. No two numbers act identically and no fragment of a pair can replace another, so every novel pair
    is outside 1-coverage: only a network that has learned the addition answers it.

    **Arguments:** those of `SlotTask`, and

    - `p`: the modulus, at least 2.
    - `names`: number of tokens per number. With 2 or more, tokens of one number are synonyms: a control.

    **Example:**

    ```python
    task = load_task("modular-addition:p=31,coverage=0.7")
    ```
    """

    family: ClassVar[str] = "modular-addition"
    quiet: ClassVar[tuple[str, ...]] = (*SlotTask.quiet, "names")
    coverage: float = 0.7
    p: int = 31
    names: int = 1

    def __post_init__(self):
        self._check_whole("p", 2)
        self._check_whole("names", 1)
        super().__post_init__()

    def _slot_parts(self) -> tuple[Part, ...]:
        letters = [""] if self.names == 1 else [f" ({name + 1})" for name in range(self.names)]
        values = tuple(f"{number}{letter}" for letter in letters for number in range(self.p))
        return Part("i", values), Part("j", values)

    def _num_tuples(self) -> int:
        return (self.p * self.names) ** 2

    def _combined(self) -> tuple[str, ...]:
        return ("i", "j")

    def _num_classes(self) -> int:
        return self.p

    def _rule(self, values: Values) -> Int[Tensor, " n"]:
        return (values["i"] + values["j"]) % self.p
