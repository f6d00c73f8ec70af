"""Scratchpads: computation graphs written line by line, and node values read from the text of a network."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from assay.computation.domain import MISSING
from assay.computation.graph import Computations
from assay.errors import AssayError


def written(computations: Computations, example: int, *, steps: bool = True) -> tuple[str, str]:
    """The prompt and the scratchpad of one example: a line `name = value` for every source, and for every other node, parents
    first.

    **Arguments:** `steps`: whether a line also names the operation and its arguments, as `d5 = best sum(a5, d6) = 3`.

    Example::

        >>> from assay.computation.scratchpad import written
        >>> from assay.tasks.algorithms import non_adjacent_values
        >>> prompt, pad = written(non_adjacent_values([[3, -1]], outputs=False), 0)
        >>> prompt.splitlines(), pad.splitlines()
        (['a1 = 3', 'a2 = -1'], ['d2 = best sum 1(a2) = 0', 'd1 = best sum 2(a1, d2) = 3'])
    """
    rows = np.flatnonzero(computations.example == example)
    rows = rows[np.argsort(computations.layers[rows], kind="stable")]
    prompt, pad = [], []
    for row in rows.tolist():
        name, value = computations.names[computations.name[row]], computations.domain.text(computations.values[row])
        if computations.operation[row] < 0:
            prompt.append(f"{name} = {value}")
            continue
        parents = [
            computations.names[computations.name[parent]] for parent in computations.parents[row].tolist() if parent >= 0
        ]
        step = f"{computations.operations[computations.operation[row]].name}({', '.join(parents)}) = " if steps else ""
        pad.append(f"{name} = {step}{value}")
    return "\n".join(prompt), "\n".join(pad)


class ReadValues(NamedTuple):
    """Values read from texts.

    **Attributes:**

    - `values`: of every node, `MISSING` where none could be read; sources keep their own.
    - `truncated`: for every example, whether its last node could not be read although others were: the text ends early.
    """

    values: Int[np.ndarray, " v"]
    truncated: Bool[np.ndarray, " n"]


def read_back(computations: Computations, texts: Sequence[str]) -> ReadValues:
    """Node values from one text for each example.

    One line holds one node: its name, `=` or `:`, and the value behind the last `=` or `:`. Bullets, emphasis, backticks, a
    full stop at the end, and the case of letters do not matter; lines that name no node are passed over. Of a node that is
    written more than once the last line counts, which may correct the others.

    Example::

        graph = non_adjacent_values(np.array([[3, -1]]), outputs=False)
        read = read_back(graph, ["- **d2** = max(-1, 0) = 0.\\nd1: 3"])
        assert (read.values == graph.values).all()
    """
    if len(texts) != computations.num_examples:
        raise AssayError("there must be a text for each example", given=f"{len(texts)} for {computations.num_examples}")
    known = {" ".join(name.lower().split()): k for k, name in enumerate(computations.names)}
    lines = [_lines(text, known) for text in texts]
    found = [
        lines[example].get(name)
        for example, name in zip(computations.example.tolist(), computations.name.tolist(), strict=True)
    ]
    return as_read(computations, [computations.domain.parse(text) if text else None for text in found])


def as_read(computations: Computations, values: Sequence[int | None]) -> ReadValues:
    """`ReadValues` from the values of nodes in the order of the table, None for missing ones."""
    filled = np.array([MISSING if value is None else value for value in values], np.int64)
    sources, num = computations.is_source, computations.num_examples
    last = np.zeros(num, np.int64)
    order = np.argsort(computations.layers, kind="stable")
    last[computations.example[order]] = order  # of several assignments the last counts, that of the largest layer
    some = np.bincount(computations.example[~sources & (filled != MISSING)], minlength=num) > 0
    truncated = some & (filled[last] == MISSING) if len(filled) else np.zeros(num, bool)
    return ReadValues(np.where(sources, computations.values, filled), truncated)


_LINE = re.compile(r"^[\s>*\-+\u2022`]*(?:\d+[.)]\s+)?(?P<name>[^=:]+?)[\s*`]*[=:](?P<rest>.*)$")


def _lines(text: str, known: Mapping[str, int]) -> dict[int, str]:
    """The text of the value of every node named in a text."""
    found = {}
    for line in text.splitlines():
        if (match := _LINE.match(line)) is None:
            continue
        name = known.get(" ".join(match["name"].strip("*`_ ").lower().split()))
        if name is not None:
            value = re.split(r"[=:]", match["rest"])[-1].strip().strip("*`").rstrip(".,;").strip().strip("*`")
            found[name] = value
    return found
