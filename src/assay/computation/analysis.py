"""Analysis of predicted nodes: error kinds by layer, local accuracy in cells beside tables of trained nodes, and a
conclusion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from assay.computation.cells import CELLS, FULL, NEW, SOURCES, STEP, Odds, Seen, counts_in, odds_ratio, seen
from assay.computation.coverage import OUTSIDE, Covered, covered
from assay.computation.domain import MISSING, whole_numbers
from assay.computation.graph import Computations
from assay.computation.labels import CORRECT, Labels, Layers, by_layer, from_own_parts, labelled
from assay.computation.law import Law, Rates, fit_law, rates
from assay.computation.predictors import Guess, best_guess, even_guess
from assay.display import brief, number
from assay.errors import AssayError

Call = Literal["operations", "covered", "substitution", "steps", "subgraphs", "tables", "unlearned", "unresolved"]
SENTENCES: Mapping[Call, str] = {
    "operations": "The network beats every look-up table on steps that were never trained and lie outside 1-coverage",
    "covered": "The network beats every look-up table on steps that were never trained, but nearly all of these lie inside "
    "1-coverage. These data do not tell whether it runs the operations or exchanges arguments that acted alike in training",
    "substitution": "On steps that were never trained, the network is right only inside 1-coverage, where exchanging arguments "
    "that acted alike in training gives the result; outside it is no better than a look-up table",
    "steps": "The network knows single steps and strings them together: on steps that were never trained it is no better than "
    "a look-up table",
    "subgraphs": "The network matches subgraphs that were trained: where only the step was trained, it is no better than a "
    "look-up table",
    "tables": "The network is right only on what was trained, which may be steps or whole subgraphs",
    "unlearned": "The network has not learned what it was trained on: even there it does not beat the best guess without one "
    "argument",
    "unresolved": "Not resolved: too few nodes of the cells that decide",
}
LEAST_NODES = 200  # least nodes of a deciding cell, so that its interval can separate a network from a table
LEAST_NEW = 50
LEARNED = 0.95  # accuracy on trained full subgraphs that counts as learned, however well they can be guessed
FULL_TABLE, STEP_TABLE, SURFACE = "table of full subgraphs", "table of steps", "best guess without one argument"


class NovelSteps(NamedTuple):
    """Steps that were never trained, inside the 1-coverage of the trained steps (`INSIDE`), where exchanging arguments gives
    the result, and outside it (`BEYOND`): local accuracy of the network and of the tables, `(2,)`, and the number of nodes."""

    cells: Rates
    nodes: Int[np.ndarray, " 2"]
    tables: Mapping[str, Rates]


INSIDE, BEYOND = 0, 1


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Results on the predicted nodes of a test set.

    **Attributes:**

    - `predicted`: the predicted value of every node; `judged`: nodes that the cells count, see `own_steps`.
    - `labels`, `layers`: error kinds of all nodes, and counts by example and layer.
    - `seen`: occurrences of each node in the training set.
    - `right`, `nodes`: for every example and cell the number of right nodes and of all, among those with right ancestors.
    - `cells`: local accuracy in each of `CELLS` with its interval.
    - `covered`: how far substitution reaches each node; `sides`: local accuracy at steps that were never trained, inside the
      1-coverage of the trained steps and outside it.
    - `tables`: local accuracy of the tables, on the same nodes with the right parents.
    - `odds`: of being right with against without the full subgraph in training; `elsewhere`: the same by a training set that
      the network has not seen, where the effect must vanish; None without one.
    - `law`: constant error, fitted.
    - `exact`: for every example, whether all nodes are right.
    - `call`: the conclusion from the cells.
    """

    __repr__ = brief

    computations: Computations
    predicted: Int[np.ndarray, " v"]
    judged: Bool[np.ndarray, " v"]
    labels: Labels
    layers: Layers
    seen: Seen
    right: Int[np.ndarray, "n 3"]
    nodes: Int[np.ndarray, "n 3"]
    cells: Rates
    covered: Covered
    sides: "NovelSteps"
    tables: Mapping[str, Rates]
    odds: Odds
    elsewhere: Odds | None
    law: Law
    exact: Bool[np.ndarray, " n"]
    call: Call

    @property
    def sentence(self) -> str:
        """The conclusion in words, with its figures."""
        figures = "; ".join(
            f"{number(value)} [{number(low)}, {number(high)}] of {count:,} ({name})"
            for name, value, low, high, count in zip(CELLS, *self.cells, self.nodes.sum(0).tolist(), strict=True)
            if count
        )
        if self.sides.nodes[BEYOND]:
            figures += f", of these outside 1-coverage {self.sides.cells.value[BEYOND]:.3f} of {self.sides.nodes[BEYOND]:,}"
        shares = f"Shares of right nodes: {figures}" if figures else "No node could be judged"
        return f"{SENTENCES[self.call]}. {shares}."

    def accuracy_by_layer(self) -> list[Float[np.ndarray, " 3"]]:
        """Local accuracy in the three cells at each layer, NaN without nodes."""
        rows = []
        for nodes in self.computations.by_layer():
            kept = nodes[self.judged[nodes]]
            cell, right = self.seen.cell[kept], self.labels.right[kept]
            with np.errstate(invalid="ignore"):
                rows.append(np.bincount(cell[right], minlength=3) / np.bincount(cell, minlength=3))
        return rows


