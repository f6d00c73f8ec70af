"""Configuration and record of a training."""

import math
from dataclasses import dataclass

from assay.bounds import check_real, check_seed, check_whole
from assay.display import brief
from assay.errors import AssayError

MOST_STEPS = 1_000_000_000
"""Most updates of a training; at a millisecond each they take twelve days."""
MOST_BATCH = 2**20
"""Most examples of one update: all that most tasks have."""

ANNEALED = (0.01, 0.5)
"""Shares of the steps at which the density starts and stops falling from 1 to its target."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Configuration of a training.

    **Attributes:**

    - `steps`, `batch_size`: number of updates (0 keeps the initial weights), and of examples for each.
    - `learning_rate`: peak, after `warmup` linear steps and before a cosine decay to zero.
    - `weight_decay`: of AdamW, decoupled, on every parameter.
    - `clip`: largest norm of the gradient (gradient clipping).
    - `seed`: of the initial weights and of the batches.
    - `checkpoint_every`: steps between checkpoints.
    - `sparse`: the share of weights that every matrix keeps, 1 for a dense network. Below 1 training is as in Gao et al. 2025
      do (`assay.training.sparse`): Adam with betas .9 and .95 and epsilon .1 on a gradient divided by its root mean square, in
      the place of `clip`; after the warm-up the rate falls linearly, multiplied by `sqrt(sparse / density)`, so that it is
      highest when the density has reached its target, after half of the steps.
    - `sparse_floor`: fewest weights that each unit of a matrix's longer side keeps, within that share.
    - `sparse_random`: 1 to keep weights drawn once at random instead of the largest, as a control with equal sparsity; else 0.
    - `sparse_exact`: number of steps between exact selections of the largest weights (also at the end); the last threshold is
      used in between.

    Example::

        >>> assay.TrainingConfig(steps=100, learning_rate=1e-2, seed=1).weight_decay
        0.0
    """

    steps: int = 3000
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup: int = 100
    clip: float = 1.0
    seed: int = 0
    checkpoint_every: int = 250
    sparse: float = 1.0
    sparse_floor: int = 4
    sparse_random: int = 0
    sparse_exact: int = 20

    def __post_init__(self):
        check_whole("training: batch_size", self.batch_size, least=1, most=MOST_BATCH)
        check_whole("training: checkpoint_every", self.checkpoint_every, least=1, most=MOST_STEPS)
        for name in ("steps", "warmup"):
            check_whole(f"training: {name}", getattr(self, name), least=0, most=MOST_STEPS)
        for name in ("learning_rate", "clip"):
            check_real(f"training: {name}", getattr(self, name), above=0.0)
        check_real("training: weight_decay", self.weight_decay, least=0.0)
        check_real("training: sparse", self.sparse, above=0.0)
        if self.sparse > 1:
            raise AssayError("training: sparse must be the share of weights that stay nonzero, at most 1", given=self.sparse)
        check_whole("training: sparse_floor", self.sparse_floor, least=0, most=MOST_BATCH)
        check_whole("training: sparse_random", self.sparse_random, least=0, most=1)
        check_whole("training: sparse_exact", self.sparse_exact, least=1, most=MOST_STEPS)
        check_seed("training: seed", self.seed)

    def rate(self, step: int) -> float:
        """Learning rate of the update that follows `step` finished ones."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        if self.sparse < 1:
            return self.learning_rate * rise * (1 - step / self.steps) * math.sqrt(self.sparse / self.density(step))
        return self.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def density(self, step: int) -> float:
        """Share of nonzero weights after the update that follows `step` finished ones."""
        start, end = ANNEALED[0] * self.steps, ANNEALED[1] * self.steps
        done = min(1.0, max(0.0, (step + 1 - start) / max(1.0, end - start)))
        return 1 - done * (1 - self.sparse)


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """Record of a training: about a hundred pairs `(step, loss)`, and its cost summed over resumed runs."""

    __repr__ = brief

    losses: tuple[tuple[int, float], ...]
    wall_seconds: float
    cpu_seconds: float
