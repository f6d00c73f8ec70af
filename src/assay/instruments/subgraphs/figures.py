"""Figures of node errors: layers, cells beside k-coverage, and the nodes of single examples."""

import numpy as np
from jaxtyping import Bool, Float

from assay.computation.analysis import SURFACE, Analysis
from assay.computation.cells import CELLS, NEW
from assay.computation.graph import Computations
from assay.computation.labels import CORRECT, KINDS, RESTORATION, collision_rate
from assay.computation.law import predicted_right, rates
from assay.display import number, p_value
from assay.evidence import Table
from assay.figure import Curve, Figure, Line, Plot

_MOST_EXAMPLES, _MOST_NODES = 6, 60


def figures(given: Analysis, own: Analysis, inside: Bool[np.ndarray, " v"]) -> tuple[Figure, ...]:
    """All figures. `given`: each step on right values; `own`: on the network's own; `inside`: nodes whose step was not trained
    and lies inside the 1-coverage of the trained steps."""
    return (kinds_by_layer(own), cells_table(given, inside), layer_table(own), nodes_table(own))


def kinds_by_layer(own: Analysis) -> Curve:
    """Shares of the error kinds by layer, and right nodes beside the law of constant error."""
    layers = tuple(range(1, len(own.layers.ratios()) + 1))
    ratios = own.layers.ratios()
    lines = [
        Line(name=kind, x=layers, y=_cells(ratios[:, k])) for k, kind in enumerate(KINDS) if own.layers.kinds[..., k].any()
    ]
    right = own.layers.kinds[..., [CORRECT, RESTORATION]].sum(2)
    share = rates(right, own.layers.kinds.sum(2), np.random.default_rng(0))
    law = predicted_right(own.computations, own.law, np.random.default_rng(0))
    measured = Line(name="measured", x=layers, y=_cells(share.value), low=_cells(share.low), high=_cells(share.high))
    expected = Line(name="if every step failed equally often", x=layers, y=_cells(law), null=True, style="dashed")
    p = "" if own.law.p is None else f" (p {p_value(own.law.p)})"
    return Curve(
        name="Nodes by layer",
        across="layer",
        plots=(
            Plot(title="error kinds", subtitle="share of nodes", lines=tuple(lines)),
            Plot(title="right nodes", subtitle="share of nodes", lines=(measured, expected)),
        ),
        caption=(
            "On the network's own steps. Local: wrong for its own parents. Propagation: wrong, and what the operation gives "
            "for wrong parents. Restoration: right behind a wrong ancestor. The dashed line is the law of constant error, "
            f"fitted{p}: errors that grow with the layer leave it."
        ),
        level=2,
    )


def cells_table(given: Analysis, inside: Bool[np.ndarray, " v"]) -> Table:
    """Local accuracy by cell, layer, and whether the step is inside k-coverage, beside the best guess without one argument."""
    graphs, right = given.computations, given.labels.right
    rows = []
    for layer, nodes in enumerate(graphs.by_layer(), 1):
        for cell, name in enumerate(CELLS):
            of = nodes[given.seen.cell[nodes] == cell]
            for covered in (False, True) if cell == NEW else (True,):
                chosen = of[inside[of] == covered] if cell == NEW else of
                if len(chosen):
                    where = "trained" if cell != NEW else "inside" if covered else "outside"
                    means = float(right[chosen].mean()), float(given.seen.full[chosen].mean())
                    rows.append((layer, name, where, len(chosen), *means))
    guesses = ", ".join(number(float(value)) for value in given.tables[SURFACE].value if np.isfinite(value))
    note = (
        "Each step on the right values of its parents. Outside and inside: the 1-coverage of the trained steps of the same "
        "operation; inside, a result follows by exchanging an argument for one that acted alike in training. Best guess "
        f"without one argument, all layers: {guesses}."
    )
    columns = ("layer", "cell", "1-coverage of the step", "nodes", "local accuracy", "training examples with the full subgraph")
    return Table(name="Local accuracy by cell", columns=columns, rows=tuple(rows), note=note, level=2)


def layer_table(own: Analysis) -> Table:
    """Shares of the kinds, eps and c by layer, and what restoration would be by chance."""
    error, recovery, ratios = own.layers.error(), own.layers.recovery(), own.layers.ratios()
    rows = []
    for k, nodes in enumerate(own.computations.by_layer()):
        chance = collision_rate(own.computations, nodes)
        rows.append((k + 1, len(nodes), *_cells(ratios[k]), *_cells(np.array([error[k], recovery[k], chance]))))
    note = (
        "eps: wrong nodes whose ancestors are right; c: right nodes with a wrong ancestor, the collision rate by chance. "
        f"Pooled eps {number(own.law.error)}, c {number(own.law.recovery)}: were they constant, the share of right nodes "
        f"would tend to {number(own.law.floor)}."
    )
    columns = ("layer", "nodes", *KINDS, "eps", "c", "collision rate")
    return Table(name="Error kinds by layer", columns=columns, rows=tuple(rows), note=note, level=2)


def nodes_table(own: Analysis) -> Table:
    """The nodes of a few examples with errors, and of one without."""
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
            rows.append((_inputs(graphs, example), int(graphs.layers[node]), _step(graphs, node), value, kind, CELLS[cell]))
    columns = ("inputs", "layer", "step", "right value", "kind", "cell")
    note = "An example without an error where there is one, then examples with errors, on the network's own steps."
    return Table(name="Nodes of single examples", columns=columns, rows=tuple(rows), note=note, level=2)


def _inputs(graphs: Computations, example: int) -> str:
    nodes = np.flatnonzero((graphs.example == example) & graphs.is_source)
    return " ".join(graphs.domain.text(value) for value in graphs.values[nodes])


def _step(graphs: Computations, node: int) -> str:
    parents = [graphs.domain.text(graphs.values[parent]) for parent in graphs.parents[node].tolist() if parent >= 0]
    return f"{graphs.names[graphs.name[node]]} = {graphs.operations[graphs.operation[node]].family}({', '.join(parents)})"


def _cells(values: Float[np.ndarray, " l"]) -> tuple[float | None, ...]:
    return tuple(None if not np.isfinite(value) else float(value) for value in values)
