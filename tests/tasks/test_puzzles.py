"""Einstein's puzzles: one solution, graphs whose steps follow, and two solvers that agree."""

import sys
from itertools import product
from types import ModuleType

import numpy as np
import pytest

from assay.computation import MISSING
from assay.computation.labels import CORRECT, LOCAL, PROPAGATION, labelled
from assay.computation.scratchpad import read_back, written
from assay.errors import AssayError
from assay.tasks.algorithms import Puzzle, drawn_puzzle, puzzle_graphs
from assay.tasks.algorithms import puzzle_solvers as solvers
from assay.tasks.algorithms.puzzle_solvers import PuzzleShape, agreed, clauses
from assay.tasks.algorithms.puzzles import Clue, _all_clues, _parsed

A1, A2, A3, B1, B2 = (0, 0), (0, 1), (0, 2), (1, 0), (1, 1)
FACTS = [
    ("found at", A1, 0),
    ("directly left of", A2, A3),
    ("same house", B1, A2),
    ("beside", A3, B1),
    ("found at", B2, 2),
]
ORDER = Puzzle(PuzzleShape(3, 2), tuple(map(Clue, FACTS)))


def test_a_puzzle_by_hand():
    assert ORDER.solution == {(0, 0): 0, (1, 0): 1, (2, 0): 2, (1, 1): 0, (2, 1): 1, (0, 1): 2}
    assert [str(clue) for clue in ORDER.clues] == [
        "a1 is in house 1", "a2 is directly left of a3", "b1 is in the house of a2", "a3 is beside b1", "b2 is in house 3",
    ]  # fmt: skip
    assert [_parsed(str(clue)) for clue in ORDER.clues] == [clue.fact for clue in ORDER.clues]
    assert [_parsed(words) for words in ("", "a1", "a1 is in house x", "7 is beside b1", "a0 is in house 1")] == [None] * 5


@pytest.mark.parametrize(("houses", "attributes"), [(1, 1), (2, 1), (3, 2), (3, 3)])
def test_drawn_puzzles_have_one_solution_and_no_clue_too_many(houses, attributes):
    for seed in range(3):
        puzzle = drawn_puzzle(houses, attributes, np.random.default_rng(seed))
        assert len(puzzle.solution) == houses * attributes
        for clue in puzzle.clues if houses > 1 else ():
            fewer = tuple(other for other in puzzle.clues if other is not clue)
            with pytest.raises(AssayError, match=r"exactly one solution\. Given: several, with \d+ cells"):
                Puzzle(puzzle.shape, fewer)
    assert drawn_puzzle(3, 2, np.random.default_rng(1)) == drawn_puzzle(3, 2, np.random.default_rng(1))


def test_a_puzzle_without_a_unique_solution_is_named():
    with pytest.raises(AssayError, match=r"exactly one solution\. Given: none"):
        Puzzle(PuzzleShape(2, 1), (Clue(("found at", A1, 0)), Clue(("found at", A1, 1))))
    with pytest.raises(AssayError, match=r"exactly one solution\. Given: several, with 2 cells"):
        Puzzle(PuzzleShape(2, 2), (Clue(("found at", A1, 0)),))
    with pytest.raises(AssayError, match="a house and an attribute"):
        Puzzle(PuzzleShape(0, 2), ())


def test_graphs_are_executed_and_their_cells_are_the_solution():
    puzzles = [drawn_puzzle(3, 3, np.random.default_rng(seed)) for seed in range(4)]
    graph = puzzle_graphs(puzzles)
    assert np.array_equal(graph.executed(graph.values), graph.values)
    for example, puzzle in enumerate(puzzles):
        nodes = np.flatnonzero((graph.example == example) & ~graph.is_source)
        assert len(nodes) == 9
        values = {graph.domain.text(value) for value in graph.values[nodes]}
        assert values == {f"{'abc'[a]}{v + 1} is in house {h + 1}" for (h, a), v in puzzle.solution.items()}
    assert graph.shapes.depth.min() >= 1
    assert len(puzzle_graphs([])) == 0


