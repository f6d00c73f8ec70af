"""What each instrument is checked on: a small task with the abilities that it needs, and networks for it."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import contexts
import knowing_trees
import mechanisms
import signs
import small_texts
import stages
import stepwise
import torch
from torch import Generator, Tensor, nn

from assay.conformance import Case, pairs
from assay.conformance.case import linear_layers_permuted
from assay.conformance.tasks import Few, Reordered
from assay.errors import AssayError
from assay.instrument import Instrument, missing_abilities
from assay.instruments import all_instruments
from assay.instruments.circuits import Circuits
from assay.instruments.circuits.metrics import CircuitBudget
from assay.regularity import Regular, Regularity
from assay.subject import Subject
from assay.task import Task
from assay.tasks.lists import Lists

# Quick ones take up to a dozen seconds; an instrument that is not named here is checked on its own quick budget.
SMALLER: Mapping[str, Mapping[str, Any]] = {
    "recombination": {"examples": 200, "scrambled": 1, "turned": 1},
    "subnetworks": {"training": 300, "judging": 120, "penalties": (0.1, 1.0), "steps": (40, 20), "nonsense": 2},
    "langue": {"excerpts": 6, "size": 150, "words": 40, "each": 3, "draws": 50, "pair_draws": 20},
    "polar": {"train": 40, "dev": 10, "test": 20, "epochs": 2, "seeds": 2, "removals": 1},
    "circuits": {"examples": 80, "points": 6, "draws": 4, "seeds": 4, "ascent": 2},
}


def case_of(instrument: Instrument) -> Case:
    """Its own, or the first case whose task has all abilities that the instrument needs."""
    if instrument.name in OWN:
        return OWN[instrument.name]
    for case in (pairs(), PROBLEMS, TEXTS, SIDES, SCRATCHPADS, LISTS, CORPUS):
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

SEARCHED: Mapping[str, Any] = {"prices": (0.5, 4.0), "steps": (12, 6), "weights": True, "nonsense": 5, "copies": 5}
GATES = Circuits(budgets={"quick": dataclasses.replace(CircuitBudget(**SMALLER["circuits"]), **SEARCHED)})
"""Circuits by gates, of nodes and of single weights, which the quick effort does not search."""


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
    permuted=linear_layers_permuted,
    reordered=OtherSigns(),
    few=lambda seen, novel: FewSigns(seen),
    hard={"signs": _SIGNS},
    memorisers=_trained_on_nonsense,
    descends=True,
)

# Lists whose sums are written out step by step, and a small network that writes them

SCRATCHPADS = Case(
    task=stepwise.TASK,
    fresh=stepwise.fresh,
    learned=functools.cache(lambda: stepwise.trained(1, wrong=False)[0]),
    permuted=linear_layers_permuted,
    reordered=stepwise.OtherLists(**stepwise.SIZES),
    few=stepwise.few,
    hard={"lists": stepwise.TASK},
    memorisers=lambda task, num: stepwise.trained(num, wrong=True),
)

# Lists of entities, and a network whose attributes carry their entity


class OtherOrder(Lists):
    """The same lists, the last first."""

    def contexts(self, n, *, size, pairs, generator, fixed=0.0):
        found = super().contexts(n, size=size, pairs=pairs, generator=generator, fixed=fixed)
        return found.take(torch.arange(n).flip(0))


class FewContexts(Lists):
    """Only so many lists of trained and of new pairs."""

    limits = (0, 0)

    def contexts(self, n, *, size, pairs, generator, fixed=0.0):
        found = super().contexts(n, size=size, pairs=pairs, generator=generator, fixed=fixed)
        return found.take(torch.arange(n)[: self.limits[pairs != "trained"]])


def _few_lists(seen: int, novel: int) -> Task:
    task = FewContexts(**mechanisms.SIZES)
    object.__setattr__(task, "limits", (seen, novel))
    return task


def _lists(task: Task, generator: Generator) -> nn.Module:
    return mechanisms.untrained(mechanisms.TASK, "direct", generator)


def _trained_on_other_attributes(task: Task, num: int) -> list[Subject]:
    subjects = [LISTS.untrained(task, seed) for seed in range(num)]
    for seed, subject in enumerate(subjects):
        generator = Generator().manual_seed(seed)
        examples = task.examples("train", 500, generator=generator)
        _fit(subject.module, examples.inputs, torch.randint(8, (500,), generator=generator))
    return subjects


LISTS = Case(
    task=mechanisms.TASK,
    fresh=_lists,
    learned=functools.cache(functools.partial(mechanisms.subject, "direct")),
    permuted=mechanisms.permuted,
    reordered=OtherOrder(**mechanisms.SIZES),
    few=_few_lists,
    hard={"lists": mechanisms.TASK},
    memorisers=_trained_on_other_attributes,
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

# Pairs of which enough are trained to be held out, and a network that combines them behind a layer that reads them


def _unread(task: Task, generator: Generator) -> nn.Module:
    module = stages.composer().module
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(0, 0.3, generator=generator)
    return module


def _other_tables(task: Task, num: int) -> list[Subject]:
    """Each knows another table by heart."""
    size = stages.SIZE
    tables = [torch.randint(size, (size**2,), generator=Generator().manual_seed(seed)) for seed in range(num)]
    fresh = functools.partial(_unread, task)
    return [Subject(stages.Stages(stages.reading(), *stages.by_pair(table)), fresh=fresh) for table in tables]


_DECLARED = stages.Declared()
OWN: Mapping[str, Case] = {
    "recombination": Case(
        task=_DECLARED,
        fresh=_unread,
        learned=functools.cache(stages.composer),
        permuted=linear_layers_permuted,
        reordered=Reordered(_DECLARED),
        few=lambda seen, novel: Few(_DECLARED, seen=seen if seen < 2 else stages.SIZE**2, novel=novel),
        hard={"pairs": _DECLARED},
        memorisers=_other_tables,
    )
}
"""Where the parts are combined takes a cut before that: an MLP on pairs combines them in its first layer."""


# One rule in three contexts, and a network with one module for all of them


class OtherSides(contexts.Sides):
    """The same examples, the last first."""

    def regular(self, n, *, generator):
        found = super().regular(n, generator=generator)
        backwards = torch.arange(len(found.examples)).flip(0)
        moved = tuple(
            Regularity(one.name, len(backwards) - 1 - one.rows[:, backwards], one.outputs) for one in found.regularities
        )
        return Regular(found.examples.take(backwards), moved, {name: mask[backwards] for name, mask in found.parts.items()})


def _sides(task: Task, generator: Generator) -> nn.Module:
    return contexts.untrained(_SIDES, generator)


def _trained_on_other_answers(task: Task, num: int) -> list[Subject]:
    subjects = [SIDES.untrained(task, seed) for seed in range(num)]
    for seed, subject in enumerate(subjects):
        generator = Generator().manual_seed(seed)
        examples = task.examples("seen", 10**6, generator=generator)
        _fit(subject.module, examples.inputs, torch.randint(contexts.ANSWERS, (len(examples),), generator=generator))
    return subjects


_SIDES = contexts.Sides("contexts", items=12, classes=True)
SIDES = Case(
    task=_SIDES,
    fresh=_sides,
    learned=functools.cache(
        lambda: Subject(
            contexts.shared(_SIDES, Generator().manual_seed(0)), name="shared", fresh=functools.partial(_sides, _SIDES)
        )
    ),
    permuted=linear_layers_permuted,
    reordered=OtherSides("contexts", items=12, classes=True),
    few=lambda seen, novel: contexts.Sides("contexts", items=12, classes=True, trained=seen),
    hard={"sides": _SIDES},
    memorisers=_trained_on_other_answers,
)


# Texts of a small grammar, and a language model that has read nothing else

CORPUS = Case(
    task=small_texts.SmallTexts(),
    fresh=small_texts.fresh,
    learned=small_texts.learned,
    permuted=small_texts.permuted,
    reordered=small_texts.SmallTexts(backwards=True),
    few=lambda seen, novel: small_texts.SmallTexts(documents=seen),
    hard={"texts": small_texts.SmallTexts()},
    memorisers=small_texts.trained_on_noise,
)