def analyse(
    trained: Computations,
    tested: Computations,
    predicted: np.ndarray | Sequence[int],
    *,
    seed: int = 0,
    other_trained: Computations | None = None,
    given_right_parents: bool = False,
    all_missing: bool = False,
    asked: Bool[np.ndarray, " v"] | None = None,
    reach: Covered | None = None,
    surface: Int[np.ndarray, " v"] | None = None,
) -> Analysis:
    """Analyse predicted nodes of examples that were not trained.

    **Arguments:**

    - `trained`: the graphs of all training examples; `tested`: those of the predictions, in the same domain.
    - `predicted`: the predicted value of every node of `tested`, such as `Predicted.values`.
    - `other_trained`: a training set from the same distribution that the network has not seen.
    - `given_right_parents`: each node was predicted from right values of its parents, not from the network's own.
    - `all_missing`: as in `own_steps`.
    - `asked`: nodes that the network was asked for; all by default. The others are not counted, right or wrong.
    - `reach`: `covered(trained, tested)`, if already computed; `surface`: as in `table_values`.

    **Raises:** `AssayError` for anything but one whole number for each node of `tested`.

    Example::

        >>> from assay.computation.analysis import analyse
        >>> from assay.tasks.algorithms import non_adjacent_values
        >>> trained = non_adjacent_values([[3, -1, 4], [0, 2, -2], [1, 1, 5]])
        >>> tested = non_adjacent_values([[3, -1, 5], [2, 2, -2]])
        >>> predicted = tested.values.copy()
        >>> predicted[-1] += 1  # one wrong node in the last example
        >>> analyse(trained, tested, predicted).exact.tolist()
        [True, False]
    """
    predicted = _one_for_each_node(tested, predicted)
    rng = np.random.default_rng(seed)
    labels = labelled(tested, predicted)
    known = seen(trained, tested)
    reach = covered(trained, tested) if reach is None else reach
    judged = ~tested.is_source if given_right_parents else own_steps(tested, labels, predicted, all_missing=all_missing)
    judged = judged if asked is None else judged & asked
    right, nodes = counts_in(tested, known.cell, labels.right, judged)
    cells = rates(right, nodes, rng)
    answers = table_values(trained, tested, known, rng, surface=surface)
    tables = {
        name: rates(*counts_in(tested, known.cell, values == tested.values, judged), rng) for name, values in answers.items()
    }
    sides = _sides(tested, known, reach, labels.right, judged, answers, rng)
    layers = by_layer(tested, labels)
    elsewhere = None
    if other_trained is not None:
        elsewhere = odds_ratio(tested, seen(other_trained, tested).cell, labels.right, judged, rng)
    return Analysis(
        computations=tested,
        predicted=predicted,
        judged=judged,
        labels=labels,
        layers=layers,
        seen=known,
        right=right,
        nodes=nodes,
        cells=cells,
        covered=reach,
        sides=sides,
        tables=tables,
        odds=odds_ratio(tested, known.cell, labels.right, judged, rng),
        elsewhere=elsewhere,
        law=fit_law(layers, rng),
        exact=exact(tested, labels),
        call=called(cells, nodes.sum(0), tables, sides),
    )


