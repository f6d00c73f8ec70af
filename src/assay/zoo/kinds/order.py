"""What a subject of the zoo is made from: a task, a reference model and a way to train, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator, nn

from assay.models import ModelConfig, rebuild
from assay.stats import keyed_generator
from assay.tasks.slots import SlotTask
from assay.training import TrainingConfig


@dataclass(frozen=True)
class Order:
    """A subject to be made. The same order makes the same bits on the CPU.

    **Attributes:**

    - `task`: its coverage, cue and targets are part of what the subject becomes.
    - `model`: sizes and `init_scale`, as `assay.models.configure` gives them.
    - `config`: its seed is that of the initial weights, the batches and whatever else a kind draws.
    """

    task: SlotTask
    model: ModelConfig
    config: TrainingConfig

    def generator(self, what: str) -> Generator:
        """A generator of its own for everything that is drawn."""
        return keyed_generator(self.config.seed, what)

    def initial(self) -> nn.Module:
        """The model before training."""
        return rebuild(self.model, generator=self.generator("weights"))


Orders = Sequence[Order]
