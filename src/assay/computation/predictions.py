"""Node values from a file of predictions, and files of prompts."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int

from assay.computation.ability import DeclaresComputation
from assay.computation.domain import MISSING
from assay.computation.graph import Computations
from assay.computation.scratchpad import as_read, read_back, written
from assay.display import brief
from assay.errors import AssayError
from assay.predictions import PredictionLine, Predictions, read_lines, save_lines
from assay.stats import keyed_generator
from assay.store import write_bytes_atomically
from assay.task import Examples, Split, Task


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Answers to some of the examples of a table of computation graphs.

    **Attributes:**

    - `computations`: the graphs of the answered examples, in the order of the table.
    - `values`: the predicted value of every node, `MISSING` where none could be read.
    - `direct`: the answer of every example given without a scratchpad, `MISSING` where there is none.
    - `truncated`: for every example, whether the file marks the output as truncated.
    - `unfinished`: for every example, whether its last node could not be read although others were.
    - `absent`: the number of examples without a line.
    """

    __repr__ = brief

    computations: Computations
    values: Int[np.ndarray, " v"]
    direct: Int[np.ndarray, " n"]
    truncated: Bool[np.ndarray, " n"]
    unfinished: Bool[np.ndarray, " n"]
    absent: int = 0


def load_predictions(
    answers: Path | str | Predictions, computations: Computations, *, ids: Sequence[int | str] | None = None
) -> Predicted:
    r"""Read node values from a file with one JSON object a line, as `assay.predictions.read_lines` says:

        {"id": 0, "text": "d6 = 2\nd5 = best sum(a5, d6) = 2", "answer": 2}
        {"id": 1, "nodes": {"d6": 0, "d5": 4}, "truncated": true}

    **Arguments:** `ids`: of the examples of `computations`, in their order; their numbers by default.

    **Raises:** `AssayError` naming the line of an invalid object, an unknown or repeated id, and a node that its example does
    not have.

    Example::

        >>> from assay.computation.predictions import load_predictions, save_predictions
        >>> from assay.tasks.algorithms import non_adjacent_values
        >>> graphs = non_adjacent_values([[3, -1]], outputs=False)
        >>> save_predictions("answers.jsonl", ["d2 = 0\nd1 = best sum(a1, d2) = 3"])
        >>> predicted = load_predictions("answers.jsonl", graphs)
        >>> predicted.values.tolist(), graphs.values.tolist()
        ([3, -1, 0, 3], [3, -1, 0, 3])
    """
    ids = list(range(computations.num_examples)) if ids is None else list(ids)
    assert len(ids) == computations.num_examples, "an id for every example"
    number = {one: k for k, one in enumerate(ids)}
    lines = answers.lines if isinstance(answers, Predictions) else read_lines(answers)
    where = answers.path if isinstance(answers, Predictions) else answers
    for one in lines:
        if one not in number:
            choices = [str(known) for known in ids]
            raise AssayError(f"{where}: the id must be that of an example", choices=choices, **_other_id(one, choices))
    return _predicted(computations, {number[one]: line for one, line in lines.items()}, where)


def _other_id(one: int | str, known: Iterable[str]) -> dict[str, str]:
    """An unknown id as it was given, which may look like a known one but be a string, or the other way about."""
    if str(one) not in known:
        return {"given": str(one)}
    if isinstance(one, str):
        return {"given": f'the string "{one}"', "next_step": "write the number without quotation marks"}
    return {"given": f"the number {one}", "next_step": "write the string in quotation marks"}


def _predicted(computations: Computations, found: Mapping[int, PredictionLine], where: Path | str) -> Predicted:
    """The predictions in lines, by the index of their example."""
    chosen = sorted(found)
    graphs, lines = computations.take(np.array(chosen, np.int64)), [found[k] for k in chosen]
    read = read_back(graphs, [line.text or "" for line in lines])
    values, named = read.values.copy(), _named(graphs, lines, where)
    from_nodes = np.array([line.nodes is not None for line in lines], bool)
    rows = from_nodes[graphs.example]
    values[rows] = named[rows]
    whole = as_read(graphs, [None if value == MISSING else value for value in values.tolist()])
    marked = np.array([line.truncated for line in lines], bool)
    direct = np.array([_value(graphs, line.answer) for line in lines], np.int64)
    return Predicted(
        computations=graphs,
        values=whole.values,
        direct=direct,
        truncated=marked,
        unfinished=whole.truncated,
        absent=computations.num_examples - len(chosen),
    )


