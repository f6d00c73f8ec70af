"""Own data as a task: tensors in memory, or files described by a TOML declaration."""

import hashlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.arguments import checked
from assay.errors import AssayError
from assay.factory import require_trust
from assay.figure import Level
from assay.objective import Objective
from assay.task import SPLITS, Examples, InputSpec, Part, Split, Task, draw_rows
from assay.tasks.table_content import Content, first_word, read_content
from assay.tasks.table_files import read_rows
from assay.tasks.table_memory import content_of, rows_of, with_inputs
from assay.tasks.table_rows import TableRows
from assay.tasks.table_schema import Declaration, PartDeclaration, read_declaration, value_name
from assay.tasks.table_words import RowWords, vocabulary_of

_ABSENT_PRESENT = ("absent", "present")


class Table(Task):
    """Data of one's own as a task, from tensors in memory. `read_table` makes it from files.

    **Arguments:**

    - `inputs`: a tensor or array `(n, ...)`, or several by the keyword arguments of the network's forward. Real numbers become
      float32, whole ones int64. One alone is called `tokens` when its numbers are whole, `image` when they are real and it is
      `(n, channels, height, width)`, else `x`.
    - `targets`: class ids `(n,)`, token ids `(n, length)` padded with 0, or real numbers `(n, ...)`. Where novel rows have no
      answers, the targets of the other rows alone, in their order.
    - `parts`: for every part that is combined the value of each row (a list, array or tensor): text, whole
      numbers, true or false.
    - `split`: for every row `"seen"` (its combination was trained) or `"novel"`, or true where it is novel. Rows may also be
      called `"train"`; those called `"seen"` are then held out to score with. None: no row is novel.
    - `objective`: loss and score, where targets do not tell, as when the network has more classes than the rows; by default
      `Classification`, `Sequences` or `Regression`.
    - `executor`: a function `(parts, row)` that returns the target of other parts, or None where there is none, so that parts
      can be exchanged: `parts` maps every part to a value as given here, `row` every input to its numbers in the row in which
      the exchange is made, as lists, and every part to its value there. Of a row's own parts it must return that row's target.

    **Raises:** `AssayError` naming the row and the column.

    Example::

        >>> parts = {"colour": ["red", "red", "blue", "blue"], "shape": ["disc", "ring", "disc", "ring"]}
        >>> images, answers = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 1, 0])
        >>> task = assay.Table(inputs=images, targets=answers, parts=parts, split=[0, 0, 0, 1])
        >>> task.combines, len(task.combinations("novel"))
        (('colour', 'shape'), 1)
    """

    address: str
    parts: tuple[Part, ...]
    combines: tuple[str, ...]
    input_spec: InputSpec | None
    objective: Objective
    level: Level
    _words: RowWords | None = None

    @checked
    def __init__(
        self,
        *,
        inputs: Any,
        targets: Any,
        parts: Mapping[str, Any],
        split: Any = None,
        objective: Objective | None = None,
        executor: Callable[[Mapping[str, Any], Mapping[str, Any]], Any] | None = None,
    ):
        rows, roles = rows_of(parts, split)
        declared = [PartDeclaration(name=name) for name in parts]
        self._declare(rows, declared, tuple(parts))
        self._rows = _splits(rows, roles, self, self._values)
        content = content_of(inputs, targets, objective, train=self._rows["train"], novel=self._rows["novel"], num=len(rows))
        self._fill(content)
        self.address = f"table in memory: sha256 {_digest(self._examples, self._rows)}"
        if executor is not None:
            if type(self) is Table:  # a table without an executor must not claim the ability to exchange parts
                from assay.tasks.table_executor import ExecutedTable

                self.__class__ = ExecutedTable  # pyrefly: ignore[bad-argument-type]  (it adds no fields of its own)
            self._obey(executor, declared, with_inputs(rows, content), content)

    # Parts and splits are read first: they decide which rows are trained and which may lack an answer.

    def _declare(self, rows: TableRows, parts: Sequence[PartDeclaration], combines: tuple[str, ...]) -> None:
        columns = [_read_part(part, rows) for part in parts]
        self.address, self.combines = f"table:{rows.path}", combines
        self.parts = tuple(column.part for column in columns)
        self._values = {column.part.name: column.values for column in columns}
        self._amounts = {column.part.name: column.amounts for column in columns if column.amounts is not None}
        sizes = [len(self.part(name).values) for name in combines]
        if math.prod(sizes) >= 2**63:
            raise AssayError(f"{rows.path}: the combined parts have too many combinations to number", given=f"values: {sizes}")
        for part in (part for part in parts if part.of):
            _check_follows(part, self._values, rows)

    def _fill(self, content: Content) -> None:
        self.input_spec, self.objective = content.input_spec, content.objective
        self.level = 0 if not len(self._rows["novel"]) else 2 if content.complete else 1
        ids = self.combination_id(self._values)
        self._examples = Examples(content.inputs, content.targets, self._values, ids, self._amounts)
        # The network under test is scored on whole answers, or on the first word where novel rows have no answers.
        self._asked = first_word(self._examples) if content.first_word else self._examples

    def _learn(self, path: Path, declared: Declaration, rows: TableRows, content: Content) -> None:
        """Read further content from the files, in a subclass."""

    def _obey(self, executor: Any, declared: Sequence[PartDeclaration], rows: TableRows, content: Content) -> None:
        """Install an executor in memory."""
        raise AssayError("a subclass of Table must define the result of an exchange", next_step="give it a method `swap`")

    def __repr__(self) -> str:
        return f"Table({self.address!r})"

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        rows = self._rows["novel" if split == "novel" else "train"]
        return torch.stack([self._values[name][rows] for name in self.combines], 1).unique(dim=0)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        rows, examples = self._rows[split], self._examples if split == "train" else self._asked
        return examples.take(rows[draw_rows(len(rows), n, replacement=split == "train", generator=generator)])

    def input_texts(self, examples: Examples) -> list[str]:
        """Rows as they stand in the file; empty of tensors in memory (`assay.task.WritesInputs`)."""
        return self._words.inputs(examples) if self._words else []

    def answer_texts(self, answers: Tensor) -> list[str]:
        """Answers that are texts in words; empty of others (`assay.task.WritesExamples`)."""
        return self._words.answers(answers) if self._words else []

    def trained_examples(self, n: int, *, generator: Generator) -> Examples:
        """Rows of `train` and of `seen`."""
        rows = torch.cat([self._rows["train"], self._rows["seen"]]).unique()
        return self._asked.take(rows[draw_rows(len(rows), n, replacement=False, generator=generator)])


