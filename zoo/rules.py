"""What is answered of a combination: group operations and sequences of them, in which no value can stand for another.

Every rule answers so that exchanging one value for another, or one pair of values for another where there are three parts,
changes the answer in every context. So no fragment is equivalent to another, and every novel combination lies outside
1-coverage.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Generator, Tensor


@dataclass(frozen=True)
class Rule:
    """**Attributes:**

    - `names`, `sizes`: of the parts. `num_answers`: classes of each of `steps` answers.
    - `answer`: from value indices `(n, parts)` and a generator, for rules that are drawn.
    - `held`: the parts whose joint values are split into trained and novel ones; empty for all.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    num_answers: int
    answer: Callable[[Int[Tensor, "n k"], Generator], Tensor]
    steps: int = 1
    held: tuple[int, ...] = ()

    def __call__(self, values: Int[Tensor, "n k"], generator: Generator) -> Tensor:
        return self.answer(values, generator)


def _sum(p: int) -> Rule:
    """(i + j) mod p."""
    return Rule(("first", "second"), (p, p), p, lambda values, _: values.sum(1) % p)


def _dihedral(n: int) -> Rule:
    """The product in the symmetries of a polygon with n corners, of which n are rotations: order matters."""

    def answer(values: Int[Tensor, "n 2"], _: Generator) -> Tensor:
        turn, flip = values % n, values // n
        return (turn[:, 0] + torch.where(flip[:, 0] == 1, -1, 1) * turn[:, 1]) % n + n * (flip.sum(1) % 2)

    return Rule(("first", "second"), (2 * n, 2 * n), 2 * n, answer)


def _both(p: int) -> Rule:
    """A sequence of two answers: (i + j) mod p, then (i - j) mod p."""

    def answer(values: Int[Tensor, "n 2"], _: Generator) -> Tensor:
        return torch.stack([values.sum(1) % p, (values[:, 0] - values[:, 1]) % p], 1)

    return Rule(("first", "second"), (p, p), p, answer, steps=2)


def _table(p: int) -> Rule:
    """A Latin square of which rows, columns and answers are in random order: as a group's table, with names of no meaning."""

    def answer(values: Int[Tensor, "n 2"], generator: Generator) -> Tensor:
        rows, columns, answers = (torch.randperm(p, generator=generator) for _ in range(3))
        return answers[(rows[values[:, 0]] + columns[values[:, 1]]) % p]

    return Rule(("first", "second"), (p, p), p, answer)


def _chain(sizes: tuple[int, int, int], *, held: tuple[int, ...] = ()) -> Rule:
    """A sequence of two answers of shape i, colour j and place k: (i + j) mod p, then (j + k) mod p, with p values of shape."""
    p = sizes[0]

    def answer(values: Int[Tensor, "n 3"], _: Generator) -> Tensor:
        return torch.stack([(values[:, 0] + values[:, 1]) % p, (values[:, 1] + values[:, 2]) % p], 1)

    return Rule(("shape", "colour", "place"), sizes, p, answer, steps=2, held=held)


RULES: dict[str, Rule] = {
    "sum": _sum(23),
    "sum31": _sum(31),
    "dihedral": _dihedral(13),
    "table": _table(23),
    "both": _both(23),
    "chain": _chain((9, 9, 4)),
    "chain-pairs": _chain((19, 19, 3), held=(0, 1)),
}
