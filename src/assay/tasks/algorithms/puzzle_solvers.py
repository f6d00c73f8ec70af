"""Cells on which all solutions of a puzzle agree: by enumeration where solutions are few, else by python-sat."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, permutations, product
from math import factorial
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int8

from assay.errors import AssayError

Relation = Literal["same house", "directly left of", "beside"]
Value = tuple[int, int]
"""An attribute, and the index of its value."""
Cell = tuple[int, int]
"""A house and an attribute."""
Fact = tuple[Literal["found at"], Value, int] | tuple[Relation, Value, Value]
MOST_LISTED = 400_000  # the most assignments that are enumerated: 4 houses with 4 attributes


class PuzzleShape(NamedTuple):
    """Number of houses, and of attributes, each with one value per house."""

    houses: int
    attributes: int

    def holds(self, fact: Fact) -> bool:
        """Whether a fact is about existing houses and values."""
        values = [fact[1]] if fact[0] == "found at" else [fact[1], fact[2]]
        is_there = all(attribute < self.attributes and k < self.houses for attribute, k in values)
        return is_there and (fact[0] != "found at" or 0 <= fact[2] < self.houses)


def agreed(shape: PuzzleShape, facts: Sequence[Fact]) -> dict[Cell, int] | None:
    """The cells with one value in all solutions, and that value; None without a solution.

    **Raises:** `AssayError` for a shape without houses or attributes, and without python-sat for more than `MOST_LISTED`
    assignments.
    """
    if shape.houses < 1 or shape.attributes < 1:
        raise AssayError("a puzzle must have a house and an attribute", given=tuple(shape))
    if factorial(shape.houses) ** shape.attributes <= MOST_LISTED:
        return _listed(shape, facts)
    return _by_sat(shape, facts)


@cache
def _ways(houses: int, attributes: int) -> Int8[np.ndarray, "ways attributes houses"]:
    """For every assignment the house of each value."""
    orders = np.array(list(permutations(range(houses))), np.int8)
    chosen = np.stack(np.meshgrid(*[np.arange(len(orders))] * attributes, indexing="ij"), -1).reshape(-1, attributes)
    return orders[chosen]


def _listed(shape: PuzzleShape, facts: Sequence[Fact]) -> dict[Cell, int] | None:
    ways = _ways(*shape)
    for fact in facts:
        ways = ways[_meets(ways, fact)]
    if not len(ways):
        return None
    same = (ways == ways[0]).all(0)
    return {(int(ways[0, a, v]), a): v for a, v in product(range(shape.attributes), range(shape.houses)) if same[a, v]}


def _meets(ways: Int8[np.ndarray, "ways attributes houses"], fact: Fact) -> Bool[np.ndarray, " ways"]:
    if fact[0] == "found at":
        return ways[:, fact[1][0], fact[1][1]] == fact[2]
    distance = ways[:, fact[2][0], fact[2][1]] - ways[:, fact[1][0], fact[1][1]]
    return {"same house": distance == 0, "directly left of": distance == 1, "beside": np.abs(distance) == 1}[fact[0]]


# By python-sat


def variable(shape: PuzzleShape, value: Value, house: int) -> int:
    """The number, from 1, of the literal that a value is in a house."""
    return 1 + (value[0] * shape.houses + value[1]) * shape.houses + house


def clauses(shape: PuzzleShape, facts: Sequence[Fact]) -> Iterator[list[int]]:
    """A puzzle in conjunctive normal form: clauses as lists of literals (negative: false)."""
    for attribute, k in product(range(shape.attributes), range(shape.houses)):
        yield [variable(shape, (attribute, k), house) for house in range(shape.houses)]
        yield [variable(shape, (attribute, other), k) for other in range(shape.houses)]
        for one, other in combinations(range(shape.houses), 2):
            yield [-variable(shape, (attribute, k), one), -variable(shape, (attribute, k), other)]
            yield [-variable(shape, (attribute, one), k), -variable(shape, (attribute, other), k)]
    steps = {"same house": (0,), "directly left of": (1,), "beside": (-1, 1)}
    for fact in facts:
        if fact[0] == "found at":
            yield [variable(shape, fact[1], fact[2])]
            continue
        for (value, other), sign in (((fact[1], fact[2]), 1), ((fact[2], fact[1]), -1)):
            for house in range(shape.houses):
                there = [house + sign * step for step in steps[fact[0]]]
                places = [variable(shape, other, one) for one in there if 0 <= one < shape.houses]
                yield [-variable(shape, value, house), *places]


def _by_sat(shape: PuzzleShape, facts: Sequence[Fact]) -> dict[Cell, int] | None:
    try:
        from pysat.solvers import Solver  # pyrefly: ignore[missing-import]  (an extra)
    except ImportError as error:
        raise AssayError(
            f"puzzles of {shape.houses} houses with {shape.attributes} attributes need python-sat",
            given=str(error),
            next_step="run `pip install assay[puzzles]`, or take at most 4 houses with 4 attributes",
        ) from error
    made: Any = Solver(name="cadical153", bootstrap_with=list(clauses(shape, facts)))
    with made as solver:
        if not solver.solve():
            return None
        true = {statement for statement in solver.get_model() if statement > 0}
        found: dict[Cell, int] = {}
        for attribute, k, house in product(range(shape.attributes), range(shape.houses), range(shape.houses)):
            statement = variable(shape, (attribute, k), house)
            if statement in true and not solver.solve(assumptions=[-statement]):
                found[house, attribute] = k
        return found
