"""Metrics of node values: shares of right nodes by what the training set contains of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.computation.ability import DeclaresComputation
from assay.computation.analysis import FULL_TABLE, LEAST_NEW, LEAST_NODES, STEP_TABLE, SURFACE, gaps, put_together
from assay.computation.cells import CELLS, FULL, NEW, STEP, Seen, odds_ratio, seen
from assay.computation.coverage import OUTSIDE, Covered
from assay.computation.domain import MISSING
from assay.computation.graph import Computations
from assay.computation.predictors import noisy_executor
from assay.evidence import UNTRAINED, Interval, Level
from assay.instrument import Control, Metric, Random, Values
from assay.novelty import ENOUGH
from assay.stats import LEVEL, gain_over, share_interval
from assay.stored_examples import input_lines
from assay.task import Examples

SHUFFLED, ELSEWHERE, EXECUTOR = "values of other examples", "another training set", "an executor with the errors of layer 1"
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
    headline=False,
    beats=(UNTRAINED, STEP_TABLE, SURFACE),
)
BEYOND = replace(
    APPLIED, key="novel_steps_outside_coverage", title="right steps never trained, outside 1-coverage", headline=True
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
GAP = replace(
    OWN,
    key="composition_gap",
    title="composition gap",
    better="neither",
    bounds=(-1.0, 1.0),
    beats=(EXECUTOR, FULL_TABLE),
)
_LEAST_NODES = {MATCHED.key: 1, RECOMBINED.key: LEAST_NODES, APPLIED.key: LEAST_NEW, BEYOND.key: LEAST_NEW}


@dataclass(frozen=True)
class Side:
    """Examples, their graphs, and for each repeat the right values permuted among nodes of the same operation."""

    examples: Examples
    graphs: Computations
    shuffled: Int[np.ndarray, "r v"]


@dataclass(frozen=True)
class SubgraphsDraw:
    """The examples and tables of one measurement.

    **Attributes:**

    - `trained`: graphs of the training set; `seen`, `novel`: examples that are read.
    - `other`: graphs of examples that no network has seen, as many as were trained where possible.
    - `known`, `reach`: what `trained` contains of the nodes of `novel`, and which of them substitution reaches.
    - `tables`: by name, for each repeat the nodes of `novel` that the table has right.
    - `stored`: for each repeat the answer of a table of full subgraphs at every node of `novel`; `surface`: the single answer
      of the surface table.
    - `missed`: trained combinations that the effort leaves out of `trained`.
    - `copied`: the most examples of each side and cell that untrained copies are read on; `whole`: whether none is left out.
    """

    task: DeclaresComputation
    trained: Computations
    seen: Side
    novel: Side
    other: Computations
    known: Seen
    reach: Covered
    tables: Mapping[str, Bool[np.ndarray, "_ v"]]
    stored: Int[np.ndarray, "r v"]
    surface: Int[np.ndarray, " v"] | None
    level: Level
    missed: int
    seed: int
    copied: int
    whole: bool = True

    @cached_property
    def fewer(self) -> "SubgraphsDraw":
        """The draw for copies: some of the trained examples, and of the novel ones some with nodes of each cell. A side in
        which examples share a combination stays complete, since its values are paired by order."""
        rng, novel = np.random.default_rng(self.seed), self.novel.graphs
        inside = _cells(self).values()
        seen_rows = _some(np.arange(self.seen.graphs.num_examples), self.copied, rng)
        novel_rows = np.unique(np.concatenate([_some(np.unique(novel.example[one]), self.copied, rng) for one in inside]))
        known, kept = self.known, np.ones(len(novel), bool)
        if _ids(self.novel.examples) is not None:
            kept = np.isin(novel.example, novel_rows)
        return replace(
            self,
            whole=False,
            seen=_side_with(self.task, self.seen, seen_rows),
            novel=_side_with(self.task, self.novel, novel_rows),
            known=replace(known, full=known.full[kept], step=known.step[kept], cell=known.cell[kept]),
            reach=Covered(self.reach.by_value[kept], self.reach.by_subgraph[kept]),
            tables={},
            stored=self.stored[:, kept],
            surface=None,
        )


def numpy_of(rng: Random, *key: str | int) -> np.random.Generator:
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=rng(*key))))


def side_of(task: DeclaresComputation, examples: Examples, shuffles: int, rng: Random) -> Side:
    graphs = task.computation(examples)
    dealt = [_dealt(graphs, numpy_of(rng, "shuffled", k)) for k in range(shuffles)]
    return Side(examples, graphs, np.stack(dealt))


def _dealt(graphs: Computations, rng: np.random.Generator) -> Int[np.ndarray, " v"]:
    """Right values permuted among nodes of the same operation."""
    values = graphs.values.copy()
    for k in range(len(graphs.operations)):
        rows = np.flatnonzero(graphs.operation == k)
        values[rows] = values[rng.permutation(rows)]
    return values


def _some(rows: Int[np.ndarray, " n"], most: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
    return np.sort(rng.permutation(rows)[:most])


def _side_with(task: DeclaresComputation, side: Side, rows: Int[np.ndarray, " m"]) -> Side:
    """The same side with some of its examples, or unchanged where examples share a combination."""
    if _ids(side.examples) is None:
        return side
    kept, examples = np.isin(side.graphs.example, rows), side.examples.take(torch.from_numpy(rows))
    graphs = task.computation(examples)
    assert len(graphs) == int(kept.sum()), "the nodes of an example do not depend on the others"
    return Side(examples, graphs, side.shuffled[:, kept])


def _cells(data: SubgraphsDraw) -> dict[Metric, Bool[np.ndarray, " v"]]:
    """The novel nodes that each metric of a cell counts."""
    inside = {metric: data.known.cell == k for k, metric in ((FULL, MATCHED), (STEP, RECOMBINED), (NEW, APPLIED))}
    steps = ~data.novel.graphs.is_source
    inside[BEYOND] = inside[APPLIED] & (data.reach.by_value == OUTSIDE)
    return {metric: steps & some for metric, some in inside.items()}


def _counted(
    graphs: Computations, right: Bool[np.ndarray, " v"], counted: Bool[np.ndarray, " v"]
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """For every example the number of right nodes and of all nodes, among those that are counted."""
    example, num = graphs.example, graphs.num_examples
    return np.bincount(example[counted & right], minlength=num), np.bincount(example[counted], minlength=num)


def _shares(right: Int[np.ndarray, " n"], nodes: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Values of examples whose mean is the pooled share of right nodes, however many each example has: the share plus the
    influence of the example on it. With equally many nodes each is the example's own share; a plain mean of those would else
    give an example with one node the weight of one with ten."""
    share = right.sum() / nodes.sum()
    return share + (right - share * nodes) / nodes.mean()


