"""Tuples and their numbers against each other, and the drawing of a few among many."""

import pytest
import torch
from torch import Generator

from assay.tasks.tuples import LARGE, draw_few, ravel, unravel


@pytest.mark.parametrize("sizes", [(3,), (2, 5), (4, 1, 3)])
def test_numbers_and_tuples_are_one_to_one(sizes):
    every = torch.cartesian_prod(*(torch.arange(size) for size in sizes)).reshape(-1, len(sizes))
    numbers = torch.arange(len(every))
    assert torch.equal(unravel(numbers, sizes), every)
    assert torch.equal(ravel(every.unbind(1), sizes), numbers)


@pytest.mark.parametrize("n", [0, 1])
def test_no_tuples_one_tuple_and_no_slots(n):
    assert unravel(torch.zeros(n, dtype=torch.int64), (3, 2)).shape == (n, 2)
    assert unravel(torch.zeros(n, dtype=torch.int64), ()).shape == (n, 0)
    assert ravel([torch.zeros(n, dtype=torch.int64)], [3]).shape == (n,)


def test_few_of_very_many_are_distinct_and_even(generator):
    total, n = 4 * LARGE, 20_000
    rows = draw_few(total, n, replacement=False, generator=generator)
    assert len(rows.unique()) == len(rows) == n
    assert 0 <= int(rows.min()) <= int(rows.max()) < total
    counts = torch.histc(rows.double(), bins=10, min=0, max=total)
    assert float((counts - n / 10).abs().max()) < 5 * (n / 10) ** 0.5
    # The order is random too, not sorted in disguise.
    assert abs(float(torch.corrcoef(torch.stack([rows.double(), torch.arange(n).double()]))[0, 1])) < 5 / n**0.5


@pytest.mark.parametrize(("total", "n"), [(10, 4), (10, 20), (4 * LARGE, 0), (4 * LARGE, 1)])
def test_few_of_any_number_are_as_promised(total, n, generator):
    rows = draw_few(total, n, replacement=False, generator=generator)
    assert len(rows) == len(rows.unique()) == min(n, total)
    again = [draw_few(total, n, replacement=True, generator=Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(again[0], again[1])
    assert len(again[0]) == n
