"""The rows of a table, and their columns as checked values. Errors name file, line and column."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from assay.bounds import MOST_CELLS
from assay.errors import AssayError

_LARGEST_ID = 2**20


class SymbolColumns(NamedTuple):
    """Whole numbers `(n, columns)` in `range(size)`."""

    ids: Int[Tensor, "n k"]
    size: int


@dataclass(frozen=True)
class TableRows:
    """The rows of a table.

    **Attributes:**

    - `path`: the file, or a name for rows in memory.
    - `numbers`: the position of each row in the file, from 1; `place` is the word for it, line or row.
    - `rows`: the cells of each by column.
    - `arrays`: columns of numbers with one shape in every row, each `(n, ...)`; not part of `rows`.
    """

    path: Path
    place: str
    numbers: Sequence[int]
    rows: Sequence[Mapping[str, Any]]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: Sequence[int]) -> "TableRows":
        """Some of the rows, with their original numbers."""
        numbers, rows = [self.numbers[index] for index in indices], [self.rows[index] for index in indices]
        return TableRows(
            self.path, self.place, numbers, rows, {name: array[list(indices)] for name, array in self.arrays.items()}
        )

    def where(self, index: int) -> str:
        """Position of a row, such as `line 7`."""
        return f"{self.place} {self.numbers[index]}"

    def error(self, index: int, column: str, rule: str, given: object, choices: Sequence[str] = ()) -> AssayError:
        """The error for one cell."""
        place = f"{self.path}, {self.where(index)}, column {column!r}"
        return AssayError(f"{place}: {rule}", given=written(given), choices=choices)

    def row(self, index: int) -> dict[str, Any]:
        """The cells of one row as Python values."""
        return {**self.rows[index], **{name: array[index].tolist() for name, array in self.arrays.items()}}

    def cell(self, index: int, name: str) -> Any:
        """One cell; None where it is missing."""
        return self.arrays[name][index].tolist() if name in self.arrays else self.rows[index].get(name)

    def column(self, name: str) -> list[Any]:
        """The cells of a column, none of them missing or null."""
        if name in self.arrays:
            return self.arrays[name].tolist()
        if not any(name in row for row in self.rows):
            raise AssayError(f"{self.path} has no such column", given=name, choices=[*self.rows[0], *self.arrays])
        for index, row in enumerate(self.rows):
            if row.get(name) is None:
                raise self.error(index, name, "every row needs a value", None if name in row else "no such column in this row")
        return [row[name] for row in self.rows]

    def symbols(self, names: Sequence[str], *, lists: bool = False) -> SymbolColumns:
        """Whole numbers as they are; texts numbered in alphabetical order over all these columns. With `lists` one column may
        contain lists of whole numbers, of one length."""
        if lists and len(names) == 1 and (names[0] in self.arrays or isinstance(self.column(names[0])[0], list)):
            return self._lists_of_ids(names[0])
        columns = {name: self.column(name) for name in names}
        kind = _symbol_kind(columns[names[0]][0])
        for name, cells in columns.items():
            for index, cell in enumerate(cells):
                if _symbol_kind(cell) != kind or kind == "neither":
                    raise self.error(index, name, _SYMBOLS, cell)
        texts = kind == "text"
        known = sorted({cell for cells in columns.values() for cell in cells}) if texts else []
        number = {text: index for index, text in enumerate(known)}
        check_cells(self.path, len(self), len(columns))
        ids = torch.tensor([[number[cell] if texts else int(cell) for cell in cells] for cells in columns.values()]).T
        return SymbolColumns(ids.contiguous(), len(known) if texts else int(ids.max()) + 1)

    def _lists_of_ids(self, name: str) -> SymbolColumns:
        found = self._array(name)
        wrong = np.ones(len(found), bool) if found.dtype.kind == "f" else (found < 0) | (found > _LARGEST_ID)
        if wrong.any() or found.ndim > 2:
            index = int(wrong.reshape(len(found), -1).any(1).argmax())
            raise self.error(index, name, _SYMBOLS, found[index].tolist())
        ids = torch.from_numpy(found.astype(np.int64)).reshape(len(found), -1)
        return SymbolColumns(ids, int(ids.max()) + 1)

    def floats(self, names: Sequence[str], shape: Sequence[int] = ()) -> Float[Tensor, "n *shape"]:
        """Numbers as columns `(n, features)`: a cell is a number or a list of numbers, of one length in every row.

        With a `shape`, `(n, *shape)`: as many numbers, row by row; nested lists must have that very shape, up to dimensions of
        1.
        """
        columns = []
        for name in names:
            found = self._array(name)
            inner = _without_ones(found.shape[1:])
            if len(inner) > 1 and inner != _without_ones(shape):
                wanted = list(shape) if shape else f"declared, such as shape = {list(found.shape[1:])}"
                given = f"{_by(found.shape[1:])} numbers"
                raise self.error(0, name, f"the shape of lists inside each other must be {wanted}", given)
            columns.append(self._finite(name, found).reshape(len(self), -1))
        joined = columns[0] if len(columns) == 1 else np.concatenate(columns, 1)
        check_cells(self.path, *joined.shape)
        if shape and joined.shape[1] != math.prod(shape):
            rule = f"a row must hold the numbers of its shape, {list(shape)}"
            raise self.error(0, ", ".join(names[:3]), rule, f"{joined.shape[1]:,} numbers")
        return torch.from_numpy(np.require(joined, requirements="W")).reshape(len(self), *(shape or joined.shape[1:]))

    def _array(self, name: str) -> np.ndarray:
        """A column of numbers, or of lists of them of one shape, `(n, ...)`."""
        if name in self.arrays:
            return self.arrays[name]
        values: list[object] = []
        first: tuple[int, ...] = ()
        for index, cell in enumerate(self.column(name)):
            own, numbers = flattened(cell)
            if not set(map(type, numbers)) <= {int, float}:
                wrong = next(value for value in numbers if type(value) not in (int, float))
                raise self.error(index, name, "must be a number or a list of numbers", wrong)
            first = first or own
            if own != first or 0 in own:
                rule = f"lists must be as long as that of {self.where(0)}, which has {_by(first)} numbers, and not empty"
                raise self.error(index, name, rule, f"{_by(own)} numbers")
            if not index:
                check_cells(self.path, len(self), math.prod(first))
            values += numbers
        array = np.array(values)
        return (array if array.dtype.kind in "iuf" else array.astype(np.float64)).reshape(len(self), *first)

    def _finite(self, name: str, found: np.ndarray) -> Float32[np.ndarray, "n ..."]:
        with np.errstate(over="ignore"):
            numbers = found.astype(np.float32, copy=False)
        wrong = ~np.isfinite(numbers)
        if wrong.any():
            index = int(wrong.reshape(len(found), -1).any(1).argmax())
            raise self.error(index, name, "numbers must be finite in 32 bits", str(found[index][wrong[index]].flat[0]))
        return np.asarray(numbers)

    def texts(self, name: str) -> list[str]:
        """A column of texts."""
        cells = self.column(name)
        for index, cell in enumerate(cells):
            if not isinstance(cell, str):
                raise self.error(index, name, "must be text", cell)
        return cells

    def words(self, name: str, *, empty: bool) -> list[list[str]]:
        """A column of texts, split at white space. With `empty` a text may have no word."""
        words = [text.split() for text in self.texts(name)]
        for index, found in enumerate(words):
            if not found and not empty:
                raise self.error(index, name, "must hold at least one word", "a text without words")
        return words


_SYMBOLS = "must be all text, or all whole numbers from 0 to 2^20 (ids, taken as they are)"


def written(cell: object) -> object:
    """A cell for a message: as JSON, text unquoted, and a list as itself, since messages show only its beginning."""
    return cell if (isinstance(cell, str) and cell) or isinstance(cell, list) else json.dumps(cell, default=str)


def flattened(cell: object) -> tuple[tuple[int, ...], list[Any]]:
    """The shape of nested lists, and their elements row by row; a single value has the shape `(1,)`.

    Where lists of one depth differ in length, the elements are lists.
    """
    level: list[Any] = cell if isinstance(cell, list) else [cell]
    shape = [len(level)]
    while level and all(isinstance(one, list) for one in level) and len({len(one) for one in level}) == 1:
        shape.append(len(level[0]))
        level = list(chain.from_iterable(level))
    return tuple(shape), level


def check_cells(path: Path, rows: int, width: int) -> None:
    """Check that a tensor of so many rows, each as wide as the widest, fits into memory. **Raises:** `AssayError` where it does
    not."""
    if rows * width > MOST_CELLS:
        raise AssayError(
            f"{path}: rows times the numbers or words of the longest must be at most {MOST_CELLS:,}",
            given=f"{rows:,} rows of {width:,}",
            next_step="shorten the longest row, or take fewer rows",
        )


def _symbol_kind(cell: object) -> str:
    if isinstance(cell, str):
        return "text"
    return "number" if isinstance(cell, int) and 0 <= cell <= _LARGEST_ID else "neither"


def _without_ones(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
