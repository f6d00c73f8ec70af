"""Accuracy at the next layer from the layers before: right where steps fail as often at any depth, wrong where they do not."""

import numpy as np
import predictors_of_sums
import pytest

from assay.computation.cells import FULL, NEW, SOURCES, STEP, seen
from assay.computation.forecast import _at_next, forecast
from assay.computation.labels import labelled
from assay.computation.predictors import full_table, noisy_executor, step_table

TRAINED, TESTED, _ = predictors_of_sums.split(0)
TESTED = TESTED.take(np.arange(1_500))
CELL = seen(TRAINED, TESTED).cell


def ahead(values, depth, seed=0, *, changing=False):
    return forecast(TESTED, labelled(TESTED, values), CELL, depth, np.random.default_rng(seed), changing=changing)


def test_constant_errors_are_predicted_within_the_interval():
    """In 8 draws of 5 depths the share within is that of a 95 % interval, or above."""
    rng = np.random.default_rng(0)
    found = [ahead(noisy_executor(TESTED, 0.05, rng), depth, seed) for seed in range(8) for depth in range(1, 6)]
    assert np.mean([one.within for one in found]) >= 0.9
    assert max(one.high - one.low for one in found) < 0.15
    assert all(one.low <= one.value <= one.high for one in found)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_errors_of_cells_are_those_that_return(depth):
    """A table of steps fails where a step was not trained: at every depth in the same way."""
    found = ahead(step_table(TRAINED, TESTED, np.random.default_rng(0)), depth)
    assert found.within, found
    table = ahead(full_table(TRAINED, TESTED, np.random.default_rng(0)), depth)
    assert table.observed < 0.99


def test_steps_that_become_harder_are_found_out():
    rng = np.random.default_rng(0)
    harder = rng.random(len(TESTED)) < 0.02 * TESTED.layers**2
    values = np.where(harder & ~TESTED.is_source, TESTED.values + 1, TESTED.values)
    found = ahead(values, 4)
    assert found.observed < found.low
    for depth in (2, 3, 4):
        changing = ahead(values, depth, changing=True)
        assert changing.within, changing
        assert changing.high - changing.low < 0.5
    assert ahead(values, 4, changing=True).value < found.value - 0.03


def test_rates_that_change_predict_constant_ones_too():
    rng = np.random.default_rng(0)
    found = [ahead(noisy_executor(TESTED, 0.05, rng), depth, seed, changing=True) for seed in range(2) for depth in (3, 5)]
    assert all(one.within for one in found)
    assert max(abs(one.value - one.observed) for one in found) < 0.05


def test_the_mode_of_the_line_is_where_nothing_improves_it():
    """Another route: the penalised likelihood of the fitted rates is not raised by any small move."""
    of, happened = np.array([400.0, 300.0, 500.0]), np.array([4.0, 9.0, 41.0])

    def penalised(beta):
        level, slope, *off = beta
        logits = level + slope * np.arange(-2.0, 1.0) + off
        fit = happened @ logits - of @ np.logaddexp(0, logits)
        return fit - 0.5 * (level**2 / 3.0**2 + slope**2 / 0.5**2 + np.square(off).sum() / 0.5**2)

    from scipy.optimize import minimize

    best = minimize(lambda beta: -penalised(beta), np.zeros(5), method="BFGS").x
    rate = _at_next(of[None, :, None], happened[None, :, None], None)
    assert rate[0, 0] == pytest.approx(1 / (1 + np.exp(-best[:2].sum())), rel=1e-3)


def test_nodes_of_a_kind_that_was_not_met_may_be_all_wrong_or_all_right():
    tested = TESTED.take(np.arange(400))
    cells = np.where(tested.is_source, SOURCES, np.where(tested.layers == 2, NEW, FULL))
    for changing in (False, True):
        found = forecast(tested, labelled(tested, tested.values), cells, 1, np.random.default_rng(0), changing=changing)
        assert (found.low, found.high, found.value) == (0.0, 1.0, 0.5)
        assert found.within


def test_rates_by_hand():
    """Three in four with right ancestors are right in each cell, and none behind a wrong one."""
    tested = TESTED.take(np.arange(400))
    values = tested.values.copy()
    first = np.flatnonzero(tested.layers == 1)
    values[first[::4]] += 1
    labels = labelled(tested, values)
    for cell in (FULL, STEP, NEW):
        cells = np.where(tested.is_source, SOURCES, cell)
        found = forecast(tested, labels, cells, 1, np.random.default_rng(0))
        clean = labels.clean[tested.layers == 2].mean()
        assert found.value == pytest.approx(0.75 * clean + 0.5 * (1 - clean), abs=0.01)  # of the last nothing is known


def test_without_nodes_nothing_is_predicted():
    none = TESTED.take(np.arange(0))
    found = forecast(none, labelled(none, none.values), np.zeros(0, int), 1, np.random.default_rng(0))
    assert np.isnan(found.value)
    assert not found.within
    one = TESTED.take(np.arange(1))
    found = forecast(one, labelled(one, one.values), CELL[TESTED.example == 0], 5, np.random.default_rng(0))
    assert found.observed == 1.0
