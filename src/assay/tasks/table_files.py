"""Rows from JSON Lines, CSV and Parquet, and columns from `.npy` files beside them."""

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.bounds import (
    MOST_TABLE,
    MOST_TABLE_CELLS,
    check_elements,
    in_python,
    is_file,
    map_npy,
    open_file,
    parse_json,
    read_bytes,
    read_parquet,
)
from assay.errors import AssayError
from assay.plugins import READERS, loaded, plugins
from assay.tasks.table_rows import TableRows

if TYPE_CHECKING:
    import pyarrow

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_REAL = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def read_rows(path: Path, *, texts: Collection[str] = (), files: Collection[Path] = ()) -> TableRows:
    """Read `.jsonl` (one object a line), `.csv` (the first line names the columns), `.parquet`, or a format of a plug-in.

    **Arguments:**

    - `texts`: columns that are text even if all their cells look like numbers, as CSV has no types.
    - `files`: `.npy` files of as many rows, which become columns under their paths.

    **Raises:** `AssayError` naming the file and the line.
    """
    added = {} if path.suffix in _READERS else plugins(READERS, _READERS)
    if path.suffix not in (known := [*_READERS, *added]):
        raise AssayError(f"{path}: data must be JSON Lines, CSV or Parquet", given=path.suffix or "no suffix", choices=known)
    if not is_file(path):
        near = sorted(other.name for other in path.parent.glob("*") if other.suffix in known)
        raise AssayError(f"{path}: the data file must exist", given=path.name, choices=near)
    if path.suffix in added:
        rows = _plugged_in(added[path.suffix], path)
    else:
        rows = _read_csv(path, texts) if path.suffix == ".csv" else _READERS[path.suffix](path)
    if not rows.rows:
        raise AssayError(f"{path} must hold at least one row", given="an empty file")
    mapped = {str(file): map_npy(file) for file in files}
    for name, array in mapped.items():
        if len(array) != len(rows):
            raise AssayError(f"{name} must have as many rows as {path}", given=f"{len(array):,} and {len(rows):,}")
    return TableRows(path, rows.place, rows.numbers, rows.rows, {**rows.arrays, **mapped})


def _read_json_lines(path: Path) -> TableRows:
    numbers, rows = [], []
    content = read_bytes(path, most=MOST_TABLE)
    check_elements(content, path, most=MOST_TABLE_CELLS)
    _decoded(content, path)
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        row = parse_json(line, f"{path}, line {number}", rule="must be one JSON object", finite=False)
        if not isinstance(row, dict):
            given = line.strip()[:80].decode("utf-8", errors="replace")
            raise AssayError(f"{path}, line {number} must be one JSON object", given=given)
        numbers.append(number)
        rows.append(row)
    return TableRows(path, "line", numbers, rows)


def _plugged_in(entry: EntryPoint, path: Path) -> TableRows:
    read = loaded(entry, callable, "a function from the path of a file to its rows")
    try:
        rows = list(read(path))
    except Exception as error:  # a plug-in's function: report any error to its user
        raise AssayError(f"{path} must be readable by {entry.value}", given=f"{type(error).__name__}: {error}") from error
    if not all(isinstance(row, Mapping) for row in rows):
        raise AssayError(f"{entry.value} must return rows that are mappings from columns to cells", given=str(path))
    return TableRows(path, "row", range(1, len(rows) + 1), rows)


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        next_step = f"save it again as UTF-8{'; it begins as UTF-16 does' if marked else ''}"
        raise AssayError(f"{path} must be UTF-8 text", given=str(error), next_step=next_step) from None


def csv_columns(path: Path) -> tuple[list[int], dict[str, Sequence[str]]]:
    """The line of each row of a CSV file, and its columns as text by name.

    **Raises:** `AssayError` naming the file and the line.
    """
    content = read_bytes(path, most=MOST_TABLE)
    if (cells := content.count(b",") + content.count(b"\n")) > MOST_TABLE_CELLS:
        raise AssayError(f"{path} must hold at most {MOST_TABLE_CELLS:,} cells", given=f"{cells:,} commas and line ends")
    reader = csv.reader(io.StringIO(_decoded(content, path), newline=""), strict=True)
    numbers, lines = [], []
    try:
        for line in filter(None, reader):
            numbers.append(reader.line_num)
            lines.append(line)
            if len(line) != len(lines[0]):
                rule = f"{path}, line {reader.line_num} must have as many cells as the first line has names"
                raise AssayError(rule, given=f"{len(line)} and {len(lines[0])}")
    except csv.Error as error:
        raise AssayError(f"{path}, line {reader.line_num} must be comma-separated values", given=error) from None
    names = lines[0] if lines else []
    if len(names) == 1 and (other := next((mark for mark in ";\t|" if mark in names[0]), "")):
        rule = f"{path}: columns must be separated by commas"
        raise AssayError(rule, given=names[0], next_step=f"save it with commas instead of {other!r}")
    if len(set(names)) < len(names):
        raise AssayError(f"{path}: the first line must name every column once", given=names)
    return numbers[1:], {name: cells for name, *cells in zip(*lines, strict=True)}


def _read_csv(path: Path, texts: Collection[str] = ()) -> TableRows:
    numbers, columns = csv_columns(path)
    typed = [cells if name in texts else _typed(cells) for name, cells in columns.items()]
    return TableRows(path, "line", numbers, [dict(zip(columns, cells, strict=True)) for cells in zip(*typed, strict=True)])


def _typed(cells: Sequence[str]) -> list[int | float | str | None]:
    """A column as whole numbers or as numbers if all its cells are, else as text; an empty cell is missing."""
    present = [cell for cell in cells if cell]
    kinds = ((int, _WHOLE), (float, _REAL))
    kind = next((kind for kind, pattern in kinds if all(map(pattern.fullmatch, present))), str)
    return [kind(cell) if cell else None for cell in cells]


def _read_parquet(path: Path) -> TableRows:
    with open_file(path, most=MOST_TABLE) as file:
        table = read_parquet(file, path)
    found = {name: _rectangular(table[name]) for name in table.column_names}
    arrays = {name: array for name, array in found.items() if array is not None}
    rows = in_python(table.drop_columns(list(arrays)), path) if len(arrays) < len(found) else [{}] * len(table)
    return TableRows(path, "row", range(1, len(rows) + 1), rows, arrays)


def _rectangular(column: "pyarrow.ChunkedArray") -> np.ndarray | None:
    """A column of equally shaped lists of numbers as an array `(n, ...)`, without a Python object per number."""
    from pyarrow import Array, types

    values, shape = column.combine_chunks(), [len(column)]
    while types.is_list(values.type) or types.is_large_list(values.type) or types.is_fixed_size_list(values.type):
        lengths = values.value_lengths().unique()
        if values.null_count or len(lengths) != 1:
            return None
        shape.append(lengths[0].as_py())
        values = values.flatten()
    numbers = isinstance(values, Array) and (types.is_integer(values.type) or types.is_floating(values.type))
    if len(shape) == 1 or 0 in shape or values.null_count or not numbers:
        return None
    return values.to_numpy(zero_copy_only=False).reshape(shape)


_READERS = {".jsonl": _read_json_lines, ".csv": _read_csv, ".parquet": _read_parquet}
