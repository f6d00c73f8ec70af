"""Einstein's puzzles: houses in a row, with one value of each attribute in each, inferred from clues (Dziri et al. 2023,
3.1)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from assay.computation import Computations, NumberedTexts, Operation
from assay.computation.graph import NO_PARENT, SOURCE
from assay.errors import AssayError
from assay.tasks.algorithms.puzzle_solvers import Cell, Fact, PuzzleShape, Relation, agreed

MOST_TOGETHER = 4  # the most clues that may be needed at once
_RELATIONS: tuple[Relation, ...] = ("same house", "directly left of", "beside")
_WORDS: dict[Relation, str] = {
    "same house": "is in the house of",
    "directly left of": "is directly left of",
    "beside": "is beside",
}


class Clue(NamedTuple):
    """One clue: a value `found at` a house, or two values of different attributes in a relation."""

    fact: Fact

    def __str__(self) -> str:
        if self.fact[0] == "found at":
            _, value, house = self.fact
            return f"{_name(value)} is in house {house + 1}"
        relation, one, other = self.fact
        return f"{_name(one)} {_WORDS[relation]} {_name(other)}"


def _name(value: tuple[int, int]) -> str:
    attribute, k = value
    return f"{chr(ord('a') + attribute)}{k + 1}"


def _parsed(text: str) -> Fact | None:
    """The fact of a clue or of a filled cell, None for other text."""
    for words, relation in ((words, relation) for relation, words in _WORDS.items()):
        one, found, other = text.partition(f" {words} ")
        if found and (a := _value(one)) and (b := _value(other)):
            return relation, a, b
    one, found, house = text.partition(" is in house ")
    value = _value(one)
    return ("found at", value, int(house) - 1) if found and value and house.isdecimal() else None


def _value(text: str) -> tuple[int, int] | None:
    is_value = len(text) > 1 and "a" <= text[0] <= "z" and text[1:].isdecimal() and int(text[1:]) > 0
    return (ord(text[0]) - ord("a"), int(text[1:]) - 1) if is_value else None


@dataclass(frozen=True)
class Puzzle:
    """Houses 1 to `houses`, and as many values of each attribute: `a1` to `aK`, `b1` to `bK`, and so on.

    **Raises:** `AssayError` for clues with no solution, or with several.
    """

    shape: PuzzleShape
    clues: tuple[Clue, ...]

    def __post_init__(self):
        found = agreed(self.shape, [clue.fact for clue in self.clues])
        left = None if found is None else self.shape.houses * self.shape.attributes - len(found)
        if left != 0:
            raise AssayError(
                "a puzzle must have exactly one solution",
                given="none" if left is None else f"several, with {left} cells that they do not share",
                next_step="add clues until one is left" if left else "take back the clues that contradict each other",
            )

    @property
    def solution(self) -> dict[Cell, int]:
        """The value of every house and attribute."""
        found = agreed(self.shape, [clue.fact for clue in self.clues])
        assert found is not None, "it was checked to have a solution"
        return found


def drawn_puzzle(houses: int, attributes: int, rng: np.random.Generator) -> Puzzle:
    """A puzzle with one solution and no redundant clue.

    Starting from all true clues about a random solution, a tenth is removed at a time while the solution remains unique, then a
    twentieth, then one, and finally each is tried.
    """
    shape = PuzzleShape(houses, attributes)
    at = np.stack([rng.permutation(houses) for _ in range(attributes)])  # rows: attributes; entries: the house of each value
    clues = [clue for clue in _all_clues(shape) if _holds(clue.fact, at)]
    clues = [clues[k] for k in rng.permutation(len(clues))]

    def is_enough(some: Sequence[Clue]) -> bool:
        found = agreed(shape, [clue.fact for clue in some])
        return found is not None and len(found) == houses * attributes

    for share in (0.1, 0.05, 0.0):
        while clues:
            gone = max(1, round(share * len(clues)))
            kept = clues[: len(clues) - gone]
            if not is_enough(kept):
                break
            clues = kept
    for clue in list(clues):
        kept = [other for other in clues if other is not clue]
        clues = kept if is_enough(kept) else clues
    return Puzzle(shape, tuple(clues))


def _all_clues(shape: PuzzleShape) -> Iterator[Clue]:
    values = list(product(range(shape.attributes), range(shape.houses)))
    for value, house in product(values, range(shape.houses)):
        yield Clue(("found at", value, house))
    for relation, one, other in product(_RELATIONS, values, values):
        if one[0] != other[0] and (relation == "directly left of" or one < other):
            yield Clue((relation, one, other))


def _holds(fact: Fact, at: np.ndarray) -> bool:
    if fact[0] == "found at":
        return bool(at[fact[1]] == fact[2])
    distance = int(at[fact[2]] - at[fact[1]])
    return {"same house": distance == 0, "directly left of": distance == 1, "beside": abs(distance) == 1}[fact[0]]


def puzzle_graphs(puzzles: Sequence[Puzzle], domain: NumberedTexts | None = None) -> Computations:
    """The graphs of puzzles: sources are clues, every other node is a filled cell.

    Each step reads the clue (or, where no single clue fixes a cell, the smallest set of clues) that fixes most cells together
    with the known ones; a clue may be read again while it is informative. The parents of a cell are these clues and the known
    cells without which it would not follow.

    **Arguments:** `domain`: numbers of texts; share one between calls whose graphs are compared.

    **Raises:** `AssayError` for a puzzle that needs more than four clues at once.

    Example::

        graph = puzzle_graphs([drawn_puzzle(3, 3, np.random.default_rng(0))])
        assert (graph.executed(graph.values) == graph.values).all()
    """
    domain = NumberedTexts() if domain is None else domain
    rows = _PuzzleNodes(domain)
    for example, puzzle in enumerate(puzzles):
        rows.read(example, puzzle)
    return rows.computations(len(puzzles))


class _PuzzleNodes:
    """Builder of the table of nodes."""

    def __init__(self, domain: NumberedTexts) -> None:
        self.domain = domain
        self.operations: dict[str, Operation] = {}
        self.rows: list[tuple[int, tuple[int, ...], int, int, str]] = []  # operation, parents, value, example, name

    def read(self, example: int, puzzle: Puzzle) -> None:
        shape = puzzle.shape
        node = {clue: self._add(example, SOURCE, (), str(clue), f"clue {k + 1}") for k, clue in enumerate(puzzle.clues)}
        left, known = list(puzzle.clues), dict[Cell, int]()
        filled: dict[Cell, int] = {}
        while len(known) < shape.houses * shape.attributes:
            chosen, found = _next(shape, left, known)
            for cell in sorted(found.keys() - known.keys()):
                needed = _needed(shape, chosen, known, cell)
                parents = (*(node[clue] for clue in chosen), *(filled[other] for other in needed))
                filled[cell] = self._fill(example, shape, cell, found[cell], parents)
            known = found
            left = [clue for clue in left if not _spent(clue, known)]

    def _fill(self, example: int, shape: PuzzleShape, cell: Cell, value: int, parents: tuple[int, ...]) -> int:
        house, attribute = cell
        name = f"{chr(ord('a') + attribute)} of house {house + 1}"
        if name not in self.operations:

            def follow(*texts: str) -> str | None:
                facts = [_parsed(text) for text in texts]
                within = all(fact is not None and shape.holds(fact) for fact in facts)
                answer = agreed(shape, [fact for fact in facts if fact is not None]) if within else None
                return None if answer is None or cell not in answer else _filled(cell, answer[cell])

            self.operations[name] = Operation(name, self.domain.lifted(follow), "fill")
        operation = list(self.operations).index(name)
        return self._add(example, operation, parents, _filled(cell, value), name)

    def _add(self, example: int, operation: int, parents: tuple[int, ...], text: str, name: str) -> int:
        self.rows.append((operation, parents, self.domain.parse(text), example, name))
        return len(self.rows) - 1

    def computations(self, num: int) -> Computations:
        arguments = max((len(parents) for _, parents, *_ in self.rows), default=0) or 1
        names = sorted({name for *_, name in self.rows})
        padded = [[*parents, *[NO_PARENT] * (arguments - len(parents))] for _, parents, *_ in self.rows]
        return Computations(
            operations=tuple(self.operations.values()),
            operation=np.array([row[0] for row in self.rows], np.int64),
            parents=np.array(padded, np.int64).reshape(-1, arguments),
            values=np.array([row[2] for row in self.rows], np.int64),
            example=np.array([row[3] for row in self.rows], np.int64),
            num_examples=num,
            names=tuple(names),
            name=np.array([names.index(row[4]) for row in self.rows], np.int64),
            domain=self.domain,
        )


def _spent(clue: Clue, known: dict[Cell, int]) -> bool:
    """Whether the houses of all its values are known, so that it is no longer informative."""
    there = {(attribute, value) for (_, attribute), value in known.items()}
    values = [clue.fact[1]] if clue.fact[0] == "found at" else [clue.fact[1], clue.fact[2]]
    return there.issuperset(values)


def _filled(cell: Cell, value: int) -> str:
    return f"{_name((cell[1], value))} is in house {cell[0] + 1}"


def _facts(known: dict[Cell, int]) -> list[Fact]:
    facts: list[Fact] = [("found at", (attribute, value), house) for (house, attribute), value in known.items()]
    return facts


def _next(shape: PuzzleShape, left: Sequence[Clue], known: dict[Cell, int]) -> tuple[tuple[Clue, ...], dict[Cell, int]]:
    """The next clues to read, and the cells that are then known."""
    for size in range(1, min(MOST_TOGETHER, len(left)) + 1):
        best: tuple[tuple[Clue, ...], dict[Cell, int]] | None = None
        for some in combinations(left, size):
            found = agreed(shape, [*_facts(known), *(clue.fact for clue in some)])
            if found is not None and len(found) > len(known if best is None else best[1]):
                best = some, found
        if best is not None:
            return best
    raise AssayError(
        f"a puzzle must be solved by reading at most {MOST_TOGETHER} clues at once",
        given=f"one whose {len(left)} clues that are left fix no cell",
        next_step="take another puzzle, or add a clue",
    )


def _needed(shape: PuzzleShape, chosen: Sequence[Clue], known: dict[Cell, int], cell: Cell) -> list[Cell]:
    """A minimal set of known cells from which the cell follows together with the clues."""
    kept = dict(known)
    for other in known:
        fewer = {one: value for one, value in kept.items() if one != other}
        found = agreed(shape, [*_facts(fewer), *(clue.fact for clue in chosen)])
        if found is not None and cell in found:
            kept = fewer
    return sorted(kept)
