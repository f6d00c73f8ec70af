"""Computation graphs: inputs above, each step beneath what it is computed from, coloured and shaped by its kind."""

from assay.figure import ComputationGraphs, ComputationNode, StepGraph
from assay.report.canvas import (
    CARRIED,
    FAULT,
    INK,
    MUTED,
    NULL,
    RESTORED,
    VALUE,
    WIDTH,
    Canvas,
    Panel,
    Pixels,
    shortened,
    width_of,
)
from assay.report.pictures.picture import DrawnFigure, unit_target
from assay.report.words import counted

MOST_GRAPHS, MOST_STEPS = 12, 150
LOOKS = ((VALUE, "circle"), (FAULT, "diamond"), (CARRIED, "square"), (RESTORED, "triangle-up"), (NULL, "cross"))
ROW, TOP = 30, 14


def steps_picture(steps: ComputationGraphs) -> DrawnFigure | None:
    """A panel for each graph, of which the reader opens one at a time; None where none can be drawn."""
    shown = [graph for graph in steps.graphs if 0 < len(graph.steps) <= MOST_STEPS][:MOST_GRAPHS]
    if not shown:
        return None
    left_out = len(steps.graphs) - len(shown)
    return DrawnFigure(
        steps.name,
        steps.caption,
        tuple(_panel(graph, steps) for graph in shown),
        choices=tuple(graph.name for graph in shown),
        left_out=f"{counted(left_out, 'more graph')} in report.json." if left_out else "",
    )


def _panel(graph: StepGraph, figure: ComputationGraphs) -> Panel:
    kinds = figure.kinds
    target = unit_target(figure.leads_to, graph.unit) if graph.unit is not None else ""
    layers = [step.layer for step in graph.steps]
    legend = _legend_lines(kinds)
    canvas = Canvas(TOP + 14 * legend + ROW * (max(layers) + 1))
    looks = {kind: LOOKS[k % len(LOOKS)] for k, kind in enumerate(kinds)}
    _legend(canvas, kinds)
    places = _places(layers, TOP + 14 * legend)
    for parent, child in graph.edges:
        canvas.rule(*places[parent], *places[child])
    room = {layer: WIDTH / layers.count(layer) for layer in set(layers)}
    for step, (x, y) in zip(graph.steps, places, strict=True):
        colour, shape = looks.get(step.kind, (MUTED, "circle"))
        is_known = step.kind in looks
        size = 72 if is_known else 40
        canvas.dot(x, y, _told(step), size=size, colour=colour, shape=shape, is_open=not is_known, leads_to=target)
        if room[step.layer] >= 22:
            label = shortened(step.value, room[step.layer] - 14, 10)
            canvas.text(label, x + 8, y, colour=INK if is_known else MUTED, size=10)
    counts = [f"{sum(step.kind == kind for step in graph.steps)} {kind}" for kind in kinds]
    description = f"{graph.name}: {', '.join(counts)}. {'; '.join(map(_told, graph.steps))}."
    return canvas.panel(graph.name, ", ".join(count for count in counts if not count.startswith("0 ")), description)


def _places(layers: list[int], top: Pixels) -> list[tuple[Pixels, Pixels]]:
    """Those of one layer side by side, in their order."""
    met: dict[int, int] = {}
    places = []
    for layer in layers:
        k = met[layer] = met.get(layer, -1) + 1
        places.append((WIDTH * (k + 0.5) / layers.count(layer), top + ROW * (layer + 0.4)))
    return places


def _legend_lines(kinds: tuple[str, ...]) -> int:
    at, lines = 0.0, 1
    for kind in kinds:
        need = width_of(kind, 10) + 26
        at, lines = (need, lines + 1) if at + need > WIDTH and at else (at + need, lines)
    return lines


def _legend(canvas: Canvas, kinds: tuple[str, ...]) -> None:
    at, y = 0.0, 8
    for k, kind in enumerate(kinds):
        need = width_of(kind, 10) + 26
        if at + need > WIDTH and at:
            at, y = 0.0, y + 14
        colour, shape = LOOKS[k % len(LOOKS)]
        canvas.dot(at + 5, y, size=40, colour=colour, shape=shape)
        canvas.text(kind, at + 14, y, colour=MUTED, size=10)
        at += need


def _told(step: ComputationNode) -> str:
    return "; ".join(filter(None, (f"{step.name} = {step.value}", step.kind, step.note)))
