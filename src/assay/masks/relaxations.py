"""Relaxed masks: numbers in [0, 1] that follow one logit for each unit, with their slopes in closed form.

Nothing here needs automatic differentiation: a step of the search takes the gradient of the loss with respect to the relaxed
mask and multiplies it by the slope, and the expected size has its own slope.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor


class Relaxed(NamedTuple):
    """Of every unit `(u,)`: the relaxed mask and its slope by the logit, the chance that it is kept and the slope of that."""

    mask: Float[Tensor, " u"]
    slope: Float[Tensor, " u"]
    chance: Float[Tensor, " u"]
    chance_slope: Float[Tensor, " u"]


@runtime_checkable
class Relaxation(Protocol):
    """How logits become a mask. `progress` in [0, 1) is how far the search is."""

    @property
    def start(self) -> float:
        """The logit that every unit begins with."""
        ...

    def relax(self, logits: Float[Tensor, " u"], progress: float, generator: Generator) -> Relaxed:
        """The relaxed mask of one step."""
        ...

    def hard(self, logits: Float[Tensor, " u"]) -> Bool[Tensor, " u"]:
        """Which units are kept in the end."""
        ...

    def again(self, logits: Float[Tensor, " u"]) -> Float[Tensor, " u"]:
        """Logits to begin the next search with, from those of a finished one."""
        ...


@dataclass(frozen=True)
class ContinuousSparsification:
    """Mask `sigmoid(T s)` of logits s, the temperature T rising geometrically from 1 (Savarese et al. 2020, arXiv 1912.04427).

    **Attributes:** `start`: the first logit; `last`: the temperature that is reached at the end.
    """

    start: float = 0.05
    last: float = 200.0

    def relax(self, logits: Float[Tensor, " u"], progress: float, generator: Generator) -> Relaxed:
        temperature = self.last**progress
        mask = torch.sigmoid(logits * temperature)
        slope = temperature * mask * (1 - mask)
        return Relaxed(mask, slope, mask, slope)

    def hard(self, logits: Float[Tensor, " u"]) -> Bool[Tensor, " u"]:
        return logits > 0

    def again(self, logits: Float[Tensor, " u"]) -> Float[Tensor, " u"]:
        """Only their signs are remembered. In the rounds of the paper, `min(T s, start)`, what is removed can never return: of
        units that do the same, those that chance kept in the first search are then all that can be found."""
        return logits.clamp(-abs(self.start), abs(self.start))


@dataclass(frozen=True)
class HardConcrete:
    """Stretched and clipped concrete draws (Louizos, Welling and Kingma 2018, arXiv 1712.01312, equations 10 to 12).

    `clip(sigmoid((log u - log(1 - u) + s) / b) (z - g) + g, 0, 1)` with u uniform. The chance to be kept is that it is not
    0: `sigmoid(s - b log(-g / z))`. A unit is kept in the end when its median is above .5: for s > 0.

    **Attributes:** `start`: the first logit; `beta`, `low` (g), `high` (z): as in the paper.
    """

    start: float = 2.0
    beta: float = 2 / 3
    low: float = -0.1
    high: float = 1.1

    def relax(self, logits: Float[Tensor, " u"], progress: float, generator: Generator) -> Relaxed:
        uniform = torch.rand(len(logits), generator=generator).clamp(1e-4, 1 - 1e-4).to(logits)
        concrete = torch.sigmoid((uniform.log() - (-uniform).log1p() + logits) / self.beta)
        span = self.high - self.low
        stretched = concrete * span + self.low
        inside = (stretched > 0) & (stretched < 1)
        slope = inside * (span / self.beta) * concrete * (1 - concrete)
        nonzero = torch.sigmoid(logits - self.beta * math.log(-self.low / self.high))
        return Relaxed(stretched.clamp(0, 1), slope, nonzero, nonzero * (1 - nonzero))

    def hard(self, logits: Float[Tensor, " u"]) -> Bool[Tensor, " u"]:
        return logits > 0

    def again(self, logits: Float[Tensor, " u"]) -> Float[Tensor, " u"]:
        """As they are: no temperature has to start again."""
        return logits.clone()
