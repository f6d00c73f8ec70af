"""The inputs and targets of a table of one's own, as tensors."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from assay.bounds import first_line
from assay.encoding.hugging_face import silent_transformers
from assay.errors import AssayError
from assay.objective import PAD, Classification, Objective, Regression, Sequences
from assay.task import InputSpec, SourceToTarget, Tokens, Vector
from assay.tasks.table_rows import Rows, check_cells
from assay.tasks.table_schema import Declaration, InputDeclaration

START, END = 1, 2


class Content(NamedTuple):
    """Inputs and targets of all rows, and what follows from them.

    `encode` makes a target of what would stand in the target column, None where the network has no such answer.
    """

    inputs: dict[str, Tensor]
    targets: Tensor
    input_spec: InputSpec | None
    objective: Objective
    encode: Callable[[object], Tensor | None]


def read_content(path: Path, declared: Declaration, rows: Rows, train: Int[Tensor, " rows"]) -> Content:
    """What the declaration says the network is given and asked. The variance of a number is that of the `train` rows.

    **Raises:** `AssayError` naming file, line and column.
    """
    target = declared.target
    if target.kind == "text":
        return _read_sequences(declared, rows)
    inputs: dict[str, Tensor] = {}
    specs: list[InputSpec | None] = []
    for given in declared.inputs:
        columns, spec = _read_input(given, rows)
        inputs |= columns
        specs.append(spec)
    input_spec = specs[0] if len(specs) == 1 else None
    if target.kind == "class":
        classes = rows.symbols([target.column])
        if classes.size < 2:
            raise AssayError(f"{path}: target {target.column!r} must have two classes or more", given="one class in all rows")
        known = dict(zip(rows.column(target.column), classes.ids[:, 0].tolist(), strict=True))
        return Content(inputs, classes.ids[:, 0], input_spec, Classification(classes.size), partial(_class, known))
    targets = rows.floats([target.column])
    variance = float(targets[train].double().var(0, correction=0).sum())
    if not variance > 0:
        raise AssayError(
            f"{path}: target {target.column!r} must vary over the train rows", given="the same number in all of them"
        )
    return Content(inputs, targets, input_spec, Regression(targets.shape[1], variance), partial(_numbers, targets.shape[1]))


def _class(known: Mapping[object, int], answer: object) -> Tensor | None:
    number = known.get(answer) if isinstance(answer, str | int) else None
    return None if number is None else torch.tensor(number)


def _numbers(size: int, answer: object) -> Tensor | None:
    cells = answer if isinstance(answer, list | tuple) else [answer]
    right = len(cells) == size and all(isinstance(cell, int | float) and math.isfinite(cell) for cell in cells)
    return torch.tensor([float(cell) for cell in cells]) if right else None


def _words(number: Mapping[str, int], length: int, answer: object) -> Tensor | None:
    words = answer.split() if isinstance(answer, str) else ["\n"]
    if len(words) >= length or any(word not in number for word in words):
        return None
    return torch.tensor([*(number[word] for word in words), END] + [PAD] * (length - len(words) - 1))


def _read_input(given: InputDeclaration, rows: Rows) -> tuple[dict[str, Tensor], InputSpec | None]:
    """Keyword arguments, and what a reference model needs to know when the name is the one that it takes."""
    if given.tokenizer is not None:
        return _tokenized(given.tokenizer, rows, given.sources[0]), None
    if given.kind == "number":
        x = rows.floats(given.sources)
        return {given.keyword: x}, Vector(x.shape[1]) if given.keyword == "x" else None
    if given.kind == "token":
        ids, vocab = rows.symbols(given.sources)
    else:
        ids, vocab = _numbered(rows, rows.words(given.sources[0], empty=False), first=PAD + 1)
    return {given.keyword: ids}, Tokens(vocab, ids.shape[1]) if given.keyword == "tokens" else None


def _read_sequences(declared: Declaration, rows: Rows) -> Content:
    source, source_vocab = _numbered(rows, rows.words(declared.inputs[0].sources[0], empty=False), first=PAD + 1)
    targets, target_vocab = _numbered(rows, rows.words(declared.target.column, empty=True), first=END + 1, end=(END,))
    prefix = torch.cat([torch.full_like(targets[:, :1], START), targets[:, :-1]], 1)
    spec = SourceToTarget(source_vocab, source.shape[1], target_vocab, targets.shape[1])
    words = {word for text in rows.words(declared.target.column, empty=True) for word in text}
    encode = partial(_words, _numbers_of(words, END + 1), targets.shape[1])
    return Content({"source": source, "prefix": prefix}, targets, spec, Sequences(target_vocab), encode)


def _numbers_of(words: set[str], first: int) -> dict[str, int]:
    return {word: index for index, word in enumerate(sorted(words), first)}


def _numbered(
    rows: Rows, texts: list[list[str]], *, first: int, end: Sequence[int] = ()
) -> tuple[Int[Tensor, "n length"], int]:
    """Words numbered from `first` in alphabetical order, rows padded with PAD; and the size of the vocabulary."""
    check_cells(rows.path, len(texts), max(map(len, texts)) + len(end))
    number = _numbers_of({word for text in texts for word in text}, first)
    ids = [torch.tensor([*(number[word] for word in text), *end]) for text in texts]
    return pad_sequence(ids, batch_first=True, padding_value=PAD), first + len(number)


def _tokenized(folder: Path, rows: Rows, column: str) -> dict[str, Tensor]:
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
                tokenizer.pad_token = tokenizer.eos_token  # only fills up: the attention mask hides it
            found = tokenizer(texts)
            check_cells(rows.path, len(rows), max(map(len, found["input_ids"])))
            encoded = tokenizer.pad(found, return_tensors="pt")
    except AssayError:
        raise
    except Exception as error:  # of a damaged folder transformers raises whatever its parts raise
        rule = "tokenizer must be a Hugging Face folder with a tokenizer"
        raise AssayError(rule, given=f"{folder}: {first_line(error)}") from None
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}
