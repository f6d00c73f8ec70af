"""Parts of a table from its columns, and the rows of each split."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.errors import AssayError
from assay.task import SPLITS, Part, Split, Task
from assay.tasks.table_rows import TableRows
from assay.tasks.table_schema import Declaration, PartDeclaration, value_name

_ABSENT_PRESENT = ("absent", "present")


class PartColumn(NamedTuple):
    """A part, the value of each row by its number, and how much of the part each row has where it is graded."""

    part: Part
    values: Int[Tensor, " n"]
    amounts: Float[Tensor, " n"] | None


def read_part(declared: PartDeclaration, rows: TableRows) -> PartColumn:
    """A declared part from its column. **Raises:** `AssayError` naming the row, and where it has one value alone."""
    if declared.graded:
        amounts = rows.floats([declared.source])
        if amounts.shape[1] != 1:
            raise rows.error(0, declared.source, "a graded part has one number", f"a list of {amounts.shape[1]}")
        values = (amounts[:, 0] != 0).long()
        if len(values.unique()) < 2:
            raise _one_value(declared, rows, _ABSENT_PRESENT[int(values[0])])
        return PartColumn(Part(declared.name, _ABSENT_PRESENT, graded=True), values, amounts[:, 0])
    cells = [value_name(cell) for cell in rows.column(declared.source)]
    found: list[str] = []
    allowed = None if declared.values is None else dict.fromkeys(declared.values)
    for index, cell in enumerate(cells):
        if cell is None:
            rule = "the value of a part must be text, a whole number, true or false (amounts need graded = true)"
            raise rows.error(index, declared.source, rule, rows.cell(index, declared.source))
        if allowed is not None and cell not in allowed:
            raise rows.error(index, declared.source, f"no such value of part {declared.name!r}", cell, tuple(allowed))
        found.append(cell)
    names = declared.values or _in_order(set(found))
    if len(names) < 2:
        raise _one_value(declared, rows, names[0])
    number = {name: index for index, name in enumerate(names)}
    return PartColumn(Part(declared.name, tuple(names), of=declared.of), torch.tensor([number[cell] for cell in found]), None)


def check_follows(declared: PartDeclaration, values: dict[str, Int[Tensor, " n"]], rows: TableRows) -> None:
    """**Raises:** `AssayError` where the values of the parts that a part follows from leave its own open."""
    first: dict[tuple[int, ...], int] = {}
    own = values[declared.name].tolist()
    for index, known in enumerate(zip(*(values[name].tolist() for name in declared.of), strict=True)):
        other = first.setdefault(known, index)
        if own[other] != own[index]:
            rule = (
                f"part {declared.name!r} must follow from {', '.join(declared.of)}, which are the same in {rows.where(other)}"
            )
            raise rows.error(index, declared.source, rule, rows.cell(index, declared.source))


def _in_order(names: set[str]) -> list[str]:
    """Names sorted by value when all are whole numbers, else alphabetically."""
    try:
        return sorted(names, key=int)
    except ValueError:
        return sorted(names)


def _one_value(declared: PartDeclaration, rows: TableRows, value: str) -> AssayError:
    return AssayError(
        f"{rows.path}: part {declared.name!r} must take at least two values, or there is nothing to combine",
        given=f"only {value!r} in column {declared.source!r} of {rows.path.name}",
        next_step="add rows with another value, or leave it out of the parts",
    )


def roles_of(
    path: Path, declared: Declaration, rows: TableRows, task: Task, values: Mapping[str, Int[Tensor, " n"]]
) -> list[str]:
    """The role of each row, from a column or from a list of novel combinations."""
    split = declared.split
    if split is None:
        return ["train"] * len(rows)
    if split.column is not None:
        roles = rows.column(split.column)
        for index, role in enumerate(roles):
            if role not in SPLITS:
                raise rows.error(index, split.column, "no such split", role, SPLITS)
        return roles
    combinations = _combined(task, values)
    novel = _listed_combinations(path, split.novel or (), rows, task, set(combinations))
    return ["novel" if combination in novel else "train" for combination in combinations]


def _combined(task: Task, values: Mapping[str, Int[Tensor, " n"]]) -> list[tuple[int, ...]]:
    return [tuple(row) for row in torch.stack([values[name] for name in task.combines], 1).tolist()]


def rows_of_splits(
    rows: TableRows, roles: Sequence[str], task: Task, values: Mapping[str, Int[Tensor, " n"]]
) -> dict[Split, Int[Tensor, " rows"]]:
    """The rows of each split. Where no row has the role train, those with seen are trained; where none has seen, those with
    train are scored as seen."""
    if "train" not in roles:
        roles = ["train" if role == "seen" else role for role in roles]
    if "train" not in roles:
        raise AssayError(f"{rows.path}: the split must have train rows", given=f"only {', '.join(sorted(set(roles)))}")
    combinations = _combined(task, values)
    first_train = {}
    for index in reversed(range(len(rows))):
        if roles[index] == "train":
            first_train[combinations[index]] = index
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
    path: Path, listed: Sequence[Sequence[str]], rows: TableRows, task: Task, present: set[tuple[int, ...]]
) -> set[tuple[int, ...]]:
    novel = set()
    numbers = {name: {value: index for index, value in enumerate(task.part(name).values)} for name in task.combines}
    for given in listed:
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
