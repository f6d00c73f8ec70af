"""Figures of node errors: layers, sizes, cells beside k-coverage, and the graphs and nodes of single examples."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Int8

from assay.computation.analysis import SURFACE, Analysis
from assay.computation.cells import CELLS
from assay.computation.coverage import KNOWN, OUTSIDE
from assay.computation.domain import MISSING
from assay.computation.graph import Computations
from assay.computation.labels import CORRECT, KINDS, RESTORATION, collision_rate, from_own_parts
from assay.computation.law import predicted_right, rates
from assay.display import counted, number, p_value
from assay.evidence import DetailTable
from assay.figure import ComputationGraphs, ComputationNode, Curve, Figure, Line, Matrix, Plot, StepGraph
from assay.substitution import KS

_MOST_EXAMPLES, _MOST_NODES, _MOST_GRAPHS = 6, 60, 11
_KINDS_TOLD = (
    "The network computes each node from its own values of the parents. Correct: right, as are all ancestors. Local: not what "
    "the operation gives for these parents. Propagation: wrong, but what the operation gives for wrong parents. Restoration: "
    "right in spite of a wrong ancestor."
)

Sizes = Mapping[str, Int[np.ndarray, " n"]]


def figures(
    given: Analysis,
    own: Analysis,
    sizes: Sizes | None,
    *,
    on_right_values: bool,
    behind: str,
    units: Sequence[int | None],
) -> tuple[Figure, ...]:
    """All figures. `given`: the analysis behind the cells: each step on right values or, where there are none, the network's
    own steps whose ancestors are right; `own`: its own steps; `sizes`: two sizes of every example by name, or None for those of
    its graph; `behind`: label of the measure whose units are the examples on its own steps; `units`: their ids."""
    graphs, shown = steps_figure(own, behind, units)
    return (
        kinds_by_layer(own, behind),
        *accuracy_by_size(own, sizes_of(own.computations) if sizes is None else sizes),
        graphs,
        layer_table(own, shown),
        cells_table(given, on_right_values=on_right_values),
        substitution_table(given),
        nodes_table(own),
    )


def kinds_by_layer(own: Analysis, behind: str) -> Curve:
    """Shares of the error kinds by layer, and right nodes beside the law of constant error."""
    layers = tuple(range(1, len(own.layers.ratios()) + 1))
    ratios = own.layers.ratios()
    nodes = tuple(counted(len(of_layer), "node") for of_layer in own.computations.by_layer())
    told: Any = {"units": nodes, "leads_to": (behind,) * len(layers)}
    lines = [
        Line(name=kind, x=layers, y=_cells(ratios[:, k]), **told)
        for k, kind in enumerate(KINDS)
        if own.layers.kinds[..., k].any()
    ]
    right = own.layers.kinds[..., [CORRECT, RESTORATION]].sum(2)
    share = rates(right, own.layers.kinds.sum(2), np.random.default_rng(0))
    law = predicted_right(own.computations, own.law, np.random.default_rng(0))
    measured = Line(name="measured", x=layers, y=_cells(share.value), low=_cells(share.low), high=_cells(share.high), **told)
    expected = Line(name="constant error", x=layers, y=_cells(law), null=True, style="dashed")
    p = "" if own.law.p is None else f" (p {p_value(own.law.p)})"
    return Curve(
        name="Nodes by layer",
        across="layer",
        plots=(
            Plot(title="error kinds", subtitle="share of nodes", lines=tuple(lines)),
            Plot(title="right nodes", subtitle="share of nodes", lines=(measured, expected)),
        ),
        caption=(
            f"{_KINDS_TOLD} Dashed: the fitted law of constant error{p}, under which every step fails equally often; errors "
            "that grow with the layer depart from it."
        ),
        level=2,
    )


def sizes_of(graphs: Computations) -> Sizes:
    """For every example the number of input symbols, and the depth of its graph."""
    inputs = np.bincount(graphs.example[graphs.is_source], minlength=graphs.num_examples)
    return {"input symbols": inputs, "depth of the graph": graphs.shapes.depth}


def accuracy_by_size(own: Analysis, sizes: Sizes) -> tuple[Matrix, ...]:
    """Share of examples with every node right, by two sizes; empty where all examples are of one size."""
    (down, rows), (across, columns) = sizes.items()
    alike = len(np.unique(rows)) < 2 and len(np.unique(columns)) < 2
    return () if alike else (by_size(own, rows, columns, names=(down, across)),)


def by_size(own: Analysis, rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"], *, names: tuple[str, str]) -> Matrix:
    """Share of examples with every node right by two sizes, such as the digits of both factors (Dziri et al. 2023, figure 2).

    Example::

        by_size(analysis, first_digits, second_digits, names=("digits of x", "digits of y"))
    """
    found = [[own.exact[(rows == a) & (columns == b)] for b in np.unique(columns)] for a in np.unique(rows)]
    return Matrix(
        name="Right answers by size",
        down=names[0],
        across=names[1],
        rows=tuple(map(str, np.unique(rows).tolist())),
        columns=tuple(map(str, np.unique(columns).tolist())),
        values=tuple(tuple(float(cell.mean()) if len(cell) else None for cell in line) for line in found),
        notes=tuple(tuple(f"{len(cell):,} examples" if len(cell) else "" for cell in line) for line in found),
        caption="The share of examples with every node right, computed from the network's own values.",
        level=2,
    )


def cells_table(given: Analysis, *, on_right_values: bool) -> DetailTable:
    """Local accuracy by cell, by layer, and by whether step and subgraph are inside 1-coverage, beside the best guess."""
    graphs, reach = given.computations, given.covered
    rows = []
    for layer, nodes in enumerate(graphs.by_layer(), 1):
        nodes = nodes[given.judged[nodes]]
        for cell, name in enumerate(CELLS):
            of_cell = nodes[given.seen.cell[nodes] == cell]
            sides = np.stack([_side(reach.by_value[of_cell]), _side(reach.by_subgraph[of_cell])], 1)
            for step, subgraph in np.unique(sides, axis=0).tolist():
                chosen = of_cell[(sides == (step, subgraph)).all(1)]
                means = float(given.labels.right[chosen].mean()), float(given.seen.full[chosen].mean())
                rows.append((str(layer), name, SIDES[step], SIDES[subgraph], len(chosen), *means))
    guesses = ", ".join(number(float(value)) for value in given.tables[SURFACE].value if np.isfinite(value))
    what = "Each step is on the right values of its parents." if on_right_values else "Only nodes whose ancestors are right."
    note = (
        f"{what} Columns step and subgraph: trained, or inside or outside 1-coverage. Inside, the result follows from training "
        "by exchanging one argument for one that acted alike: a value in a step, its whole computation in a subgraph. The "
        f"best guess without one argument is right on these shares of the nodes of each cell, over all layers: {guesses}."
    )
    coverage = ("the step", "the subgraph")
    columns = ("layer", "cell", *coverage, "nodes", "local accuracy", "training examples with the full subgraph")
    return DetailTable(name="Local accuracy by cell", columns=columns, rows=tuple(rows), note=note, level=2)


SIDES = ("outside", "inside", "trained")


def _side(reach: Int8[np.ndarray, " some"]) -> Int[np.ndarray, " some"]:
    """The side of 1-coverage: outside, inside, or trained."""
    return np.where(reach == KNOWN, 2, (reach > OUTSIDE).astype(np.int64))


def substitution_table(given: Analysis) -> DetailTable:
    """Table of matched subgraphs against k-equivalent fragments, on the same nodes."""
    rows = []
    matched = given.seen.full > 0
    for full in (True, False):
        for reach in (KNOWN, *reversed(KS), OUTSIDE):
            chosen = given.judged & (matched == full) & (given.covered.by_subgraph == reach)
            if chosen.any():
                fragment = {KNOWN: "trained", OUTSIDE: "none"}.get(reach, f"k = {reach}")
                right = float(given.labels.right[chosen].mean())
                rows.append(("yes" if full else "no", fragment, int(chosen.sum()), right))
    note = (
        "A subgraph is matched where the training set holds it whole. It has an equivalent fragment where exchanging its "
        "arguments, as whole subgraphs, for others that acted alike in at least k contexts of training gives a trained one; k "
        "is the largest such number. Substitution does not explain nodes that are right without either."
    )
    columns = ("matched subgraph", "k-equivalent fragment", "nodes", "local accuracy")
    return DetailTable(name="Matched subgraphs and equivalent fragments", columns=columns, rows=tuple(rows), note=note, level=2)


def layer_table(own: Analysis, shown: Mapping[int, str]) -> DetailTable:
    """Table by layer: shares of the error kinds, eps, c, the rate of restoration by chance, and the share of nodes that would
    be right if each were computed from the network's answers to its own parts. `shown`: for each layer the graph of an example
    with an error there."""
    error, recovery, ratios = own.layers.error(), own.layers.recovery(), own.layers.ratios()
    together = from_own_parts(own.computations, own.predicted) == own.computations.values
    rows = []
    for k, nodes in enumerate(own.computations.by_layer()):
        chance, parts = collision_rate(own.computations, nodes), float(together[nodes].mean()) if k else None
        rows.append((str(k + 1), len(nodes), *_cells(ratios[k]), *_cells(np.array([error[k], recovery[k], chance])), parts))
    law = (own.law.error, own.law.recovery, own.law.floor)  # the last two without a value where no node has a wrong ancestor
    eps, c, floor = (number(value) if np.isfinite(value) else "undefined" for value in law)
    note = (
        "eps: the share of wrong nodes among those whose ancestors are right. c: the share of right nodes among those with a "
        f"wrong ancestor; the collision rate is c by chance. Over all layers eps is {eps} and c is {c}. Were they constant, "
        f"the share of right nodes would tend to {floor}. From own parts: the share that would be right if the operation were "
        "applied to the network's own values of the parents. This share minus correct and restoration is the composition gap. "
        "A layer links to an example with an error there."
    )
    columns = ("layer", "nodes", *KINDS, "eps", "c", "collision rate", "from own parts")
    links = tuple(shown.get(layer, "") for layer in range(1, len(rows) + 1))
    return DetailTable(name="Error kinds by layer", columns=columns, rows=tuple(rows), note=note, leads_to=links, level=2)


def steps_figure(own: Analysis, behind: str = "", units: Sequence[int | None] = ()) -> tuple[ComputationGraphs, dict[int, str]]:
    """Computation graphs of a few examples: for every layer one whose first error is there, and one without an error; and the
    name of the graph that shows each layer. `behind`, `units`: as in `figures`."""
    graphs, labels = own.computations, own.labels
    wrong = ~graphs.is_source & (labels.kind != CORRECT)
    first = np.full(graphs.num_examples, -1)
    order = np.flatnonzero(wrong)[np.argsort(-graphs.layers[wrong], kind="stable")]
    first[graphs.example[order]] = graphs.layers[order]  # the last that is written is the lowest
    chosen: dict[str, int] = {}
    shown: dict[int, str] = {}
    for layer in range(1, int(graphs.layers.max(initial=0)) + 1):
        examples = np.flatnonzero(first == layer)
        if len(examples) and len(chosen) < _MOST_GRAPHS:
            shown[layer] = f"layer {layer}, first error: {_inputs(graphs, int(examples[0]))}"
            chosen[shown[layer]] = int(examples[0])
    if len(fine := np.flatnonzero(first < 0)):
        chosen[f"without an error: {_inputs(graphs, int(fine[0]))}"] = int(fine[0])
    drawn = tuple(replace(_graph(own, name, k), unit=units[k] if units else None) for name, k in chosen.items())
    caption = f"{_KINDS_TOLD} Inputs are open circles at the top. Beside each node is the value that the network gave."
    figure = ComputationGraphs(name="Computation graphs", kinds=KINDS, graphs=drawn, caption=caption, leads_to=behind, level=2)
    return figure, shown


def wrong_nodes(own: Analysis, units: Sequence[int | None]) -> dict[int, str]:
    """For every example by its id the nodes that are wrong on the network's own steps, lower layers first."""
    graphs, found = own.computations, {}
    wrong = np.flatnonzero(~graphs.is_source & (own.predicted != graphs.values))
    wrong = wrong[np.lexsort((graphs.layers[wrong], graphs.example[wrong]))]
    starts = np.searchsorted(graphs.example[wrong], np.arange(graphs.num_examples + 1))
    for k, unit in enumerate(units):
        if unit is not None:
            nodes = wrong[starts[k] : starts[k + 1]].tolist()
            told = (
                f"{graphs.names[graphs.name[node]]}: {_given(own, node)}, right is {_value(graphs, node)}" for node in nodes
            )
            found[unit] = "; ".join(told) or "every node right"
    return found


