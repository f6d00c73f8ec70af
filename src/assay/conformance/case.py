"""Cases for the checks: a small task, networks for it, and variants of both that must not change the evidence."""

import copy
import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, nn

from assay.conformance.tasks import Few, Reordered, Scrambled, ShuffledTargets, small_task
from assay.models import build
from assay.subject import Subject
from assay.task import Task
from assay.training import TrainingConfig, fit_many


@dataclass(frozen=True, eq=False)
class Case:
    """A task with networks and variants.

    **Attributes:**

    - `fresh`: an untrained network; `learned`: one that has learned the task.
    - `permuted`: the learned network with permuted hidden units.
    - `reordered`: the task with its examples in another order.
    - `few`: the task reduced to given numbers of seen and novel combinations, or texts.
    - `hard`: tasks on which untrained networks, and networks trained on wrong labels, are the subjects.
    - `memorisers`: trains a number of networks on wrong labels of such a task.
    - `descends`: whether the instrument searches by gradient descent from a random start drawn unit by unit. Permuted units are
      then another start, so intervals must overlap instead of values being equal. (Intervals of our probes cover texts and
      fits, not the choice of layer and loss.)
    """

    task: Task
    fresh: Callable[[Task, Generator], nn.Module]
    learned: Callable[[], Subject]
    permuted: Callable[[nn.Module], nn.Module]
    reordered: Task
    few: Callable[[int, int], Task]
    hard: Mapping[str, Task]
    memorisers: Callable[[Task, int], list[Subject]]
    descends: bool = False

    def untrained(self, task: Task, seed: int) -> Subject:
        """An untrained network whose copies are initialised in the same way."""
        draw = functools.partial(self.fresh, task)
        return Subject(draw(Generator().manual_seed(seed)), name=f"untrained {seed}", fresh=draw)


@functools.cache
def pairs() -> Case:
    """36 pairs of values, 22 of them trained, and an MLP: for instruments that need only examples of a task."""
    task = small_task()
    return Case(
        task=task,
        fresh=_mlp,
        learned=lambda: _trained(task, 1)[0],
        permuted=linear_layers_permuted,
        reordered=Reordered(task),
        few=lambda seen, novel: Few(task, seen=seen, novel=novel),
        hard={"readable input": task, "scrambled input": Scrambled(task)},
        memorisers=lambda task, num: _trained(_wrong(task), num),
    )


def _mlp(task: Task, generator: Generator) -> nn.Module:
    return build("mlp", task, generator=generator, width=32)


@functools.cache
def _trained(task: Task, num: int) -> list[Subject]:
    subjects = [pairs().untrained(task, seed) for seed in range(num)]
    configs = [TrainingConfig(steps=300, batch_size=128, learning_rate=1e-2, seed=seed) for seed in range(num)]
    fit_many([subject.module for subject in subjects], task, configs=configs, strategy="rule")
    return subjects


@functools.cache
def _wrong(task: Task) -> ShuffledTargets:
    return ShuffledTargets(task)


@torch.no_grad()
def linear_layers_permuted(module: nn.Module) -> nn.Module:
    """A copy of a network of successive linear layers with permuted hidden units."""
    module = copy.deepcopy(module)
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    for number, (first, second) in enumerate(itertools.pairwise(layers)):
        order = torch.randperm(len(first.weight), generator=Generator().manual_seed(number))
        first.weight.copy_(first.weight[order])
        first.bias.copy_(first.bias[order])
        second.weight.copy_(second.weight[:, order])
    return module
