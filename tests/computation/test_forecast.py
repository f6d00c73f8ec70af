"""Accuracy at the next layer from the layers before: right where steps fail as often at any depth, wrong where they do not."""

import numpy as np
import predictors_of_sums
import pytest

from assay.computation.cells import FULL, NEW, SOURCES, STEP, seen
from assay.computation.forecast import forecast
from assay.computation.labels import labelled
from assay.computation.predictors import full_table, noisy_executor, step_table

TRAINED, TESTED, _ = predictors_of_sums.split(0)
TESTED = TESTED.take(np.arange(1_500))
CELL = seen(TRAINED, TESTED).cell


def ahead(values, depth, seed=0):
    return forecast(TESTED, labelled(TESTED, values), CELL, depth, np.random.default_rng(seed))


def test_constant_errors_are_predicted_within_the_interval():
    """In 20 draws of 5 depths the share within is that of a 95 % interval, or above."""
    rng = np.random.default_rng(0)
    found = [ahead(noisy_executor(TESTED, 0.05, rng), depth, seed) for seed in range(20) for depth in range(1, 6)]
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
