"""Organisation: is the function written tidily into the units, or fractured?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.evidence import Effort, Evidence, Measure, Null, Table
from assay.instrument import Progress, following, report, silent
from assay.instruments.organisation.disorder import Disorder, Written, unit_sites, written
from assay.observed import Observed, observe
from assay.references import cited
from assay.stats import MIN_UNITS, child_generator, mean_interval
from assay.subject import Subject
from assay.task import Examples, Task

MOST_GROUPS = 20  # of combinations, each left out once
_PARTS = tuple(field.name for field in fields(Disorder))


@dataclass(frozen=True)
class Budget:
    """How much is measured at one effort."""

    examples: int
    directions: int
    copies: int


BUDGETS: Mapping[Effort, Budget] = {
    "quick": Budget(examples=200, directions=8, copies=5),
    "standard": Budget(examples=500, directions=16, copies=10),
    "full": Budget(examples=2_000, directions=32, copies=20),
}


class Organisation:
    """Scores how tidily the function is written into the units of the network's activations: no doubles, nothing that cancels,
    no wrong scales. Twins of a network that compute the same function differ in it, so it says nothing of behaviour.

    The interval is that of the jackknife over groups of combinations. The null are untrained copies, from whose scores training
    starts. Neither a tidier nor a less tidy network than these is tested for, so there is no p and it is never a finding.

    **Arguments:** `sites`: glob patterns; by default every activation, or what enters each matrix of weights where activations
    are no modules.
    """

    name = "organisation"
    question = "Is the function written tidily into the units, or fractured?"
    cites: tuple[str, ...] = ("kumar2025",)
    needs: tuple[type, ...] = ()

    def __init__(self, sites: Sequence[str] = (), *, budgets: Mapping[Effort, Budget] = BUDGETS):
        self.sites = tuple(sites)
        self.budgets = budgets

    def measure(
        self, subject: Subject, task: Task, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        observed = self.observe(task, effort=effort, generator=generator)
        return self.judge(subject, observed, effort=effort, generator=generator, progress=progress)

    def observe(self, task: Task, *, effort: Effort, generator: Generator) -> Observed:
        """Trained examples, and nothing to exchange between them."""
        num = self.budgets[effort].examples
        return observe(task, num_examples=num, num_pairs=0, num_scrambles=0, num_folds=2, generator=generator)

    def judge(
        self, subject: Subject, observed: Observed, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        """The same from what was observed: nothing else of the task is known here, and no novel input can be made."""
        size, seen = self.budgets[effort], observed.examples
        num_units = len(seen.combination.unique())
        if num_units < MIN_UNITS:
            return self._not_enough(f"{num_units} trained combinations, and an interval needs {MIN_UNITS}")
        places = subject.match(self.sites, seen.inputs) if self.sites else ()
        sites = [site.name for site in places] or unit_sites(subject, seen.inputs)
        if not sites:
            return self._not_enough("the network has no activations, recurrent cells or inner matrices of weights to look at")

        with following(progress):
            return self._judged(subject, seen, sites, size, effort, generator)

    def _judged(
        self, subject: Subject, seen: Examples, sites: Sequence[str], size: Budget, effort: Effort, generator: Generator
    ) -> Evidence:
        def read(network: Subject) -> Written:
            draws = child_generator(generator)
            return written(network, seen.inputs, sites, num_directions=size.directions, generator=draws)

        report("reading the network", 0.0)
        own = read(subject)
        if not own.matters:
            return self._not_enough("no output depends on the units of these sites")
        units = _pseudo_values(own, seen.combination, child_generator(generator))
        copies = []
        for k in range(size.copies):
            report(f"reading untrained copy {k + 1} of {size.copies}", 0.4 + 0.6 * k / size.copies)
            copies.append(read(subject.untrained(child_generator(generator))).disorder())
        measure = _measure(own.disorder().score, units, copies)
        return Evidence(
            instrument=self.name,
            question=self.question,
            summary=_summary(own.disorder(), copies),
            measures=(measure,),
            figures=(_table(own, copies),),
            sources=cited(self.cites),
            not_tested=(
                "Disorder of other kinds: a mess without units that carry the same signal or have wrong scales reads as tidy.",
                "Whether a part has units of its own, or shares them with others.",
            ),
            settings={"effort": effort, **asdict(size), "examples read": len(seen), "sites read": ", ".join(sites)},
        )

    def _not_enough(self, reason: str) -> Evidence:
        return Evidence(instrument=self.name, question=self.question, summary=f"Not enough data: {reason}.", not_enough=reason)


def _pseudo_values(own: Written, combination: Int[Tensor, " n"], generator: Generator) -> Float[Tensor, " g"]:
    """The jackknife's pseudo-values over groups of combinations (Tukey 1958), moved so that their mean is the score: what is
    taken from them is its spread, not its correction for bias, which shares of units over a threshold do not bear."""
    ids, number = combination.unique(return_inverse=True)
    num = min(MOST_GROUPS, len(ids))
    group = (torch.randperm(len(ids), generator=generator) % num)[number]
    without = torch.empty(num, dtype=torch.float64)
    for k in range(num):
        report("leaving out groups of combinations", 0.4 * k / num)
        without[k] = own.disorder(group != k).score
    return own.disorder().score + (num - 1) * (without.mean() - without)


def _measure(score: float, units: Float[Tensor, " g"], copies: Sequence[Disorder]) -> Measure:
    values = [copy.score for copy in copies]
    null = Null(
        name="untrained copies",
        how=f"{len(copies)} networks of the same architecture with fresh weights, where training starts; no test",
        values=tuple(values),
    )
    return Measure(
        key="organisation",
        name="organisation",
        value=score,
        unit="score, 1 is tidy",
        direction="higher",
        interval=mean_interval(units, bounds=(0.0, 1.0)),
        nulls=(null,),
        units=len(units),
        unit_of="combination",
        repeats=tuple(units.tolist()),
        headline=True,
        note=f"{score - null.mean:+.2f} from untrained copies; units are groups of combinations, each left out once",
        ceiling=1.0,
        level=0,
    )


def _table(own: Written, copies: Sequence[Disorder]) -> Table:
    """The four parts of disorder at every site, in the mean, and in untrained copies."""
    mean = torch.tensor([astuple(copy) for copy in copies]).mean(0).tolist()
    return Table(
        name="Parts of disorder",
        columns=("site", *_PARTS, "score"),
        rows=(
            *((site, *astuple(found), found.score) for site, found in own.by_site().items()),
            ("mean over sites", *astuple(own.disorder()), own.disorder().score),
            ("untrained copies", *mean, sum(copy.score for copy in copies) / len(copies)),
        ),
        note="Cancellation: what contributions of units to the output lose by opposite signs. Idle: what is lost among units "
        "that carry one signal. Redundancy: units that have a double. Imbalance: spread of the scales of units.",
        level=0,
    )


def _summary(own: Disorder, copies: Sequence[Disorder]) -> str:
    untrained = sum(copy.score for copy in copies) / len(copies)
    return (
        f"Organisation scores {own.score:.2f} of 1 (untrained copies {untrained:.2f}): {own.redundancy:.0%} of the units used "
        f"have a double, and {own.idle:.0%} of what units contribute cancels among doubles."
    )
