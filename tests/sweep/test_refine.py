"""Refinement spends networks where a planted threshold lies."""

import math

import pytest

from assay.sweep.grid import Cell, grid_of
from assay.sweep.refine import candidates, coordinates, next_cells


def planted(x: float, seed: int) -> float:
    """A step at 0.6, with a little difference between seeds."""
    return 1 / (1 + math.exp(-40 * (x - 0.6))) * 0.9 + 0.01 * math.sin(7 * seed + 11 * x)


def scores_of(grid, cells):
    return {cell: planted(float(cell.point[0]), cell.seed) for cell in cells}


def test_networks_are_spent_near_the_threshold():
    grid = grid_of({"coverage": (0.1, 0.3, 0.5, 0.7, 0.9)}, seeds=2)
    scores = scores_of(grid, grid.cells())
    for _ in range(3):
        chosen = next_cells(grid, scores, level=0.5, num=3)
        assert len(set(chosen)) == 3
        assert not set(chosen) & set(scores)
        scores |= scores_of(grid, chosen)
    spent = [float(cell.point[0]) for cell in list(scores)[10:]]
    assert sum(0.45 <= x <= 0.75 for x in spent) >= 7, spent
    assert any(x not in (0.1, 0.3, 0.5, 0.7, 0.9) for x in spent), "no point between the declared ones"


def test_the_level_decides_where():
    """The same scores, asked for two levels, in a slow rise from 0 to 1."""
    grid = grid_of({"x": (0.0, 0.25, 0.5, 0.75, 1.0)}, seeds=2)
    scores = {cell: float(cell.point[0]) + 0.02 * cell.seed for cell in grid.cells()}
    low, high = (next_cells(grid, scores, level=level, num=1)[0] for level in (0.1, 0.9))
    assert float(low.point[0]) < 0.3
    assert float(high.point[0]) > 0.7


def test_an_axis_without_influence_does_not_draw_networks_away():
    grid = grid_of({"coverage": (0.1, 0.3, 0.5, 0.7, 0.9), "kind": ("a", "b")}, seeds=2)
    chosen = next_cells(grid, scores_of(grid, grid.cells()), level=0.5, num=4)
    assert all(0.4 <= float(cell.point[0]) <= 0.8 for cell in chosen)
    assert {cell.point[1] for cell in chosen} == {"a", "b"}


def test_the_same_scores_choose_the_same_cells_in_any_order():
    grid = grid_of({"coverage": (0.1, 0.5, 0.9)}, seeds=3)
    scores = scores_of(grid, grid.cells())
    backwards = dict(reversed(scores.items()))
    assert next_cells(grid, scores, level=0.5, num=5) == next_cells(grid, backwards, level=0.5, num=5)


def test_what_cannot_be_made_or_was_taken_is_not_chosen():
    grid = grid_of({"coverage": (0.1, 0.5, 0.9)}, seeds=2)
    scores = scores_of(grid, grid.cells())
    free = next_cells(grid, scores, level=0.5, num=6)
    assert any(cell.point not in grid.points() for cell in free)
    bound = next_cells(grid, scores, level=0.5, num=6, possible=lambda point: point in grid.points())
    assert all(cell.point in grid.points() for cell in bound)
    failed = Cell(free[0].point, free[0].seed)
    assert failed not in next_cells(grid, scores, level=0.5, num=6, taken=[failed])


@pytest.mark.parametrize("num_scores", [0, 1])
def test_too_little_is_known_to_choose(num_scores):
    grid = grid_of({"coverage": (0.1, 0.9)}, seeds=1)
    scores = dict(list(scores_of(grid, grid.cells()).items())[:num_scores])
    assert next_cells(grid, scores, level=0.5, num=3) == []
    assert next_cells(grid, scores_of(grid, grid.cells()), level=0.5, num=0) == []


def test_equal_scores_give_cells_nevertheless():
    grid = grid_of({"coverage": (0.1, 0.9)}, seeds=2)
    assert len(next_cells(grid, dict.fromkeys(grid.cells(), 1.0), level=0.5, num=2)) == 2


def test_candidates_are_the_points_and_those_half_way_along_numbers():
    grid = grid_of({"width": (32, 128), "kind": ("a", "b")}, seeds=1)
    assert set(candidates(grid, grid.points())) == {*grid.points(), ("80", "a"), ("80", "b")}
    again = candidates(grid, [("32", "a"), ("80", "a"), ("128", "b")])
    assert set(again) == {("32", "a"), ("80", "a"), ("128", "b"), ("56", "a")}


def test_coordinates_span_numbers_from_0_to_1_and_keep_kinds_apart():
    grid = grid_of({"width": (32, 512), "kind": ("a", "b")}, seeds=1)
    assert coordinates(grid, ("32", "a")) == [0.0, 1.0, 0.0]
    assert coordinates(grid, ("128", "b")) == pytest.approx([0.5, 0.0, 1.0])
    assert coordinates(grid_of({"width": (32,)}, seeds=1), ("32",)) == [0.0]
