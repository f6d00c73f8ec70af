"""Input of coverage: rows of a train and a test side, from files, task addresses, published data sets or Python."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from assay.bounds import MOST_TABLE, check_file, in_python, is_file, open_file, read_parquet
from assay.coverage.columns import CodedColumn, joined
from assay.coverage.sequences import PUBLISHED, read_published
from assay.coverage.task_columns import from_task
from assay.errors import AssayError
from assay.plugins import READERS, plugins
from assay.printable import storable
from assay.task import Task
from assay.tasks import load_task
from assay.tasks.table import read_table
from assay.tasks.table_files import csv_columns, read_rows

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
    coded = [joined(first[name], second[name]) for name in (*chosen, answer)]
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


def _tables(train: Any, test: Any, parts: Any) -> tuple[str, tuple[dict[str, CodedColumn], dict[str, CodedColumn], str]]:
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


def _from_file(path: Path, parts: Any) -> dict[str, CodedColumn]:
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
    if path.suffix == ".csv":  # as text, so that 01 and 1 are two values
        numbers, columns = csv_columns(path)
        if not numbers:
            raise AssayError(f"{path} must hold at least one row", given="names of columns")
        return _from_python(columns, parts, path)
    if path.suffix == ".jsonl":
        return _from_python(read_rows(path).rows, parts, path)
    with open_file(path, most=MOST_TABLE) as source:
        table = read_parquet(source, path)
    return _from_python({name: in_python(table[name], path) for name in table.column_names}, parts, path)


def _from_python(given: Any, parts: Any, where: object = _MEMORY) -> dict[str, CodedColumn]:
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
        if callable(parts) and rows[0]:
            answer = list(rows[0])[-1]
            rows = [{**parts(row), answer: row[answer]} for row in rows]
            _check_alike(rows, where)
        columns = {str(name): [row[name] for row in rows] for name in rows[0]}
    if len({len(column) for column in columns.values()}) > 1:
        raise AssayError(
            f"{where}: columns must have the same length", given={name: len(column) for name, column in columns.items()}
        )
    return {storable(name): CodedColumn.of(column, f"{where}, column {storable(name)!r}") for name, column in columns.items()}


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
