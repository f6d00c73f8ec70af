"""Random-label control: a network trained like the one under test, on shuffled answers, so that there is nothing to compose."""

from functools import cached_property

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.stats import keyed_generator
from assay.subject import Subject
from assay.task import Examples, Split, Task
from assay.training.config import TrainingConfig
from assay.training.fit import fit
from assay.views import View

_DRAWN = 8192  # examples from which answers are drawn


class Relabelled(View):
    """A task with random labels: every trained combination has the fixed answer of a random trained example, so that answers
    keep their proportions."""

    def __init__(self, task: Task, *, seed: int):
        super().__init__(task, ())
        self._seed = seed

    @cached_property
    def _ids(self) -> Int[Tensor, " c"]:
        """All trained combinations, ascending."""
        chosen = self.combinations("seen")
        return self.combination_id({name: chosen[:, k] for k, name in enumerate(self.combines)}).unique()

    @cached_property
    def _answers(self) -> Tensor:
        """One answer for each trained combination."""
        generator = keyed_generator(self._seed, "answers to trained combinations")
        targets = super().examples("train", _DRAWN, generator=generator).targets
        return targets[torch.randint(len(targets), (len(self._ids),), generator=generator)]

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        found = super().examples(split, n, generator=generator)
        answers = self._answers[torch.searchsorted(self._ids, found.combination)]
        return Examples(found.inputs, answers, found.parts, found.combination, found.amounts)


def trained_alike(subject: Subject, task: Task, *, seed: int) -> Subject:
    """A new network of the architecture of `subject`, trained on relabelled examples with the same steps and settings.

    **Arguments:** `subject`: with known `training`, such as one loaded from a run.

    **Raises:** `DivergedError`, and any exception of the task.

    Example::

        subject = assay.load_subject("runs/modular")
        twin = trained_alike(subject, assay.load_task("modular"), seed=0)
    """
    return trained_on(Relabelled(task, seed=seed), subject, name=f"{subject.name}, trained on relabelled examples", seed=seed)


def trained_on(task: Task, subject: Subject, *, name: str, seed: int) -> Subject:
    """A new network of the architecture of `subject`, trained on another task with the steps and settings of its own training,
    which must be known.

    **Raises:** `DivergedError`, and any exception of the task.
    """
    assert subject.training is not None
    config = TrainingConfig(**{**subject.training.settings, "seed": seed})
    twin = subject.untrained(keyed_generator(seed, "initial weights"))
    fit(twin.module, task, config=config)
    twin.name = name
    return twin
