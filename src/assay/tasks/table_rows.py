"""The rows of a JSON Lines or Parquet file, and their columns as checked values. Every mistake names file, line and column."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.bounds import (
    MOST_CELLS,
    MOST_TABLE,
    MOST_TABLE_CELLS,
    check_elements,
    in_python,
    is_file,
    open_file,
    parse_json,
    read_bytes,
    read_parquet,
)
from assay.errors import AssayError

_LARGEST_ID = 2**20
_LARGEST_FLOAT32 = 3.4028234663852886e38


class Symbols(NamedTuple):
    """Whole numbers `(n, columns)` in `range(size)`."""

    ids: Int[Tensor, "n k"]
    size: int


@dataclass(frozen=True)
class Rows:
    """**Attributes:**

    - `numbers`: where each row is in the file, from 1; `place` is the word for it, line or row.
    """

    path: Path
    place: str
    numbers: tuple[int, ...]
    rows: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, index: int) -> str:
        """Such as `line 7`."""
        return f"{self.place} {self.numbers[index]}"

    def error(self, index: int, column: str, rule: str, given: object, choices: Sequence[str] = ()) -> AssayError:
        """The mistake of one cell."""
        shown = given if isinstance(given, str) and given else json.dumps(given, default=str)
        return AssayError(f"{self.path}, {self.where(index)}, column {column!r}: {rule}", given=shown, choices=choices)

    def column(self, name: str) -> list[Any]:
        """The cells of a column, none of them missing or null."""
        if not any(name in row for row in self.rows):
            raise AssayError(f"{self.path} has no such column", given=name, choices=self.rows[0])
        for index, row in enumerate(self.rows):
            if row.get(name) is None:
                raise self.error(index, name, "every row needs a value", None if name in row else "no such column in this row")
        return [row[name] for row in self.rows]

    def symbols(self, names: Sequence[str]) -> Symbols:
        """Whole numbers as they are; texts numbered in alphabetical order over all these columns."""
        columns = {name: self.column(name) for name in names}
        kind = _symbol_kind(columns[names[0]][0])
        for name, cells in columns.items():
            for index, cell in enumerate(cells):
                if _symbol_kind(cell) != kind or kind == "neither":
                    rule = "must be all text, or all whole numbers from 0 to 2^20 (ids, taken as they are)"
                    raise self.error(index, name, rule, cell)
        texts = kind == "text"
        known = sorted({cell for cells in columns.values() for cell in cells}) if texts else []
        number = {text: index for index, text in enumerate(known)}
        check_cells(self.path, len(self), len(columns))
        ids = torch.tensor([[number[cell] if texts else int(cell) for cell in cells] for cells in columns.values()]).T
        return Symbols(ids.contiguous(), len(known) if texts else int(ids.max()) + 1)

    def floats(self, names: Sequence[str]) -> Float[Tensor, "n f"]:
        """Numbers side by side; a cell may be a list of numbers, of one length in every row."""
        parts = []
        for name in names:
            cells = [cell if isinstance(cell, list) else [cell] for cell in self.column(name)]
            for index, cell in enumerate(cells):
                for value in cell:
                    if isinstance(value, bool) or not isinstance(value, int | float):
                        raise self.error(index, name, "must be a number or a list of numbers", value)
                    if math.isnan(value) or abs(value) > _LARGEST_FLOAT32:
                        raise self.error(index, name, "numbers must be finite in 32 bits", str(value))
                if len(cell) != len(cells[0]) or not cell:
                    rule = f"lists must be as long as that of {self.where(0)}, which has {len(cells[0])} numbers, and not empty"
                    raise self.error(index, name, rule, f"{len(cell)} numbers")
            check_cells(self.path, len(self), len(cells[0]) * len(names))
            parts.append(torch.tensor(cells, dtype=torch.float32))
        return torch.cat(parts, 1)

    def texts(self, name: str) -> list[str]:
        """A column of texts."""
        cells = self.column(name)
        for index, cell in enumerate(cells):
            if not isinstance(cell, str):
                raise self.error(index, name, "must be text", cell)
        return cells

    def words(self, name: str, *, empty: bool) -> list[list[str]]:
        """A column of texts, cut at white space. With `empty` a text may have no word."""
        words = [text.split() for text in self.texts(name)]
        for index, found in enumerate(words):
            if not found and not empty:
                raise self.error(index, name, "must hold at least one word", "a text without words")
        return words


def check_cells(path: Path, rows: int, width: int) -> None:
    """**Raises:** `AssayError` when a tensor of so many rows, each as wide as the widest, would not fit into memory."""
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


def read_rows(path: Path) -> Rows:
    """Read `.jsonl` (one object a line) or `.parquet`.

    **Raises:** `AssayError` naming the file and the line.
    """
    readers = {".jsonl": _read_json_lines, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise AssayError(f"{path}: data must be JSON Lines or Parquet", given=path.suffix or "no suffix", choices=readers)
    if not is_file(path):
        near = sorted(other.name for other in path.parent.glob("*") if other.suffix in readers)
        raise AssayError(f"{path}: the data file must exist", given=path.name, choices=near)
    rows = readers[path.suffix](path)
    if not rows.rows:
        raise AssayError(f"{path} must hold at least one row", given="an empty file")
    return rows


def _read_json_lines(path: Path) -> Rows:
    numbers, rows = [], []
    content = read_bytes(path, most=MOST_TABLE)
    check_elements(content, path, most=MOST_TABLE_CELLS)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AssayError(f"{path} must be UTF-8 text", given=str(error)) from None
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        row = parse_json(line, f"{path}, line {number}", rule="must be one JSON object", finite=False)
        if not isinstance(row, dict):
            given = line.strip()[:80].decode("utf-8", errors="replace")
            raise AssayError(f"{path}, line {number} must be one JSON object", given=given)
        numbers.append(number)
        rows.append(row)
    return Rows(path, "line", tuple(numbers), tuple(rows))


def _read_parquet(path: Path) -> Rows:
    with open_file(path, most=MOST_TABLE) as file:
        rows = in_python(read_parquet(file, path), path)
    return Rows(path, "row", tuple(range(1, len(rows) + 1)), tuple(rows))