def _named(graphs: Computations, lines: Sequence[PredictionLine], path: str | Path) -> Int[np.ndarray, " v"]:
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


def save_predictions(
    path: Path | str, texts: Sequence[str], *, ids: Sequence[int | str] | None = None, truncated: Sequence[bool] | None = None
) -> None:
    """Write scratchpads as a file for `load_predictions`.

    **Arguments:** `ids`: of their examples, by default 0, 1, ...; `truncated`: whether each hit a limit.

    Example::

        >>> from pathlib import Path
        >>> from assay.computation.predictions import save_predictions
        >>> save_predictions("answers.jsonl", ["d2 = 0", "d2 = 1"], ids=[7, 9], truncated=[False, True])
        >>> Path("answers.jsonl").read_text().splitlines()
        ['{"id":7,"text":"d2 = 0"}', '{"id":9,"text":"d2 = 1","truncated":true}']
    """
    ids = range(len(texts)) if ids is None else ids
    cut = [False] * len(texts) if truncated is None else truncated
    save_lines(path, [PredictionLine(id=k, text=text, truncated=c) for k, text, c in zip(ids, texts, cut, strict=True)])


def _whole(one: int | str) -> int:
    """An id as a number, also for a string of digits, so that the error can say that it is a string; -1 for others."""
    return one if isinstance(one, int) else int(one) if re.fullmatch(r"[0-9]{1,18}", one) else -1


def answered(task: Task, answers: Predictions) -> dict[Split, Examples]:
    """The trained and the novel examples of a task that a file answers, sorted by combination.

    **Raises:** `AssayError` for an id that is no combination of the task.
    """
    numbers = [one for one in map(_whole, answers.lines) if 0 <= one < 2**63]  # other lines are refused below
    wanted = torch.tensor(numbers, dtype=torch.int64)
    found: dict[Split, Examples] = {}
    splits: tuple[Split, ...] = ("seen", "novel") if task.level == 2 else ("seen",)
    for split in splits:
        examples = task.examples(split, len(task.combinations(split)), generator=keyed_generator(0, "answered"))
        examples = examples.take(torch.isin(examples.combination, wanted)).in_canonical_order()
        first = torch.ones(len(examples), dtype=torch.bool)
        first[1:] = examples.combination[1:] != examples.combination[:-1]
        found[split] = examples.take(first)
    known = {one for examples in found.values() for one in examples.combination.tolist()}
    for one in answers.lines:
        if one not in known:
            save = "write examples with their ids by assay.computation.predictions.save_prompts"
            raise AssayError(
                f"{answers.path}: the id of an answer must be the number of a combination of {task.address}",
                **{"next_step": save} | _other_id(one, map(str, known)),
            )
    return found


def answered_values(answers: Predictions, examples: Examples, computations: Computations) -> Predicted:
    """The value at every node of the examples that a file answers."""
    lines = {k: answers.lines[one] for k, one in enumerate(examples.combination.tolist())}
    return _predicted(computations, lines, answers.path)


def save_prompts(path: Path | str, task: Task, split: Split, n: int, *, seed: int = 0, instructions: str = "") -> None:
    """Write prompts for examples of a task that declares its computation, one JSON object a line with `id`, which the answer
    must repeat, and `prompt`: a line for every symbol of the input, an empty line, and a line that asks for every step by name,
    with the operation and its arguments.

    **Arguments:** `instructions`: text before every prompt, such as the meaning of the operations.

    Example::

        >>> import json
        >>> from pathlib import Path
        >>> from assay.computation.predictions import save_prompts
        >>> save_prompts("prompts.jsonl", assay.load_task("non-adjacent-sum"), "novel", 5)
        >>> first = json.loads(Path("prompts.jsonl").read_text().splitlines()[0])
        >>> sorted(first), first["prompt"].splitlines()[:2]
        (['id', 'prompt'], ['a1 = 3', 'a2 = -3'])
    """
    if not isinstance(task, DeclaresComputation):
        raise AssayError("prompts are those of a task that declares its computation", given=task.address)
    examples = task.examples(split, n, generator=keyed_generator(seed, "prompts"))
    graphs = task.computation(examples)
    rows = []
    for k, one in enumerate(examples.combination.tolist()):
        symbols, pad = written(graphs, k)
        steps = ", ".join(line.rpartition(" = ")[0] for line in pad.splitlines())
        request = f"{symbols}\n\nWrite one line `name = value` for each of these steps, in this order: {steps}."
        rows.append({"id": one, "prompt": f"{instructions}\n\n{request}" if instructions else request})
    write_bytes_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
