"""The hyperteacher (Schug et al. 2024, arXiv 2312.15001; Redhardt, Akram and Schug 2025, arXiv 2507.07207): regression on a
teacher whose weights are a mixture of a few of its modules. The set of active modules is the combination."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Generator

from assay.bounds import check_whole
from assay.objective import Regression
from assay.stats import keyed_generator
from assay.task import Examples, Split, Swapped, Vector
from assay.tasks.encodings import encode, width
from assay.tasks.latents import LatentTask
from assay.tasks.teacher import SIZE, Teacher, draw_inputs

_NUM_VARIANCE_DRAWS = 16384
MOST_SAMPLES = 2**16  # rows that share one z and are drawn together, even where fewer are wanted


@dataclass(frozen=True, kw_only=True)
class Hyperteacher(LatentTask):
    """y = R relu(W(z) x + b(z)) for a latent z with the amount of each module; x is uniform in [-1, 1]^16.

    The input `x` is the encoded z followed by x, float32 `(n, encoding + 16)`; the target is `(n, 16)`. Examples come in groups
    of `samples_per_task` rows that share one z.

    **Arguments:** those of `LatentTask`, and `samples_per_task`.

    Scores use the variance of the targets over the trained supports, estimated once at construction, for every split.
    """

    family: ClassVar[str] = "hyperteacher"
    samples_per_task: int = 16
    objective: Regression = field(init=False, repr=False)
    _teacher: Teacher = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        super().__post_init__()
        check_whole("hyperteacher: samples_per_task", self.samples_per_task, least=1, most=MOST_SAMPLES)
        self._derive(_teacher=Teacher.draw(self.num_modules, max_active=self.max_active, seed=self.seed))
        self._derive(objective=Regression(SIZE, self._variance()))

    @property
    def input_spec(self) -> Vector:
        return Vector(width(self.encoding, self.num_modules) + SIZE)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        """New draws in every call: amounts and x are real numbers, so no split is exhausted.

        `train` draws the support of each group of rows at random; `seen` and `novel` cycle through all supports in random
        order.
        """
        num_tasks = math.ceil(n / self.samples_per_task)
        z = self.draw_latents(split, num_tasks, generator=generator)
        encoded = encode(z, self.encoding, teacher=self._teacher, seed=self.seed, generator=generator)
        x = draw_inputs(num_tasks * self.samples_per_task, generator=generator).view(num_tasks, self.samples_per_task, SIZE)
        present = (z > 0).long()
        combination = self.combination_id(dict(zip(self.combines, present.unbind(1), strict=True)))
        drawn = (
            torch.arange(n) // self.samples_per_task
        )  # index of the draw of each row; shared quantities are computed once per draw
        return Examples(
            inputs={"x": torch.cat([encoded.index_select(0, drawn), x.flatten(0, 1)[:n]], 1)},
            targets=self._teacher.by_task(z, x).flatten(0, 1)[:n],
            parts=dict(zip(self.combines, present.index_select(0, drawn).unbind(1), strict=True)),
            combination=combination.index_select(0, drawn),
            amounts=dict(zip(self.combines, z.index_select(0, drawn).unbind(1), strict=True)),
        )

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        """The amount of the module in `base` becomes that in `source`; the teacher answers on the x of `base`.

        The new set of modules may be empty or larger than `max_active`: the teacher is defined there too.
        """
        self.part(part)
        parts = {**base.parts, part: source.parts[part]}
        amounts = {**base.amounts, part: source.amounts[part]}
        z = torch.stack([amounts[name] for name in self.combines], 1)
        return Swapped(self._teacher(z, base.inputs["x"][:, -SIZE:]), parts, self.combination_id(parts))

    def _variance(self) -> float:
        generator = keyed_generator(self.seed, "variance")
        z = self.draw_latents("seen", _NUM_VARIANCE_DRAWS, generator=generator)
        targets = self._teacher(z, draw_inputs(_NUM_VARIANCE_DRAWS, generator=generator))
        return float(targets.double().var(0, correction=0).sum())