def read_table(path: Path, *, trust: Collection[str] = (), executes: bool = True) -> Table:
    r"""A table from files; docs/table.md describes the declaration. Where it names an executor, parts can be exchanged.

    **Arguments:**

    - `path`: the TOML declaration.
    - `trust`: addresses of code that may be imported; a table that names an executor is read only when its address is there.
    - `executes`: False leaves an executor aside, trusted or not: such a table cannot exchange parts.

    **Raises:** `AssayError` naming the file, the line, the field, what was given and what is allowed, and for an executor that
    is not trusted.

    Example::

        >>> import json
        >>> from pathlib import Path
        >>> from assay.tasks.table import read_table
        >>> rows = [{"a": a, "b": b, "sum": a + b, "split": ("train", "novel")[a * b]} for a in (0, 1) for b in (0, 1)]
        >>> written = Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        >>> inputs, target = '[{kind = "token", columns = ["a", "b"]}]', '{kind = "class", column = "sum"}'
        >>> lines = ['data = "rows.jsonl"', f"inputs = {inputs}", f"target = {target}", 'split = {column = "split"}']
        >>> written = Path("table.toml").write_text("\n".join([*lines, 'parts = [{name = "a"}, {name = "b"}]']))
        >>> task = read_table(Path("table.toml"))  # what assay.load_task("table:table.toml") returns
        >>> task.combines, len(task.combinations("novel"))
        (('a', 'b'), 1)
    """
    path = path.absolute()
    declared = read_declaration(path)
    kind: type[Table] = Table
    if declared.executor is not None and executes:
        from assay.tasks.table_executor import ExecutedTable

        require_trust(declared.executor, found_in=path, trust=trust)
        kind = ExecutedTable
    task = object.__new__(kind)
    rows = read_rows(declared.data, texts=declared.texts, files=declared.files)
    task._declare(rows, declared.parts, declared.combined)
    task.address = f"table:{path}"
    task._rows = _splits(rows, _roles(path, declared, rows, task, task._values), task, task._values)
    content = read_content(path, declared, rows, train=task._rows["train"], novel=task._rows["novel"])
    task._fill(content)
    task._words = RowWords(declared, rows, content, vocabulary_of(content))
    task._learn(path, declared, rows, content)
    return task


def _digest(examples: Examples, rows: Mapping[Split, Tensor]) -> str:
    """Hash that identifies a table in memory."""
    digest = hashlib.sha256()
    for column in (*examples.inputs.values(), examples.targets, *examples.parts.values(), *rows.values()):
        digest.update(np.ascontiguousarray(column.numpy()).data)
    return digest.hexdigest()[:12]


# Parts


class _PartColumn(NamedTuple):
    part: Part
    values: Int[Tensor, " n"]
    amounts: Float[Tensor, " n"] | None


def _read_part(declared: PartDeclaration, rows: TableRows) -> _PartColumn:
    if declared.graded:
        amounts = rows.floats([declared.source])
        if amounts.shape[1] != 1:
            raise rows.error(0, declared.source, "a graded part has one number", f"a list of {amounts.shape[1]}")
        values = (amounts[:, 0] != 0).long()
        if len(values.unique()) < 2:
            raise _one_value(declared, rows, _ABSENT_PRESENT[int(values[0])])
        return _PartColumn(Part(declared.name, _ABSENT_PRESENT, graded=True), values, amounts[:, 0])
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
    return _PartColumn(Part(declared.name, tuple(names), of=declared.of), torch.tensor([number[cell] for cell in found]), None)


def _check_follows(declared: PartDeclaration, values: dict[str, Int[Tensor, " n"]], rows: TableRows) -> None:
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


# Splits


def _roles(
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


def _splits(
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
