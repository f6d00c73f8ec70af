"""The rows of a table in words, for people to read."""

from collections.abc import Mapping, Sequence

from jaxtyping import Int
from torch import Tensor

from assay.objective import PAD, Sequences
from assay.task import Examples
from assay.tasks.table_content import END, Content
from assay.tasks.table_rows import TableRows
from assay.tasks.table_schema import Declaration

MOST_NUMBERS = 24
"""Numbers of a cell that is written; longer ones, such as images, are left out."""


class RowWords:
    """Inputs of rows as they stand in the file, by what the network is given, and words of answers.

    **Arguments:** `vocabulary`: the word of every token of an answer; empty where answers are no texts.
    """

    def __init__(self, declared: Declaration, rows: TableRows, content: Content, vocabulary: Mapping[int, str]):
        columns = [column for one in declared.inputs for column in one.sources]
        texts = [_written(rows, k, columns) for k in range(len(rows))] if len(columns) <= MOST_NUMBERS else []
        keys = (_key(content.inputs, k) for k in range(len(rows)))
        self._texts = dict(zip(keys, texts, strict=False)) if any(texts) else {}
        self._vocabulary = vocabulary

    def inputs(self, examples: Examples) -> list[str]:
        """Empty where a row is not of the file."""
        given = {name: values for name, values in examples.inputs.items() if name != "prefix"}
        found = [self._texts.get(_key(given, k)) for k in range(len(examples))]
        return [] if None in found else [text for text in found if text is not None]

    def answers(self, answers: Int[Tensor, "n ..."]) -> list[str]:
        """Empty where answers are no texts."""
        if not self._vocabulary or answers.ndim != 2:
            return []
        return [self._sentence(row) for row in answers.tolist()]

    def _sentence(self, tokens: Sequence[int]) -> str:
        until = tokens.index(END) if END in tokens else len(tokens)
        return " ".join(self._vocabulary.get(token, "?") for token in tokens[:until] if token != PAD)


def _key(inputs: Mapping[str, Tensor], row: int) -> bytes:
    return b"".join(values[row].numpy().tobytes() for name, values in inputs.items() if name != "prefix")


def _written(rows: TableRows, row: int, columns: Sequence[str]) -> str:
    """`colour: red; shape: disc`; a single column without its name."""
    cells = {column: rows.cell(row, column) for column in columns}
    cells = {column: cell for column, cell in cells.items() if not isinstance(cell, list) or len(cell) <= MOST_NUMBERS}
    cells = {column: cell for column, cell in cells.items() if not (isinstance(cell, list) and isinstance(cell[0], list))}
    if len(columns) == 1:
        return " ".join(map(str, cells.values()))
    return "; ".join(f"{column}: {cell}" for column, cell in cells.items())


def vocabulary_of(content: Content) -> dict[int, str]:
    """The word of every token of an answer, from the numbers by which answers are encoded."""
    if not isinstance(content.objective, Sequences) or not content.words:
        return {}
    return {number: word for word, number in content.words.items()}
