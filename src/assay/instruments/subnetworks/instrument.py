"""Subnetworks: is each part carried by a subnetwork that can be removed alone?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from torch import Generator, nn

from assay.errors import AssayError
from assay.evidence import Effort, Evidence
from assay.instrument import Progress, silent
from assay.instruments.subnetworks.controls import (
    fresh_others,
    random_removals,
    removals,
    reuse,
    rotated,
    stability,
    together,
)
from assay.instruments.subnetworks.deciding import Decision, PartFound, decide
from assay.instruments.subnetworks.measures import measures_of
from assay.instruments.subnetworks.problems import Network, Problems, draw_problems, fails_gate
from assay.instruments.subnetworks.tables import tables_of
from assay.instruments.subnetworks.trail import OWN, Trail, follow, follow_nonsense
from assay.masks import SearchConfig, Unit, Units, units_of
from assay.references import cited
from assay.stats import MIN_UNITS, child_generator
from assay.subject import Subject
from assay.task import PosesPartProblems, Task


@dataclass(frozen=True)
class Budget:
    """How much is measured at one effort.

    **Attributes:** `training`, `judging`: problems of each kind; `prices`: of the path; `steps`, `later_steps`: of its
    searches; `seeds`: of the search on the network; `copies`: untrained; `nonsense`: hashes; `draws`: random masks.
    """

    training: int
    judging: int
    prices: tuple[float, ...]
    steps: int
    later_steps: int
    seeds: int
    copies: int
    nonsense: int
    draws: int

    def as_settings(self) -> dict[str, str | int]:
        """For the report."""
        return {key: value if isinstance(value, int) else ", ".join(map(str, value)) for key, value in asdict(self).items()}


BUDGETS: Mapping[Effort, Budget] = {
    "quick": Budget(2_000, 400, (0.1, 1.0, 4.0, 16.0), 300, 120, seeds=2, copies=5, nonsense=4, draws=99),
    "standard": Budget(8_000, 1_000, (0.02, 0.2, 1.0, 3.0, 8.0, 20.0), 400, 200, seeds=3, copies=5, nonsense=5, draws=199),
    "full": Budget(
        20_000, 2_000, (0.02, 0.06, 0.2, 0.6, 2.0, 6.0, 20.0, 60.0), 800, 400, seeds=5, copies=10, nonsense=10, draws=999
    ),
}
_DRAWS = 5  # of fresh weights in place of those removed


class Subnetworks:
    """Looks for each part's subnetwork along a whole path of sizes, takes it out, and asks what is left of both parts.

    The rule from numbers to words is in `deciding`.

    **Arguments:**

    - `unit`, `layers`, `start`, `embeddings`: what a mask decides over, as in `assay.masks.units_of`. Embeddings are left
      whole, as published: every part needs its words, and a mask of both would take them from the other part.
    - `others`: networks of the same architecture, trained or drawn apart, whose weights take the place of removed ones; by
      default freshly drawn ones.
    - `budgets`: how much is measured at each effort.
    """

    name = "subnetworks"
    question = "Is each part carried by a subnetwork that can be removed alone?"
    cites: tuple[str, ...] = ("lepori2023",)
    needs: tuple[type, ...] = (PosesPartProblems,)

    def __init__(
        self,
        unit: Unit = "weight",
        layers: Sequence[str] = ("*",),
        start: int = 0,
        embeddings: bool = False,
        others: Sequence[nn.Module] = (),
        budgets: Mapping[Effort, Budget] = BUDGETS,
    ):
        self.unit, self.layers, self.start, self.embeddings = unit, tuple(layers), start, embeddings
        self.others = tuple(others)
        self.budgets = budgets

    def measure(
        self, subject: Subject, task: Task, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        size = self.budgets[effort]
        network = Network(subject.module, task.objective, subject.batch_size)
        try:
            units = units_of(subject.module, kind=self.unit, layers=self.layers, start=self.start, embeddings=self.embeddings)
            problems = draw_problems(
                task,
                num_training=size.training,
                num_judging=size.judging,
                num_nonsense=size.nonsense,
                generator=child_generator(generator),
            )
        except AssayError as error:
            return self._not_enough(str(error))
        fewest = min(map(len, (problems.both, *problems.testing.values(), *problems.training.values())))
        if fewest < MIN_UNITS:
            return self._not_enough(f"{fewest} problems in one of the task's pools, and an interval needs {MIN_UNITS}")
        failing = fails_gate(network, problems, OWN)
        if failing:
            return self._not_enough(failing)
        found = _Search(subject, network, units, problems, size, generator, progress).parts(self.others)
        decisions = {one.part: decide(one) for one in found}
        chosen = {one.part: one.chosen.mask for one in found if one.chosen is not None}
        joined = together(network, problems, chosen) if len(chosen) == 2 else None
        nonsense = next((one.nonsense for one in found if one.nonsense), ())
        overfits = [max(point.accuracy for point in trail.points) for trail in nonsense]
        return Evidence(
            instrument=self.name,
            question=self.question,
            summary=_summary(decisions),
            measures=tuple(measure for one in found for measure in measures_of(one)),
            figures=tables_of(found, decisions, joined, overfits),
            sources=cited(self.cites),
            warnings=tuple(_warnings(found, overfits)),
            not_tested=tuple(_not_tested(found, effort)),
            settings={
                "effort": effort,
                **size.as_settings(),
                "unit": self.unit,
                "layers": ", ".join(self.layers),
                "start": self.start,
                "embeddings": "masked too" if self.embeddings else "left whole",
                "units": len(units),
            },
        )

    def _not_enough(self, reason: str) -> Evidence:
        return Evidence(
            instrument=self.name, question=self.question, summary=f"Not resolved: {reason.rstrip('.')}.", not_enough=reason
        )


class _Search:
    """All paths through one network and its twins."""

    def __init__(
        self,
        subject: Subject,
        network: Network,
        units: Units,
        problems: Problems,
        size: Budget,
        generator: Generator,
        progress: Progress,
    ):
        self.network, self.units, self.problems, self.size, self.progress = network, units, problems, size, progress
        self.config = SearchConfig(steps=size.steps, later_steps=size.later_steps)
        self.generator = child_generator(generator)
        copies = [subject.untrained(child_generator(generator)) for _ in range(size.copies)]
        self.copies = [Network(copy.module, network.objective, network.batch_size) for copy in copies]
        twin = rotated(network.module, problems.both.inputs, child_generator(generator))
        self.twin = None if twin is None else Network(twin, network.objective, network.batch_size)
        self.done, self.total = 0, 2 * (size.seeds + size.copies + (twin is not None)) + size.nonsense

    def parts(self, others: Sequence[nn.Module]) -> list[PartFound]:
        """Everything about each part. Nulls are searched for parts that a mask isolates: without one there is no number."""
        trails = {part: self._seeds(self.network, part) for part in self.problems.parts}
        isolated = [part for part, found in trails.items() if any(trail.isolating for trail in found)]
        self.total = self.done + len(isolated) * (self.size.copies + (self.twin is not None)) + self.size.nonsense
        nonsense = [self._nonsense(seed) for seed in range(self.size.nonsense)] if isolated else []
        return [
            self._beside_nulls(part, found, tuple(one[part] for one in nonsense), others)
            if part in isolated
            else PartFound(part, found)
            for part, found in trails.items()
        ]

    def _beside_nulls(
        self, part: str, trails: tuple[Trail, ...], nonsense: tuple[Trail, ...], others: Sequence[nn.Module]
    ) -> PartFound:
        mask = next(trail.chosen.mask for trail in trails if trail.chosen is not None)
        draws, network, problems = child_generator(self.generator), self.network, self.problems
        others = fresh_others(network.module, others, _DRAWS, draws)
        return PartFound(
            part,
            trails,
            fresh=tuple(self._follow(copy, part) for copy in self.copies),
            turned=None if self.twin is None else self._follow(self.twin, part),
            nonsense=nonsense,
            removals=removals(network, problems, part, mask, others=others, draws=_DRAWS, generator=draws),
            random=random_removals(network, self.units, problems, part, mask, draws=self.size.draws, generator=draws),
            reuse=reuse(network, problems, part, mask),
            stability=stability(network, trails),
        )

    def _seeds(self, network: Network, part: str) -> tuple[Trail, ...]:
        return tuple(self._follow(network, part) for _ in range(self.size.seeds))

    def _follow(self, network: Network, part: str) -> Trail:
        self._tell(f"a path of masks for part {part}")
        draws = child_generator(self.generator)
        return follow(network, self.units, self.problems, part, prices=self.size.prices, config=self.config, generator=draws)

    def _nonsense(self, seed: int) -> dict[str, Trail]:
        self._tell("a path of masks for nonsense")
        draws = child_generator(self.generator)
        prices = self.size.prices
        return follow_nonsense(
            self.network, self.units, self.problems, seed, prices=prices, config=self.config, generator=draws
        )

    def _tell(self, doing: str) -> None:
        self.progress(doing, self.done / self.total)
        self.done += 1


def _summary(decisions: dict[str, Decision]) -> str:
    told = (f"Part {part} is {decision.word}: {decision.reason}" for part, decision in decisions.items())
    return ". ".join(told) + "."


def _warnings(found: Sequence[PartFound], overfits: Sequence[float]) -> Iterator[str]:
    for one in found:
        smallest, chosen = one.trails[0].smallest, one.trails[0].chosen
        if smallest is not None and chosen is not None and chosen.without.removed - smallest.without.removed > 0.1:
            yield (
                f"Part {one.part}: the smallest mask that solves its problems leaves {smallest.without.own.raw:.2f} of it when "
                f"it is taken out, the one chosen {chosen.without.own.raw:.2f}: the part is there more than once."
            )
        if one.turned is not None and one.chosen is not None and one.turned.chosen is not None:
            own, turned = one.chosen.without.removed, one.turned.chosen.without.removed
            tells = "what is found depends on the basis" if abs(own - turned) > 0.2 else "it does not tell the bases apart"
            yield (
                f"Part {one.part}: necessity {own:+.2f} is {turned:+.2f} in a twin that computes the same in a rotated basis: "
                f"{tells}."
            )
    if any(accuracy >= OWN for accuracy in overfits):
        yield "A mask solves problems that a hash decides: masks of this size fit anything on so few items."


def _not_tested(found: Sequence[PartFound], effort: Effort) -> Iterator[str]:
    isolated = [one for one in found if one.chosen is not None]
    if len(isolated) < len(found):
        yield "Nulls of a part that no mask isolates: there is no number to hold against them."
    if isolated and isolated[0].turned is None:
        yield "A rotated basis: no two Linear layers of a Sequential follow each other with nothing between them."
    yield "Other seeds of the training: one network is one unit; `over_networks` joins five or more."
    if effort == "quick":
        yield "A fine path: a quick look takes four sizes of mask, and short searches."