def _value(graphs: Computations, node: int) -> str:
    return graphs.domain.text(graphs.values[node])


def _given(own: Analysis, node: int) -> str:
    given = int(own.predicted[node])
    return "?" if given == MISSING else own.computations.domain.text(given)


def _graph(own: Analysis, name: str, example: int) -> StepGraph:
    graphs = own.computations
    rows = np.flatnonzero(graphs.example == example)
    rows = rows[np.argsort(graphs.layers[rows], kind="stable")]
    place = {row: k for k, row in enumerate(rows.tolist())}
    steps = []
    for row in rows.tolist():
        right, layer, given = _value(graphs, row), int(graphs.layers[row]), int(own.predicted[row])
        if graphs.operation[row] < 0:
            steps.append(ComputationNode(name=graphs.names[graphs.name[row]], value=right, layer=layer, kind="input"))
            continue
        value = _given(own, row)
        note = CELLS[own.seen.cell[row]] if given == graphs.values[row] else f"right is {right}"
        kind = KINDS[own.labels.kind[row]]
        steps.append(ComputationNode(name=_step(graphs, row), value=value, layer=layer, kind=kind, note=note))
    edges = [(place[parent], place[row]) for row in rows.tolist() for parent in graphs.parents[row].tolist() if parent >= 0]
    return StepGraph(name=name, steps=tuple(steps), edges=tuple(edges))


