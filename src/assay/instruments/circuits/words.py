"""Summary, warnings, tables and figures of the instrument `circuits`."""

import math
from collections.abc import Iterator, Sequence

from assay.display import number, with_interval
from assay.evidence import UNTRAINED, DetailTable, Measure
from assay.figure import Cell, Curve, Figure, Line, Plot
from assay.instrument import Notes, Readings
from assay.instruments.circuits.checks import SHARES
from assay.instruments.circuits.metrics import SIZE
from assay.instruments.circuits.reading import CircuitsDraw, FoundCircuits
from assay.instruments.circuits.search import Circuit
from assay.instruments.circuits.sizes import FoundWeights

TIMES = 3.0
"""A circuit for nonsense labels must be at least so many times larger."""
NECESSARY = 0.05 / math.log(2)
"""The circuit is necessary if the loss without it is below that of the best constant answer by at most this share."""
_MOST = 40  # largest number of nodes in the table
_TRANSFER = (
    "part", "values where found", "values where tested", "edges", "edges of the other circuit", "shared edges (Jaccard)",
    "shared by random circuits", "loss where found", "loss where tested",
)  # fmt: skip


def explained(data: CircuitsDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
    """The summary, the warnings, what was not tested, and the figures."""
    found: FoundCircuits = readings.own.kept
    return Notes(
        summary=_summary(data, found, measures),
        warnings=tuple(_warnings(data, found, measures)),
        not_tested=tuple(_not_tested(data, found)),
        figures=tuple(_figures(data, found, readings, measures)),
        settings={
            "target loss": data.target,
            "loss of a constant answer": data.constant,
            "nodes": found.nodes,
            "edges": found.total,
        },
    )


def smallest_nonsense(found: FoundCircuits) -> tuple[float, str] | None:
    """The size of the smallest circuit for permuted or wrong labels, as a multiple of the task's circuit, and which labels
    these are; None if no such circuit was found."""
    own = max(found.circuit.edges, 1)
    sizes = [
        (one.smallest.edges / own, name)
        for name, some in found.nonsense.items()
        for one in some
        if name != "constant" and one.smallest is not None
    ]
    return min(sizes, default=None)


def _summary(data: CircuitsDraw, found: FoundCircuits, measures: Sequence[Measure]) -> str:
    size = next(m for m in measures if m.key == SIZE.key)
    if size.value is None or size.interval is None:
        return "The size of the circuit could not be measured."
    without = next(loss for name, _, loss in found.ablations if name == "mean")
    needed = without >= (1 - NECESSARY) * data.constant
    told = (
        f"A circuit of {found.circuit.edges} of {found.total} edges, a share of {with_interval(size.value, size.interval)}, "
        f"is the smallest found that does the task: with all other nodes at their means it reaches the target "
        f"loss, {number(data.target)}, on the examples that chose its size. Without it the loss is {number(without)}, against "
        f"{number(data.constant)} for the best constant answer: the circuit is {'necessary' if needed else 'not necessary'}."
    )
    nonsense = smallest_nonsense(found)
    if nonsense is None:
        return told + " For nonsense labels (permuted or wrong ones) the same search finds no circuit."
    times, name = nonsense
    if times >= TIMES:
        return told + f" For nonsense labels (permuted or wrong ones) the smallest circuit is {number(times)} times as large."
    return told + (
        f" For {name} labels the same search finds a circuit {number(times)} times as large: a circuit of this size "
        f"{'is no evidence' if times < 1.5 else 'is weak evidence'} of how the network does the task."
    )


def _warnings(data: CircuitsDraw, found: FoundCircuits, measures: Sequence[Measure]) -> Iterator[str]:
    alone = {name: loss for name, loss, _ in found.ablations}
    off = ", ".join(name for name, loss in alone.items() if loss > 2 * data.target)
    if off:
        yield (
            f"With other ablations of the nodes outside ({off}), the circuit alone has more than twice the target loss. So "
            "that it does the task depends on mean ablation."
        )
    if found.frozen is not None and found.frozen > 2 * data.target:
        yield (
            f"With normalisation layers frozen as in the whole network, the circuit's loss is {number(found.frozen)}. The "
            "circuit depends on how these layers rescale after the ablation."
        )
    worst, each, chance = found.adversarial
    if worst > data.constant:
        yield (
            f"Nodes outside can undo the circuit. When an adversary chooses their ablation once for a whole batch, the loss "
            f"rises to {number(worst)}; with a choice for each example to {number(each)}; with random choices to "
            f"{number(chance)}."
        )
    if found.interchanged[-1] > found.interchanged[0] + 0.5 * data.target:
        yield (
            "The loss rises when nodes of the circuit are patched with their values from the whole network, so that some have "
            "another role there."
        )
    if data.wiring.unseen:
        unseen = ", ".join(data.wiring.unseen)
        yield f"These parameters are not counted as edges, because no linear map or convolution uses them: {unseen}."


def _not_tested(data: CircuitsDraw, found: FoundCircuits) -> Iterator[str]:
    if not found.stages:
        yield (
            "A search with learned gates, which needs a higher effort. Nodes were ordered by first-order effects, which gives "
            "circuits several times larger."
        )
    if found.frozen is None:
        yield "Ablation with frozen normalisation layers, of which the network has none."
    if found.weights is None:
        yield "Pruning of single weights, which needs full effort and a network without convolutions."
    if not found.transfers:
        yield "Transfer between two halves of a part's values: no part has two answers and a circuit in each half."
    if not data.elsewhere:
        yield "Damage to other tasks of this network: give these as `elsewhere` (docs/methods/circuits.md)."
    yield "Sparsely trained, pruned and randomly masked networks: give them as references (docs/methods/circuits.md)."


def _figures(data: CircuitsDraw, found: FoundCircuits, readings: Readings, measures: Sequence[Measure]) -> Iterator[Figure]:
    yield _curve(data, found, readings, measures)
    rows: list[tuple[Cell, ...]] = [(name, alone, without) for name, alone, without in found.ablations]
    if found.frozen is not None:
        rows.append(("mean, normalisation frozen", found.frozen, None))
    worst, each, chance = found.adversarial
    rows += [
        ("adversarial, one choice for a batch", worst, None),
        ("adversarial, one for each example", each, None),
        ("random", chance, None),
    ]
    yield DetailTable(
        name="Ablations",
        columns=("ablation", "loss of the circuit alone", "loss without the circuit"),
        rows=tuple(rows),
        note=f"The target is {number(data.target)}, the loss of the best constant answer {number(data.constant)}, that of the "
        f"whole network {number(found.own_loss)}. An ablated node is set to its mean, to zero, to its mean at each position "
        "(task mean) or to its value in another example (resample). Adversarial and random ablation choose how much of its own "
        "value each node outside keeps.",
        level=0,
    )
    own = found.circuit.edges / max(1, found.total)
    rows = [("the task", found.circuit.edges, own, 1.0)]
    for name, some in found.nonsense.items():
        for one in some:
            size = None if one.smallest is None else one.smallest.edges
            share = None if size is None else size / max(1, found.total)
            rows.append((f"{name} labels", size, share, None if share is None else share / max(own, 1e-12)))
    yield DetailTable(
        name="Circuits for nonsense labels",
        columns=("labels", "edges", "share", "multiple of the task's circuit"),
        rows=tuple(rows),
        note="Found by the same search, with the same target as a share of the loss of a constant answer. Rows without edges: "
        "not even the whole network reaches the target. Constant labels are no null, since a circuit for them may be empty.",
        level=0,
    )
    if found.weights is not None:
        yield _weights(found.weights, found.total)
    yield DetailTable(
        name="Role of the circuit's nodes",
        columns=("share of nodes patched with their values from the whole network", "loss"),
        rows=tuple(zip(SHARES, found.interchanged, strict=True)),
        note="The loss of the circuit alone does not rise if its nodes have the same role in the circuit and in the whole "
        "network.",
        level=0,
    )
    inside: dict[str, list[str]] = {}
    for node in found.circuit.kept.nonzero()[:, 0].tolist():
        place, _, unit = data.wiring.name(node).rpartition(" ")
        inside.setdefault(place, []).append(unit)
    width = {place.name: place.width for place in data.wiring.places}
    yield DetailTable(
        name="Nodes of the circuit",
        columns=("site", "kept", "of", "which"),
        rows=tuple(
            (place, len(units), width[place], ", ".join(units) if len(units) <= _MOST else "")
            for place, units in inside.items()
        ),
        level=0,
    )
    if found.stages:
        yield DetailTable(
            name="Path of the gates",
            columns=("price", "nodes", "edges", "loss in the search"),
            rows=tuple(found.stages),
            note="Every node has a gate. The price is the penalty for keeping all nodes open; it rises along the path.",
            level=0,
        )
    if found.transfers:
        yield DetailTable(
            name="Transfer between conditions",
            columns=_TRANSFER,
            rows=tuple(
                (at.part, at.values, one.tested.values, *one.sizes, one.shared.edges, one.by_chance, one.own, one.there)
                for one in found.transfers
                for at in (one.found,)
            ),
            note="A circuit is found on the examples of one half of a part's values and tested on the other half, for which "
            "another circuit is found. Two circuits may share few edges and still do the same.",
            level=0,
        )


def _weights(found: FoundWeights, total: int) -> DetailTable:
    rows: list[tuple[Cell, ...]] = [
        ("gates", found.edges, found.edges / max(1, total), found.alone, found.without),
        (
            "largest weights by magnitude",
            found.magnitude,
            None if found.magnitude is None else found.magnitude / total,
            None,
            None,
        ),
    ]
    rows += [
        (f"gates, {name} labels", edges, None if edges is None else edges / max(1, total), None, None)
        for name, edges in found.nonsense
    ]
    return DetailTable(
        name="Pruned weight by weight",
        columns=("chosen by", "edges", "share", "loss of the circuit alone", "loss without its edges"),
        rows=tuple(rows),
        note="A removed edge passes on the mean of its source; other edges may then take over its role. Rows without edges: "
        "the target is not reached.",
        level=0,
    )


def _line(
    name: str, circuits: Sequence[Circuit], total: int, *, null: bool = False, marked: int | None = None, leads_to: str = ""
) -> Line:
    return Line(
        name=name,
        x=tuple(one.edges / max(1, total) for one in circuits),
        y=tuple(one.loss for one in circuits),
        null=null,
        marked=() if marked is None else (marked,),
        notes=tuple(f"{one.edges} edges, {int(one.kept.sum())} nodes" for one in circuits),
        leads_to=tuple(leads_to if k == marked else "" for k in range(len(circuits))),
    )


def _curve(data: CircuitsDraw, found: FoundCircuits, readings: Readings, measures: Sequence[Measure]) -> Curve:
    size = next(one for one in measures if one.key == SIZE.key)
    circuits = sorted([*found.circuits, found.circuit], key=lambda one: one.edges)
    marked = next(k for k, one in enumerate(circuits) if one is found.circuit)
    lines = [_line("this network", circuits, found.total, marked=marked, leads_to=size.label)]
    lines += [
        _line(f"{name} labels", one.circuits, found.total, null=True)
        for name, some in found.nonsense.items()
        for one in some
        if name != "constant"
    ]
    for copy in readings.copies:
        if copy.kept:
            lines.append(_line(UNTRAINED, copy.kept, max(one.edges for one in copy.kept), null=True))
    return Curve(
        name="Loss over size",
        across="share of edges kept",
        plots=(Plot(title="The circuit alone", subtitle="loss, all other nodes at their means", lines=tuple(lines)),),
        caption="On the held-out examples that choose a size. The large dot is the smallest circuit with a loss of at most "
        f"{number(data.target)}. "
        "Grey: the same search on untrained copies and for nonsense labels (permuted or wrong).",
        level=0,
    )
