"""What is answered of a combination: group operations, sequences of them, what a teacher says, and one of two answers.

Every rule answers so that exchanging one value for another, or one pair of values for another where there are three parts,
changes the answer: of group operations in every context, of `teacher` and `mostly` in some of those that are trained. So no
fragment is equivalent to another, and every novel combination lies outside 1-coverage; of `mostly` nearly every one. Places are
equivalent under `decoy`, but of a novel shape and colour no place is trained.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.tasks.teacher import Teacher, draw_inputs

PROBES = 3  # inputs that a teacher is asked about


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
    """A sequence of two answers of shape i, colour j and place k: (i + j) mod p, then (j + k) mod p, with p values of shape.

    Where triples are split at random nearly every pair is trained with some third value, so that two tables of pairs answer
    novel triples: networks meant to imitate compose there. With `held` a novel shape and colour never meet.
    """
    p = sizes[0]

    def answer(values: Int[Tensor, "n 3"], _: Generator) -> Tensor:
        return torch.stack([(values[:, 0] + values[:, 1]) % p, (values[:, 1] + values[:, 2]) % p], 1)

    return Rule(("shape", "colour", "place"), sizes, p, answer, steps=2, held=held)


def teacher_of(modules: int, generator: Generator) -> Teacher:
    """A hyperteacher of which two modules are active at a time; the same for generators in the same state.

    It has no biases: by these its mean answer to random questions would tell its modules one by one.
    """
    teacher = Teacher.draw(modules, max_active=2, seed=int(torch.randint(2**31, (1,), generator=generator)))
    return replace(teacher, biases=torch.zeros_like(teacher.biases))


def _teacher(p: int) -> Rule:
    """What a hyperteacher of 2 p modules answers to three inputs with two modules active: of its 16 outputs the one that lies
    furthest above its mean over all pairs of modules. The same sum before a ReLU gives any pair, and no sum of answers does."""

    def answer(values: Int[Tensor, "n 2"], generator: Generator) -> Tensor:
        teacher = teacher_of(2 * p, generator)
        x = draw_inputs(PROBES, generator=generator)
        outputs = teacher.by_task(active(torch.cartesian_prod(*2 * [torch.arange(p)]), p), x.expand(p * p, -1, -1))
        furthest = (outputs - outputs.mean(0)).argmax(-1)
        return furthest[values[:, 0] * p + values[:, 1]]

    return Rule(("first", "second"), (p, p), 16, answer, steps=PROBES)


def active(values: Int[Tensor, "n 2"], p: int) -> Float[Tensor, "n m"]:
    """Which of 2 p modules are active: one of the first p, and one of the others."""
    return torch.zeros(len(values), 2 * p).scatter(1, values + torch.tensor([0, p]), 1.0)


def _mostly() -> Rule:
    """One of two answers: a coin tossed for the first part, turned over where (i + j) mod 31 is in a set of six of which no two
    pairs have one difference, so that any two values differ in ten contexts. Who ignores the second part is right on 25 of 31.
    """
    p, turned = 31, torch.tensor([1, 5, 11, 24, 25, 27])

    def answer(values: Int[Tensor, "n 2"], generator: Generator) -> Tensor:
        coins = (torch.randperm(p, generator=generator) < p // 2).long()
        return (coins[values[:, 0]] + torch.isin(values.sum(1) % p, turned).long()) % 2

    return Rule(("first", "second"), (p, p), 2, answer)


def _decoy(sizes: tuple[int, int, int]) -> Rule:
    """(shape + colour) mod the number of shapes, wherever they are: the place is declared, and no answer depends on it."""
    parts = ("shape", "colour", "place")
    return Rule(parts, sizes, sizes[0], lambda values, _: values[:, :2].sum(1) % sizes[0], held=(0, 1))


RULES: dict[str, Rule] = {
    "sum": _sum(23),
    "sum31": _sum(31),
    "dihedral": _dihedral(13),
    "table": _table(23),
    "both": _both(23),
    "teacher": _teacher(23),
    "mostly": _mostly(),
    "chain": _chain((9, 9, 4)),
    "chain-pairs": _chain((19, 19, 3), held=(0, 1)),
    "decoy": _decoy((19, 19, 3)),
}
