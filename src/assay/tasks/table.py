"""A table of one's own as a task: rows from JSON Lines or Parquet, and a TOML file that declares what they mean."""

import math
from collections.abc import Collection
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.factory import require_trust
from assay.objective import Objective
from assay.task import SPLITS, Examples, InputSpec, Part, Split, Task, draw_rows
from assay.tasks.table_content import Content, read_content
from assay.tasks.table_rows import Rows, read_rows
from assay.tasks.table_schema import Declaration, PartDeclaration, read_declaration, value_name

_ABSENT_PRESENT = ("absent", "present")


@dataclass(frozen=True, kw_only=True)
class Table(Task):
    """Data of one's own. docs/table.md describes the declaration.

    **Arguments:**

    - `path`: the TOML declaration.
    - `trust`: addresses of code that may be imported; a table that names an executor is read only when its address is there.

    - `executes`: False leaves an executor aside, trusted or not: such a table cannot exchange parts.

    **Raises:** `AssayError` naming the file, the line, the field, what was given and what is allowed, and for an executor that
    is not trusted.
    """

    path: Path
    trust: InitVar[Collection[str]] = ()
    executes: InitVar[bool] = True
    parts: tuple[Part, ...] = field(init=False, repr=False)
    combines: tuple[str, ...] = field(init=False, repr=False)
    input_spec: InputSpec | None = field(init=False, repr=False)
    objective: Objective = field(init=False, repr=False)
    _examples: Examples = field(init=False, repr=False, compare=False)
    _rows: dict[Split, Int[Tensor, " rows"]] = field(init=False, repr=False, compare=False)

    def __new__(cls, *, path: Path | None = None, executes: bool = True, **_: object) -> "Table":
        """One that can exchange parts where the declaration names an executor. Without a path when it is unpickled."""
        if cls is Table and executes and path is not None and read_declaration(path.absolute()).executor:
            from assay.tasks.table_executor import ExecutedTable

            return object.__new__(ExecutedTable)
        return super().__new__(cls)

    def __post_init__(self, trust: Collection[str], executes: bool):
        path = self.path.absolute()
        declared = read_declaration(path)
        if declared.executor is not None and executes:
            require_trust(declared.executor, found_in=path, trust=trust)
        rows = read_rows(declared.data)
        columns = [_read_part(path, part, rows) for part in declared.parts]
        names = [part.name for part in declared.parts]
        self._set("path", path)
        self._set("parts", tuple(column.part for column in columns))
        self._set("combines", declared.combined)
        sizes = [len(self.part(name).values) for name in self.combines]
        if math.prod(sizes) >= 2**63:
            raise AssayError(f"{path}: the combined parts have too many combinations to number", given=f"values: {sizes}")
        values = {name: column.values for name, column in zip(names, columns, strict=True)}
        splits = _read_splits(path, declared, rows, self, values)
        content = read_content(path, declared, rows, splits["train"])
        amounts = {name: column.amounts for name, column in zip(names, columns, strict=True) if column.amounts is not None}
        self._set("input_spec", content.input_spec)
        self._set("objective", content.objective)
        self._set("_rows", splits)
        self._set("_examples", Examples(content.inputs, content.targets, values, self.combination_id(values), amounts))
        for part in (part for part in declared.parts if part.of):
            _check_follows(part, values, rows)
        self._learn(declared, rows, content)

    def _learn(self, declared: Declaration, rows: Rows, content: Content) -> None:
        """What a subclass takes from the file besides."""

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def address(self) -> str:
        return f"table:{self.path}"

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        rows = self._rows["novel" if split == "novel" else "train"]
        return torch.stack([self._examples.parts[name][rows] for name in self.combines], 1).unique(dim=0)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        rows = self._rows[split]
        return self._examples.take(rows[draw_rows(len(rows), n, replacement=split == "train", generator=generator)])

    def trained_examples(self, n: int, *, generator: Generator) -> Examples:
        """Rows of `train` and of `seen`."""
        rows = torch.cat([self._rows["train"], self._rows["seen"]]).unique()
        return self._examples.take(rows[draw_rows(len(rows), n, replacement=False, generator=generator)])


# Parts


class _PartColumn(NamedTuple):
    part: Part
    values: Int[Tensor, " n"]
    amounts: Float[Tensor, " n"] | None