def of_nodes(metric: Metric, side: Side, predicted: Int[np.ndarray, " v"], counted: Bool[np.ndarray, " v"]) -> Values:
    """The share of right nodes among those that are counted, by example; undefined where no value was read at all."""
    inner = ~side.graphs.is_source
    unread = len(side.examples) > 0 and not (predicted[inner] != MISSING).any()
    counted = counted & (not unread)
    right, nodes = _counted(side.graphs, predicted == side.graphs.values, counted)
    rows = np.flatnonzero(nodes)
    shuffled = [_counted(side.graphs, predicted == values, counted)[0][rows] for values in side.shuffled]
    nulls = [_shares(some, nodes[rows]) for some in shuffled if len(rows)]
    how = "the same answers, scored against right values that are permuted among nodes of the same operation"
    ids = _ids(side.examples)
    return Values(
        metric=metric.key,
        units=torch.from_numpy(_shares(right[rows], nodes[rows])) if len(rows) else torch.zeros(0),
        ids=None if ids is None else ids[torch.from_numpy(rows)],
        controls=(Control(name=SHUFFLED, how=how, values=torch.from_numpy(np.stack(nulls))),) if len(rows) else (),
        reason="" if len(rows) else f"not enough data: {_unread(side) if unread else 'no example is answered'}",
    )


def _unread(side: Side) -> str:
    return f"no value could be read of any of {side.graphs.num_examples:,} answers"


def of_gap(data: SubgraphsDraw, predicted: Int[np.ndarray, " v"], rng: Random) -> Values:
    """The composition gap: how many more nodes would be right if the operation itself were applied to the network's own answers
    to their parts. It is 0 for a network that composes, positive where it knows parts without composing them, and negative
    where it knows wholes without their parts."""
    novel = data.novel.graphs
    counted = put_together(novel, predicted)
    more, nodes = gaps(novel, predicted, among=counted)
    rows = np.flatnonzero(nodes)
    if len(rows) < GAP.least:
        what = f"{len(rows)} examples with any value read at a node on computed arguments"
        return Values(metric=GAP.key, units=torch.zeros(0), reason=f"not enough data: {what}")

    def shares(answers: Int[np.ndarray, " v"]) -> Float[np.ndarray, " n"]:
        return _shares(gaps(novel, answers, among=counted)[0][rows], nodes[rows])

    units = torch.from_numpy(shares(predicted))
    controls = []
    for name, answers in {EXECUTOR: _executors(data, predicted, rng), FULL_TABLE: data.stored}.items():
        null = torch.from_numpy(np.stack([shares(one) for one in answers]))
        # Also over repeats, since the network's error rate on inputs is an estimate.
        found, error, means = float(units.mean()), float(units.var()) / len(units), null.mean(1).tolist()
        beyond = gain_over(found, error, means).p, gain_over(-found, error, [-mean for mean in means]).p
        controls.append(Control(name=name, how=_HOW[name], values=null, p=min(1.0, 2 * min(beyond))))
    right = float((predicted == novel.values)[counted].mean())
    ids, zero = _ids(data.novel.examples), None
    if not more.any():  # no example differs: the interval is that of a share of zero
        most = share_interval(0, len(rows)).high
        zero = Interval(
            low=-most, high=most, level=LEVEL, method=f"Clopper-Pearson over {len(rows)} examples without a difference"
        )
    return Values(
        metric=GAP.key,
        units=units,
        ids=None if ids is None else ids[torch.from_numpy(rows)],
        interval=zero,
        controls=tuple(controls),
        note=f"{nodes.sum():,} of {int((novel.layers > 1).sum()):,} nodes on computed arguments: "
        f"{right + float(units.mean()):.3f} would be right if the operation were applied to the network's values of these "
        f"arguments, {right:.3f} are right as the network answers",
    )


