"""The hyperteacher (Schug et al. 2024, arXiv 2312.15001; Redhardt, Akram and Schug 2025, arXiv 2507.07207): regression on a
teacher whose weights are a mixture of a few of its modules. Which modules are active is the combination."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.objective import Regression
from assay.task import Examples, Part, Split, Swapped, Task, Vector, draw_rows
from assay.tasks.encodings import ENCODINGS, Encoding, encode, width
from assay.tasks.supports import KINDS, Kind, indicator, split_supports
from assay.tasks.teacher import SIZE, Teacher, draw_inputs, keyed_generator

Weights = Literal["discrete", "khot", "continuous"]
_NUM_VARIANCE_DRAWS = 16384


@dataclass(frozen=True, kw_only=True)
class Hyperteacher(Task):
    """y = R relu(W(z) x + b(z)) for a latent z that says how much of each module there is; x is uniform in [-1, 1]^16.

    The input `x` is the encoded z followed by x, float32 `(n, encoding + 16)`; the target is `(n, 16)`. Every module is a
    graded part, its amount is z_m. Examples come in groups of `samples_per_task` rows that share one z.

    **Arguments:**

    - `num_modules`, `max_active`: M modules, of which 1 to K are active.
    - `weights`: of the active modules: `discrete` (.5, .6, ..., 1), `khot` (1), or `continuous` (.5 to 1, from exponential
      draws normalised over the support).
    - `encoding`: how z enters the network; see `assay.tasks.encodings`.
    - `supports`, `held_out`, `num_train`: which sets of active modules are trained; see `assay.tasks.supports`.
    - `seed`: of the teacher, of the encoding and of the choice of supports, each with draws of its own.

    Scores use the variance of the targets over the trained supports, estimated once at construction, for every split.
    """

    num_modules: int = 8
    max_active: int = 3
    weights: Weights = "discrete"
    encoding: Encoding = "identity"
    supports: Kind = "random"
    held_out: float | None = None
    num_train: int | None = None
    samples_per_task: int = 16
    seed: int = 0
    parts: tuple[Part, ...] = field(init=False, repr=False)
    combines: tuple[str, ...] = field(init=False, repr=False)
    objective: Regression = field(init=False, repr=False)
    _teacher: Teacher = field(init=False, repr=False, compare=False)
    _trained: Int[Tensor, "a m"] = field(init=False, repr=False, compare=False)
    _novel: Int[Tensor, "b m"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        for name, choices in (("weights", get_args(Weights)), ("encoding", ENCODINGS), ("supports", KINDS)):
            if getattr(self, name) not in choices:
                raise AssayError(f"hyperteacher: {name} must be one of its choices", given=getattr(self, name), choices=choices)
        if self.samples_per_task < 1:
            raise AssayError("hyperteacher: samples_per_task must be at least 1", given=self.samples_per_task)
        supports = split_supports(
            self.supports,
            num_modules=self.num_modules,
            max_active=self.max_active,
            held_out=self.held_out,
            num_train=self.num_train,
            generator=keyed_generator(self.seed, "supports"),
        )
        parts = tuple(Part(f"m{module}", ("absent", "present"), graded=True) for module in range(self.num_modules))
        derived = {
            "parts": parts,
            "combines": tuple(part.name for part in parts),
            "_teacher": Teacher.draw(self.num_modules, max_active=self.max_active, seed=self.seed),
            "_trained": indicator(supports.trained, self.num_modules).long(),
            "_novel": indicator(supports.novel, self.num_modules).long(),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "objective", Regression(SIZE, self._variance()))

    @property
    def address(self) -> str:
        names = (
            "num_modules",
            "max_active",
            "weights",
            "encoding",
            "supports",
            "held_out",
            "num_train",
            "samples_per_task",
            "seed",
        )
        given = ((name, getattr(self, name)) for name in names)
        return "hyperteacher:" + ",".join(f"{name}={value}" for name, value in given if value is not None)

    @property
    def input_spec(self) -> Vector:
        return Vector(width(self.encoding, self.num_modules) + SIZE)

    def combinations(self, split: Split) -> Int[Tensor, "c m"]:
        return self._novel if split == "novel" else self._trained

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        """Every draw is fresh: amounts and x are real numbers, so no split runs out.

        `train` draws the support of each group of rows at random; `seen` and `novel` go through all supports in random
        order before one comes again.
        """
        z = self._draw_latents(split, math.ceil(n / self.samples_per_task), generator=generator)
        encoded = encode(z, self.encoding, teacher=self._teacher, seed=self.seed, generator=generator)
        x = draw_inputs(n, generator=generator)
        rows = torch.arange(n) // self.samples_per_task
        z = z[rows]
        parts = {name: (z[:, m] > 0).long() for m, name in enumerate(self.combines)}
        return Examples(
            inputs={"x": torch.cat([encoded[rows], x], 1)},
            targets=self._teacher(z, x),
            parts=parts,
            combination=self.combination_id(parts),
            amounts=dict(zip(self.combines, z.unbind(1), strict=True)),
        )

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        """The module's amount in `base` becomes that in `source`; the teacher answers on the x of `base`.

        The new set of modules may be empty or larger than `max_active`: the teacher is defined there too.
        """
        self.part(part)
        parts = {**base.parts, part: source.parts[part]}
        amounts = {**base.amounts, part: source.amounts[part]}
        z = torch.stack([amounts[name] for name in self.combines], 1)
        return Swapped(self._teacher(z, base.inputs["x"][:, -SIZE:]), parts, self.combination_id(parts))

    def _draw_latents(self, split: Split, num_tasks: int, *, generator: Generator) -> Float[Tensor, "t m"]:
        supports = self.combinations(split)
        if split == "train":
            rows = draw_rows(len(supports), num_tasks, replacement=True, generator=generator)
        else:
            rounds = range(math.ceil(num_tasks / len(supports)))
            shuffled = [draw_rows(len(supports), len(supports), replacement=False, generator=generator) for _ in rounds]
            rows = torch.cat([*shuffled, torch.zeros(0, dtype=torch.int64)])[:num_tasks]
        active = supports[rows].float()
        return active * self._draw_amounts(active, generator=generator)

    def _draw_amounts(self, active: Float[Tensor, "t m"], *, generator: Generator) -> Float[Tensor, "t m"]:
        if self.weights == "khot":
            return torch.ones_like(active)
        if self.weights == "discrete":
            return torch.randint(5, 11, active.shape, generator=generator) / 10
        drawn = active * torch.empty_like(active).exponential_(generator=generator)
        return 0.5 + 0.5 * drawn / (drawn.sum(1, keepdim=True) + 1)

    def _variance(self) -> float:
        generator = keyed_generator(self.seed, "variance")
        z = self._draw_latents("seen", _NUM_VARIANCE_DRAWS, generator=generator)
        targets = self._teacher(z, draw_inputs(_NUM_VARIANCE_DRAWS, generator=generator))
        return float(targets.double().var(0, correction=0).sum())
