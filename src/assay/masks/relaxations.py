"""Continuous relaxations of masks: numbers in [0, 1] from one logit for each unit, with derivatives in closed form.

The search multiplies the gradient of the loss by the relaxed mask with the derivative of that by the logits, so this module
needs no automatic differentiation; the expected size has its own derivative.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor


class Relaxed(NamedTuple):
    """For every unit `(u,)`: the relaxed mask and its derivative by the logit, the probability to be kept and its
    derivative."""

    mask: Float[Tensor, " u"]
    slope: Float[Tensor, " u"]
    chance: Float[Tensor, " u"]
    chance_slope: Float[Tensor, " u"]


@runtime_checkable
class Relaxation(Protocol):
    """Relaxation of a mask by logits. `progress` in [0, 1) is that of the search."""

    @property
    def start(self) -> float:
        """Initial logit of every unit."""
        ...

    def relax(self, logits: Float[Tensor, " u"], progress: float, generator: Generator) -> Relaxed:
        """The relaxed mask of one step."""
        ...

    def hard(self, logits: Float[Tensor, " u"]) -> Bool[Tensor, " u"]:
        """The units kept at the end."""
        ...

    def again(self, logits: Float[Tensor, " u"]) -> Float[Tensor, " u"]:
        """Initial logits of the next search, from the final logits of this one."""
        ...


@dataclass(frozen=True)
class ContinuousSparsification:
    """Mask `sigmoid(T s)` of logits s, with the temperature T rising geometrically from 1 (Savarese et al. 2020, arXiv
    1912.04427).

    **Attributes:** `start`: initial logit; `last`: final temperature.
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
        """Initial logits with the signs of the final ones. The paper's rule, `min(T s, start)`, never restores removed units,
        so that among redundant units only those kept by chance in the first search could be found."""
        return logits.clamp(-abs(self.start), abs(self.start))


@dataclass(frozen=True)
class HardConcrete:
    """Hard concrete distribution (Louizos, Welling and Kingma 2018, arXiv 1712.01312, equations 10 to 12).

    `clip(sigmoid((log u - log(1 - u) + s) / b) (z - g) + g, 0, 1)` with u uniform. The probability to be nonzero is `sigmoid(s
    - b log(-g / z))`. A unit is kept at the end if its median exceeds .5, so for s > 0.

    **Attributes:** `start`: initial logit; `beta`, `low` (g), `high` (z): as in the paper.
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
        """The final logits, since no temperature is reset."""
        return logits.clone()