def test_errors_are_told_from_what_follows_from_them():
    graph = puzzle_graphs([ORDER])
    first = graph.find(0, "a of house 2")
    values = graph.values.copy()
    values[first] = graph.domain.parse("a3 is in house 2")
    labels = labelled(graph, values)
    assert labels.kind[first] == LOCAL
    assert labels.kind[graph.find(0, "a of house 1")] == CORRECT
    after = np.flatnonzero((graph.parents == first).any(1))
    follow = graph.follow(values, after)
    assert (labels.kind[after[follow == values[after]]] != LOCAL).all()
    nonsense = values.copy()
    nonsense[first] = graph.domain.parse("a9 is in house 7")
    assert (graph.follow(nonsense, after) == MISSING).all()
    assert PROPAGATION not in labelled(graph, graph.values).kind


def test_a_cell_needs_each_of_its_parents():
    puzzle = drawn_puzzle(3, 3, np.random.default_rng(2))
    graph = puzzle_graphs([puzzle])
    for node in np.flatnonzero(~graph.is_source).tolist():
        texts = [graph.domain.text(graph.values[parent]) for parent in graph.parents[node].tolist() if parent >= 0]
        name = graph.names[graph.name[node]]
        cell = next((h, a) for h, a in product(range(3), range(3)) if name == f"{'abc'[a]} of house {h + 1}")
        clues = set(map(str, puzzle.clues))
        for left_out in (text for text in texts if text not in clues):
            found = agreed(puzzle.shape, [_parsed(text) for text in texts if text != left_out])
            assert found is None or cell not in found


def test_scratchpads_of_puzzles_are_read_back():
    graph = puzzle_graphs([ORDER])
    assert np.array_equal(read_back(graph, [written(graph, 0)[1]]).values, graph.values)


# python-sat


class BruteForce:
    """Stands for a solver of python-sat: tries all assignments of a few statements."""

    def __init__(self, *, name, bootstrap_with):
        self.clauses = bootstrap_with
        self.num = max(abs(one) for clause in bootstrap_with for one in clause)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def solve(self, assumptions=()):
        for bits in product((False, True), repeat=self.num):
            given = [(one > 0) == bits[abs(one) - 1] for one in assumptions]
            if all(given) and all(any((one > 0) == bits[abs(one) - 1] for one in clause) for clause in self.clauses):
                self.model = [k + 1 if bit else -k - 1 for k, bit in enumerate(bits)]
                return True
        return False

    def get_model(self):
        return self.model


@pytest.fixture
def brute_force(monkeypatch):
    module, package = ModuleType("pysat.solvers"), ModuleType("pysat")
    module.Solver, package.solvers = BruteForce, module
    monkeypatch.setitem(sys.modules, "pysat", package)
    monkeypatch.setitem(sys.modules, "pysat.solvers", module)


def test_both_solvers_agree_on_every_fact(brute_force):
    shape = PuzzleShape(2, 2)
    facts = [clue.fact for clue in _all_clues(shape)]
    assert len(facts) == 8 + 4 * 1 + 8 * 1 + 4 * 1
    for some in [[], *([one] for one in facts), *([one, other] for one in facts[:6] for other in facts[6:])]:
        assert solvers._by_sat(shape, some) == agreed(shape, some), some


def test_clauses_say_what_the_facts_say():
    """On three houses, where left, beside and between differ: each way to fill them meets the clauses if it meets the facts."""
    shape = PuzzleShape(3, 2)
    ways = solvers._ways(3, 2)
    for clue in _all_clues(shape):
        formula = list(clauses(shape, [clue.fact]))
        meets = solvers._meets(ways, clue.fact)
        for way, expected in zip(ways, meets, strict=True):
            true = {solvers.variable(shape, (a, v), int(way[a, v])) for a in range(2) for v in range(3)}
            assert all(any((one > 0) == (abs(one) in true) for one in clause) for clause in formula) == expected
    assert len(list(clauses(shape, []))) == 6 * 2 + 6 * 2 * 3


def test_large_puzzles_need_python_sat(monkeypatch):
    monkeypatch.setitem(sys.modules, "pysat", None)
    with pytest.raises(AssayError, match=r"puzzles of 5 houses with 4 attributes need python-sat.*assay\[puzzles\]"):
        agreed(PuzzleShape(5, 4), [])
