"""Inputs, targets and rows of a table from tensors, arrays and lists in memory."""

import math
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from assay.errors import AssayError
from assay.objective import PAD, Objective, Sequences
from assay.task import SPLITS
from assay.tasks.table_content import Content, classification, flat_numbers, regression
from assay.tasks.table_rows import TableRows

_WHERE = Path("table in memory")


def rows_of(parts: Mapping[str, Any], split: Any) -> tuple[TableRows, list[str]]:
    """The values of parts as rows, and the split of each row.

    **Raises:** `AssayError` for no parts, no rows, columns of different lengths, and an unknown split.
    """
    columns = {name: _listed(f"part {name!r}", values) for name, values in parts.items()}
    roles = None if split is None else _listed("split", split)
    lengths = {name: len(cells) for name, cells in columns.items()} | ({} if roles is None else {"split": len(roles)})
    if not columns or len(set(lengths.values())) > 1 or not min(lengths.values()):
        rule = "parts must map the name of every part to the value of each row, and split have one entry for each row"
        raise AssayError(f"{_WHERE}: {rule}", given=", ".join(f"{name}: {num:,}" for name, num in lengths.items()) or "none")
    cells = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    rows = TableRows(_WHERE, "row", range(1, len(cells) + 1), cells)
    if roles is None:
        return rows, ["train"] * len(rows)
    if all(isinstance(role, int | float) and role in (0, 1) for role in roles):
        return rows, ["novel" if role else "train" for role in roles]
    for index, role in enumerate(roles):
        if role not in SPLITS:
            raise rows.error(index, "split", "no such split; or give true where a row is novel", role, SPLITS)
    return rows, roles


def _listed(what: str, values: Any) -> list[Any]:
    """A column as a list of Python values."""
    cells = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(cells, str | bytes | Mapping) or not isinstance(cells, Iterable):
        raise AssayError(f"{_WHERE}: {what} is a list, array or tensor with one entry for each row", given=cells)
    return [cell.item() if isinstance(cell, np.generic | Tensor) and cell.ndim == 0 else cell for cell in cells]


def content_of(
    inputs: Any, targets: Any, objective: Objective | None, *, train: Int[Tensor, " t"], novel: Int[Tensor, " m"], num: int
) -> Content:
    """Inputs and targets as the network and the objective take them. Targets are those of all rows, or of all that are not
    novel.

    **Raises:** `AssayError` for anything but finite numbers, for other numbers of rows, and for an objective that does not
    fit.
    """
    answers = _tensor("targets", targets)
    given = {name: _tensor(f"input {name!r}", x) for name, x in inputs.items()} if isinstance(inputs, Mapping) else None
    if given is None:
        x = _tensor("inputs", inputs)
        if x.ndim == 4 and not x.is_floating_point():
            raise AssayError(
                f"{_WHERE}: images are real numbers",
                given=f"whole numbers of shape {tuple(x.shape)}",
                next_step="give images.float() / 255, or name what they are: inputs={'tokens': ...}",
            )
        given = {("image" if x.ndim == 4 else "x") if x.is_floating_point() else "tokens": x}
    answered = torch.arange(num)
    if len(answers) == num - len(novel):
        answered = answered[~torch.isin(answered, novel)]
    for name, tensor, wanted in (*((name, x, num) for name, x in given.items()), ("targets", answers, len(answered))):
        if len(tensor) != wanted:
            rule = f"{_WHERE}: {name} must have as many rows as the parts"
            unless = ", or as many as are not novel" if name == "targets" and len(novel) else ""
            raise AssayError(rule + unless, given=f"{len(tensor):,} and {num:,}")
    if answers.is_floating_point() and answers.ndim == 1:
        answers = answers[:, None]
    if answers.dtype == torch.bool:
        answers = answers.long()
    trained = answers[torch.isin(answered, train)]
    fitting = objective or _objective(answers, trained)
    known = None if answers.is_floating_point() else frozenset(answers.flatten().tolist())
    if known is not None and objective is not None:
        known |= frozenset(range(objective.width()))
    content = Content(given, answers, fitting, partial(_encoded, fitting, answers[:1], known))
    if objective is not None:
        _check_fits(objective, answers)
    return content if len(answered) == num else content.spread(answered.tolist(), num)


