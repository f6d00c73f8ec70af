"""Multiplication by hand: a row of digits for each digit of the second number, shifted and added (Dziri et al. 2023, 3.1)."""

import numpy as np
from jaxtyping import Int

from assay.computation import MISSING, Computations, FixedAlgorithm, Operation
from assay.errors import AssayError

MOST_DIGITS = 8  # the most digits of each number, so that a product fits in 64 bits


def multiplication(
    first: Int[np.ndarray, " n"], second: Int[np.ndarray, " n"], k1: int, k2: int, *, nonce: bool = False
) -> Computations:
    """The graphs of `first` times `second`, numbers of `k1` and `k2` digits.

    For each digit of the second number, from the right: the product with each digit of the first plus the carry; its last digit
    and the new carry, except for the leading digit, which keeps both; all digits joined to a row. Rows are shifted and added
    one by one. A carry of 0 is still a node, so that the graph is the same for all numbers of these sizes.

    **Arguments:** `nonce`: an arbitrary table of numbers up to 81 instead of the product of two digits, with the same graph: a
    network that is right runs the graph, and does not use known arithmetic.

    **Raises:** `AssayError` for other numbers of digits than 1 to 8, and a number with another number of digits.

    Example::

        graph = multiplication(np.array([35]), np.array([90]), 2, 2)
        assert graph.values[graph.find(0, "sum 2")] == 3150
    """
    for digits, numbers in ((k1, first), (k2, second)):
        if not 1 <= digits <= MOST_DIGITS:
            raise AssayError(f"numbers must have 1 to {MOST_DIGITS} digits", given=digits)
        wrong = (numbers < (10 ** (digits - 1) if digits > 1 else 0)) | (numbers >= 10**digits)
        if wrong.any():
            raise AssayError(f"every number must have {digits} digits", given=int(numbers[wrong][0]))
    recipe = FixedAlgorithm()
    x = [recipe.source(f"x{i + 1}") for i in range(k1)]
    y = [recipe.source(f"y{j + 1}") for j in range(k2)]
    product = Operation("dax", _dax) if nonce else Operation("multiply", _product)
    rows = [_row(recipe, x, y[k2 - 1 - j], f"{j + 1}", product) for j in range(k2)]
    total = rows[0]
    for j, row in enumerate(rows[1:], 1):
        shifted = recipe.node(f"shift {j + 1}", Operation(f"shift {j}", _shift(j)), row)
        total = recipe.node(f"sum {j + 1}", _ADD, total, shifted)
    digits = [first // 10**k % 10 for k in reversed(range(k1))] + [second // 10**k % 10 for k in reversed(range(k2))]
    return recipe.computations(np.stack(digits, 1))


def _row(recipe: FixedAlgorithm, x: list[int], y: int, row: str, product: Operation) -> int:
    joined, carry = [], None
    for place, digit in enumerate(reversed(x)):
        name = f"{row}.{place + 1}"
        total = recipe.node(f"product {name}", product, digit, y)
        if carry is not None:
            total = recipe.node(f"carried {name}", _ADD, total, carry)
        if place < len(x) - 1:
            joined.append(recipe.node(f"digit {name}", _LAST_DIGIT, total))
            carry = recipe.node(f"carry {name}", _CARRY, total)
        else:
            joined.append(total)
    return recipe.node(f"row {row}", _CONCATENATE, *reversed(joined))


def _product(x: Int[np.ndarray, " n"], y: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    return np.where((x >= 0) & (x <= 9) & (y >= 0) & (y <= 9), x * y, MISSING)


_DAX = np.random.default_rng(0).integers(0, 82, (10, 10))


def _dax(x: Int[np.ndarray, " n"], y: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    defined = (x >= 0) & (x <= 9) & (y >= 0) & (y <= 9)
    return np.where(defined, _DAX[x.clip(0, 9), y.clip(0, 9)], MISSING)


def _shift(j: int):
    def shifted(row: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        return np.where(np.abs(row) < 10**15, row * 10**j, MISSING) if j else row

    return shifted


def _concatenate(first: Int[np.ndarray, " n"], *others: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The leading number, which may have two digits, followed by one digit after the other."""
    value, defined = first, (first >= 0) & (first < 1000)
    for digit in others:
        defined = defined & (digit >= 0) & (digit <= 9)
        value = value * 10 + digit
    return np.where(defined, value, MISSING)


_ADD, _CONCATENATE = Operation("add", np.add), Operation("concatenate", _concatenate)
_LAST_DIGIT, _CARRY = Operation("mod 10", lambda s: s % 10), Operation("carry", lambda s: s // 10)
