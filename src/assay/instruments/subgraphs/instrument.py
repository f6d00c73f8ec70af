"""Rules or matched subgraphs: node values of computation graphs, by what the training set holds of them (Dziri et al. 2023)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.computation.ability import DeclaresComputation, given_right_parents, greedy
from assay.computation.analysis import FULL_TABLE, LEAST_NEW, LEAST_NODES, STEP_TABLE, SURFACE, Analysis, analyse, table_values
from assay.computation.cells import CELLS, FULL, NEW, STEP, Seen, counts_in, odds_ratio, seen, step_coverage
from assay.computation.graph import Computations
from assay.evidence import UNTRAINED, Effort, Interval, Level, Measure
from assay.instrument import Budget, Control, Instrument, Metric, NotEnough, Notes, Random, Reading, Readings, Values, stage
from assay.instruments.subgraphs.figures import figures
from assay.novelty import ENOUGH
from assay.stats import LEVEL, MIN_UNITS
from assay.subject import Subject
from assay.task import LACKS, Examples, Task

SHUFFLED, ELSEWHERE = "values of other examples", "another training set"
_BOUNDS = (0.0, 1.0)
TRAINED = Metric(
    key="trained_steps",
    title="right steps on trained inputs",
    unit="accuracy",
    level=0,
    of="example",
    bounds=_BOUNDS,
    headline=True,
    beats=(UNTRAINED, SHUFFLED),
)
MATCHED = replace(
    TRAINED,
    key="novel_steps_full_seen",
    title="right steps, full subgraph trained",
    level=2,
    headline=False,
    beats=(UNTRAINED, SURFACE),
)
RECOMBINED = replace(
    MATCHED,
    key="novel_steps_recombined",
    title="right steps, trained only as steps",
    least=ENOUGH,
    headline=True,
    beats=(UNTRAINED, FULL_TABLE, SURFACE),
)
APPLIED = replace(
    RECOMBINED,
    key="novel_steps_applied",
    title="right steps that were never trained",
    beats=(UNTRAINED, STEP_TABLE, SURFACE),
)
ODDS = Metric(
    key="novel_log_odds_full_seen",
    title="log odds ratio of a trained full subgraph",
    unit="log odds",
    better="neither",
    level=2,
    of="example",
    beats=(ELSEWHERE,),
)
OWN = replace(
    TRAINED, key="novel_nodes_own_steps", title="right nodes on its own steps", level=2, headline=False, beats=(SHUFFLED,)
)
_METRIC_OF = {FULL: MATCHED, STEP: RECOMBINED, NEW: APPLIED}
_LEAST_OF = {FULL: 1, STEP: LEAST_NODES, NEW: LEAST_NEW}


@dataclass(frozen=True, kw_only=True)
class Sizes(Budget):
    """Trained examples that are counted, examples that are read of either kind, repeats of a table and of shuffled values."""

    trained: int
    examples: int
    tables: int
    shuffles: int


@dataclass(frozen=True)
class Side:
    """Examples, their graphs, and for each repeat the right values dealt to other nodes of the same operation."""

    examples: Examples
    graphs: Computations
    shuffled: Int[np.ndarray, "r v"]


@dataclass(frozen=True)
class Drawn:
    """Everything drawn from the task.

    **Attributes:**

    - `trained`: graphs of the training set; `seen`, `novel`: what is read.
    - `other`: graphs of examples that no network has seen, as many as were trained where there are so many.
    - `known`: what `trained` holds of the nodes of `novel`.
    - `tables`: by name, for each repeat which nodes of `novel` the table has right.
    - `missed`: trained combinations that are not counted in `trained`, for want of effort.
    """

    task: DeclaresComputation
    trained: Computations
    seen: Side
    novel: Side
    other: Computations
    known: Seen
    tables: Mapping[str, Bool[np.ndarray, "_ v"]]
    level: Level
    missed: int
    seed: int


@dataclass(frozen=True)
class Kept:
    """What the words need of the network under test."""

    given: Analysis | None
    own: Analysis | None
    inside: Bool[np.ndarray, " v"]


class Subgraphs(Instrument[Drawn]):
    """Reads a value at every node of the computation graphs of novel inputs, and asks what the training set holds of it: the
    full computation subgraph, its last step alone, or not even that.

    Local accuracy, each step on the right values of its parents, is compared with a table of full subgraphs, a table of steps,
    and the best guess that passes over one argument. Error kinds describe the network's own steps.
    """

    name = "subgraphs"
    question = "Does the network run the operations, or match subgraphs that it has seen in training?"
    cites = ("dziri2023", "hupkes2020", "chang2025")
    needs = (DeclaresComputation,)
    metrics = (TRAINED, MATCHED, RECOMBINED, APPLIED, ODDS, OWN)

    def __init__(self, *, budgets: Mapping[Effort, Sizes] | None = None):
        self.budgets = budgets or {
            "quick": Sizes(trained=20_000, examples=400, tables=5, shuffles=5),
            "standard": Sizes(trained=200_000, examples=2_000, tables=9, shuffles=9),
            "full": Sizes(trained=1_000_000, examples=10_000, tables=19, shuffles=19, copies=19),
        }

    def data(self, subject: Subject, task: Task, budget: Sizes, rng: Random) -> Drawn:
        assert isinstance(task, DeclaresComputation)
        trained = task.trained_examples(budget.trained, generator=rng("trained")).in_canonical_order()
        if len(trained.combination.unique()) < MIN_UNITS:
            raise NotEnough(f"{len(trained.combination.unique())} trained combinations, and an interval needs {MIN_UNITS}")
        few = torch.randperm(len(trained), generator=rng("seen"))[: budget.examples].sort().values
        num = budget.examples + len(trained) if task.level == 2 and len(task.combinations("novel")) else 0
        novel = task.examples("novel", num, generator=rng("novel")).in_canonical_order()
        order = torch.randperm(len(novel), generator=rng("which novel"))
        read, rest = order[: budget.examples].sort().values, order[budget.examples :][: len(trained)].sort().values
        graphs = task.computation(trained)
        seen_side, novel_side = (
            _side(task, one, budget.shuffles, rng.within(name))
            for name, one in (("trained", trained.take(few)), ("novel", novel.take(read)))
        )
        known = seen(graphs, novel_side.graphs)
        tables: dict[str, list[Bool[np.ndarray, " v"]]] = {}
        for k in range(budget.tables):
            found = table_values(graphs, novel_side.graphs, known, _numpy(rng, "tables", k))
            for name, values in found.items():
                if name != SURFACE or not k:  # it draws nothing
                    tables.setdefault(name, []).append(values == novel_side.graphs.values)
        return Drawn(
            task=task,
            trained=graphs,
            seen=seen_side,
            novel=novel_side,
            other=task.computation(novel.take(rest)),
            known=known,
            tables={name: np.stack(repeats) for name, repeats in tables.items()},
            level=task.level,
            missed=len(task.combinations("seen")) - len(trained.combination.unique()),
            seed=rng.seed,
        )

    def read(self, network: Subject, data: Drawn, rng: Random) -> Reading:
        values, given = self._given(network, data, rng)
        novel = data.novel.graphs
        if not len(data.novel.examples):
            return Reading(values, Kept(None, None, np.zeros(0, bool)))
        with stage("decoding", 0.5, 1.0):
            predicted = data.task.node_values(data.novel.examples, novel, greedy(network))
        right = predicted == novel.values
        values.append(_of_nodes(OWN, data.novel, right, predicted))
        given = analyse(data.trained, novel, given, seed=data.seed, given_right_parents=True)
        own = analyse(data.trained, novel, predicted, seed=data.seed)
        new = np.flatnonzero(data.known.cell == NEW)
        inside = np.zeros(len(novel), bool)
        inside[new] = step_coverage(data.trained, novel, new)
        return Reading(values, Kept(given, own, inside))

    def read_copy(self, network: Subject, data: Drawn, own: Reading, rng: Random) -> Reading:
        return Reading(self._given(network, data, rng)[0])

    def _given(self, network: Subject, data: Drawn, rng: Random) -> tuple[list[Values], Int[np.ndarray, " v"]]:
        """Every metric that is read step by step on right values, and these node values of novel inputs."""
        answer = given_right_parents(network)
        predicted = data.task.node_values(data.seen.examples, data.seen.graphs, answer)
        values = [_of_nodes(TRAINED, data.seen, predicted == data.seen.graphs.values, predicted)]
        novel = data.novel.graphs
        given = data.task.node_values(data.novel.examples, novel, answer) if len(data.novel.examples) else novel.values
        right = given == novel.values
        for cell, metric in _METRIC_OF.items():
            values.append(_of_cell(cell, metric, data, right))
        values.append(_of_odds(data, right, rng))
        return values, given

    def explain(self, data: Drawn, readings: Readings, measures: Sequence[Measure]) -> Notes:
        kept = readings.own.kept
        assert isinstance(kept, Kept)
        untested = ["Inputs of other sizes than the novel ones.", "Whether a step is also right in another network's hands."]
        if kept.given is None or kept.own is None:
            lacks = LACKS.get(data.level, LACKS[0])
            return Notes(f"Only trained inputs were read: the task {lacks}.", not_tested=untested)
        warnings = []
        if kept.own.layers.error()[0] > 0.1:
            warnings.append(
                f"At layer 1, whose steps are on inputs alone, {kept.own.layers.error()[0]:.0%} of the nodes are wrong: "
                "positions or format fail, and what happens further up cannot be read as composition."
            )
        if not len(data.other):
            warnings.append("No further novel inputs, so that the odds ratio was not held against another training set.")
        if data.missed > 0:
            warnings.append(
                f"{data.missed:,} trained combinations were not counted, so that nodes may pass for new that were trained; a "
                "higher effort counts more."
            )
        new, inside = int((data.known.cell == NEW).sum()), int(kept.inside.sum())
        if kept.given.call == "operations" and new - inside < LEAST_NEW:
            warnings.append(
                f"Of {new:,} steps that were never trained {inside:,} lie inside the 1-coverage of trained steps, where "
                "exchanging an argument for one that acted alike gives the result: being right there may be substitution."
            )
        law = kept.own.law
        settings = {
            "outside_coverage": new - inside,
            "error": law.error,
            "recovery": law.recovery,
            "floor": law.floor,
            "law_p": law.p,
            "call": kept.given.call,
        }
        settings = {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in settings.items()}
        return Notes(
            kept.given.sentence,
            warnings=warnings,
            not_tested=untested,
            figures=figures(kept.given, kept.own, kept.inside),
            settings=settings,
        )


def _numpy(rng: Random, *key: str | int) -> np.random.Generator:
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=rng(*key))))


def _side(task: DeclaresComputation, examples: Examples, shuffles: int, rng: Random) -> Side:
    graphs = task.computation(examples)
    dealt = [_dealt(graphs, _numpy(rng, "shuffled", k)) for k in range(shuffles)]
    return Side(examples, graphs, np.stack(dealt))


def _dealt(graphs: Computations, rng: np.random.Generator) -> Int[np.ndarray, " v"]:
    """Right values dealt to other nodes of the same operation."""
    values = graphs.values.copy()
    for k in range(len(graphs.operations)):
        rows = np.flatnonzero(graphs.operation == k)
        values[rows] = values[rng.permutation(rows)]
    return values


def _means(side: Side, right: Bool[np.ndarray, " v"]) -> Float[Tensor, " n"]:
    """Of every example the share of right nodes."""
    inner = ~side.graphs.is_source
    example, num = side.graphs.example[inner], side.graphs.num_examples
    return torch.from_numpy(np.bincount(example, right[inner], num) / np.bincount(example, minlength=num))


def _of_nodes(
    metric: Metric,
    side: Side,
    right: Bool[np.ndarray, " v"],
    predicted: Int[np.ndarray, " v"],
) -> Values:
    nulls = torch.stack([_means(side, predicted == values) for values in side.shuffled])
    how = "the same answers scored against right values dealt to other nodes of the same operation"
    return Values(
        metric=metric.key,
        units=_means(side, right),
        ids=_ids(side.examples),
        controls=(Control(name=SHUFFLED, how=how, values=nulls),),
    )


def _ids(examples: Examples) -> Int[Tensor, " n"] | None:
    """The combination of each example where no two have one."""
    return examples.combination if len(examples.combination.unique()) == len(examples) else None


_HOW = {
    FULL_TABLE: "a table of the trained full subgraphs, with a trained value of the operation at random elsewhere",
    STEP_TABLE: "a table of the trained steps, with a trained value of the operation at random elsewhere",
    SURFACE: "the commonest trained result given all arguments but one, the one that matters least",
}


def _of_cell(cell: int, metric: Metric, data: Drawn, right: Bool[np.ndarray, " v"]) -> Values:
    novel, every = data.novel.graphs, np.ones(len(data.novel.graphs), bool)
    some, nodes = counts_in(novel, data.known.cell, right, every)
    rows = np.flatnonzero(nodes[:, cell])
    total = int(nodes[:, cell].sum())
    short = total < _LEAST_OF[cell] or len(rows) < metric.least
    controls = []
    for name in metric.beats if not short else ():
        if name != UNTRAINED:
            stored = [counts_in(novel, data.known.cell, table, every)[0][rows, cell] for table in data.tables[name]]
            controls.append(Control(name=name, how=_HOW[name], values=torch.from_numpy(np.stack(stored) / nodes[rows, cell])))
    ids = _ids(data.novel.examples)
    return Values(
        metric=metric.key,
        units=torch.from_numpy(some[rows, cell] / nodes[rows, cell]),
        ids=None if ids is None else ids[torch.from_numpy(rows)],
        controls=tuple(controls),
        note=f"{total:,} nodes: {CELLS[cell]}",
        reason=f"not enough data: {total} nodes in {len(rows)} examples ({CELLS[cell]})" if short else "",
    )


def _of_odds(data: Drawn, right: Bool[np.ndarray, " v"], rng: Random) -> Values:
    novel, every = data.novel.graphs, np.ones(len(data.novel.graphs), bool)
    draws = _numpy(rng, "odds")
    own = odds_ratio(novel, data.known.cell, right, every, draws)
    none = Values(metric=ODDS.key, units=torch.zeros(0), reason="not enough data: no layer has both cells and an error")
    if np.isnan(own.value) or not own.error:
        return none
    elsewhere = odds_ratio(novel, seen(data.other, novel).cell, right, every, draws) if len(data.other) else None
    if elsewhere is None or np.isnan(elsewhere.value):
        return replace(none, reason="not enough data: no other training set to hold it against")
    from scipy.special import ndtr

    p = float(2 * ndtr(-abs(own.value - elsewhere.value) / np.hypot(own.error, elsewhere.error)))
    how = "as many novel examples in the place of the training set, so that nothing was seen"
    null = Control(name=ELSEWHERE, how=how, values=torch.tensor([elsewhere.value]), p=max(p, float(np.finfo(float).tiny)))
    return Values(
        metric=ODDS.key,
        units=torch.zeros(data.novel.graphs.num_examples),
        value=own.value,
        interval=Interval(low=own.low, high=own.high, level=LEVEL, method="bootstrap over examples, Mantel-Haenszel"),
        variance=own.error**2,
        controls=(null,),
        note=f"{own.nodes[0]:,} nodes with and {own.nodes[1]:,} without the full subgraph, in the same layers and operations",
    )
