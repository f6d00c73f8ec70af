"""Subnetworks: is each part carried by a subnetwork that can be ablated separately?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import nn

from assay.display import number
from assay.errors import AssayError
from assay.evidence import UNTRAINED, Effort, Measure, RawValues
from assay.figure import DetailTable
from assay.instrument import Control, Instrument, NotEnough, Notes, Random, Reading, Readings, Values
from assay.instruments.subnetworks.controls import AT_RANDOM, FRESH, PartReading, control_tables, controlled
from assay.instruments.subnetworks.decision import NECESSITY, NONSENSE, RANDOM, decide
from assay.instruments.subnetworks.path import SOLVES, SparsityPath, fit_path, path_curve
from assay.instruments.subnetworks.problems import MaskBudget, MaskedModel, Problems, draw_problems, first_of_units
from assay.masks import Unit, units_of
from assay.stats import MIN_UNITS, gain_over
from assay.stored_examples import MOST_EXAMPLES, from_both_ends, png_text, shown_inputs
from assay.subject import Subject
from assay.task import PosesPartProblems, Task

SUFFICIENCY = replace(NECESSITY, key="sufficiency", title="sufficiency", headline=False, beats=(UNTRAINED,))
NECESSITY_SMALLEST = replace(SUFFICIENCY, key="necessity_at_the_smallest_mask", title="necessity at the smallest mask")
SUFFICIENCY_SMALLEST = replace(SUFFICIENCY, key="sufficiency_at_the_smallest_mask", title="sufficiency at the smallest mask")

BUDGETS: Mapping[Effort, MaskBudget] = {
    "quick": MaskBudget(
        training=2_000, judging=400, penalties=(0.1, 1.0, 4.0, 16.0), steps=(300, 120), seeds=2, nonsense=4, draws=99
    ),
    "standard": MaskBudget(
        training=8_000,
        judging=1_000,
        penalties=(0.02, 0.2, 1.0, 3.0, 8.0, 20.0),
        steps=(400, 200),
        seeds=3,
        nonsense=5,
        draws=199,
    ),
    "full": MaskBudget(
        training=20_000,
        judging=2_000,
        penalties=(0.02, 0.06, 0.2, 0.6, 2.0, 6.0, 20.0, 60.0),
        steps=(800, 400),
        seeds=5,
        copies=10,
        nonsense=10,
        draws=999,
    ),
}


class FoundSubnetworks(NamedTuple):
    """Results kept for the network under test: its parts, tables of their controls, and the masks for hashed labels."""

    parts: Sequence[PartReading]
    tables: Sequence[DetailTable]
    nonsense: Sequence[SparsityPath]


class Subnetworks(Instrument[Problems]):
    """Search for each part's subnetwork along a sparsity path, and accuracy on the problems of each part with that subnetwork
    ablated and with it alone.

    **Arguments:**

    - `unit`, `layers`, `start`, `embeddings`: the units of a mask, as in `assay.masks.units_of`. Embeddings are not masked by
      default, as in the paper: both parts need them, so that removing them with the mask of one would harm the other.
    - `others`: networks of the same architecture, trained or drawn independently, whose weights replace removed ones; by
      default freshly initialised ones.
    - `budgets`: for each effort, the numbers of problems, penalties, steps, seeds and null draws.

    Example::

        >>> from dataclasses import replace
        >>> from assay.instruments.subnetworks import Subnetworks
        >>> quick = replace(Subnetworks().budgets["quick"], penalties=(1.0, 4.0), draws=19)
        >>> instrument = Subnetworks(unit="neuron", budgets={"quick": quick})  # for `assay.instrument.run` and `assay.audit`
        >>> instrument.name, instrument.budgets["quick"].copies
        ('subnetworks', 5)
    """

    name = "subnetworks"
    question = "Is each part carried by a subnetwork that can be removed alone?"
    cites = ("lepori2023",)
    needs = (PosesPartProblems,)
    metrics = (NECESSITY, NECESSITY_SMALLEST, SUFFICIENCY, SUFFICIENCY_SMALLEST)
    long = True
    searches = True

    def __init__(
        self,
        unit: Unit = "weight",
        layers: Sequence[str] = ("*",),
        start: int = 0,
        embeddings: bool = False,
        others: Sequence[nn.Module] = (),
        budgets: Mapping[Effort, MaskBudget] = BUDGETS,
    ):
        self.unit, self.layers, self.start, self.embeddings = unit, tuple(layers), start, embeddings
        self.others, self.budgets = tuple(others), budgets

    def data(self, subject: Subject, task: Task, budget: MaskBudget, rng: Random) -> Problems:
        try:
            units = units_of(subject.module, kind=self.unit, layers=self.layers, start=self.start, embeddings=self.embeddings)
            problems = draw_problems(task, units=units, budget=budget, rng=rng)
        except AssayError as error:
            raise NotEnough(str(error)) from error
        fewest = min(map(len, (problems.both, *problems.testing.values(), *problems.training.values())))
        if fewest < MIN_UNITS:
            raise NotEnough(f"{fewest} problems in one of the task's pools, and an interval needs {MIN_UNITS}")
        return problems

    def read(self, network: Subject, data: Problems, rng: Random) -> Reading:
        model, budget = MaskedModel(network.module, data, network.batch_size), data.budget
        if unsolved := model.unsolved(SOLVES):
            raise NotEnough(unsolved)
        seeds = range(budget.seeds)
        paths = {part: tuple(fit_path(model, part, generator=rng("path", part, k)) for k in seeds) for part in data.parts}
        parts = [PartReading(part, found) for part, found in paths.items()]
        # Nulls are searched only for parts that a mask isolates: without one there is no value to compare with them.
        num = budget.nonsense if any(part.chosen for part in parts) else 0
        nonsense = [fit_path(model, data.parts[0], generator=rng("nonsense", k), nonsense=k) for k in range(num)]
        others = self.others or [network.untrained(rng("other", k)).module for k in range(FRESH)]
        parts = [
            controlled(model, part, nonsense=nonsense, others=others, rng=rng.within(part.part)) if part.chosen else part
            for part in parts
        ]
        values = [values for part in parts for values in values_of(part)]
        return Reading(values, FoundSubnetworks(parts, control_tables(model, parts), nonsense))

    def read_copy(self, network: Subject, data: Problems, own: Reading, rng: Random) -> Reading:
        model = MaskedModel(network.module, data, network.batch_size)
        isolated = [part.part for part in own.kept.parts if part.chosen]
        paths = {part: fit_path(model, part, generator=rng("path", part)) for part in isolated}
        return Reading([values for part, path in paths.items() for values in values_along(part, (path,))], paths)

    def explain(self, data: Problems, readings: Readings, measures: Sequence[Measure]) -> Notes:
        found: FoundSubnetworks = readings.own.kept
        necessity = [measure for measure in measures if measure.key == NECESSITY.key]
        decisions = [(part.part, *decide(part, measure)) for part, measure in zip(found.parts, necessity, strict=True)]
        paths = {
            one.part: {
                "this": one.paths,
                "rotated": one.rotated,
                "untrained": [copy.kept[one.part] for copy in readings.copies if one.part in copy.kept],
            }
            for one in found.parts
        }
        labels = {(one.about["part"], one.key): one.label for one in measures if one.raw}
        table = DetailTable(name="Decisions", columns=("part", "is", "because"), rows=tuple(decisions), level=2)
        return Notes(
            summary=". ".join(f"Part {part} is {word}: {reason}" for part, word, reason in decisions) + ".",
            warnings=tuple(_warnings(found)),
            not_tested=tuple(_not_tested(found.parts, len(data.budget.penalties))),
            figures=(table, path_curve(paths, labels), *found.tables),
            pictured="The items of a problem.",
            **_problems_shown(data, measures),
            settings={
                "unit": self.unit,
                "layers": ", ".join(self.layers),
                "start": self.start,
                "embeddings": "masked too" if self.embeddings else "left whole",
                "units": len(data.units),
            },
        )


def _problems_shown(data: Problems, measures: Sequence[Measure]) -> dict[str, dict[str, dict[int, str]]]:
    """The problems behind every measure, as text or pictures: those with the lowest and the highest accuracy."""
    found: dict[str, dict[str, dict[int, str]]] = {"inputs": {}, "images": {}}
    for one in measures:
        rows, problems = from_both_ends(one, 0)[: MOST_EXAMPLES // max(1, len(measures))], data.testing[one.about["part"]]
        texts, pictures = shown_inputs(problems.take(first_of_units(problems)[rows]), data.task)
        shown = zip(rows, texts, pictures, strict=True)
        found["inputs"][one.label] = {row: text for row, text, _ in shown if text}
        pictured = zip(rows, pictures, strict=True)
        found["images"][one.label] = {row: png_text(picture) for row, picture in pictured if picture is not None}
    return found


def values_of(found: PartReading) -> list[Values]:
    """The metrics of one part of the network under test; without values, and with the reason, where no mask isolates it."""
    necessity, *others = values_along(found.part, found.paths)
    if not found.chosen:
        reason = f"no isolable part: {found.paths[0].flaw}"
        return [replace(one, units=torch.zeros(0), ceiling=None, reason=reason) for one in (necessity, *others)]
    assert necessity.variance is not None
    random, nonsense = [effect.necessity for effect in found.ablations[AT_RANDOM]], found.nonsense
    controls = (
        Control(
            name=RANDOM,
            how=f"as many random nonzero weights of every layer removed, {len(random)} times; p: share with at least as much",
            values=torch.tensor(random, dtype=torch.float64),
        ),
        Control(
            name=NONSENSE,
            how="masks found for arbitrary labels (hashes), of every path the one with the highest validation score",
            values=torch.tensor(nonsense, dtype=torch.float64),
            p=gain_over(necessity.mean, necessity.variance, nonsense).p,
        ),
    )
    return [replace(necessity, controls=controls), *others]


def values_along(part: str, paths: Sequence[SparsityPath]) -> list[Values]:
    """The metrics of one part of any network: means over its paths, one per seed of the search. A path without an isolating
    mask counts as 0."""
    chosen = [point for path in paths if (point := path.chosen) is not None]
    smallest = [point for path in paths if (point := path.smallest) is not None]
    effects_of = (
        (NECESSITY, 1, [point.without for point in chosen]),
        (NECESSITY_SMALLEST, 1, [point.without for point in smallest]),
        (SUFFICIENCY, -1, [point.alone for point in chosen]),
        (SUFFICIENCY_SMALLEST, -1, [point.alone for point in smallest]),
    )
    values = []
    for metric, sign, effects in effects_of:
        first = effects[0] if effects else paths[0].points[0].without
        raw = sign * sum(effect.raw for effect in effects) / max(1, len(effects))
        of = "accuracy on its own problems, " + ("without the mask" if sign > 0 else "with the mask alone")
        values.append(
            Values(
                metric=metric.key,
                about={"part": part},
                raw=RawValues(of=of, values=tuple(first.own.units.tolist())) if effects else None,
                units=torch.cat([first.own.units, first.other.units]),
                value=sign * sum(effect.necessity for effect in effects) / len(paths),
                variance=first.variance,
                note=f"mean over {len(paths)} seeds of the search; {number(raw)} with accuracies below chance as they are",
                ceiling=1 - first.own.chance,
            )
        )
    return values


def _warnings(found: FoundSubnetworks) -> Iterator[str]:
    for one in found.parts:
        smallest, chosen = one.paths[0].smallest, one.paths[0].chosen
        if smallest is not None and chosen is not None and chosen.without.necessity - smallest.without.necessity > 0.1:
            yield (
                f"Part {one.part} is stored more than once: without the smallest mask that solves its problems "
                f"{number(smallest.without.own.raw)} are right, without the chosen one {number(chosen.without.own.raw)}."
            )
        for twin in (path.chosen for path in one.rotated if path.chosen is not None):
            own, rotated = one.chosen[0].without.necessity, twin.without.necessity
            tells = (
                "what is found depends on the basis" if abs(own - rotated) > 0.2 else "necessity does not depend on the basis"
            )
            yield f"Part {one.part}: necessity is {number(own)}, and in a rotated basis {number(rotated)}: {tells}."
    if any(point.accuracy >= SOLVES for path in found.nonsense for point in path.points):
        yield "A mask solves problems with arbitrary labels: masks of this size can fit any labels on so few items."


def _not_tested(found: Sequence[PartReading], num_penalties: int) -> Iterator[str]:
    isolated = [one for one in found if one.chosen]
    if len(isolated) < len(found):
        yield "Nulls of a part that no mask isolates: there is no value to compare with them."
    if isolated and not isolated[0].rotated:
        yield "A rotated basis: no Sequential has two Linear layers in direct succession."
    yield "Other seeds of training: one network is one unit, and `over_networks` joins five or more."
    yield f"Masks of sizes between those found with the {num_penalties} penalties."