def _one_for_each_node(tested: Computations, predicted: np.ndarray | Sequence[int]) -> Int[np.ndarray, " v"]:
    rule = f"predicted values must be a whole number for each of the {len(tested):,} nodes of the tested graphs"
    found = whole_numbers(predicted, rule)
    if found.shape != (len(tested),):
        raise AssayError(rule, given=f"shape {found.shape}", next_step="write MISSING of assay.computation where there is none")
    return found


def own_steps(
    computations: Computations, labels: Labels, predicted: Int[np.ndarray, " v"], *, all_missing: bool = False
) -> Bool[np.ndarray, " v"]:
    """Nodes whose ancestors are right, which stand for steps on right values.

    They include nodes with a missing value, which count as wrong: else a network that answers only where it is right would pass
    for one that is right everywhere. Operations without any value read were not asked for and are left out.

    **Arguments:** `all_missing`: also include nodes with a missing value behind other missing ones, unless an ancestor is
    wrong.
    """
    missing = predicted == MISSING
    requested = np.isin(computations.operation, computations.operation[~missing & ~computations.is_source])
    if not (all_missing and missing.any()):
        return requested & labels.clean
    filled = labelled(computations, np.where(missing, computations.values, predicted))
    return requested & np.where(missing, filled.clean, labels.clean)


def _sides(
    tested: Computations,
    known: Seen,
    reach: Covered,
    right: Bool[np.ndarray, " v"],
    judged: Bool[np.ndarray, " v"],
    answers: Mapping[str, Int[np.ndarray, " v"]],
    rng: np.random.Generator,
) -> NovelSteps:
    side = np.where(known.cell == NEW, np.where(reach.by_value == OUTSIDE, BEYOND, INSIDE), SOURCES)

    def found(correct: Bool[np.ndarray, " v"]) -> tuple[Rates, Int[np.ndarray, " 2"]]:
        some, every = counts_in(tested, side, correct, judged)
        return rates(some[:, :2], every[:, :2], rng), every[:, :2].sum(0)

    cells, nodes = found(right)
    return NovelSteps(cells, nodes, {name: found(values == tested.values)[0] for name, values in answers.items()})


def exact(computations: Computations, labels: Labels) -> Bool[np.ndarray, " n"]:
    """For every example, whether all nodes are right."""
    wrong = computations.example[(labels.kind != CORRECT) & ~computations.is_source]
    return np.bincount(wrong, minlength=computations.num_examples) == 0


def table_values(
    trained: Computations,
    tested: Computations,
    known: Seen,
    rng: np.random.Generator,
    *,
    surface: Int[np.ndarray, " v"] | None = None,
) -> dict[str, Int[np.ndarray, " v"]]:
    """The answer of each table at every node, given the right values of its parents. `surface`: the answer of the surface
    table, which is deterministic, if already computed."""
    nodes = np.flatnonzero(~tested.is_source)

    def answers(guess: Guess, missed: Int[np.ndarray, " some"]) -> Int[np.ndarray, " v"]:
        answered = tested.values.copy()
        answered[missed] = guess(missed)
        return answered

    values = {
        name: answers(even_guess(trained, tested, rng), nodes[stored[nodes] == 0])
        for name, stored in ((FULL_TABLE, known.full), (STEP_TABLE, known.step))
    }
    return values | {SURFACE: answers(best_guess(trained, tested), nodes) if surface is None else surface}


def called(cells: Rates, nodes: Int[np.ndarray, " 3"], tables: Mapping[str, Rates], sides: NovelSteps) -> Call:
    """The conclusion from accuracy in the cells.

    Where full subgraphs were trained the network must beat the best guess, or be right in most cases. Another cell counts as
    passed when the network's lower limit lies above the upper limit of every table without an entry there; a cell with too few
    nodes decides nothing. Steps that were never trained are evidence of the operations where they lie outside 1-coverage."""
    new = (STEP_TABLE, SURFACE)
    if _above(FULL, cells, nodes, tables, (SURFACE,), 1) is False and cells.value[FULL] < LEARNED:
        return "unlearned"
    recombines = _above(STEP, cells, nodes, tables, (FULL_TABLE, SURFACE), LEAST_NODES)
    applies = _above(NEW, cells, nodes, tables, new, LEAST_NEW)
    if recombines is False:
        return "subgraphs"
    if applies:
        beyond = _above(BEYOND, sides.cells, sides.nodes, sides.tables, new, LEAST_NEW)
        return "covered" if beyond is None else "operations" if beyond else "substitution"
    if recombines and applies is False:
        return "steps"
    return "tables" if applies is False else "unresolved"


