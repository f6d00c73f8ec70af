"""Tables with an executor: a Python function that gives the target after an exchange of parts."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from assay.errors import AssayError, shortened
from assay.factory import find_function
from assay.task import Examples, Swapped
from assay.tasks.table import Table
from assay.tasks.table_content import Content, only_first
from assay.tasks.table_rows import TableRows, written
from assay.tasks.table_schema import Declaration, PartDeclaration

SAME = 1e-6  # difference of scores below which two targets are the same


class Executor:
    """A function `(parts, row)` to the content of a target cell.

    `parts` maps every part that follows from no other to its value as written in the table, `row` every column of the base.
    """

    def __init__(self, where: Path, name: str, function: Callable[..., object]):
        self.where, self.name, self._function = where, name, function

    def __call__(self, parts: Mapping[str, object], row: Mapping[str, object]) -> object:
        try:
            return self._function(dict(parts), dict(row))
        except Exception as error:  # a user's function: report any error to them
            raise AssayError(
                f"{self.where}: executor must answer, or return None where there is no answer",
                given=f"{self.name} of {shortened(dict(parts))} raises {type(error).__name__}: {error}",
            ) from error


class AddressedExecutor(Executor):
    """An executor with an address, `package.module:function`, from which it is unpickled."""

    def __init__(self, path: Path, address: str):
        module, _, name = address.partition(":")
        super().__init__(path, address, find_function(module, name, beside=path.parent))

    def __reduce__(self) -> tuple[type, tuple[Path, str]]:
        return AddressedExecutor, (self.where, self.name)


class ExecutedTable(Table):
    """A table with an executor.

    **Raises:** `AssayError` also when the executor cannot be found or does not return a row's own target.
    """

    def _learn(self, path: Path, declared: Declaration, rows: TableRows, content: Content) -> None:
        """Install the executor of the declaration."""
        assert declared.executor is not None
        self._take(AddressedExecutor(path, declared.executor), declared.parts, rows, content, declared.target.source)

    def _obey(self, executor: Any, declared: Sequence[PartDeclaration], rows: TableRows, content: Content) -> None:
        if not callable(executor):
            raise AssayError(
                "the executor of a table in memory is a function of (parts, row)",
                given=executor,
                next_step="give the function itself; only a table file names one by its address",
            )
        name = getattr(executor, "__name__", type(executor).__name__)
        self._take(Executor(rows.path, name, executor), declared, rows, content, "")

    def _take(
        self, executor: Executor, parts: Sequence[PartDeclaration], rows: TableRows, content: Content, column: str
    ) -> None:
        """Install an executor, after a check on every row that has an answer."""
        self._executor, self._encode, self._source = executor, content.encode, rows
        self._declared = {part.name: part for part in parts}
        self._answers: dict[tuple[object, ...], Tensor | None] = {}
        keys = _keys(self._asked)
        self._row_of = {key: index for index, key in reversed(list(enumerate(keys)))}
        unanswered = () if content.complete else self._rows["novel"].tolist()
        for index in sorted(set(range(len(rows))) - set(unanswered)):
            self._check_own(index, column)

    def _check_own(self, index: int, column: str) -> None:
        own = self._examples.targets[index]
        answer = self._executor(self._parts(index, index, ()), self._source.row(index))
        target = None if answer is None else self._encode(answer)
        objective = self.objective
        if target is None or float(objective.score(objective.ideal(target[None]), own[None])) < 1 - SAME:
            stands = written(self._source.cell(index, column)) if column else own.tolist()
            raise AssayError(
                f"{self._source.path}, {self._source.where(index)}: the executor {self._executor.name} must give every row "
                f"its own target{f', column {column!r}' if column else ''}",
                given=written(answer),
                next_step=f"the row has {shortened(stands)}: correct the executor, or the parts that it is given",
            )

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        """Targets after an exchange. A part that follows from others is exchanged by exchanging these together; it is -1 where
        no row shows what follows.

        Undefined where the executor returns None, or an answer that no row has.
        """
        moved = self.part(part).of or (part,)
        bases, sources = ([self._row_of[key] for key in _keys(examples)] for examples in (base, source))
        found = [self._answer(*pair, moved) for pair in zip(bases, sources, strict=True)]
        defined = torch.tensor([answer is not None for answer in found], dtype=torch.bool)
        targets = base.targets.clone()
        for index, answer in enumerate(found):
            if answer is not None:
                targets[index] = only_first(answer) if self._asked is not self._examples else answer
        shown = {one.name: (source if one.name in moved else base).parts[one.name] for one in self.parts if not one.of}
        parts = {one.name: self._follows(one.name, one.of, shown) if one.of else shown[one.name] for one in self.parts}
        return Swapped(targets, parts, self.combination_id(parts), defined)

    def _answer(self, base: int, source: int, moved: tuple[str, ...]) -> Tensor | None:
        values = self._parts(base, source, moved)
        key = (base, *values.values())
        if key not in self._answers:
            answer = self._executor(values, self._source.row(base))
            self._answers[key] = None if answer is None else self._encode(answer)
        return self._answers[key]

    def _parts(self, base: int, source: int, moved: tuple[str, ...]) -> dict[str, Any]:
        """The values as written in the table: those of the base, except for the moved ones."""
        values = {}
        for name, declared in self._declared.items():
            if not declared.of:
                cell = self._source.cell(source if name in moved else base, declared.source)
                values[name] = cell[0] if isinstance(cell, list) else cell
        return values

    def _follows(self, name: str, of: tuple[str, ...], shown: Mapping[str, Int[Tensor, " n"]]) -> Int[Tensor, " n"]:
        known = zip(*(self._examples.parts[one].tolist() for one in (*of, name)), strict=True)
        table = {tuple(row[:-1]): row[-1] for row in known}
        keys = zip(*(shown[one].tolist() for one in of), strict=True)
        return torch.tensor([table.get(values, -1) for values in keys], dtype=torch.int64)


def _keys(examples: Examples) -> list[bytes]:
    """For every example a key of its whole content, as bytes. Rows with equal keys are represented by the first."""
    columns = [*examples.inputs.values(), examples.targets, *examples.parts.values(), *examples.amounts.values()]
    tables = [np.ascontiguousarray((column.flatten(1) if column.ndim > 1 else column[:, None]).numpy()) for column in columns]
    return [b"".join(table[index].tobytes() for table in tables) for index in range(len(examples))]
