"""The problems that masks are trained and judged on, and how a network with changed weights is scored on them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.masks import run, weights_of
from assay.objective import Objective
from assay.stats import MIN_UNITS, child_generator, cluster_means
from assay.task import Examples, Pool, PosesPartProblems, Task


@dataclass(frozen=True)
class Scored:
    """Accuracy on problems: `units` `(c,)`, one for every combination, or for every problem where combinations are few."""

    units: Float[Tensor, " c"]
    chance: float

    @property
    def raw(self) -> float:
        """The mean over units."""
        return float(self.units.mean())

    @property
    def value(self) -> float:
        """The same, not less than chance."""
        return max(self.chance, self.raw)

    @property
    def variance(self) -> float:
        """The squared standard error of the mean."""
        return float(self.units.var()) / len(self.units) if len(self.units) > 1 else math.inf


@dataclass(frozen=True)
class Problems:
    """**Attributes:**

    - `training`, `checking`: for each part, problems of the pool `mask` that it decides: for training a mask, and for its own
      accuracy.
    - `choosing`: for each part, problems whose odd item breaks this part only, of the pool `mask`: to choose a mask.
    - `testing`, `reading`: for each part, the two kinds of the pool `test`, which no choice has seen.
    - `both`: problems of the pool `test` that both parts decide.
    - `nonsense`: for every seed, problems of the pool `mask` that a hash decides, for training and for checking.
    """

    training: Mapping[str, Examples]
    checking: Mapping[str, Examples]
    choosing: Mapping[str, Examples]
    testing: Mapping[str, Examples]
    reading: Mapping[str, Examples]
    both: Examples
    nonsense: tuple[tuple[Examples, Examples], ...]

    @property
    def parts(self) -> tuple[str, str]:
        first, second = self.testing
        return first, second

    def other(self, part: str) -> str:
        """The part that is not this one."""
        first, second = self.parts
        return second if part == first else first


def draw_problems(task: Task, *, num_training: int, num_judging: int, num_nonsense: int, generator: Generator) -> Problems:
    """The problems that every network is given, in an order that does not depend on that of the task.

    **Raises:** `AssayError` when the task has not two parts, or cannot isolate one of them.
    """
    parts = task.combines
    if len(parts) != 2:
        raise AssayError("subnetworks are looked for of two parts, each of which is the other's control", given=list(parts))

    assert isinstance(task, PosesPartProblems)
    poses: PosesPartProblems = task

    def reading(num: int, pool: Pool) -> dict[str, Examples]:
        drawn = {part: poses.reading(part, num, pool=pool, generator=child_generator(generator)) for part in parts}
        return {part: examples.in_canonical_order() for part, examples in drawn.items()}

    def testing(pool: Pool) -> dict[str, Examples]:
        drawn = {part: poses.testing(part, num_judging, pool=pool, generator=child_generator(generator)) for part in parts}
        return {part: examples.in_canonical_order() for part, examples in drawn.items()}

    def nonsense(num: int, seed: int) -> Examples:
        return poses.nonsense(seed, num, pool="mask", generator=child_generator(generator)).in_canonical_order()

    return Problems(
        training=reading(num_training, "mask"),
        checking=reading(num_judging, "mask"),
        choosing=testing("mask"),
        testing=testing("test"),
        reading=reading(num_judging, "test"),
        both=poses.problems(num_judging, pool="test", generator=child_generator(generator)).in_canonical_order(),
        nonsense=tuple((nonsense(num_training, seed), nonsense(num_judging, seed)) for seed in range(num_nonsense)),
    )


@dataclass(frozen=True)
class Network:
    """A network whose weights are exchanged, and how its answers are scored."""

    module: nn.Module
    objective: Objective
    batch_size: int = 1024

    @property
    def weights(self) -> dict[str, Tensor]:
        return weights_of(self.module)

    def score(self, weights: Mapping[str, Tensor], examples: Examples) -> Scored:
        """Its accuracy with these weights."""
        return self.score_outputs(run(self.module, weights, examples.inputs, batch_size=self.batch_size), examples)

    def score_outputs(self, outputs: Tensor, examples: Examples) -> Scored:
        """The accuracy of given outputs."""
        scores = self.objective.score(outputs, examples.targets).double()
        units = cluster_means(scores, examples.combination).means
        return Scored(units if len(units) >= MIN_UNITS else scores, constant_score(self.objective, examples))


def constant_score(objective: Objective, examples: Examples) -> float:
    """What the objective says that guessing scores; where it has no such number, the best constant answer."""
    if objective.chance > 0:
        return objective.chance
    answers = examples.targets.unique(dim=0)
    ideals = (objective.ideal(answer.expand_as(examples.targets)) for answer in answers)
    return max((float(objective.score(ideal, examples.targets).mean()) for ideal in ideals), default=0.0)


def fails_gate(network: Network, problems: Problems, least: float) -> str:
    """Why the network itself is not worth looking into: what it does not solve. Empty when it solves all."""
    sets = {"problems that both parts decide": problems.both}
    sets |= {f"problems that {part} decides": examples for part, examples in problems.testing.items()}
    found = {name: network.score(network.weights, examples).raw for name, examples in sets.items()}
    failed = [f"{name} ({score:.2f} right)" for name, score in found.items() if score < least]
    return f"base network does not solve {', '.join(failed)}; {least:g} is needed of each" if failed else ""
