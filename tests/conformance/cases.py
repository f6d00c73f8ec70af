"""What each instrument is checked on: a small task with the abilities that it needs, and networks for it."""

import copy
import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import knowing_trees
import signs
import torch
from tasks_for_conformance import Few, Reordered, Scrambled, ShuffledTargets, small_task
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.evidence import Evidence
from assay.instrument import Instrument, missing_abilities, run
from assay.instruments import all_instruments
from assay.models import build
from assay.subject import Subject
from assay.task import Task
from assay.training import TrainingConfig, fit_many

# Quick ones take up to a dozen seconds; an instrument that is not named here is checked on its own quick budget.
SMALLER: Mapping[str, Mapping[str, Any]] = {
    "recombination": {"examples": 400, "pairs": 150, "sites": 3, "steps": 60, "random": 2, "scrambles": 3},
    "subnetworks": {"training": 300, "judging": 120, "prices": (0.1, 1.0), "steps": 60, "later_steps": 30, "nonsense": 2},
    "polar": {"train": 80, "dev": 16, "test": 30, "epochs": 8, "removals": 2},
}


@dataclass(frozen=True, eq=False)
class Case:
    """**Attributes:**

    - `fresh`: an untrained network; `learned`: one that can do the task.
    - `permuted`: the network with its hidden units in another order.
    - `reordered`: the task, whose examples come in another order.
    - `few`: the task with so many seen and novel combinations, or texts.
    - `hard`: tasks on which untrained networks, and networks trained on wrong labels, are taken for subjects.
    - `memorisers`: networks trained on wrong labels of such a task.
    - `descends`: its instruments search by gradient descent from a start drawn unit by unit, so that another order of units is
      another start. Two intervals overlap then; those of probes are over texts and over fits, each from a start of its own, at
      the layer and with the loss that were chosen, and do not cover that choice.
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
        """An untrained network, whose copies are drawn alike."""
        draw = functools.partial(self.fresh, task)
        return Subject(draw(Generator().manual_seed(seed)), name=f"untrained {seed}", fresh=draw)


def case_of(instrument: Instrument) -> Case:
    """The first case whose task has all abilities that the instrument needs."""
    for case in (PAIRS, PROBLEMS, TEXTS):
        if not missing_abilities(instrument, case.task):
            return case
    raise AssayError(
        "every instrument must be checked on a task that has what it needs",
        given=f"{instrument.name}, which needs {', '.join(need.__name__ for need in instrument.needs)}",
        next_step="add a case to tests/conformance/cases.py",
    )


def small(instrument: Instrument) -> Instrument:
    """The instrument on a budget on which it can be run dozens of times."""
    quick = dataclasses.replace(instrument.budgets["quick"], **SMALLER.get(instrument.name, {}))
    return type(instrument)(budgets={"quick": quick})


INSTRUMENTS = tuple(small(instrument) for instrument in all_instruments())


def measure(instrument: Instrument, subject: Subject, task: Task, seed: int = 0) -> Evidence:
    return run(instrument, subject, task, effort="quick", seed=seed)


@functools.cache
def measured(instrument: Instrument) -> Evidence:
    """Of the network that can do the task, under the first seed."""
    case = case_of(instrument)
    return measure(instrument, case.learned(), case.task)


# Pairs of values, and an MLP


def _mlp(task: Task, generator: Generator) -> nn.Module:
    return build("mlp", task, generator=generator, width=32)


@functools.cache
def _trained(task: Task, num: int) -> list[Subject]:
    subjects = [PAIRS.untrained(task, seed) for seed in range(num)]
    configs = [TrainingConfig(steps=300, batch_size=128, learning_rate=1e-2, seed=seed) for seed in range(num)]
    fit_many([subject.module for subject in subjects], task, configs=configs, strategy="rule")
    return subjects


@functools.cache
def _wrong(task: Task) -> ShuffledTargets:
    return ShuffledTargets(task)


@torch.no_grad()
def _other_order(module: nn.Module, *layers: nn.Linear) -> nn.Module:
    for number, (first, second) in enumerate(itertools.pairwise(layers)):
        order = torch.randperm(len(first.weight), generator=Generator().manual_seed(number))
        first.weight.copy_(first.weight[order])
        first.bias.copy_(first.bias[order])
        second.weight.copy_(second.weight[:, order])
    return module


def _linear(module: nn.Module) -> nn.Module:
    module = copy.deepcopy(module)
    return _other_order(module, *(layer for layer in module.modules() if isinstance(layer, nn.Linear)))


_SMALL = small_task()
PAIRS = Case(
    task=_SMALL,
    fresh=_mlp,
    learned=lambda: _trained(_SMALL, 1)[0],
    permuted=_linear,
    reordered=Reordered(_SMALL),
    few=lambda seen, novel: Few(_SMALL, seen=seen, novel=novel),
    hard={"readable input": _SMALL, "scrambled input": Scrambled(_SMALL)},
    memorisers=lambda task, num: _trained(_wrong(task), num),
)

# Odd-one-out problems on two signs, and an encoder that holds them apart


class OtherSigns(signs.Signs):
    """The same problems, the last first."""

    def _posed(self, *arguments):
        examples = super()._posed(*arguments)
        return examples.take(torch.arange(len(examples)).flip(0))


class FewSigns(signs.Signs):
    """At most so many problems of each kind."""

    def __init__(self, num: int):
        super().__init__()
        self.num = num

    def _posed(self, *arguments):
        examples = super()._posed(*arguments)
        return examples.take(torch.arange(min(self.num, len(examples))))


def _odd(task: Task, generator: Generator) -> nn.Module:
    module = signs.Odd(signs.chain(8, 48, 4))
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(0, 0.3, generator=generator)
    return module.eval()


def _trained_on_nonsense(task: Task, num: int) -> list[Subject]:
    """On problems whose answers say nothing of the items."""
    subjects = [PROBLEMS.untrained(task, seed) for seed in range(num)]
    for seed, subject in enumerate(subjects):
        examples = PROBLEMS.task.nonsense(seed, 100, pool="base", generator=Generator().manual_seed(seed))
        _fit(subject.module, examples.inputs, examples.targets)
    return subjects


def _fit(module: nn.Module, inputs: Mapping[str, Tensor], targets: Tensor) -> None:
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(**inputs), targets).backward()
        optimizer.step()


_SIGNS = signs.Signs()
PROBLEMS = Case(
    task=_SIGNS,
    fresh=_odd,
    learned=functools.cache(lambda: Subject(signs.apart(), name="apart")),
    permuted=_linear,
    reordered=OtherSigns(),
    few=lambda seen, novel: FewSigns(seen),
    hard={"signs": _SIGNS},
    memorisers=_trained_on_nonsense,
    descends=True,
)

# Texts that tell their trees, and a network that knows them


class OtherTexts(knowing_trees.Trees):
    """The same texts, the last first."""

    def graphs(self, split, n, *, generator):
        return super().graphs(split, n, generator=generator)[::-1]


class ByHeart(nn.Module):
    """Answers from what it has learned of each token at each place."""

    def __init__(self, generator: Generator):
        super().__init__()
        tokens, width = knowing_trees.LONGEST * len(knowing_trees.RELATIONS) + 1, knowing_trees.WIDTH
        self.codes = nn.Parameter(torch.randn(tokens, width, generator=generator))
        self.states = nn.Identity()
        flat = knowing_trees.LONGEST * width
        self.head = nn.Parameter(torch.randn(flat, len(knowing_trees.RELATIONS), generator=generator) / flat**0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.states(self.codes[tokens]).flatten(1).relu() @ self.head


def _by_heart(task: Task, generator: Generator) -> nn.Module:
    return ByHeart(generator)


def _trained_on_noise(task: Task, num: int) -> list[Subject]:
    subjects = [TEXTS.untrained(task, seed) for seed in range(num)]
    for seed, subject in enumerate(subjects):
        generator = Generator().manual_seed(seed)
        examples = task.examples("train", 100, generator=generator)
        _fit(subject.module, examples.inputs, torch.randint(len(knowing_trees.RELATIONS), (100,), generator=generator))
    return subjects


def _unordered(module: nn.Module) -> nn.Module:
    return knowing_trees.Knowing(order=torch.randperm(knowing_trees.WIDTH, generator=Generator().manual_seed(0)))


_TEXTS = knowing_trees.Trees()
TEXTS = Case(
    task=_TEXTS,
    fresh=_by_heart,
    learned=functools.cache(knowing_trees.subject),
    permuted=_unordered,
    reordered=OtherTexts(),
    few=lambda seen, novel: knowing_trees.Trees(seen),
    hard={"texts": _TEXTS},
    memorisers=_trained_on_noise,
    descends=True,
)