def _executors(data: SubgraphsDraw, predicted: Int[np.ndarray, " v"], rng: Random) -> list[Int[np.ndarray, " v"]]:
    """Values of noisy executors that err at every node as often as the network at layer 1. Each error rate is drawn from its
    posterior (Jeffreys), so that a network without errors there is not compared with a perfect executor."""
    novel, found = data.novel.graphs, []
    first = novel.layers == 1
    wrong = float((predicted != novel.values)[first].mean())
    for k in range(len(data.novel.shuffled)):
        draws = numpy_of(rng, "executor", k)
        error = draws.beta(0.5 + wrong * novel.num_examples, 0.5 + (1 - wrong) * novel.num_examples)
        found.append(noisy_executor(novel, error, draws))
    return found


def _ids(examples: Examples) -> Int[Tensor, " n"] | None:
    """The combination of each example where all differ, else None."""
    return examples.combination if len(examples.combination.unique()) == len(examples) else None


def ids_of(examples: Examples) -> list[int | None]:
    """The id of every example among the units of measures; None where examples share a combination."""
    ids = _ids(examples)
    return [None] * len(examples) if ids is None else ids.tolist()


def inputs_of(data: SubgraphsDraw) -> dict[int, str]:
    """The input text by combination; empty where two examples of one side share one."""
    found: dict[int, str] = {}
    for side in (data.seen, data.novel):
        ids = _ids(side.examples)
        if ids is None:
            return {}
        found |= zip(ids.tolist(), input_lines(side.examples, data.task), strict=True)
    return found


_HOW = {
    FULL_TABLE: "a table of the trained full subgraphs; where it has no entry, a random trained value of the operation",
    STEP_TABLE: "a table of the trained steps; where it has no entry, a random trained value of the operation",
    SURFACE: "the commonest trained result given all arguments of the step but the least informative one",
    EXECUTOR: "the operations run on their own results, with errors at every node as often as the network errs at layer 1",
}


def of_cells(data: SubgraphsDraw, right: Bool[np.ndarray, " v"], counted: Bool[np.ndarray, " v"], rng: Random) -> list[Values]:
    """Local accuracy in each cell, and the odds ratio of a trained full subgraph."""
    names = {MATCHED: CELLS[FULL], RECOMBINED: CELLS[STEP], APPLIED: CELLS[NEW], BEYOND: f"{CELLS[NEW]}, outside 1-coverage"}
    values = [_of_cell(metric, names[metric], data, right, counted & some) for metric, some in _cells(data).items()]
    return [*values, _of_odds(data, right, counted, rng)]


def _of_cell(
    metric: Metric, name: str, data: SubgraphsDraw, right: Bool[np.ndarray, " v"], counted: Bool[np.ndarray, " v"]
) -> Values:
    novel = data.novel.graphs
    some, nodes = _counted(novel, right, counted)
    rows, total = np.flatnonzero(nodes), int(nodes.sum())
    short = total < _LEAST_NODES[metric.key] or len(rows) < metric.least if data.whole else not total
    controls = []
    for null in metric.beats if not short else ():
        if null in data.tables:
            stored = [_shares(_counted(novel, table, counted)[0][rows], nodes[rows]) for table in data.tables[null]]
            controls.append(Control(name=null, how=_HOW[null], values=torch.from_numpy(np.stack(stored))))
    ids = _ids(data.novel.examples)
    return Values(
        metric=metric.key,
        units=torch.from_numpy(_shares(some[rows], nodes[rows])) if len(rows) else torch.zeros(0),
        ids=None if ids is None else ids[torch.from_numpy(rows)],
        controls=tuple(controls),
        note=f"{total:,} nodes: {name}",
        reason=f"not enough data: {total} nodes in {len(rows)} examples ({name})" if short else "",
    )


def _of_odds(data: SubgraphsDraw, right: Bool[np.ndarray, " v"], every: Bool[np.ndarray, " v"], rng: Random) -> Values:
    novel, draws = data.novel.graphs, numpy_of(rng, "odds")
    own = odds_ratio(novel, data.known.cell, right, every, draws)
    short = "no layer has an error, nodes whose full subgraph was trained, and others"
    none = Values(metric=ODDS.key, units=torch.zeros(0), reason=f"not enough data: {short}")
    if np.isnan(own.value) or not own.error:
        return none
    elsewhere = odds_ratio(novel, seen(data.other, novel).cell, right, every, draws) if len(data.other) else None
    if elsewhere is None or np.isnan(elsewhere.value):
        return replace(none, reason="not enough data: no other training set to compare with")
    from scipy.special import ndtr

    p = float(2 * ndtr(-abs(own.value - elsewhere.value) / np.hypot(own.error, elsewhere.error)))
    how = "the same with a training set that the network has not seen: as many further novel examples"
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