def with_inputs(rows: TableRows, content: Content) -> TableRows:
    """The rows with their inputs as columns, for an executor."""
    arrays = {name: x.numpy() for name, x in content.inputs.items() if name not in rows.rows[0]}
    return TableRows(rows.path, rows.place, rows.numbers, rows.rows, arrays)


def _encoded(objective: Objective, like: Tensor, known: frozenset[int] | None, answer: object) -> Tensor | None:
    """An executor's answer as a target of the same form; None where it has another form, or unknown whole numbers."""
    shape = tuple(like.shape[1:])
    cells = flat_numbers(answer)
    if isinstance(objective, Sequences) and cells is not None and len(cells[0]) == 1:  # shorter sequences are padded
        cells = shape, cells[1] + [PAD] * (shape[0] - len(cells[1]))
    if cells is None or cells[0] not in (shape, (math.prod(shape),)) or len(cells[1]) != math.prod(shape):
        return None
    if known is not None and not known.issuperset(cells[1]):
        return None
    return torch.tensor(cells[1], dtype=like.dtype).reshape(shape)


def _objective(targets: Tensor, trained: Tensor) -> Objective:
    what = f"{_WHERE}: targets"
    if targets.is_floating_point():
        return regression(trained, what)
    if int(targets.min()) < 0 or targets.ndim > 2:
        rule = f"{what} of whole numbers must be class ids (n,) or token ids (n, length), from 0"
        raise AssayError(rule, given=f"from {int(targets.min())}, of shape {tuple(targets.shape)}")
    return classification(targets, what) if targets.ndim == 1 else Sequences(int(targets.max()) + 1)


def _check_fits(objective: Objective, targets: Tensor) -> None:
    try:
        right = bool((objective.score(objective.ideal(targets), targets) > 0.5).all())
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        raise AssayError(
            f"{_WHERE}: the objective must fit the targets", given=f"{objective} for {targets.dtype} {tuple(targets.shape)}"
        ) from error
    assert right, f"{objective} scores its own ideal outputs as wrong"


def _tensor(what: str, given: Any) -> Tensor:
    """A tensor of float32, int64 or bool on the CPU, without a copy if it is one already."""
    if isinstance(given, Tensor):
        tensor = given.detach().cpu()
    else:
        try:
            array = np.asarray(given)
        except ValueError:  # raised for lists of different lengths
            array = np.array(None)
        kinds = {"f": np.float32, "i": np.int64, "u": np.int64, "b": np.bool_}
        if array.dtype.kind not in kinds:
            raise AssayError(
                f"{_WHERE}: {what} must be a tensor or array of numbers",
                given=given,
                next_step="number the classes, in the order of the network's outputs" if array.dtype.kind in "US" else "",
            )
        with np.errstate(over="ignore"):
            array = array.astype(kinds[array.dtype.kind], copy=False)
        tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    if tensor.is_complex() or not tensor.ndim:
        raise AssayError(f"{_WHERE}: {what} must be real numbers with the rows first", given=tensor)
    if tensor.dtype != torch.bool:
        tensor = tensor.float() if tensor.is_floating_point() else tensor.long()
    if (
        tensor.is_floating_point()
        and not (finite := tensor.isfinite().flatten(1).all(1) if tensor.ndim > 1 else tensor.isfinite()).all()
    ):
        row = int((~finite).nonzero()[0, 0])
        raise AssayError(f"{_WHERE}, row {row + 1}: {what} must be finite in 32 bits", given=tensor[row])
    return tensor