def _read_part(path: Path, declared: PartDeclaration, rows: Rows) -> _PartColumn:
    if declared.graded:
        amounts = rows.floats([declared.source])
        if amounts.shape[1] != 1:
            raise rows.error(0, declared.source, "a graded part has one number", f"a list of {amounts.shape[1]}")
        values = (amounts[:, 0] != 0).long()
        if len(values.unique()) < 2:
            raise _one_value(path, declared, rows, _ABSENT_PRESENT[int(values[0])])
        return _PartColumn(Part(declared.name, _ABSENT_PRESENT, graded=True), values, amounts[:, 0])
    cells = [value_name(cell) for cell in rows.column(declared.source)]
    found: list[str] = []
    allowed = None if declared.values is None else dict.fromkeys(declared.values)
    for index, cell in enumerate(cells):
        if cell is None:
            rule = "the value of a part must be text, a whole number, true or false (amounts need graded = true)"
            raise rows.error(index, declared.source, rule, rows.rows[index][declared.source])
        if allowed is not None and cell not in allowed:
            raise rows.error(index, declared.source, f"no such value of part {declared.name!r}", cell, tuple(allowed))
        found.append(cell)
    names = declared.values or _in_order(set(found))
    if len(names) < 2:
        raise _one_value(path, declared, rows, names[0])
    number = {name: index for index, name in enumerate(names)}
    return _PartColumn(Part(declared.name, tuple(names), of=declared.of), torch.tensor([number[cell] for cell in found]), None)


def _check_follows(declared: PartDeclaration, values: dict[str, Int[Tensor, " n"]], rows: Rows) -> None:
    first: dict[tuple[int, ...], int] = {}
    own = values[declared.name].tolist()
    for index, known in enumerate(zip(*(values[name].tolist() for name in declared.of), strict=True)):
        other = first.setdefault(known, index)
        if own[other] != own[index]:
            rule = (
                f"part {declared.name!r} must follow from {', '.join(declared.of)}, which are the same in {rows.where(other)}"
            )
            raise rows.error(index, declared.source, rule, rows.rows[index][declared.source])


def _in_order(names: set[str]) -> list[str]:
    """By size when all are whole numbers, else by alphabet."""
    try:
        return sorted(names, key=int)
    except ValueError:
        return sorted(names)


def _one_value(path: Path, declared: PartDeclaration, rows: Rows, value: str) -> AssayError:
    return AssayError(
        f"{path}: part {declared.name!r} must take at least two values, or there is nothing to combine",
        given=f"only {value!r} in column {declared.source!r} of {rows.path.name}",
        next_step="add rows with another value, or leave it out of the parts",
    )


# Splits


def _read_splits(
    path: Path, declared: Declaration, rows: Rows, task: Task, values: dict[str, Int[Tensor, " n"]]
) -> dict[Split, Int[Tensor, " rows"]]:
    table = torch.stack([values[name] for name in task.combines], 1).tolist()
    combinations = [tuple(row) for row in table]
    column = declared.split.column
    if column is not None:
        roles = rows.column(column)
        for index, role in enumerate(roles):
            if role not in SPLITS:
                raise rows.error(index, column, "no such split", role, SPLITS)
    else:
        novel = _listed_combinations(path, declared, rows, task, set(combinations))
        roles = ["novel" if combination in novel else "train" for combination in combinations]
    first_train = {}
    for index in reversed(range(len(rows))):
        if roles[index] == "train":
            first_train[combinations[index]] = index
    for wanted in ("train", "novel"):
        if wanted not in roles:
            raise AssayError(f"{rows.path}: the split must have {wanted} rows", given=f"only {', '.join(sorted(set(roles)))}")
    for index, (role, combination) in enumerate(zip(roles, combinations, strict=True)):
        trained_at = first_train.get(combination)
        if role == "novel" and trained_at is not None:
            raise AssayError(
                f"{rows.path}: a novel combination must not occur in train, or the test leaks",
                given=f"{task.combination_name(combination)}: novel in {rows.where(index)}, train in {rows.where(trained_at)}",
                next_step=f"declare it one or the other, or take more parts into `combines` (now {', '.join(task.combines)})",
            )
        if role == "seen" and trained_at is None:
            raise AssayError(
                f"{rows.path}: rows of the split seen must have combinations that occur in train",
                given=f"{task.combination_name(combination)} in {rows.where(index)}",
                next_step="call it novel, or add train rows of this combination",
            )
    of_role = {role: torch.tensor([index for index, own in enumerate(roles) if own == role]).long() for role in SPLITS}
    return {**of_role, "seen": of_role["seen"] if "seen" in roles else of_role["train"]}


def _listed_combinations(
    path: Path, declared: Declaration, rows: Rows, task: Task, present: set[tuple[int, ...]]
) -> set[tuple[int, ...]]:
    novel = set()
    numbers = {name: {value: index for index, value in enumerate(task.part(name).values)} for name in task.combines}
    for given in declared.split.novel or ():
        combination = []
        for name, value in zip(task.combines, given, strict=True):
            if value not in numbers[name]:
                raise AssayError(f"{path}: split.novel: no such value of part {name!r}", given=value, choices=numbers[name])
            combination.append(numbers[name][value])
        if tuple(combination) not in present:
            raise AssayError(
                f"{path}: split.novel: a novel combination needs rows to be tested on",
                given=f"{task.combination_name(combination)} is in no row of {rows.path.name}",
            )
        novel.add(tuple(combination))
    return novel
