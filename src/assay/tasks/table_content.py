"""Inputs and targets of a table as tensors."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from assay.bounds import first_line
from assay.encoding.hugging_face import silent_transformers
from assay.errors import AssayError
from assay.objective import PAD, Classification, Objective, Regression, Sequences
from assay.task import NO_ANSWER, Examples, Image, InputSpec, SourceToTarget, Tokens, Vector
from assay.tasks.table_rows import TableRows, check_cells, flattened
from assay.tasks.table_schema import Declaration, InputDeclaration, TargetDeclaration, value_name

START, END = 1, 2


class Content(NamedTuple):
    """Inputs and targets of all rows, and what follows from them.

    `encode` makes a target of the content of a target cell, None for an answer that the network does not have; `complete`:
    whether novel rows have answers too; `first_word`: whether the network under test is scored on the first word of its answer
    alone; `words`: the token of every word of an answer that is text.
    """

    inputs: dict[str, Tensor]
    targets: Tensor
    objective: Objective
    encode: Callable[[object], Tensor | None]
    complete: bool = True
    first_word: bool = False
    words: Mapping[str, int] = {}

    @property
    def input_spec(self) -> InputSpec | None:
        """Input specification for reference models; None where none fits."""
        if self.targets.ndim > 2:  # no reference model answers with a matrix
            return None
        if self.inputs.keys() == {"source", "prefix"} and isinstance(self.objective, Sequences):
            source = self.inputs["source"]
            return SourceToTarget(int(source.max()) + 1, source.shape[1], self.objective.vocab, self.targets.shape[1])
        ((name, x),) = self.inputs.items() if len(self.inputs) == 1 else (("", self.targets),)
        if name == "tokens" and x.ndim == 2 and x.dtype == torch.int64 and int(x.min()) >= 0:
            return Tokens(int(x.max()) + 1, x.shape[1])
        if name == "x" and x.ndim == 2 and x.is_floating_point():
            return Vector(x.shape[1])
        if name == "image" and x.ndim == 4 and x.is_floating_point() and x.shape[2] == x.shape[3]:
            return Image(x.shape[1], x.shape[2])
        return None

    def spread(self, rows: Sequence[int], num: int) -> "Content":
        """The content with targets for `num` rows, where only `rows` have one."""
        targets = torch.full((num, *self.targets.shape[1:]), math.nan if self.targets.is_floating_point() else NO_ANSWER)
        targets[list(rows)] = self.targets
        return self._replace(targets=targets, complete=False)


def read_content(
    path: Path, declared: Declaration, rows: TableRows, *, train: Int[Tensor, " t"], novel: Int[Tensor, " m"]
) -> Content:
    """Inputs and targets as declared. The variance of numbers is that of the `train` rows.

    **Raises:** `AssayError` naming file, line and column.
    """
    target = declared.target
    answered = _answered(target, rows, novel.tolist())
    with_answers = rows.take(answered) if len(answered) < len(rows) else rows
    if target.kind == "text":
        return _read_sequences(declared, rows, answered)
    inputs: dict[str, Tensor] = {}
    for given in declared.inputs:
        inputs |= _read_input(given, rows)
    what = f"{path}: target {target.source!r}"
    if target.kind == "class":
        classes, objective = _read_classes(target, with_answers, what)
        known = dict(zip(with_answers.column(target.source), classes.tolist(), strict=True))
        known |= {name: k for k, name in enumerate(target.values or ())}  # including values that no row has
        content = Content(inputs, classes, objective, partial(_class, known))
    else:
        targets = with_answers.floats([target.source], target.shape or ())
        trained = targets[torch.isin(torch.tensor(answered), train)]
        content = Content(inputs, targets, regression(trained, what), partial(_numbers, tuple(targets.shape[1:])))
    return content if with_answers is rows else content.spread(answered, len(rows))


def _answered(target: TargetDeclaration, rows: TableRows, novel: Sequence[int]) -> list[int]:
    """The rows with an answer: all, or those that are not novel where no novel one has an answer."""
    missing = [index for index in novel if rows.cell(index, target.source) is None]
    if missing and len(missing) < len(novel):
        raise rows.error(missing[0], target.source, "either every novel row has an answer or none has", None)
    return sorted(set(range(len(rows))) - set(missing))


def classification(classes: Int[Tensor, " n"], what: str) -> Classification:
    """The objective of class ids. **Raises:** `AssayError` for a single class."""
    num = int(classes.max()) + 1
    if num < 2:
        raise AssayError(f"{what} must have two classes or more", given="one class in all rows")
    return Classification(num)


def regression(trained: Float[Tensor, "n ..."], what: str) -> Regression:
    """The objective of numbers, with the variance of the trained ones. **Raises:** `AssayError` where they are constant."""
    variance = float(trained.double().var(0, correction=0).sum())
    if not variance > 0:
        raise AssayError(f"{what} must vary over the train rows", given="the same number in all of them")
    return Regression(math.prod(trained.shape[1:]), variance)


def _read_classes(target: TargetDeclaration, rows: TableRows, what: str) -> tuple[Int[Tensor, " n"], Classification]:
    """Class ids in the declared order; by default whole numbers as they are, and texts in alphabetical order."""
    cells = rows.column(target.source)
    if target.values is None:
        ids = rows.symbols([target.source]).ids[:, 0]
        objective = classification(ids, what)
        return ids, replace(objective, names=tuple(sorted(set(cells)))) if isinstance(cells[0], str) else objective
    number, found = {name: k for k, name in enumerate(target.values)}, []
    for index, cell in enumerate(cells):
        name = value_name(cell)
        if name not in number:
            raise rows.error(index, target.source, "no such value of the target", cell, target.values)
        found.append(number[name])
    return torch.tensor(found), Classification(names=target.values)


def _class(known: Mapping[object, int], answer: object) -> Tensor | None:
    number = known.get(answer, known.get(value_name(answer))) if isinstance(answer, str | int) else None
    return None if number is None else torch.tensor(number)


def _numbers(shape: tuple[int, ...], answer: object) -> Tensor | None:
    cells = flat_numbers(answer)
    if cells is None or cells[0] not in (shape, (math.prod(shape),)):
        return None
    return torch.tensor([float(cell) for cell in cells[1]]).reshape(shape)


def flat_numbers(answer: object) -> tuple[tuple[int, ...], list[int | float]] | None:
    """The shape of finite numbers returned by an executor, `(1,)` for a single one, and the numbers; None for anything else."""
    given = answer.tolist() if isinstance(answer, Tensor | np.ndarray | np.generic) else answer
    shape, cells = flattened(list(given) if isinstance(given, tuple) else given)
    right = all(isinstance(cell, int | float) and math.isfinite(cell) for cell in cells)
    return (shape, cells) if right else None


def _words(number: Mapping[str, int], length: int, answer: object) -> Tensor | None:
    words = answer.split() if isinstance(answer, str) else ["\n"]
    if len(words) >= length or any(word not in number for word in words):
        return None
    return torch.tensor([*(number[word] for word in words), END] + [PAD] * (length - len(words) - 1))


def _read_input(given: InputDeclaration, rows: TableRows) -> dict[str, Tensor]:
    """Inputs by keyword argument."""
    if given.tokenizer is not None:
        return _tokenized(given.tokenizer, rows, given.sources[0])
    if given.kind in ("number", "image"):
        return {given.keyword: rows.floats(given.sources, given.dimensions)}
    if given.kind == "token":
        return {given.keyword: rows.symbols(given.sources, lists=True).ids}
    return {given.keyword: _read_words(given, rows)}


def _read_words(given: InputDeclaration, rows: TableRows) -> Int[Tensor, "n length"]:
    texts = rows.words(given.sources[0], empty=False)
    for index, text in enumerate(texts if given.values is not None else ()):
        if unknown := [word for word in text if word not in (given.values or ())]:
            raise rows.error(index, given.sources[0], "no such value of the input", unknown[0], given.values or ())
    return _numbered(rows, texts, first=PAD + 1, order=given.values)[0]


def _read_sequences(declared: Declaration, rows: TableRows, answered: Sequence[int]) -> Content:
    """Source, prefix and target sequences. The network gets its own answer as prefix; where novel rows have no answer, all rows
    are scored at the first word only."""
    source = _read_words(declared.inputs[0], rows)
    texts = rows.take(answered).words(declared.target.source, empty=True)
    targets, vocab = _numbered(rows, texts, first=END + 1, end=(END,))
    prefix = torch.full((len(rows), targets.shape[1]), PAD)
    prefix[answered, 1:] = targets[:, :-1]
    prefix[:, 0] = START
    number = _numbers_of({word for text in texts for word in text}, END + 1)
    encode = partial(_words, number, targets.shape[1])
    content = Content({"source": source, "prefix": prefix}, targets, Sequences(vocab), encode, words=number)
    if len(answered) == len(rows):
        return content
    objective = Sequences(vocab, unit="exact match of the first word")
    return content.spread(answered, len(rows))._replace(objective=objective, first_word=True)


def first_word(examples: Examples) -> Examples:
    """The examples before any token is written: a prefix of the start alone, and the first word of the answer as target."""
    prefix = torch.full_like(examples.inputs["prefix"], PAD)
    prefix[:, 0] = START
    return replace(examples, inputs={**examples.inputs, "prefix": prefix}, targets=only_first(examples.targets))


def only_first(targets: Int[Tensor, "*n length"]) -> Int[Tensor, "*n length"]:
    """Targets in which only the first word is scored."""
    return torch.cat([targets[..., :1], torch.full_like(targets[..., 1:], PAD)], -1)


def _numbers_of(words: set[str], first: int) -> dict[str, int]:
    return {word: index for index, word in enumerate(sorted(words), first)}


def _numbered(
    rows: TableRows, texts: list[list[str]], *, first: int, end: Sequence[int] = (), order: Sequence[str] | None = None
) -> tuple[Int[Tensor, "n length"], int]:
    """Words numbered from `first` in alphabetical or in the given order; rows padded with PAD; and the size of the
    vocabulary."""
    check_cells(rows.path, len(texts), max(map(len, texts)) + len(end))
    words = {word for text in texts for word in text}
    number = _numbers_of(words, first) if order is None else {word: index for index, word in enumerate(order, first)}
    ids = [torch.tensor([*(number[word] for word in text), *end]) for text in texts]
    return pad_sequence(ids, batch_first=True, padding_value=PAD), first + len(number)


def _tokenized(folder: Path, rows: TableRows, column: str) -> dict[str, Tensor]:
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise AssayError("a tokenizer needs transformers", given=str(error), next_step="run `pip install assay[hf]`") from None
    if not os.path.isdir(folder):
        raise AssayError("tokenizer must be a local Hugging Face folder", given=folder)
    texts = rows.texts(column)
    try:
        with silent_transformers():
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            if tokenizer.pad_token is None:
                tokenizer.pad_token = tokenizer.eos_token  # only for padding, which the attention mask hides
            found = tokenizer(texts)
            check_cells(rows.path, len(rows), max(map(len, found["input_ids"])))
            encoded = tokenizer.pad(found, return_tensors="pt")
    except AssayError:
        raise
    except Exception as error:  # a damaged folder makes transformers raise many kinds of errors
        rule = "tokenizer must be a Hugging Face folder with a tokenizer"
        raise AssayError(rule, given=f"{folder}: {first_line(error)}") from None
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}
