"""How to train, and what training leaves."""

import math
from dataclasses import dataclass

from assay.bounds import check_real, check_seed, check_whole
from assay.display import brief

MOST_STEPS = 1_000_000_000
"""Updates of a training: at a millisecond each they take twelve days."""
MOST_BATCH = 2**20
"""Examples of one update: the whole of what most tasks can draw."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How to train.

    **Attributes:**

    - `steps`, `batch_size`: updates (0 keeps the initial weights), and examples drawn for each.
    - `learning_rate`: at its highest, after `warmup` linear steps; it falls to zero along a cosine.
    - `weight_decay`: of AdamW, decoupled, on every parameter.
    - `clip`: the largest norm of the gradient; a longer one is shortened to it.
    - `seed`: of the initial weights and of the batches.
    - `checkpoint_every`: steps between checkpoints.
    """

    steps: int = 3000
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup: int = 100
    clip: float = 1.0
    seed: int = 0
    checkpoint_every: int = 250

    def __post_init__(self):
        check_whole("training: batch_size", self.batch_size, least=1, most=MOST_BATCH)
        check_whole("training: checkpoint_every", self.checkpoint_every, least=1, most=MOST_STEPS)
        for name in ("steps", "warmup"):
            check_whole(f"training: {name}", getattr(self, name), least=0, most=MOST_STEPS)
        for name in ("learning_rate", "clip"):
            check_real(f"training: {name}", getattr(self, name), above=0.0)
        check_real("training: weight_decay", self.weight_decay, least=0.0)
        check_seed("training: seed", self.seed)

    def rate(self, step: int) -> float:
        """Learning rate of the update that follows `step` finished ones."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        return self.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """What training left: `(step, loss)` about every hundredth of the run, and its cost over all sittings."""

    __repr__ = brief

    losses: tuple[tuple[int, float], ...]
    wall_seconds: float
    cpu_seconds: float
