"""Domains of node values: integers, or numbered texts."""

import hashlib
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, UInt64

from assay.errors import AssayError

MISSING = int(np.iinfo(np.int64).min)
"""A missing value: of a node that was not written, or an operation that is not defined."""
_LONGEST_INTEGER = 18  # digits, so that it fits in 64 bits


def whole_numbers(given: object, rule: str) -> np.ndarray:
    """An int64 array from integers, given as an array or as lists. Non-integers and numbers beyond 64 bits are refused.

    **Raises:** `AssayError` with the rule for anything else.
    """
    try:
        found = np.asarray(given)
    except ValueError as error:  # lists of different lengths
        raise AssayError(rule, given="lists of different lengths") from error
    if not found.size:
        return found.astype(np.int64)
    if found.dtype.kind not in "iu" or (found.dtype == np.uint64 and found.max() > np.iinfo(np.int64).max):
        raise AssayError(rule, given=given if found.dtype.kind == "O" else f"{found.dtype} such as {found.flat[0]}")
    return found.astype(np.int64)


@runtime_checkable
class Domain(Protocol):
    """Values as 64-bit numbers and as text."""

    def text(self, value: int | np.integer) -> str:
        """The value as written in a scratchpad."""
        ...

    def parse(self, text: str) -> int:
        """The value of a text, `MISSING` where it has none."""
        ...

    def codes(self, values: Int[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
        """A number for each value, the same in every table and process."""
        ...


class Integers:
    """Integers of at most 18 digits."""

    def text(self, value: int | np.integer) -> str:
        return str(value)

    def parse(self, text: str) -> int:
        digits = text.strip().removeprefix("-")
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_INTEGER else MISSING

    def codes(self, values: Int[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
        return values.view(np.uint64)


INTEGERS = Integers()


class NumberedTexts:
    """Texts, such as sequences of symbols separated by one blank, numbered in order of first use."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._texts: list[str] = []
        self._codes: list[int] = []

    def __len__(self) -> int:
        return len(self._texts)

    def text(self, value: int | np.integer) -> str:
        return self._texts[value]

    def parse(self, text: str) -> int:
        """The number of a text; a new text gets the next number."""
        text = " ".join(text.split())
        number = self._number.get(text)
        if number is None:
            number = self._number[text] = len(self._texts)
            self._texts.append(text)
            self._codes.append(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big"))
        return number

    def codes(self, values: Int[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
        known = np.array([*self._codes, 0], np.uint64)
        return known[np.where(values == MISSING, len(self._codes), values)]

    def lifted(self, function: Callable[..., str | None]) -> Callable[..., Int[np.ndarray, " n"]]:
        """A function of texts as one of arrays of their numbers, called once for each distinct tuple. None becomes
        `MISSING`."""

        def apply(*arguments: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
            rows, inverse = np.unique(np.stack(arguments, 1), axis=0, return_inverse=True)
            results = [function(*(self._texts[value] for value in row)) for row in rows.tolist()]
            numbers = [MISSING if result is None else self.parse(result) for result in results]
            return np.array(numbers, np.int64)[inverse.reshape(-1)]

        return apply
