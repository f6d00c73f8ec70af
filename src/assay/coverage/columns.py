"""Columns of a table as value indices: every cell as text, every different text once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from assay.errors import AssayError
from assay.printable import storable


@dataclass(frozen=True, eq=False)
class CodedColumn:
    """**Attributes:** `values`: different cells in the order of their first rows, None for a missing one; `codes`: the index of
    each row's value among them."""

    values: tuple[str | None, ...]
    codes: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, cells: Sequence[object], where: str) -> "CodedColumn":
        """The column of these cells.

        **Raises:** `AssayError` for one that cannot be written as text, such as a whole number of more than 4,300 digits.
        """
        try:
            texts = (cell if cell is None or isinstance(cell, str) else str(cell) for cell in cells)
            known: dict[str | None, int] = {}
            codes = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int64, len(cells))
        except ValueError as error:
            raise AssayError(f"{where}: values must be convertible to text", given=error) from error
        return cls(tuple(storable(list(known))), codes)


def joined(first: CodedColumn, second: CodedColumn) -> tuple[tuple[str, ...], Int[np.ndarray, " n"], Int[np.ndarray, " m"]]:
    """Names of the values of two columns, those of the first before others, and the indices of both."""
    known = {value: place for place, value in enumerate(first.values)}
    places = np.array([known.setdefault(value, len(known)) for value in second.values], np.int64)
    return tuple("(missing)" if value is None else value for value in known), first.codes, places[second.codes]
