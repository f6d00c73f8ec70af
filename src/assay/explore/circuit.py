"""`circuit.html`: one circuit of a network, with signed edges, node activations per token, and top examples of each node."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from markupsafe import Markup
from torch import Tensor

from assay.display import brief, number
from assay.errors import AssayError
from assay.evidence import Effort
from assay.instrument import NotEnough, Random
from assay.instruments.circuits import Circuits as Instrument
from assay.instruments.circuits.network import WiredNetwork
from assay.instruments.circuits.nodes import LinearMap
from assay.instruments.circuits.reading import CircuitsDraw, circuits_of, search
from assay.printable import printable
from assay.report.page import render
from assay.store import write_bytes_atomically
from assay.subject import Subject
from assay.task import Examples, Task
from assay.versions import versions_of

MOST_NODES, MOST_EDGES, EXAMPLES = 400, 4_000, 64
_SCRIPT = Path(__file__).parent / "circuit.js"


@dataclass(frozen=True)
class FoundCircuit:
    """The smallest circuit of a network for a task, as the instrument `circuits` finds it with the same effort and seed.

    **Attributes:** `kept`: mask of its nodes; `loss`: of the circuit alone; `without`: of the network with the circuit
    ablated.
    """

    __repr__ = brief

    task: Task
    network: WiredNetwork
    data: CircuitsDraw
    kept: Bool[Tensor, " nodes"]
    loss: float
    without: float

    @property
    def edges(self) -> int:
        return self.network.edges.count(self.kept)


def find_circuit(subject: Subject, task: Task, *, effort: Effort = "standard", seed: int = 0) -> FoundCircuit:
    """Search for the circuit of a network for a task.

    **Raises:** `AssayError` where there is none, with the reason.

    Example::

        >>> from assay.explore import find_circuit
        >>> subject, task = assay.load_subject("runs/addition"), assay.load_task("modular-addition:p=7")
        >>> found = find_circuit(subject, task, effort="quick")
        >>> found.loss < found.without  # of the circuit alone, and of the network without it
        True
    """
    instrument, rng = Instrument(), Random(seed, Instrument.name)
    try:
        data = instrument.data(subject, task, instrument.budgets[effort], rng)
    except NotEnough as reason:
        raise AssayError("a circuit to draw must be found first", given=str(reason)) from reason
    network = circuits_of(subject, data)
    circuit = search(network, data.sets, data.budget, generator=rng.within("network")("gates")).smallest
    if circuit is None:
        raise AssayError(
            f"a circuit must reach a loss of {number(data.target)}",
            given=f"the whole network has {number(float(network.losses(data.sets.choosing, None).mean()))}",
            next_step="train the network until its loss is at most half of that",
        )
    judging = data.sets.judging
    losses = [float(network.losses(judging, kept).mean()) for kept in (circuit.kept, ~circuit.kept)]
    return FoundCircuit(task, network, data, circuit.kept, *losses)


def write_circuit(page: Path, found: FoundCircuit, *, words: Sequence[str] | None = None) -> Path:
    """Write the page. **Returns:** its path. **Raises:** `AssayError` as `circuit_html` does.

    Example::

        >>> from pathlib import Path
        >>> from assay.explore import find_circuit, write_circuit
        >>> sizes = {"options": {"width": 16}, "config": {"steps": 300}}
        >>> run = assay.train("modular-addition:p=7", out="runs/narrow", progress=None, **sizes)
        >>> found = find_circuit(assay.load_subject(str(run.path)), assay.load_task("modular-addition:p=7"), effort="quick")
        >>> write_circuit(Path("circuit.html"), found).name
        'circuit.html'
    """
    write_bytes_atomically(page, circuit_html(found, words=words).encode())
    return page


def circuit_html(found: FoundCircuit, *, words: Sequence[str] | None = None) -> str:
    """The page, which needs no server and fetches nothing.

    **Arguments:** `words`: of tokens, by their ids; by default the task's `vocabulary` where it has one, else the ids.

    **Raises:** `AssayError` for a circuit that is too large to be drawn.
    """
    num, edges = int(found.kept.sum()), found.edges
    if num > MOST_NODES or edges > MOST_EDGES:
        raise AssayError(
            f"a circuit to draw must have at most {MOST_NODES} nodes and {MOST_EDGES:,} edges",
            given=f"{num} nodes and {edges:,} edges",
            next_step="search with a higher effort, or draw a sparser network",
        )
    words = words if words is not None else getattr(found.task, "vocabulary", None)
    return render(
        "circuit.html.j2",
        name=f"{printable(found.task.address)}",
        nodes=num,
        edges=edges,
        total=found.network.edges.total,
        loss=number(found.loss),
        without=number(found.without),
        constant=number(found.data.constant),
        script=_SCRIPT.read_text(),
        data=Markup(json.dumps(_content(found, words)).replace("<", "\\u003c")),
        version=versions_of("assay").get("assay", ""),
    )


def _content(found: FoundCircuit, words: Sequence[str] | None) -> Mapping[str, Any]:
    network, wiring = found.network, found.network.wiring
    examples = found.data.sets.judging
    spread = torch.linspace(0, len(examples) - 1, min(EXAMPLES, len(examples))).round().long()
    examples = examples.take(spread)
    states = network.states(examples.inputs)
    order = _by_depth(found)
    number_of: dict[int, int] = {}
    nodes: list[dict[str, Any]] = []
    for place in order:
        for unit in wiring.split(found.kept)[place].nonzero()[:, 0].tolist():
            node = wiring.starts[place] + unit
            number_of[node] = len(nodes)
            held = states[place][0][..., unit].reshape(len(examples), -1)
            nodes.append(
                {
                    "name": printable(wiring.name(node)),
                    "place": printable(wiring.places[place].name),
                    "label": str(unit),
                    "mean": float(network.means[node]),
                    "states": [[round(value, 4) for value in row] for row in held.tolist()],
                }
            )
    answers: dict[int, int] = {}
    edges = []
    for one, out, inside in network.edges.listed(found.kept):
        start = number_of[wiring.starts[one.source] + inside]
        if one.target is None:
            if out not in answers:
                answers[out] = len(nodes)
                label = _word(out, words)
                nodes.append({"name": f"answer {label}", "place": "answer", "label": label, "mean": 0.0, "states": None})
            end = answers[out]
        else:
            end = number_of[wiring.starts[one.target] + out]
        weight = LinearMap.matrix(network.module.get_submodule(one.layer))[out, inside]
        edges.append({"from": start, "to": end, "weight": float(weight.sum())})
    return {"nodes": nodes, "edges": edges, "examples": _examples(examples, words)}


def _by_depth(found: FoundCircuit) -> list[int]:
    """Indices of the places in the order in which the network registers its modules, with a layer's input before its output."""
    wiring = found.network.wiring
    first: dict[str, int] = {}
    for number_, (layer, _) in enumerate(found.network.module.named_modules()):
        first.setdefault(layer, number_)
    return sorted(
        range(len(wiring.places)), key=lambda k: (first[wiring.places[k].hooks[0][0]], wiring.places[k].hooks[0][1] == "out")
    )


def _examples(examples: Examples, words: Sequence[str] | None) -> list[Mapping[str, Any]]:
    """The text of each example: tokens, or numbers, and the target."""
    column = next(iter(examples.inputs.values()))
    rows = column.reshape(len(column), -1)[:, :512]
    whole = not column.is_floating_point()
    targets = examples.targets.reshape(len(examples), -1)[:, -1]
    answered = targets.is_floating_point()
    return [
        {
            "tokens": [_word(value, words) if whole else number(value) for value in row],
            "answer": number(float(target)) if answered else _word(int(target), words if whole else None),
        }
        for row, target in zip(rows.tolist(), targets.tolist(), strict=True)
    ]


def _word(token: int, words: Sequence[str] | None) -> str:
    return printable(words[token]) if words is not None and 0 <= token < len(words) else str(token)
