"""The teacher of the hyperteacher task: one hidden layer, whose weights are a mixture of its modules'.

After Schug et al. 2024 (arXiv 2312.15001) and Redhardt, Akram and Schug 2025 (arXiv 2507.07207).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from assay.stats import keyed_generator

SIZE = 16  # sizes of the teacher's input, hidden layer and output
_GAIN = math.sqrt(3)
_CUT_SPREAD = 0.8796256610342398  # standard deviation of a standard normal truncated at two standard deviations


@dataclass(frozen=True)
class Teacher:
    """y = R relu(W(z) x + b(z)), with W(z) = sum_m z_m W_m / sqrt(K) and b(z) likewise.

    **Attributes:**

    - `weights`: W_m, truncated normal with variance sqrt(3) / fan-in.
    - `biases`: b_m, uniform in [0, 0.5).
    - `readout`: R, shared by all modules, drawn like W.
    - `max_active`: K. The mixture is scaled by it, not by the number of active modules.
    """

    weights: Float[Tensor, "modules hidden inputs"]
    biases: Float[Tensor, "modules hidden"]
    readout: Float[Tensor, "outputs hidden"]
    max_active: int

    @classmethod
    def draw(cls, num_modules: int, *, max_active: int, seed: int) -> "Teacher":
        """The teacher of a seed."""
        return cls(
            weights=_truncated_normal(num_modules, SIZE, SIZE, generator=keyed_generator(seed, "teacher weights")),
            biases=torch.rand(num_modules, SIZE, generator=keyed_generator(seed, "teacher biases")) / 2,
            readout=_truncated_normal(SIZE, SIZE, generator=keyed_generator(seed, "teacher readout")),
            max_active=max_active,
        )

    def __call__(self, z: Float[Tensor, "n modules"], x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n outputs"]:
        """Targets, row by row."""
        return self.by_task(z, x[:, None])[:, 0]

    def by_task(
        self, z: Float[Tensor, "t modules"], x: Float[Tensor, "t samples inputs"]
    ) -> Float[Tensor, "t samples outputs"]:
        """Targets of several samples of each z, for which the weights are mixed once."""
        z = z / math.sqrt(self.max_active)
        weights = torch.einsum("tm,mhi->tih", z, self.weights)
        return torch.baddbmm((z @ self.biases)[:, None], x, weights).relu() @ self.readout.T


def draw_inputs(n: int, *, generator: Generator) -> Float[Tensor, "n inputs"]:
    """x, uniform in [-1, 1)."""
    return 2 * torch.rand(n, SIZE, generator=generator) - 1


def _truncated_normal(*shape: int, generator: Generator) -> Float[Tensor, "..."]:
    """Normal values truncated at two standard deviations and rescaled to the intended deviation; fan-in is the last
    dimension."""
    wanted = math.sqrt(_GAIN / shape[-1])
    drawn = nn.init.trunc_normal_(torch.empty(*shape), a=-2.0, b=2.0, generator=generator)
    return drawn * (wanted / _CUT_SPREAD)
