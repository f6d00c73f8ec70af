"""Axes as they are written, and the cells that they make."""

import pytest

from assay.errors import AssayError
from assay.sweep.grid import Axis, Cell, Grid, grid_of


def test_an_axis_is_read_as_it_is_written():
    assert Axis.parse("width=32, 128") == Axis("width", ("32", "128"))
    assert Axis.parse("supports=random+num_train=28").settings("random+num_train=28") == {
        "supports": "random",
        "num_train": "28",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width=", "must have the form NAME=VALUE,VALUE.*a grid without cells has nothing to train"),
        ("width", "must have the form NAME=VALUE"),
        ("=3", "must have the form NAME=VALUE"),
        ("width=3,,4", "must have the form NAME=VALUE"),
        ("width=3,3", "every value of width may be given once. Given: 3"),
    ],
)
def test_a_malformed_axis_is_told(text, message):
    with pytest.raises(AssayError, match=message):
        Axis.parse(text)


@pytest.mark.parametrize("value", ["random+28", "random+=28", "random+num_train="])
def test_what_a_value_sets_besides_is_a_name_and_a_value(value):
    with pytest.raises(AssayError, match=r"supports: a value with settings must be VALUE\+NAME=VALUE"):
        Axis("supports", (value,)).settings(value)


@pytest.mark.parametrize(
    ("values", "numbers", "logarithmic"),
    [
        (("32", "128", "256"), (32.0, 128.0, 256.0), True),
        (("0.2", "0.4", "0.8"), (0.2, 0.4, 0.8), False),
        (("-1", "100"), (-1.0, 100.0), False),
        (("0.1", "0.9"), (0.1, 0.9), False),
        (("1", "7"), (1.0, 7.0), False),
        (("1e-4", "1e-2"), (1e-4, 1e-2), True),
        (("random", "28"), None, False),
        (("nan", "1"), None, False),
    ],
)
def test_an_axis_knows_whether_it_holds_numbers(values, numbers, logarithmic):
    axis = Axis("axis", values)
    assert axis.numbers == numbers
    assert axis.logarithmic is logarithmic


@pytest.mark.parametrize(
    ("values", "low", "high", "between"),
    [
        (("32", "256"), "32", "256", "91"),  # sqrt(32 * 256) = 90.5
        (("32", "256"), "256", "32", "91"),
        (("0.2", "0.8"), "0.2", "0.8", "0.5"),
        (("1e-4", "1e-2"), "1e-4", "1e-2", "0.001"),
        (("1", "2"), "1", "2", None),  # no integer in between
        (("3", "7"), "3", "7", "5"),
    ],
)
def test_half_way_is_on_the_axis_scale_and_written_like_the_others(values, low, high, between):
    assert Axis("axis", values).between(low, high) == between


def test_a_grid_has_every_combination_seed_by_seed():
    grid = grid_of({"a": (1, 2), "b": ("x", "y", "z")}, seeds=2)
    cells = grid.cells()
    assert len(cells) == len(set(cells)) == 12
    assert cells[:4] == [Cell(("1", "x"), 0), Cell(("1", "y"), 0), Cell(("1", "z"), 0), Cell(("2", "x"), 0)]
    assert [cell.seed for cell in cells] == [0] * 6 + [1] * 6
    assert grid_of({"a": ["1"]}, seeds=1).cells() == [Cell(("1",), 0)]


def test_two_axes_may_not_set_one_thing():
    grid = grid_of({"a": ["x+b=3"], "b": ["4"]}, seeds=1)
    with pytest.raises(AssayError, match=r"b may be set by one axis. Given: a=x\+b=3, b=4"):
        grid.settings(("x+b=3", "4"))


@pytest.mark.parametrize(
    ("axes", "seeds", "message"),
    [
        ((), 3, "a sweep needs at least one axis"),
        ((Axis("a", ("1",)), Axis("a", ("2",))), 3, "every axis may be given once"),
        ((Axis("a", ("1",)),), 0, "at least one seed, or its grid has no cells. Given: 0"),
    ],
)
def test_a_grid_without_cells_is_a_mistake(axes, seeds, message):
    with pytest.raises(AssayError, match=message):
        Grid(axes, seeds)


def test_names_of_cells_are_safe_as_folders_and_never_meet():
    values = ("plain", "../up", "a/b", "a:b", "a b", "x" * 300, "x" * 301)
    grid = grid_of({"a": values}, seeds=2)
    names = [grid.cell_name(cell) for cell in grid.cells()]
    assert len(set(names)) == len(names)
    assert names[0] == "a=plain,seed=0"
    assert all(len(name) <= 120 and "/" not in name and not name.startswith(".") for name in names)


def test_points_are_ordered_by_number_and_else_as_declared():
    grid = grid_of({"kind": ("z", "a"), "width": ("128", "32")}, seeds=1)
    points = [("a", "32"), ("z", "128"), ("z", "64"), ("a", "9"), ("z", "32")]
    assert sorted(points, key=grid.order) == [("z", "32"), ("z", "64"), ("z", "128"), ("a", "9"), ("a", "32")]
