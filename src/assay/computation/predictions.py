"""Predictions from anywhere: a JSON Lines file of scratchpads or node values is enough to be analysed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from pydantic import BaseModel, ConfigDict, ValidationError

from assay.bounds import MOST_TABLE, open_file
from assay.computation.domain import MISSING
from assay.computation.graph import Computations
from assay.computation.scratchpad import as_read, read_back
from assay.display import brief
from assay.errors import AssayError


class _Line(BaseModel):
    """One line: what was answered to one example."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: int | str
    text: str | None = None
    nodes: dict[str, int | str | None] | None = None
    answer: int | str | None = None
    truncated: bool = False


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Answers to some of the examples of a table of computation graphs.

    **Attributes:**

    - `computations`: the graphs of the examples that were answered, in the order of the table.
    - `values`: of every node the predicted value, `MISSING` where none could be read.
    - `direct`: of every example the answer that was given without a scratchpad, `MISSING` where there is none.
    - `truncated`: of every example, whether the file says that the output was cut, or its last node is not there.
    - `absent`: how many examples of the table have no line.
    """

    __repr__ = brief

    computations: Computations
    values: Int[np.ndarray, " v"]
    direct: Int[np.ndarray, " n"]
    truncated: Bool[np.ndarray, " n"]
    absent: int = 0


def load_predictions(path: str | Path, computations: Computations, *, ids: Sequence[int | str] | None = None) -> Predicted:
    """Read a file with one JSON object a line.

    Each has the `id` of an example and its `text`, the scratchpad that a model wrote, or `nodes`, an object from node names to
    values (null where there is none). `answer`, what the model answered without a scratchpad, and `truncated`, whether its
    output hit a limit, may stand beside them:

        {"id": 0, "text": "d6 = 2\\nd5 = best sum(a5, d6) = 2", "answer": 2}
        {"id": 1, "nodes": {"d6": 0, "d5": 4}, "truncated": true}

    **Arguments:** `ids`: of the examples of `computations`, in their order; their numbers by default.

    **Raises:** `AssayError` naming the line that is no such object, an id that is unknown or comes twice, and a node that its
    example does not have.

    Example::

        predicted = load_predictions("answers.jsonl", graphs)
        labels = labelled(predicted.computations, predicted.values)
    """
    ids = list(range(computations.num_examples)) if ids is None else list(ids)
    assert len(ids) == computations.num_examples, "an id for every example"
    number = {one: k for k, one in enumerate(ids)}
    found: dict[int, _Line] = {}
    with open_file(Path(path), most=MOST_TABLE) as stream:
        for at, raw in enumerate(stream.read().splitlines(), 1):
            if not raw.strip():
                continue
            line = _parsed(raw, f"{path}, line {at}")
            if line.id not in number:
                choices = [str(one) for one in ids]
                raise AssayError(f"{path}, line {at}: the id must be that of an example", given=line.id, choices=choices)
            if number[line.id] in found:
                raise AssayError(f"{path}, line {at}: every example must be answered once", given=f"id {line.id} again")
            found[number[line.id]] = line
    chosen = sorted(found)
    graphs, lines = computations.take(np.array(chosen, np.int64)), [found[k] for k in chosen]
    read = read_back(graphs, [line.text or "" for line in lines])
    values, named = read.values.copy(), _named(graphs, lines, path)
    from_nodes = np.array([line.nodes is not None for line in lines], bool)
    rows = from_nodes[graphs.example]
    values[rows] = named[rows]
    whole = as_read(graphs, [None if value == MISSING else value for value in values.tolist()])
    said = np.array([line.truncated for line in lines], bool)
    direct = np.array([_value(graphs, line.answer) for line in lines], np.int64)
    return Predicted(
        computations=graphs,
        values=whole.values,
        direct=direct,
        truncated=whole.truncated | said,
        absent=len(ids) - len(chosen),
    )


def _parsed(raw: bytes, where: str) -> _Line:
    try:
        line = _Line.model_validate(json.loads(raw))
    except (ValidationError, ValueError, RecursionError) as error:
        fault = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        place = ".".join(map(str, fault["loc"]))
        raise AssayError(
            f"{where} must be a JSON object with id, and text or nodes",
            given=f"{place}: {fault['msg']}" if place else fault["msg"],
        ) from error
    if (line.text is None) == (line.nodes is None):
        raise AssayError(f"{where} must have either text or nodes", given="both" if line.text is not None else "neither")
    return line


def _named(graphs: Computations, lines: Sequence[_Line], path: str | Path) -> Int[np.ndarray, " v"]:
    """The values of `nodes`, where lines have them."""
    values = np.full(len(graphs), MISSING)
    row_of = {(e, n): row for row, (e, n) in enumerate(zip(graphs.example.tolist(), graphs.name.tolist(), strict=True))}
    name_of = {name: k for k, name in enumerate(graphs.names)}
    for example, line in enumerate(lines):
        for name, value in (line.nodes or {}).items():
            row = row_of.get((example, name_of.get(name, -1)))
            if row is None:
                choices = [graphs.names[n] for e, n in row_of if e == example]
                raise AssayError(f"{path}: example {line.id} must have the node", given=name, choices=choices)
            values[row] = _value(graphs, value)
    return values


def _value(graphs: Computations, value: int | str | None) -> int:
    return MISSING if value is None else graphs.domain.parse(str(value))
