"""Tree evaluation: the value of ((a op1 b) op2 (c op3 d))."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from assay.stats import keyed_generator
from assay.task import Part
from assay.tasks.novelty import held_out_pairs
from assay.tasks.slots import Derived, SlotTask, Values

Novel = Literal["random", "under", "depth"]
OPERATORS = ("plus", "minus", "times", "max", "min", "first")
FIRST = OPERATORS.index("first")


@dataclass(frozen=True, kw_only=True)
class Trees(SlotTask):
    """The value of ((a op1 b) op2 (c op3 d)), of numbers below `modulus`.

    Slots a, op1, b, op2, c, op3, d; numbers and operators are an alphabet each. Operators are plus, minus and times modulo,
    max, min, and `first`, which gives its first argument. The combination is (op1, op2, op3); the numbers vary freely. The
    values of both subtrees are parts too, absent from the input.

    **Arguments:** those of `SlotTask`, and

    - `modulus`: at least 2.
    - `novel`: `random` operators; `under`: some operators never occur under some others; `depth`: in every trained tree op1 or
      op3 is `first`, so that one of the subtrees reduces to a leaf.
    """

    family: ClassVar[str] = "trees"
    modulus: int = 3
    novel: Novel = "random"

    def __post_init__(self):
        self._check_whole("modulus", 2)
        self._check_choice("novel", get_args(Novel))
        super().__post_init__()

    def _slot_parts(self) -> tuple[Part, ...]:
        numbers = tuple(str(number) for number in range(self.modulus))
        names = ("a", "op1", "b", "op2", "c", "op3", "d")
        return tuple(Part(name, OPERATORS if name.startswith("op") else numbers) for name in names)

    def _num_tuples(self) -> int:
        return self.modulus**4 * len(OPERATORS) ** 3

    def _combined(self) -> tuple[str, ...]:
        return ("op1", "op2", "op3")

    def _alphabet(self, slot: str) -> str:
        return "operator" if slot.startswith("op") else "number"

    def _num_classes(self) -> int:
        return self.modulus

    def _rule(self, values: Values) -> Int[Tensor, " n"]:
        return self._apply(values["op2"], self._left(values), self._right(values))

    def _apply(self, operator: Int[Tensor, " n"], a: Int[Tensor, " n"], b: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
        results = torch.stack([(a + b) % self.modulus, (a - b) % self.modulus, a * b % self.modulus, a.max(b), a.min(b), a], 1)
        return results.gather(1, operator[:, None])[:, 0]

    def _left(self, values: Values) -> Int[Tensor, " n"]:
        return self._apply(values["op1"], values["a"], values["b"])

    def _right(self, values: Values) -> Int[Tensor, " n"]:
        return self._apply(values["op3"], values["c"], values["d"])

    def _derived(self) -> tuple[Derived, ...]:
        numbers = tuple(str(number) for number in range(self.modulus))
        left = Derived(Part("left", numbers), ("a", "op1", "b"), self._left)
        return left, Derived(Part("right", numbers), ("c", "op3", "d"), self._right)

    def _novel(self, values: Values) -> Bool[Tensor, " c"] | None:
        if self.novel == "under":
            held = held_out_pairs(len(OPERATORS), len(OPERATORS), keyed_generator(self.seed, "trees under"))
            return held[values["op2"], values["op1"]] | held[values["op2"], values["op3"]]
        if self.novel == "depth":
            return (values["op1"] != FIRST) & (values["op3"] != FIRST)
        return None