def _above(
    cell: int,
    cells: Rates,
    nodes: Int[np.ndarray, " c"],
    tables: Mapping[str, Rates],
    named: tuple[str, ...],
    least: int,
) -> bool | None:
    """Whether the network lies above these tables in a cell; None with fewer nodes than `least`."""
    return None if nodes[cell] < least else bool(cells.low[cell] > max(tables[name].high[cell] for name in named))


class Extrapolation(NamedTuple):
    """Extrapolation to sizes beyond the trained ones, as opposed to recombination.

    `exact`: share of examples with all nodes right, with its interval; `first`: eps at layer 1, whose steps are those of small
    sizes, with its interval; `positions`: whether eps at layer 1 is so high that positions or format fail, not composition.
    """

    exact: Rates
    first: Rates
    positions: bool


_FIRST_LAYER = 0.1  # rate of errors at layer 1 above which later layers say nothing about composition


def extrapolation(analysis: Analysis, *, seed: int = 0) -> Extrapolation:
    """Whether failure at another size is a failure to compose, judged by layer 1.

    Example::

        >>> from assay.computation.analysis import analyse, extrapolation
        >>> from assay.tasks.algorithms import non_adjacent_values
        >>> trained = non_adjacent_values([[3, -1, 4], [0, 2, -2], [1, 1, 5]])
        >>> tested = non_adjacent_values([[3, -1, 5], [2, 2, -2]])
        >>> found = extrapolation(analyse(trained, tested, tested.values))  # right answers
        >>> found.exact.value.tolist(), found.positions
        ([1.0], False)
    """
    rng, num = np.random.default_rng(seed), len(analysis.exact)
    exact_rate = rates(analysis.exact[:, None].astype(np.int64), np.ones((num, 1), np.int64), rng)
    first = rates(analysis.layers.wrong_clean[:, :1], analysis.layers.clean[:, :1], rng)
    return Extrapolation(exact_rate, first, bool(first.low[0] > _FIRST_LAYER))


def put_together(computations: Computations, predicted: Int[np.ndarray, " v"]) -> Bool[np.ndarray, " v"]:
    """Nodes with other nodes as parts, in examples of which some node was read; nothing is known about examples without any. A
    part that was not read cannot make a right whole."""
    read = ~computations.is_source & (predicted != MISSING)
    answered = np.bincount(computations.example[read], minlength=computations.num_examples) > 0
    return (computations.layers > 1) & answered[computations.example]


def gaps(
    computations: Computations, predicted: Int[np.ndarray, " v"], *, among: Bool[np.ndarray, " v"] | None = None
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """For every example how many more nodes are right with the operation applied to the predicted values of their parents than
    as predicted, among nodes that have other nodes as parts; and the number of these nodes.

    **Arguments:** `among`: the nodes that are counted; by default those of `put_together`.

    Example::

        more, nodes = gaps(graph, graph.values)
        assert more.sum() == 0
    """
    above, num = put_together(computations, predicted) if among is None else among, computations.num_examples
    together = from_own_parts(computations, predicted) == computations.values
    more = (together.astype(np.int64) - (predicted == computations.values))[above]
    nodes = np.bincount(computations.example[above], minlength=num)
    return np.bincount(computations.example[above], more, minlength=num).astype(np.int64), nodes


def composition_gap(
    stepwise: Bool[np.ndarray, " n"], direct: Bool[np.ndarray, " n"], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Gain in accuracy when a network is fed its own answers to the parts instead of answering the whole at once: the mean
    difference, with its 95 % interval by a paired bootstrap over examples. It is 0 for a network that composes.

    Example::

        >>> import numpy as np
        >>> from assay.computation.analysis import composition_gap
        >>> stepwise, direct = np.arange(40) % 10 > 0, np.arange(40) % 2 > 0  # 90 and 50 % right
        >>> gap, low, high = composition_gap(stepwise, direct, np.random.default_rng(0))
        >>> round(gap, 2), low < gap < high
        (0.4, True)
    """
    difference = stepwise.astype(np.int64) - direct.astype(np.int64)
    found = rates(difference[:, None], np.ones((len(difference), 1), np.int64), rng)
    return float(found.value[0]), float(found.low[0]), float(found.high[0])
