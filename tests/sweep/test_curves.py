"""The fits find planted curves, and say so when there is none."""

import math

import numpy as np
import pytest
from rows_for_tests import row

from assay.sweep.curves import number_at, place, slices
from assay.sweep.grid import Axis, grid_of
from assay.sweep.logistic import Logistic, fit_logistic
from assay.sweep.power_law import fit_power_law

COVERAGE = (0.1, 0.3, 0.5, 0.7, 0.9)
WIDTHS = (16, 32, 64, 128, 256)


def at(curve: Logistic, u: float) -> float:
    return float(curve(np.array([u]))[0])


def planted(values, score, *, seeds=4, noise=0.02, axis="x"):
    """The slice of an axis with planted scores and a little noise that differs between networks."""
    rng = np.random.default_rng(0)
    grid = grid_of({axis: values}, seeds=seeds)
    rows = [
        row({axis: cell.point[0]}, cell.seed, float(np.clip(score(float(cell.point[0])) + noise * rng.normal(), 0, 1)))
        for cell in grid.cells()
    ]
    (found,) = slices(grid, rows)
    return found


def fitted(members, success=0.8, seed=0):
    fit = fit_logistic(members, success=success, rng=np.random.default_rng(seed))
    return fit, {measure.name: measure for measure in fit.measures}


def test_a_planted_logistic_curve_is_found():
    curve = Logistic(floor=0.12, middle=0.6, steepness=9.0)  # 0.12: the best null of the rows
    fit, measures = fitted(planted(COVERAGE, lambda x: at(curve, (x - 0.1) / 0.8)))
    assert fit.slice.floor == pytest.approx(0.12)
    assert fit.curve.middle == pytest.approx(0.6, abs=0.03)
    assert fit.curve.steepness == pytest.approx(9.0, rel=0.15)
    half = measures["half-way point"]
    assert half.value == pytest.approx(0.1 + 0.8 * 0.6, abs=0.03)
    assert half.interval.low < 0.58 < half.interval.high
    assert half.interval.high - half.interval.low < 0.1
    needed = measures["value needed for 0.8"]
    assert needed.value == pytest.approx(0.1 + 0.8 * curve.reaches(0.8), abs=0.03)
    fit = measures["logistic fit"]
    assert fit.value > 0.95
    assert fit.nulls[0].p == pytest.approx(1 / 200)
    assert max(fit.nulls[0].values) < 0.9


def test_a_logarithmic_axis_is_read_on_its_scale():
    curve = Logistic(floor=0.12, middle=0.5, steepness=8.0)
    axis = Axis("x", tuple(map(str, WIDTHS)))
    _, measures = fitted(planted(WIDTHS, lambda x: at(curve, place(axis, x))))
    assert measures["half-way point"].value == pytest.approx(64, rel=0.1)  # sqrt(16 * 256)


def test_scores_that_depend_on_nothing_have_no_transition():
    _, measures = fitted(planted(COVERAGE, lambda x: 0.55, noise=0.1))
    assert measures["half-way point"].value is None
    assert "no more than by chance" in measures["half-way point"].note
    assert measures["logistic fit"].nulls[0].p > 0.05


def test_chance_is_called_an_influence_no_more_often_than_it_should_be():
    called = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        grid = grid_of({"x": COVERAGE}, seeds=3)
        rows = [row({"x": cell.point[0]}, cell.seed, float(rng.uniform(0.3, 0.7))) for cell in grid.cells()]
        fit, _ = fitted(slices(grid, rows)[0], seed=seed)
        called += fit.measures[0].nulls[0].p <= 0.05
    assert called <= 5  # 2 expected


@pytest.mark.parametrize(("middle", "where"), [(1.6, "above"), (-0.6, "below")])
def test_a_transition_outside_of_what_was_run_is_not_resolved(middle, where):
    curve = Logistic(floor=0.12, middle=middle, steepness=5.0)
    _, measures = fitted(planted(COVERAGE, lambda x: at(curve, (x - 0.1) / 0.8), noise=0.002))
    assert measures["half-way point"].value is None
    assert f"lies {where} all values of x" in measures["half-way point"].note


def test_a_perfect_step_and_perfect_networks_are_no_trouble():
    _, measures = fitted(planted(COVERAGE, lambda x: 1.0 if x > 0.4 else 0.12, noise=0.0))
    assert 0.3 < measures["half-way point"].value < 0.5
    assert measures["logistic fit"].value > 0.99
    _, flat = fitted(planted(COVERAGE, lambda x: 1.0, noise=0.0))
    assert flat["half-way point"].value is None
    assert flat["logistic fit"].value == 0


def test_a_null_that_is_always_right_is_no_trouble():
    grid = grid_of({"x": COVERAGE}, seeds=3)
    rows = [row({"x": cell.point[0]}, cell.seed, 1.0, null=1.0) for cell in grid.cells()]
    _, measures = fitted(slices(grid, rows)[0])
    assert measures["half-way point"].value is None


def test_where_a_curve_reaches_a_score():
    curve = Logistic(floor=0.2, middle=0.5, steepness=10.0)
    assert curve.reaches(0.6) == pytest.approx(0.5)
    assert at(curve, curve.reaches(0.8)) == pytest.approx(0.8)
    assert curve.reaches(0.1) == -math.inf
    assert curve.reaches(1.0) == math.inf
    assert Logistic(floor=0.2, middle=0.5, steepness=0.0).reaches(0.8) == math.inf


@pytest.mark.parametrize("exponent", [0.3, 0.7])
def test_a_planted_power_law_is_found(exponent):
    measure = fit_power_law(planted(WIDTHS, lambda x: 1 - 2 * x**-exponent, noise=0.003), rng=np.random.default_rng(0))
    assert measure.value == pytest.approx(exponent, abs=0.03)
    assert measure.interval.low < exponent < measure.interval.high
    assert measure.nulls[0].p == pytest.approx(1 / 200)
    assert "factor a 2" in measure.note or "factor a 1.9" in measure.note


def test_a_power_law_needs_positive_values():
    assert fit_power_law(planted((0, 1, 2), lambda x: 0.3 * x), rng=np.random.default_rng(0)) is None


def test_scores_that_do_not_vary_have_no_exponent():
    measure = fit_power_law(planted(WIDTHS, lambda x: 0.5, noise=0.0), rng=np.random.default_rng(0))
    assert measure.value is None
    assert "do not vary" in measure.note


def test_slices_hold_everything_else_and_need_three_values():
    grid = grid_of({"x": (1, 2, 3), "kind": ("a", "b"), "width": (8, 16)}, seeds=1)
    rows = [row(dict(zip(("x", "kind", "width"), cell.point, strict=True)), 0, 0.5) for cell in grid.cells()]
    found = slices(grid, rows)
    assert [(one.axis.name, one.others) for one in found] == [
        ("x", {"kind": kind, "width": width}) for kind in ("a", "b") for width in ("8", "16")
    ]
    assert all(len(one.rows) == 3 for one in found)
    assert slices(grid, []) == []
    without = [entry.model_copy(update={"values": {**entry.values, "novel_score": None}}) for entry in rows]
    assert slices(grid, without) == []


def test_places_and_numbers_undo_each_other():
    for axis in (Axis("w", ("32", "256")), Axis("c", ("0.2", "0.8"))):
        for number in (0.1, 1.0, 100.0):
            assert number_at(axis, place(axis, number)) == pytest.approx(number)
    assert place(Axis("one", ("3",)), 3.0) == 0.0
