"""Own data as a task: tensors in memory, or files described by a TOML declaration."""

import hashlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.arguments import checked
from assay.errors import AssayError, shortened
from assay.factory import require_trust
from assay.figure import Level
from assay.objective import Objective
from assay.task import Examples, InputSpec, Part, Split, Swapped, Task, draw_rows
from assay.tasks.table_content import Content, first_word, only_first, read_content
from assay.tasks.table_executor import AddressedExecutor, Executor
from assay.tasks.table_files import read_rows
from assay.tasks.table_memory import content_of, rows_of, with_inputs
from assay.tasks.table_rows import TableRows, written
from assay.tasks.table_schema import PartDeclaration, read_declaration
from assay.tasks.table_split import check_follows, read_part, roles_of, rows_of_splits
from assay.tasks.table_words import RowWords, vocabulary_of

SAME = 1e-6  # difference of scores below which two targets are the same


class Table(Task):
    """Data of one's own as a task, from tensors in memory. `read_table` makes it from files.

    **Arguments:**

    - `inputs`: a tensor or array `(n, ...)`, or several by the keyword arguments of the network's forward. Real numbers become
      float32, whole ones int64. A single input is named `tokens` when its numbers are whole, `image` when they are real and its
      shape is `(n, channels, height, width)`, else `x`.
    - `targets`: class ids `(n,)`, token ids `(n, length)` padded with 0, or real numbers `(n, ...)`. Where novel rows have no
      answers, the targets of the other rows alone, in their order.
    - `parts`: for every combined part its values, one for each row (a list, array or tensor): text, whole numbers, true or
      false.
    - `split`: for every row `"seen"` (its combination was trained) or `"novel"`, or true where it is novel. Rows may also be
      called `"train"`: then only these are trained on, and `"seen"` rows are only scored. None: no row is novel.
    - `objective`: loss and score, where targets do not tell, as when the network has more classes than the rows; by default
      `Classification`, `Sequences` or `Regression`.
    - `executor`: a function `(parts, row)` that returns the target after an exchange of parts, or None where it is undefined.
      `parts` maps every part to its new value, as given here. `row` maps every input of the row in which the exchange is made
      to its numbers, as lists, and every part to its value there. For the row's own parts it must return the row's target.

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
        self._rows = rows_of_splits(rows, roles, self, self._values)
        content = content_of(inputs, targets, objective, train=self._rows["train"], novel=self._rows["novel"], num=len(rows))
        self._fill(content)
        self.address = f"table in memory: sha256 {_digest(self._examples, self._rows)}"
        if executor is not None:
            if type(self) is Table:  # a table without an executor must not claim the ability to exchange parts
                self.__class__ = ExecutedTable  # pyrefly: ignore[bad-argument-type]  (it adds no fields of its own)
            if not isinstance(self, ExecutedTable):
                rule = "a subclass of Table must define the result of an exchange"
                raise AssayError(rule, next_step="give it a method `swap`")
            if not callable(executor):
                raise AssayError(
                    "the executor of a table in memory is a function of (parts, row)",
                    given=executor,
                    next_step="give the function itself; only a table file names one by its address",
                )
            named = Executor(rows.path, getattr(executor, "__name__", type(executor).__name__), executor)
            self._take(named, declared, with_inputs(rows, content), content, "")

    # Parts and splits are read first: they decide which rows are trained and which may lack an answer.

    def _declare(self, rows: TableRows, parts: Sequence[PartDeclaration], combines: tuple[str, ...]) -> None:
        columns = [read_part(part, rows) for part in parts]
        self.address, self.combines = f"table:{rows.path}", combines
        self.parts = tuple(column.part for column in columns)
        self._values = {column.part.name: column.values for column in columns}
        self._amounts = {column.part.name: column.amounts for column in columns if column.amounts is not None}
        sizes = [len(self.part(name).values) for name in combines]
        if math.prod(sizes) >= 2**63:
            raise AssayError(f"{rows.path}: the combined parts have too many combinations to number", given=f"values: {sizes}")
        for part in (part for part in parts if part.of):
            check_follows(part, self._values, rows)

    def _fill(self, content: Content) -> None:
        self.input_spec, self.objective = content.input_spec, content.objective
        self.level = 0 if not len(self._rows["novel"]) else 2 if content.complete else 1
        ids = self.combination_id(self._values)
        self._examples = Examples(content.inputs, content.targets, self._values, ids, self._amounts)
        # The network under test is scored on whole answers, or on the first word where novel rows have no answers.
        self._asked = first_word(self._examples) if content.first_word else self._examples

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


class ExecutedTable(Table):
    """A table with an executor.

    **Raises:** `AssayError` also when the executor cannot be found or does not return a row's own target.
    """

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
        require_trust(declared.executor, found_in=path, trust=trust)
        kind = ExecutedTable
    task = object.__new__(kind)
    rows = read_rows(declared.data, texts=declared.texts, files=declared.files)
    task._declare(rows, declared.parts, declared.combined)
    task.address = f"table:{path}"
    task._rows = rows_of_splits(rows, roles_of(path, declared, rows, task, task._values), task, task._values)
    content = read_content(path, declared, rows, train=task._rows["train"], novel=task._rows["novel"])
    task._fill(content)
    task._words = RowWords(declared, rows, content, vocabulary_of(content))
    if isinstance(task, ExecutedTable):
        assert declared.executor is not None
        task._take(AddressedExecutor(path, declared.executor), declared.parts, rows, content, declared.target.source)
    return task


def _digest(examples: Examples, rows: Mapping[Split, Tensor]) -> str:
    """Hash that identifies a table in memory."""
    digest = hashlib.sha256()
    for column in (*examples.inputs.values(), examples.targets, *examples.parts.values(), *rows.values()):
        digest.update(np.ascontiguousarray(column.numpy()).data)
    return digest.hexdigest()[:12]


def _keys(examples: Examples) -> list[bytes]:
    """For every example a key of its whole content, as bytes. Rows with equal keys are represented by the first."""
    columns = [*examples.inputs.values(), examples.targets, *examples.parts.values(), *examples.amounts.values()]
    tables = [np.ascontiguousarray((column.flatten(1) if column.ndim > 1 else column[:, None]).numpy()) for column in columns]
    return [b"".join(table[index].tobytes() for table in tables) for index in range(len(examples))]
