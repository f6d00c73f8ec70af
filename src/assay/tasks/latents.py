"""Base of the hyperteacher and the preference grid: M modules of which 1 to K are active, each by some amount."""

import math
from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.bounds import check_seed
from assay.errors import AssayError
from assay.stats import keyed_generator
from assay.task import Part, Split, Task, draw_rows
from assay.tasks.encodings import ENCODINGS, Encoding
from assay.tasks.supports import KINDS, Kind, indicator, split_supports

Weights = Literal["discrete", "khot", "continuous"]


@dataclass(frozen=True, kw_only=True)
class LatentTask(Task):
    """A task given by a latent z with the amount of each module. Every module is a graded part with amount z_m; the set of
    active modules is the combination.

    **Arguments:**

    - `num_modules`, `max_active`: M modules, of which 1 to K are active.
    - `weights`: of the active modules: `discrete` (.5, .6, ..., 1), `khot` (1), or `continuous` (.5 to 1, from exponential
      draws normalised over the support).
    - `encoding`: how z enters the network; see `assay.tasks.encodings`.
    - `supports`, `held_out`, `num_train`, `hotness`, `novel_hotness`: which sets of active modules are trained and which are
      novel; see `assay.tasks.supports.split_supports`.
    - `seed`: random seed of the task, of the encoding and of the choice of supports, each with independent draws.
    """

    family: ClassVar[str]
    num_modules: int = 8
    max_active: int = 3
    weights: Weights = "discrete"
    encoding: Encoding = "identity"
    supports: Kind = "random"
    held_out: float | None = None
    num_train: int | str | None = None
    hotness: str | None = None
    novel_hotness: int | None = None
    seed: int = 0
    parts: tuple[Part, ...] = field(init=False, repr=False)
    combines: tuple[str, ...] = field(init=False, repr=False)
    _trained: Int[Tensor, "a m"] = field(init=False, repr=False, compare=False)
    _novel: Int[Tensor, "b m"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        self._check_choice("weights", get_args(Weights))
        self._check_choice("encoding", ENCODINGS)
        self._check_choice("supports", KINDS)
        check_seed(f"{self.family}: seed", self.seed)
        supports = split_supports(
            self.supports,
            num_modules=self.num_modules,
            max_active=self.max_active,
            held_out=self.held_out,
            num_train=self.num_train,
            hotness=self.hotness,
            novel_hotness=self.novel_hotness,
            generator=keyed_generator(self.seed, "supports"),
        )
        parts = tuple(Part(f"m{module}", ("absent", "present"), graded=True) for module in range(self.num_modules))
        self._derive(
            parts=parts,
            combines=tuple(part.name for part in parts),
            _trained=indicator(supports.trained, self.num_modules).long(),
            _novel=indicator(supports.novel, self.num_modules).long(),
        )

    @property
    def address(self) -> str:
        given = ((option.name, getattr(self, option.name)) for option in fields(self) if option.init)
        return f"{self.family}:" + ",".join(f"{name}={value}" for name, value in given if value is not None)

    def combinations(self, split: Split) -> Int[Tensor, "c m"]:
        return self._novel if split == "novel" else self._trained

    def draw_latents(self, split: Split, n: int, *, generator: Generator) -> Float[Tensor, "n m"]:
        """z of `n` draws: `train` takes supports at random; `seen` and `novel` cycle through all in random order. Amounts are
        always new."""
        supports = self.combinations(split)
        if split == "train":
            rows = draw_rows(len(supports), n, replacement=True, generator=generator)
        else:
            rounds = range(math.ceil(n / len(supports)))
            shuffled = [draw_rows(len(supports), len(supports), replacement=False, generator=generator) for _ in rounds]
            rows = torch.cat([*shuffled, torch.zeros(0, dtype=torch.int64)])[:n]
        active = supports[rows].float()
        return active * _draw_amounts(active, self.weights, generator=generator)

    def _check_choice(self, option: str, choices: tuple[str, ...]) -> None:
        if getattr(self, option) not in choices:
            raise AssayError(
                f"{self.family}: {option} must be one of its choices", given=getattr(self, option), choices=choices
            )

    def _derive(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


def _draw_amounts(active: Float[Tensor, "n m"], weights: Weights, *, generator: Generator) -> Float[Tensor, "n m"]:
    if weights == "khot":
        return torch.ones_like(active)
    if weights == "discrete":
        return torch.randint(5, 11, active.shape, generator=generator) / 10
    drawn = active * torch.empty_like(active).exponential_(generator=generator)
    return 0.5 + 0.5 * drawn / (drawn.sum(1, keepdim=True) + 1)
