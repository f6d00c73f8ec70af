"""Input of coverage: rows of a train and a test side, from files, task addresses, published data sets or Python."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from assay.bounds import MOST_NESTED, MOST_TABLE, check_file, in_python, is_file, open_file, read_parquet
from assay.coverage.sequences import PUBLISHED, read_published
from assay.coverage.task_columns import from_task
from assay.errors import AssayError
from assay.plugins import READERS, plugins
from assay.printable import storable
from assay.task import Task
from assay.tasks import load_task
from assay.tasks.table import read_table
from assay.tasks.table_files import read_rows

if TYPE_CHECKING:
    import pyarrow

MOST_COLUMNS = 200  # most columns as parts
_MEMORY = "rows in memory"
SUFFIXES = (".csv", ".jsonl", ".parquet", ".toml")
PartsOf = Callable[[Mapping[str, Any]], Mapping[str, object]]
Given = "Path | str | Task | Mapping[str, Sequence[object]] | Sequence[Mapping[str, object]]"


@dataclass(frozen=True, eq=False)
class Sides:
    """Train and test side as value indices. Values and answers that occur in training come first.

    **Attributes:**

    - `definition`: a description of parts and answer.
    - `values`: for every part the names of its values; `num_trained_answers`: number of answers that occur in training.
    """

    title: str
    definition: str
    parts: tuple[str, ...]
    answer: str
    values: tuple[tuple[str, ...], ...]
    answers: tuple[str, ...]
    num_trained_answers: int
    train: Int[np.ndarray, "n p"]
    train_answers: Int[np.ndarray, " n"]
    test: Int[np.ndarray, "m p"]
    test_answers: Int[np.ndarray, " m"]


def read_sides(
    train: Any, test: Any = None, *, parts: Sequence[str] | PartsOf | None = None, answer: str | None = None
) -> Sides:
    """Read both sides.

    **Raises:** `AssayError` for a file that cannot be read or is empty, a column that is missing on one side, and fewer than
    two parts.
    """
    title, (first, second, definition) = _tables(train, test, parts)
    names = tuple(parts) if parts is not None and not callable(parts) else None
    columns = list(first)
    if not columns:
        raise AssayError("the training data must have columns", given=f"{title}: none")
    answer = answer or columns[-1]
    if answer not in columns:
        raise AssayError("the answer must be a column of the training data", given=answer, choices=columns)
    chosen = tuple(name for name in columns if name != answer) if names is None else names
    for name in (*chosen, answer):
        for side, table in (("training", first), ("test", second)):
            if name not in table:
                raise AssayError(
                    f"the {side} data must have every part and the answer as a column", given=name, choices=list(table)
                )
    if len(chosen) < 2 or len(set(chosen)) < len(chosen) or answer in chosen:
        raise AssayError(
            "coverage needs at least two different parts besides the answer: with one part, novel means a new value",
            given=f"parts {', '.join(chosen) or 'none'}; answer {answer}",
            choices=columns,
            next_step="name the parts with --parts a,b and the answer with --answer y",
        )
    if len(chosen) > MOST_COLUMNS:
        raise AssayError(
            f"coverage takes at most {MOST_COLUMNS} parts", given=f"{len(chosen):,}", next_step="name them with --parts a,b"
        )
    for side, table in (("training", first), ("test", second)):
        if not len(table[answer]):
            raise AssayError(f"the {side} data must have at least one row", given=f"{title}: none")
    how = "named" if names is not None else "all columns but the answer"
    if answer == columns[-1] and names is None:
        how += ", which is the last column"
    left_out = [name for name in columns if name not in (*chosen, answer)]
    definition = definition or f"Parts ({how}): {', '.join(chosen)}. Answer: {answer}." + (
        f" Left out: {', '.join(left_out)}." if left_out else ""
    )
    coded = [_coded(first[name], second[name], f"{title}, column {name!r}") for name in (*chosen, answer)]
    return Sides(
        title=title,
        definition=definition,
        parts=chosen,
        answer=answer,
        values=tuple(names for names, _, _ in coded[:-1]),
        answers=coded[-1][0],
        num_trained_answers=int(coded[-1][1].max(initial=-1)) + 1,
        train=np.stack([codes for _, codes, _ in coded[:-1]], 1),
        train_answers=coded[-1][1],
        test=np.stack([codes for _, _, codes in coded[:-1]], 1),
        test_answers=coded[-1][2],
    )


Columns = Mapping[str, "pyarrow.ChunkedArray"]


def _coded(first: Any, second: Any, where: str) -> tuple[tuple[str, ...], Int[np.ndarray, " n"], Int[np.ndarray, " m"]]:
    """Names of the values in order of occurrence, and their indices on both sides."""
    import pyarrow

    first, second = (
        column.cast(column.type.value_type) if pyarrow.types.is_dictionary(column.type) else column
        for column in (first, second)
    )
    if first.type != second.type:
        first, second = (_texts(in_python(column, where), where) for column in (first, second))
    try:
        joined = pyarrow.chunked_array([*first.chunks, *second.chunks], type=first.type).combine_chunks()
        coded = joined.dictionary_encode(null_encoding="encode")
    except pyarrow.ArrowException:  # lists raise several kinds of error
        cells = [*in_python(first, where), *in_python(second, where)]
        coded = pyarrow.array([str(cell) for cell in cells], pyarrow.string()).dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    names = tuple("(missing)" if name is None else str(name) for name in in_python(coded.dictionary, where))
    return names, codes[: len(first)], codes[len(first) :]


def _texts(cells: Sequence[object], where: str) -> Any:
    import pyarrow

    try:
        texts = [cell if cell is None or isinstance(cell, str) else str(cell) for cell in cells]
    except ValueError as error:  # such as whole numbers of more than 4,300 digits
        raise AssayError(f"{where}: values must be convertible to text", given=error) from error
    try:
        return pyarrow.chunked_array([pyarrow.array(texts, pyarrow.string())])
    except UnicodeEncodeError:
        return pyarrow.chunked_array([pyarrow.array(storable(texts), pyarrow.string())])


def _tables(train: Any, test: Any, parts: Any) -> tuple[str, tuple[dict[str, Any], dict[str, Any], str]]:
    named = parts if parts is not None and not callable(parts) else None
    if isinstance(train, str | Path) and Path(train).suffix not in (*SUFFIXES, *plugins(READERS, SUFFIXES)):
        name = str(train).partition(":")[0]
        _only_one(train, test)
        if name in PUBLISHED:
            first, second, definition = read_published(str(train))
            return str(train), (_from_python(first, None), _from_python(second, None), definition)
        train = load_task(str(train))
    elif isinstance(train, str | Path) and Path(train).suffix == ".toml":
        _only_one(train, test)
        train = read_table(Path(train), executes=False)  # the table's executor is not needed and not run
    if isinstance(train, Task):
        _only_one(train.address, test)
        return train.address, from_task(train, named)
    if test is None:
        raise AssayError(
            "a file of training data needs a file of test data",
            given=str(train) if isinstance(train, str | Path) else type(train).__name__,
            next_step="give both, or a task address or a TOML table, which contain both",
        )
    titles = [str(side) if isinstance(side, str | Path) else _MEMORY for side in (train, test)]
    for side in (train, test):
        if not isinstance(side, str | Path | Mapping | Sequence) or isinstance(side, bytes):
            raise AssayError("data must be a file, columns by name, or rows", given=f"a {type(side).__name__}")
    tables = [
        _from_file(Path(side), parts) if isinstance(side, str | Path) else _from_python(side, parts) for side in (train, test)
    ]
    definition = f"Parts: {_doc(parts)}" if callable(parts) else ""
    return " and ".join(dict.fromkeys(titles)), (tables[0], tables[1], definition)


def _doc(function: Any) -> str:
    return " ".join((function.__doc__ or f"what {getattr(function, '__name__', 'a function')} returns of a row").split())


def _only_one(train: object, test: object) -> None:
    if test is not None:
        raise AssayError(
            "a task, a published data set and a TOML table contain both sides, so a second argument is not allowed",
            given=f"{train} and {test}",
            next_step="leave the second one out",
        )


def _from_file(path: Path, parts: Any) -> dict[str, Any]:
    import pyarrow
    import pyarrow.json

    if path.suffix in plugins(READERS, SUFFIXES):
        return _from_python(read_rows(path).rows, parts, path)
    if path.suffix not in SUFFIXES:
        raise AssayError(f"{path}: data must be a file of a known format", given=path.suffix or "no suffix", choices=SUFFIXES)
    if not is_file(path):
        near = sorted(other.name for other in path.parent.glob("*") if other.suffix in SUFFIXES) if path.parent.is_dir() else []
        raise AssayError(f"{path}: the file must exist", given=path.name, choices=near)
    check_file(path, most=MOST_TABLE)
    if not path.stat().st_size:
        raise AssayError(f"{path} must hold at least one row", given="an empty file")
    lines = _plain_lines(path) if path.suffix == ".jsonl" else 0
    if path.suffix == ".jsonl" and not lines:
        return _from_python(read_rows(path).rows, parts, path)
    try:
        if path.suffix == ".csv":
            table = _read_csv(path)
        elif path.suffix == ".parquet":
            with open_file(path, most=MOST_TABLE) as source:
                table = read_parquet(source, path)
        else:
            table = pyarrow.json.read_json(path)
            if len(table) != lines or any(column.null_count for column in table.columns):
                # Arrow reads text after an object as another row, and missing keys as null.
                return _from_python(read_rows(path).rows, parts, path)
        columns = {name: table[name] for name in table.column_names}
    except (pyarrow.ArrowException, UnicodeDecodeError, csv.Error) as error:
        if path.suffix == ".jsonl":  # slower, but names the line
            return _from_python(read_rows(path).rows, parts, path)
        raise AssayError(f"{path} must be a {path.suffix[1:].upper()} file", given=str(error).splitlines()[0]) from None
    return _from_python(in_python(table, path), parts, path) if callable(parts) else columns


def _plain_lines(path: Path) -> int:
    """Number of lines if Arrow can read them all, else 0: it crashes on a null line and on deep nesting."""
    number = 0
    with path.open("rb") as lines:
        for line in filter(bytes.strip, lines):
            if line[:1] != b"{" or line.count(b"{") + line.count(b"[") > MOST_NESTED:
                return 0
            number += 1
    return number


def _read_csv(path: Path) -> Any:
    """Every cell as text, so that 01 and 1 are two values; the first line names the columns."""
    import pyarrow
    import pyarrow.csv

    with path.open(encoding="utf-8-sig", newline="") as stream:
        names = next(csv.reader(stream), [])
    if len(set(names)) < len(names):
        raise AssayError(f"{path}: the first line must name every column once", given=", ".join(names))
    options = pyarrow.csv.ConvertOptions(
        column_types={name: pyarrow.string() for name in names}, strings_can_be_null=False, quoted_strings_can_be_null=False
    )
    return pyarrow.csv.read_csv(path, convert_options=options)


def _from_python(given: Any, parts: Any, where: object = _MEMORY) -> dict[str, Any]:
    """Columns from columns by name or from rows. A function gives the parts of each row; its last column is the answer."""
    if any(isinstance(one, str | bytes) or not isinstance(one, Mapping | Sequence) for one in _inside(given)):
        raise AssayError(f"{where}: data must be columns by name, each a list, or rows, each a dictionary", given=given)
    if isinstance(given, Mapping) and not callable(parts):
        columns = {str(name): list(column) for name, column in given.items()}
    else:
        rows = (
            [dict(zip(given, cells, strict=True)) for cells in zip(*given.values(), strict=True)]
            if isinstance(given, Mapping)
            else [dict(row) for row in given]
        )
        if not rows:
            raise AssayError("both sides must have at least one row", given="no rows")
        _check_alike(rows, where)
        answer = list(rows[0])[-1]
        if callable(parts):
            rows = [{**parts(row), answer: row[answer]} for row in rows]
            _check_alike(rows, where)
        columns = {str(name): [row[name] for row in rows] for name in rows[0]}
    if len({len(column) for column in columns.values()}) > 1:
        raise AssayError(
            f"{where}: columns must have the same length", given={name: len(column) for name, column in columns.items()}
        )
    return {storable(name): _texts(column, f"{where}, column {storable(name)!r}") for name, column in columns.items()}


def _inside(given: Any) -> Sequence[Any]:
    """The columns of a mapping as lists, or the rows."""
    if not isinstance(given, Mapping):
        return given
    return [column.tolist() if hasattr(column, "tolist") else column for column in given.values()]


def _check_alike(rows: Sequence[Mapping[Any, object]], where: object) -> None:
    names = list(rows[0])
    for index, row in enumerate(rows):
        if list(row) != names and set(row) != set(names):
            given = f"row {index + 1}: {', '.join(map(str, row))}"
            raise AssayError(f"{where}: every row must have the same columns", given=given, choices=names)
