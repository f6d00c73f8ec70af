"""Drawing the trained combinations, on grids small enough to count."""

from itertools import pairwise

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.tasks.novelty import FEW, draw_trained, few_of_each, held_out_pairs


def grid_of(*sizes):
    columns = torch.cartesian_prod(*(torch.arange(size) for size in sizes)).unbind(1)
    return {f"slot{k}": column for k, column in enumerate(columns)}, list(sizes)


def drawn(sizes, coverage, *, novel=None, always=None, seed=0):
    grid, sizes = grid_of(*sizes)
    generator = Generator().manual_seed(seed)
    return draw_trained("grid", grid, sizes, coverage=coverage, novel=novel, always=always, generator=generator)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sizes", [(2, 2), (3, 5, 2), (7, 2)])
def test_every_value_is_covered_with_as_few_as_there_can_be(sizes, seed):
    grid, _ = grid_of(*sizes)
    total = len(grid["slot0"])
    trained = drawn(sizes, max(sizes) / total, seed=seed)
    assert int(trained.sum()) == max(sizes)
    assert [len(column[trained].unique()) for column in grid.values()] == list(sizes)


@pytest.mark.parametrize("seed", range(5))
def test_novel_ones_are_never_trained_and_some_always_are(seed):
    grid, _ = grid_of(4, 4, 3)
    novel = (grid["slot0"] == 3) & (grid["slot1"] != 0)
    always = (grid["slot0"] == 3) & (grid["slot1"] == 0)
    for coverage in (0.2, 0.5, (48 - 9) / 48):
        trained = drawn((4, 4, 3), coverage, novel=novel, always=always, seed=seed)
        assert not bool((trained & novel).any())
        assert bool(trained[always].all())
        assert int(trained.sum()) == round(coverage * 48)
        assert all(len(column[trained].unique()) == size for column, size in zip(grid.values(), (4, 4, 3), strict=True))


def test_a_value_that_is_novel_throughout_stays_out():
    grid, _ = grid_of(4, 4)
    trained = drawn((4, 4), 0.5, novel=grid["slot0"] == 2)
    assert sorted(set(grid["slot0"][trained].tolist())) == [0, 1, 3]
    assert len(grid["slot1"][trained].unique()) == 4


def test_coverage_out_of_reach_is_told_with_what_can_be_reached():
    grid, _ = grid_of(4, 4)
    with pytest.raises(AssayError, match=r"leave one combination out, so there are 4 to 15 of them.*between 0.25 and 0.94"):
        drawn((4, 4), 0.99)
    with pytest.raises(AssayError, match=r"leave all novel combinations out, so there are 4 to 12.*between 0.25 and 0.75"):
        drawn((4, 4), 0.8, novel=grid["slot0"] == 2)


def test_a_rule_that_holds_out_nothing_or_leaves_nothing_is_refused():
    with pytest.raises(AssayError, match=r"must hold some combinations out and leave enough.*16 of 16 left"):
        drawn((4, 4), 0.5, novel=torch.zeros(16, dtype=torch.bool))
    with pytest.raises(AssayError, match="0 of 16 left to train, at least 4 needed"):
        drawn((4, 4), 0.5, novel=torch.ones(16, dtype=torch.bool))


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (3, 7), (7, 3), (5, 5)])
def test_held_out_pairs_leave_every_value_a_partner(rows, columns, generator):
    held = held_out_pairs(rows, columns, generator)
    assert held.shape == (rows, columns)
    assert int(held.sum()) == min(rows, columns) - 1
    assert int(held.sum(0).max()) == int(held.sum(1).max()) == 1
    assert bool((~held).any(0).all())
    assert bool((~held).any(1).all())


def test_few_of_each_value(generator):
    column = torch.tensor([0] * 50 + [1] * 50 + [2] * 3)
    chosen = few_of_each(column, range(1, 3), generator)
    assert column[chosen].bincount(minlength=3).tolist() == [0, FEW, 3]
    others = [few_of_each(column, range(1, 3), Generator().manual_seed(seed)) for seed in range(3)]
    assert not all(torch.equal(a, b) for a, b in pairwise(others))
