"""Problems on which masks are trained and judged, and the accuracy of a network on them with some weights removed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from assay.display import number
from assay.errors import AssayError
from assay.instrument import Budget, Random
from assay.masks import Units, run, weights_of
from assay.objective import Objective
from assay.stats import MIN_UNITS, cluster_means
from assay.task import Examples, PosesPartProblems, Task


@dataclass(frozen=True, kw_only=True)
class MaskBudget(Budget):
    """Sizes at one effort: problems of each kind for `training` and `judging`; L0 `penalties` along the path, each that of
    keeping the whole network; `steps` of its first search and of each later one; `seeds` of the search on the network; hashes
    (`nonsense`); random masks (`draws`)."""

    training: int
    judging: int
    penalties: tuple[float, ...]
    steps: tuple[int, int]
    seeds: int
    nonsense: int
    draws: int


@dataclass(frozen=True)
class Problems:
    """Problems shared by all networks.

    **Attributes:**

    - `units`: of the masks; `objective`: scores answers; `budget`: sizes.
    - `training`, `checking`: for each part, problems of the pool `mask` that it decides: for training a mask, and for its own
      accuracy.
    - `choosing`: for each part, problems of the pool `mask` whose odd item breaks this part only: for the choice of a mask.
    - `testing`, `reading`: for each part, the two kinds in the pool `test`, which no choice has seen.
    - `both`: problems of the pool `test` that both parts decide.
    - `nonsense`: for every seed, problems of the pool `mask` that a hash decides, for training and for checking.
    - `task`: that poses them, and writes them for people.
    """

    task: Task
    units: Units
    objective: Objective
    budget: MaskBudget
    training: Mapping[str, Examples]
    checking: Mapping[str, Examples]
    choosing: Mapping[str, Examples]
    testing: Mapping[str, Examples]
    reading: Mapping[str, Examples]
    both: Examples
    nonsense: tuple[tuple[Examples, Examples], ...]

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.testing)

    def other(self, part: str) -> str:
        """The part that is not this one."""
        return next(name for name in self.parts if name != part)


def draw_problems(task: Task, *, units: Units, budget: MaskBudget, rng: Random) -> Problems:
    """Draw the problems that all networks share, in an order that does not depend on that of the task.

    **Raises:** `AssayError` when the task does not have two parts, or cannot isolate one of them.
    """
    parts = task.combines
    if len(parts) != 2:
        raise AssayError("the search for subnetworks needs two parts, each of which is the other's control", given=list(parts))
    assert isinstance(task, PosesPartProblems)
    poses: PosesPartProblems = task

    def drawn(use: str, pose: Callable[..., Examples], num: int, pool: str) -> dict[str, Examples]:
        return {part: pose(part, num, pool=pool, generator=rng(use, part)).in_canonical_order() for part in parts}

    def nonsense(use: str, num: int, seed: int) -> Examples:
        return poses.nonsense(seed, num, pool="mask", generator=rng("nonsense", use, seed)).in_canonical_order()

    num = budget.judging
    return Problems(
        task=task,
        units=units,
        objective=task.objective,
        budget=budget,
        training=drawn("training", poses.reading, budget.training, "mask"),
        checking=drawn("checking", poses.reading, num, "mask"),
        choosing=drawn("choosing", poses.testing, num, "mask"),
        testing=drawn("testing", poses.testing, num, "test"),
        reading=drawn("reading", poses.reading, num, "test"),
        both=poses.problems(num, pool="test", generator=rng("both")).in_canonical_order(),
        nonsense=tuple(
            (nonsense("training", budget.training, seed), nonsense("checking", num, seed)) for seed in range(budget.nonsense)
        ),
    )


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on problems: `units` `(c,)`, one for every combination, or for every problem where combinations are few; `raw`:
    their mean; `value`: the same, not less than chance; `variance`: the squared standard error of the mean."""

    units: Float[Tensor, " c"]
    chance: float

    @property
    def raw(self) -> float:
        return float(self.units.mean())

    @property
    def value(self) -> float:
        return max(self.chance, self.raw)

    @property
    def variance(self) -> float:
        return float(self.units.var()) / len(self.units)


class Effect(NamedTuple):
    """Accuracies on a part's own and on the other part's problems after an ablation."""

    own: Accuracy
    other: Accuracy

    @property
    def necessity(self) -> float:
        """Accuracy on the other part's problems minus that on its own, in [-1, 1], with both floored at chance."""
        return self.other.value - self.own.value

    @property
    def raw(self) -> float:
        """The necessity without the floor at chance."""
        return self.other.raw - self.own.raw

    @property
    def variance(self) -> float:
        """Variance of either difference, over problems."""
        return self.own.variance + self.other.variance


@dataclass(frozen=True)
class MaskedModel:
    """A network under ablation, and the accuracy of its answers."""

    module: nn.Module
    problems: Problems
    batch_size: int = 1024

    @property
    def weights(self) -> dict[str, Tensor]:
        return weights_of(self.module)

    def score(self, weights: Mapping[str, Tensor], examples: Examples) -> Accuracy:
        """Accuracy with these weights."""
        return self.score_outputs(run(self.module, weights, examples.inputs, batch_size=self.batch_size), examples)

    def score_outputs(self, outputs: Tensor, examples: Examples) -> Accuracy:
        """Accuracy of given outputs."""
        objective = self.problems.objective
        scores = objective.score(outputs, examples.targets).double()
        clustered = by_combination(examples)
        units = cluster_means(scores, examples.combination).means if clustered else scores
        return Accuracy(units, constant_score(objective, examples))

    def effect(self, weights: Mapping[str, Tensor], examples: Mapping[str, Examples], part: str) -> Effect:
        """Accuracies with these weights on both parts' problems."""
        return Effect(*(self.score(weights, examples[name]) for name in (part, self.problems.other(part))))

    def unsolved(self, least: float) -> str:
        """Problems that the network itself does not solve, as a reason not to search it; empty when it solves all."""
        sets = {"both parts decide": self.problems.both}
        sets |= {f"{part} decides": examples for part, examples in self.problems.testing.items()}
        found = {name: self.score(self.weights, examples).raw for name, examples in sets.items()}
        failed = [f"problems that {name} ({number(score)} right)" for name, score in found.items() if score < least]
        return f"base network does not solve {', '.join(failed)}; {least:g} is needed of each" if failed else ""


def by_combination(examples: Examples) -> bool:
    """Whether combinations, and not problems, are the units of an accuracy."""
    return len(examples.combination.unique()) >= MIN_UNITS


def first_of_units(examples: Examples) -> Int[Tensor, " u"]:
    """The first problem of every unit of an accuracy."""
    every = torch.arange(len(examples))
    if not by_combination(examples):
        return every
    combinations, place = examples.combination.unique(return_inverse=True)
    return every.new_full((len(combinations),), len(every)).scatter_reduce(0, place, every, "amin")


def constant_score(objective: Objective, examples: Examples) -> float:
    """The chance level of the objective, or else the score of the best constant answer."""
    if objective.chance > 0:
        return objective.chance
    answers = examples.targets.unique(dim=0)
    ideals = (objective.ideal(answer.expand_as(examples.targets)) for answer in answers)
    return max((float(objective.score(ideal, examples.targets).mean()) for ideal in ideals), default=0.0)