def nodes_table(own: Analysis) -> DetailTable:
    """Table of the nodes of a few examples with errors, and of one without."""
    graphs = own.computations
    wrong = np.flatnonzero(~own.exact)[:_MOST_EXAMPLES]
    fine = np.flatnonzero(own.exact)[:1]
    rows = []
    for example in [*fine.tolist(), *wrong.tolist()]:
        nodes = np.flatnonzero((graphs.example == example) & ~graphs.is_source)
        for node in nodes[np.argsort(graphs.layers[nodes], kind="stable")][:_MOST_NODES].tolist():
            cell = int(own.seen.cell[node])
            value = graphs.domain.text(graphs.values[node])
            kind = KINDS[own.labels.kind[node]]
            rows.append((_inputs(graphs, example), str(graphs.layers[node]), _step(graphs, node), value, kind, CELLS[cell]))
    columns = ("inputs", "layer", "step", "right value", "kind", "cell")
    note = "One example without an error, if there is any, then examples with errors, computed from the network's own values."
    return DetailTable(name="Nodes of single examples", columns=columns, rows=tuple(rows), note=note, level=2)


def _inputs(graphs: Computations, example: int) -> str:
    nodes = np.flatnonzero((graphs.example == example) & graphs.is_source)
    return " ".join(graphs.domain.text(value) for value in graphs.values[nodes])


def _step(graphs: Computations, node: int) -> str:
    parents = [graphs.domain.text(graphs.values[parent]) for parent in graphs.parents[node].tolist() if parent >= 0]
    return f"{graphs.names[graphs.name[node]]} = {graphs.operations[graphs.operation[node]].family}({', '.join(parents)})"


def _cells(values: Float[np.ndarray, " l"]) -> tuple[float | None, ...]:
    return tuple(None if not np.isfinite(value) else float(value) for value in values)
