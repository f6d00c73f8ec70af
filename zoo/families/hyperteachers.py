"""Hyperteachers: which two modules of a teacher are active, from what it answers to a few questions.

The teacher and its encoding `fewshot` are those of the task `hyperteacher` (Schug et al. 2024, arXiv 2312.15001; Redhardt,
Akram and Schug 2025, arXiv 2507.07207). Of its other encodings none entangles the parts. From `identity`, `orthogonal`,
`tokens`, `invertible_nn` and `interval_shuffle` the active modules can be read linearly before anything is learned. `zigzag`
has mean 0 for every module, but each has an axis of its own: the little that is left on it in the mean of a few dozen examples
is more than what is left on all others, and a network that names the largest answers 30 to 40 % of additive inputs.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.stats import keyed_generator
from assay.tasks.encodings import NUM_SHOTS, fewshot
from assay.tasks.teacher import SIZE, Teacher
from zoo.families.symbols import SymbolTask
from zoo.rules import active, teacher_of


@dataclass(frozen=True, kw_only=True)
class Hyperteachers(SymbolTask):
    """One module of a first group is active, and one of a second. The input shows 50 questions and what the teacher answers to
    them, `(n, 50, 32)`; the questions and how strongly each module is active (.5, .6, ..., 1) are drawn anew for every example.

    The rule `teacher` asks what the same teacher answers to three other questions, with both modules at full strength.
    """

    family: ClassVar[str] = "hyperteachers"

    @cached_property
    def _teacher(self) -> Teacher:
        return teacher_of(sum(self.sizes), keyed_generator(self.seed, f"rule {self.rule}"))

    def shown(self, values: Int[Tensor, "n 2"], *, generator: Generator) -> Float[Tensor, "n 50 32"]:
        amounts = torch.randint(5, 11, (len(values), sum(self.sizes)), generator=generator) / 10
        z = active(values, self.sizes[0]) * amounts
        return fewshot(z, teacher=self._teacher, generator=generator).view(len(values), NUM_SHOTS, 2 * SIZE)
