"""Subgraph matching: accuracy on nodes of computation graphs by what the training set contains of them (Dziri et al. 2023)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int

from assay.computation.ability import DeclaresComputation, DeclaresSizes
from assay.computation.analysis import FULL_TABLE, SURFACE, Analysis, analyse, own_steps, table_values
from assay.computation.cells import seen
from assay.computation.coverage import covered
from assay.computation.decoding import given_right_parents, greedy
from assay.computation.labels import labelled
from assay.computation.predictions import answered, answered_values
from assay.evidence import Effort, Measure
from assay.instrument import Budget, Instrument, NotEnough, Notes, Random, Reading, Readings, Values, stage
from assay.instruments.subgraphs.figures import figures, wrong_nodes
from assay.instruments.subgraphs.leaks import leaks_table
from assay.instruments.subgraphs.missing import missing_values
from assay.instruments.subgraphs.values import (
    APPLIED,
    BEYOND,
    GAP,
    MATCHED,
    ODDS,
    OWN,
    RECOMBINED,
    TRAINED,
    SubgraphsDraw,
    ids_of,
    inputs_of,
    numpy_of,
    of_cells,
    of_gap,
    of_nodes,
    side_of,
)
from assay.predictions import Predictions
from assay.stats import MIN_UNITS
from assay.subject import Subject
from assay.task import LACKS, Task


@dataclass(frozen=True, kw_only=True)
class Sizes(Budget):
    """Sizes at one effort: trained examples that are counted, examples of either kind that are read, those of these that copies
    are read on (of novel ones, per cell), and repeats of a table and of shuffled values."""

    trained: int
    examples: int
    copied: int
    tables: int
    shuffles: int


@dataclass(frozen=True)
class SubgraphsKept:
    """Results for the text of the report on the network under test."""

    given: Analysis | None
    own: Analysis | None
    missing: tuple[str, ...] = ()


_WERE_ALL_WRONG = "if missing values behind other missing ones counted as wrong, it would be:"


class Subgraphs(Instrument[SubgraphsDraw]):
    """Local accuracy at every node of the computation graphs of novel inputs, by what the training set contains of it: the full
    computation subgraph, its last step alone, or neither.

    Local accuracy, each step on the right values of its parents, is compared with a table of full subgraphs, a table of steps,
    and the best guess that ignores one argument. Error kinds describe the network's own steps, and the composition gap is what
    they would gain if parts were composed by the operations themselves.
    """

    name = "subgraphs"
    question = "Does the network run the operations, or match subgraphs that it has seen in training?"
    cites = ("dziri2023", "hupkes2020", "chang2025")
    needs = (DeclaresComputation,)
    metrics = (TRAINED, MATCHED, RECOMBINED, APPLIED, BEYOND, ODDS, OWN, GAP)
    reads_predictions = True

    def __init__(self, *, budgets: Mapping[Effort, Sizes] | None = None):
        self.budgets = budgets or {
            "quick": Sizes(trained=20_000, examples=400, copied=100, tables=5, shuffles=5),
            "standard": Sizes(trained=200_000, examples=2_000, copied=2_000, tables=9, shuffles=9),
            "full": Sizes(trained=1_000_000, examples=10_000, copied=10_000, tables=19, shuffles=19, copies=19),
        }

    def data(self, subject: Subject, task: Task, budget: Sizes, rng: Random) -> SubgraphsDraw:
        assert isinstance(task, DeclaresComputation)
        trained = task.trained_examples(budget.trained, generator=rng("trained")).in_canonical_order()
        if len(trained.combination.unique()) < MIN_UNITS:
            raise NotEnough(f"{len(trained.combination.unique())} trained combinations, and an interval needs {MIN_UNITS}")
        num = budget.examples + len(trained) if task.level == 2 and len(task.combinations("novel")) else 0
        novel = task.examples("novel", num, generator=rng("novel")).in_canonical_order()
        if isinstance(subject, Predictions):
            given = answered(task, subject)
            few, read = given["seen"], given.get("novel", given["seen"].take(torch.zeros(0, dtype=torch.int64)))
            if not len(few) + len(read):
                raise NotEnough("the file answers no example of the task")
            rest = novel.take(~torch.isin(novel.combination, read.combination))
        else:
            few = trained.take(torch.randperm(len(trained), generator=rng("seen"))[: budget.examples].sort().values)
            order = torch.randperm(len(novel), generator=rng("which novel"))
            read, rest = novel.take(order[: budget.examples].sort().values), novel.take(order[budget.examples :].sort().values)
        rest = rest.take(torch.arange(min(len(rest), len(trained))))
        graphs = task.computation(trained)
        seen_side, novel_side = (
            side_of(task, one, budget.shuffles, rng.within(name)) for name, one in (("trained", few), ("novel", read))
        )
        known = seen(graphs, novel_side.graphs)
        tables: dict[str, list[Bool[np.ndarray, " v"]]] = {}
        stored: list[Int[np.ndarray, " v"]] = []
        surface = None
        for k in range(budget.tables):
            found = table_values(graphs, novel_side.graphs, known, numpy_of(rng, "tables", k), surface=surface)
            surface = found[SURFACE]
            stored.append(found[FULL_TABLE])
            for name, values in found.items():
                if name != SURFACE or not k:  # a file draws nothing
                    tables.setdefault(name, []).append(values == novel_side.graphs.values)
        return SubgraphsDraw(
            task=task,
            trained=graphs,
            seen=seen_side,
            novel=novel_side,
            other=task.computation(rest),
            known=known,
            reach=covered(graphs, novel_side.graphs),
            tables={name: np.stack(repeats) for name, repeats in tables.items()},
            stored=np.stack(stored),
            surface=surface,
            level=task.level,
            missed=len(task.combinations("seen")) - len(trained.combination.unique()),
            seed=rng.seed,
            copied=budget.copied,
        )

    def read(self, network: Subject, data: SubgraphsDraw, rng: Random) -> Reading:
        if isinstance(network, Predictions):
            return self._of_file(network, data, rng)
        values, given = self._given(network, data, rng)
        novel = data.novel.graphs
        if not len(data.novel.examples):
            return Reading(values, SubgraphsKept(None, None))
        with stage("decoding", 0.5, 1.0):
            predicted = data.task.node_values(data.novel.examples, novel, greedy(network))
        values += [of_nodes(OWN, data.novel, predicted, ~novel.is_source), of_gap(data, predicted, rng)]
        of_right = analyse(
            data.trained, novel, given, seed=data.seed, given_right_parents=True, reach=data.reach, surface=data.surface
        )
        own = analyse(data.trained, novel, predicted, seed=data.seed, reach=data.reach, surface=data.surface)
        return Reading(values, SubgraphsKept(of_right, own))

    def read_copy(self, network: Subject, data: SubgraphsDraw, own: Reading, rng: Random) -> Reading:
        return Reading(self._given(network, data.fewer, rng)[0])

    def _given(self, network: Subject, data: SubgraphsDraw, rng: Random) -> tuple[list[Values], Int[np.ndarray, " v"]]:
        """Metrics of the steps on right values, and the node values of novel inputs."""
        answer = given_right_parents(network)
        predicted = data.task.node_values(data.seen.examples, data.seen.graphs, answer)
        values = [of_nodes(TRAINED, data.seen, predicted, ~data.seen.graphs.is_source)]
        novel = data.novel.graphs
        given = data.task.node_values(data.novel.examples, novel, answer) if len(data.novel.examples) else novel.values
        return values + of_cells(data, given == novel.values, ~novel.is_source, rng), given

    def _of_file(self, answers: Predictions, data: SubgraphsDraw, rng: Random) -> Reading:
        """The same from a file, which holds the network's own steps alone: the steps on right values are those whose ancestors
        are right, including steps whose value is missing."""
        own, files = [], []
        for side in (data.seen, data.novel):
            found = answered_values(answers, side.examples, side.graphs)
            labels = labelled(side.graphs, found.values)
            own.append((found.values, own_steps(side.graphs, labels, found.values)))
            files.append(found)
        missing = missing_values(dict(zip(("trained", "novel"), files, strict=True)))
        values = [of_nodes(TRAINED, data.seen, *own[0])]
        predicted, judged = own[1]
        novel = data.novel.graphs
        values += of_cells(data, predicted == novel.values, judged, rng)
        if not len(data.novel.examples):
            return Reading(values, SubgraphsKept(None, None, missing))
        values += [of_nodes(OWN, data.novel, predicted, ~novel.is_source), of_gap(data, predicted, rng)]
        analysis = analyse(data.trained, novel, predicted, seed=data.seed, reach=data.reach, surface=data.surface)
        if missing:
            every = analyse(data.trained, novel, predicted, all_missing=True, reach=data.reach, surface=data.surface)
            if every.call != analysis.call:
                missing = (*missing, f"The conclusion depends on missing values: {_WERE_ALL_WRONG} {every.sentence}")
        return Reading(values, SubgraphsKept(None, analysis, missing))

    def explain(self, data: SubgraphsDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
        kept = readings.own.kept
        assert isinstance(kept, SubgraphsKept)
        untested = ["Inputs of other sizes than the novel ones.", "Whether other networks are right on the same steps."]
        if kept.own is None:
            why = "the file has no answers to novel ones" if len(data.other) else f"the task {LACKS.get(data.level, LACKS[0])}"
            summary = f"Only trained inputs were read: {why}."
            return Notes(summary, warnings=kept.missing, not_tested=untested)
        cells = kept.own if kept.given is None else kept.given
        warnings = []
        if kept.own.layers.error()[0] > 0.1:
            warnings.append(
                f"At layer 1, whose steps take inputs alone, {kept.own.layers.error()[0]:.0%} of the nodes are wrong. The "
                "network fails on positions or format, so that errors in later layers say nothing about composition."
            )
        warnings += kept.missing
        if not len(data.other):
            warnings.append(
                "The odds ratio was not compared with that of another training set, for which no novel inputs are left."
            )
        if data.missed > 0:
            warnings.append(
                f"{data.missed:,} trained combinations were not read, so that trained nodes may count as new. A higher effort "
                "reads more."
            )
        if kept.given is None:
            untested.append(
                "Steps on right values: the file holds only steps on the network's own values, and nodes behind an error are "
                "left out."
            )
        sizes = data.task.problem_sizes(data.novel.examples) if isinstance(data.task, DeclaresSizes) else None
        law, sides = kept.own.law, cells.sides.nodes.tolist()
        settings = {
            "inside_coverage": sides[0],
            "outside_coverage": sides[1],
            "error": law.error,
            "recovery": law.recovery,
            "floor": law.floor,
            "law_p": law.p,
            "call": cells.call,
        }
        settings = {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in settings.items()}
        return Notes(
            cells.sentence,
            warnings=warnings,
            not_tested=untested,
            figures=(
                *figures(
                    cells,
                    kept.own,
                    sizes,
                    on_right_values=kept.given is not None,
                    behind=next((one.label for one in measures if one.key == OWN.key and one.repeats), ""),
                    units=ids_of(data.novel.examples),
                ),
                *leaks_table(data.trained, kept.own),
            ),
            settings=settings,
            inputs={TRAINED.of: inputs_of(data)},
            answers={TRAINED.of: wrong_nodes(kept.own, ids_of(data.novel.examples))},
        )
