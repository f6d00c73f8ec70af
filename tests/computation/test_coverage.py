"""Substitution beside matched subgraphs: what exchanging values, and exchanging subgraphs, makes of trained steps."""

import numpy as np
import predictors_of_sums
import pytest

from assay.computation import FixedAlgorithm, Operation
from assay.computation.cells import FULL, NEW, STEP, seen
from assay.computation.coverage import KNOWN, NO_STEP, OUTSIDE, covered

ADD = Operation("add", lambda a, b: (a + b) % 5)


def sums(pairs):
    recipe = FixedAlgorithm()
    recipe.node("v", ADD, recipe.source("x"), recipe.source("y"))
    return recipe.computations(np.array(pairs))


def test_values_that_acted_alike_are_exchanged():
    """Modulo 5, adding 1 and adding 6 act alike: what was trained with one gives the other away."""
    pairs = [(x, y) for x in range(5) for y in (1, 6, 2, 3)]
    left_out = [(4, 6), (4, 2)]
    trained, tested = sums([pair for pair in pairs if pair not in left_out]), sums([*left_out, (4, 1)])
    reach = covered(trained, tested)
    assert reach.by_value.reshape(3, -1)[:, :2].tolist() == [[NO_STEP] * 2] * 3
    assert reach.by_value.reshape(3, -1)[:, 2].tolist() == [3, OUTSIDE, KNOWN]
    assert reach.by_subgraph.tolist() == reach.by_value.tolist()  # of sources the subgraph is the value
    assert (seen(trained, tested).cell.reshape(3, -1)[:2, 2] == NEW).all()


@pytest.mark.parametrize("shared", [1, 2, 3, 4])
def test_k_is_the_number_of_contexts_in_which_they_acted_alike(shared):
    pairs = [(x, 1) for x in range(5)] + [(x, 6) for x in range(shared)]
    reach = covered(sums(pairs), sums([(4, 6)]))
    assert reach.by_value[2] == (min(3, shared) if shared < 5 else KNOWN)


def test_a_subgraph_is_another_argument_than_its_value():
    """Two ways to the value 5 that share a context follow from each other; without one they do not, though the value does."""
    recipe = FixedAlgorithm()
    x, y, z = (recipe.source(name) for name in "xyz")
    plus = Operation("plus", np.add)
    recipe.node("v", Operation("times", np.multiply), recipe.node("u", plus, x, y), z)
    trained = recipe.computations(np.array([[2, 3, 1], [2, 3, 2], [1, 4, 2], [0, 5, 7], [1, 1, 9]]))
    tested = recipe.computations(np.array([[1, 4, 1], [0, 5, 1], [2, 3, 1]]))
    reach, cell = covered(trained, tested), seen(trained, tested).cell
    assert cell.reshape(3, -1)[:, 4].tolist() == [STEP, STEP, FULL]
    assert reach.by_value.reshape(3, -1)[:, 4].tolist() == [KNOWN] * 3
    assert reach.by_subgraph.reshape(3, -1)[:, 4].tolist() == [1, OUTSIDE, KNOWN]


def test_the_cells_and_substitution_agree_where_they_must():
    trained, tested, _ = predictors_of_sums.split(0)
    trained, tested = trained.take(np.arange(600)), tested.take(np.arange(300))
    cell, reach = seen(trained, tested).cell, covered(trained, tested)
    assert ((reach.by_subgraph == KNOWN) == (cell == FULL)).all()
    assert ((reach.by_value == KNOWN) == ((cell == FULL) | (cell == STEP))).all()
    assert (reach.by_subgraph[cell == STEP] == OUTSIDE).any()
    assert ((reach.by_value == NO_STEP) == tested.is_source).all()


def test_another_operation_and_nothing_trained():
    tested = sums([(1, 2)])
    other = FixedAlgorithm()
    other.node("v", Operation("times", np.multiply), other.source("x"), other.source("y"))
    for trained in (other.computations(np.array([[1, 2]])), sums(np.zeros((0, 2), int))):
        assert covered(trained, tested).by_value.tolist() == [NO_STEP, NO_STEP, OUTSIDE]
    assert len(covered(tested, tested.take(np.arange(0))).by_value) == 0
