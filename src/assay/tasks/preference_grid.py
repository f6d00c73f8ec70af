"""The compositional preference grid (Schug et al. 2024, arXiv 2312.15001; Redhardt, Akram and Schug 2025, arXiv 2507.07207):
imitation of an expert that collects objects, whose preference over colours is a mixture of a few modules."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.bounds import check_whole
from assay.errors import AssayError
from assay.objective import NOT_ASKED, Steps
from assay.stats import keyed_generator
from assay.task import Examples, Split, Swapped, VectorSequence
from assay.tasks.encodings import FIXED, width
from assay.tasks.grid_expert import HORIZON, demonstrate, expert_actions
from assay.tasks.grid_world import ACTIONS, SIDE, draw_grids, observe, read_observations
from assay.tasks.latents import LatentTask

Scored = Literal["action", "episode"]
_MAX_OBJECTS = 8  # the most objects: each doubles the expert's table
_MAX_COLOURS = 256  # the most colours, 49 numbers each at every step; the published work has at most 32


@dataclass(frozen=True, kw_only=True)
class PreferenceGrid(LatentTask):
    """An example is an episode on a 7 x 7 grid of four rooms: the observation and the expert's action at each of 8 steps.

    An object of colour f pays (z B)_f when the agent enters its cell, and disappears. Moves lead up, right, down or left; doing
    nothing ends the episode. The expert plans 8 steps ahead with discount 0.9, and takes the first of the best actions.

    The input `x` is float32 `(n, 8, encoding + 49 * (num_colours + 2))`: the encoded z and the observation, at each step.
    Targets are `(n, 8)`, `NOT_ASKED` after the end, where the observation no longer changes.

    **Arguments:** those of `LatentTask`, and

    - `num_colours`, `num_objects`: F colours of objects (the published work uses 16 and 32), and objects in a grid.
    - `scored`: the score is the share of the actions of an episode that are right (`action`), or whether all are
      (`episode`).
    """

    family: ClassVar[str] = "preference_grid"
    num_colours: int = 16
    num_objects: int = 4
    scored: Scored = "action"
    _basis: Float[Tensor, "m f"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        super().__post_init__()
        self._check_choice("scored", get_args(Scored))
        if self.encoding not in FIXED:
            raise AssayError(
                "preference_grid: encoding must be a function of z; pairs (x, y) of a teacher do not exist here",
                given=self.encoding,
                choices=FIXED,
            )
        check_whole("preference_grid: num_colours", self.num_colours, least=2, most=_MAX_COLOURS)
        check_whole("preference_grid: num_objects", self.num_objects, least=1, most=_MAX_OBJECTS)
        generator = keyed_generator(self.seed, "preferences")
        self._derive(_basis=torch.randn(self.num_modules, self.num_colours, generator=generator))

    @property
    def input_spec(self) -> VectorSequence:
        return VectorSequence(width(self.encoding, self.num_modules) + self._num_observed, HORIZON)

    @property
    def objective(self) -> Steps:
        return Steps(len(ACTIONS), whole=self.scored == "episode")

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        """New draws in every call. Grids of `train` never occur in `seen` or `novel`."""
        z = self.draw_latents(split, n, generator=generator)
        grids = draw_grids(
            n,
            num_objects=self.num_objects,
            num_colours=self.num_colours,
            purpose="train" if split == "train" else "test",
            generator=generator,
        )
        states, actions, active = demonstrate(grids, self._pays(z, grids.colours))
        encoded = FIXED[self.encoding](z, seed=self.seed)[:, None].expand(-1, HORIZON, -1)
        parts = {name: (z[:, m] > 0).long() for m, name in enumerate(self.combines)}
        return Examples(
            inputs={"x": torch.cat([encoded, observe(grids, states, num_colours=self.num_colours)], 2)},
            targets=actions.masked_fill(~active, NOT_ASKED),
            parts=parts,
            combination=self.combination_id(parts),
            amounts=dict(zip(self.combines, z.unbind(1), strict=True)),
        )

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        """The amount of the module in `base` becomes that in `source`; the answer is the expert's action at each observation of
        `base`.

        The new set of modules may be empty or larger than `max_active`: the preference is defined there too.
        """
        self.part(part)
        parts = {**base.parts, part: source.parts[part]}
        amounts = {**base.amounts, part: source.amounts[part]}
        z = torch.stack([amounts[name] for name in self.combines], 1)
        observations = base.inputs["x"][..., -self._num_observed :]
        grids, states = read_observations(observations, num_objects=self.num_objects, num_colours=self.num_colours)
        actions = expert_actions(grids, self._pays(z, grids.colours), states)
        return Swapped(actions.masked_fill(base.targets == NOT_ASKED, NOT_ASKED), parts, self.combination_id(parts))

    @property
    def _num_observed(self) -> int:
        return SIDE * SIDE * (self.num_colours + 2)

    def _pays(self, z: Float[Tensor, "n m"], colours: Int[Tensor, "n objects"]) -> Float[Tensor, "n objects"]:
        return (z @ self._basis).gather(1, colours)
