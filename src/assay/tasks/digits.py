"""Arithmetic digit by digit: one digit of the sum of two numbers, or of a number times a digit."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.regularity import Regular, Regularity
from assay.stats import keyed_generator
from assay.task import Part
from assay.tasks.novelty import held_out_pairs
from assay.tasks.slots import Derived, SlotTask, Values
from assay.tasks.tuples import ravel, unravel

Operation = Literal["add", "times"]
Novel = Literal["random", "carry", "pairs"]


@dataclass(frozen=True, kw_only=True)
class Digits(SlotTask):
    """The digit of a + b, or of a b, at the queried position.

    Slots a2, a1, b2, b1 (or b) hold the digits, of one alphabet, 1 being the units; `position` goes from the units to one more
    than a has. The combination is both numbers. The carry into every position except the units is a part too.

    **Arguments:** those of `SlotTask`, and

    - `operation`: `add` two numbers of `digits` digits, or multiply one (`times`) by a single digit.
    - `base`: at least 3; `digits`: 2 to 4.
    - `novel`: `random` numbers; `carry`: numbers with carries into two neighbouring positions are novel; `pairs`: at the
      highest position some digits of a never occur with some digits of b.
    """

    family: ClassVar[str] = "digits"
    operation: Operation = "add"
    base: int = 7
    digits: int = 2
    novel: Novel = "random"

    def __post_init__(self):
        self._check_whole("base", 3)
        self._check_whole("digits", 2, 4)
        self._check_choice("operation", get_args(Operation))
        self._check_choice("novel", get_args(Novel))
        super().__post_init__()

    def _slot_parts(self) -> tuple[Part, ...]:
        digits = tuple(str(digit) for digit in range(self.base))
        positions = tuple(str(position) for position in range(1, self.digits + 2))
        return (*(Part(name, digits) for name in self._combined()), Part("position", positions))

    def _num_tuples(self) -> int:
        return self.base ** (2 * self.digits if self.operation == "add" else self.digits + 1) * (self.digits + 1)

    def _combined(self) -> tuple[str, ...]:
        downwards = range(self.digits, 0, -1)
        second = [f"b{k}" for k in downwards] if self.operation == "add" else ["b"]
        return (*(f"a{k}" for k in downwards), *second)

    def _alphabet(self, slot: str) -> str:
        return slot if slot == "position" else "digit"

    def _num_classes(self) -> int:
        return self.base

    def _rule(self, values: Values) -> Int[Tensor, " n"]:
        digits: list[Tensor] = []
        carry = torch.zeros_like(values["a1"])
        for k in range(1, self.digits + 1):
            total = self._at(values, k) + carry
            digits.append(total % self.base)
            carry = total // self.base
        return torch.stack([*digits, carry], 1).gather(1, values["position"][:, None])[:, 0]

    def _at(self, values: Values, k: int) -> Int[Tensor, " n"]:
        """The sum or product of the digits at one position, without the carry."""
        a = values[f"a{k}"]
        return a + values[f"b{k}"] if self.operation == "add" else a * values["b"]

    def _carry(self, values: Values, position: int) -> Int[Tensor, " n"]:
        """The carry into a position, from those below it."""
        carry = torch.zeros_like(values["a1"])
        for k in range(1, position):
            carry = (self._at(values, k) + carry) // self.base
        return carry

    def _derived(self) -> tuple[Derived, ...]:
        carries = tuple(str(carry) for carry in range(2 if self.operation == "add" else self.base - 1))
        return tuple(
            Derived(
                Part(f"carry{position}", carries),
                tuple(name for name in self._combined() if name == "b" or int(name[1:]) < position),
                lambda values, position=position: self._carry(values, position),
            )
            for position in range(2, self.digits + 2)
        )

    def _novel(self, values: Values) -> Bool[Tensor, " c"] | None:
        if self.novel == "carry":
            into = [self._carry(values, position) > 0 for position in range(2, self.digits + 2)]
            return torch.stack([low & high for low, high in pairwise(into)]).any(0)
        if self.novel == "pairs":
            held = held_out_pairs(self.base, self.base, keyed_generator(self.seed, "digits pairs"))
            return held[values[f"a{self.digits}"], values[f"b{self.digits}" if self.operation == "add" else "b"]]
        return None

    def regular(self, n: int, *, generator: Generator) -> Regular:
        """Pairs of trained sums a + b and b + a, each pair at one position: exchanging both numbers preserves the answer. Parts
        are the positions. Empty for products, whose numbers differ in length, and with permuted answers or a free cue, where
        the exchange changes the answer."""
        if self.operation == "times" or self.targets == "table" or self.cue == "free":
            return Regular(self.examples("seen", 0, generator=generator), ())
        sizes, positions = self._sizes(self.combines), self.digits + 1
        known = self._chosen["seen"]
        exchanged = ravel(unravel(known, sizes).roll(self.digits, 1).unbind(1), sizes)
        both = torch.stack([known, exchanged], 1)[(known <= exchanged) & torch.isin(exchanged, known)]
        few = both[torch.randperm(len(both), generator=generator)[: n // 2]]
        numbers, place = few.flatten().unique(return_inverse=True)
        move, at = torch.empty_like(numbers), torch.empty_like(numbers)
        move[place] = place.view_as(few).flip(1).flatten()
        at[place] = (torch.arange(len(few)) % positions).repeat_interleave(2)
        digits = unravel(numbers, sizes).unbind(1)
        examples = self._filled({**dict(zip(self.combines, digits, strict=True)), "position": at}, "seen", generator)
        parts = {f"position {k + 1}": (at == k)[:, None].expand(-1, self.base) for k in range(positions)}
        return Regular(examples, (Regularity.generated("exchange of a and b", [move], num_outputs=self.base),), parts)
