"""The p of a rate beside its nulls, by hand."""

import math

import pytest
import torch

from assay.instruments.polar.measures import fitted_p, null_p
from assay.stats import gain_over


def test_p_over_fits_by_hand():
    """Differences of 1 and 3 on two texts: variance 2 / 2. Seeds that scored 0 and 2: variance 2 (1/2 + 1/2) of fits. With one
    degree of freedom the t distribution is Cauchy's."""
    units, other = torch.tensor([2.0, 5.0]), torch.tensor([1.0, 2.0])
    for repeats in (2, 5):
        t = 2 / math.sqrt(1 + 2 * (1 / 2 + 1 / repeats))
        assert fitted_p(units, other, (0.0, 2.0), repeats) == pytest.approx(0.5 - math.atan(t) / math.pi)
    assert fitted_p(units, other, (1.0,), 2) == pytest.approx(0.5 - math.atan(2) / math.pi)  # one fit shows no variance


def test_p_beside_fits_is_not_that_beside_networks():
    units = torch.tensor([2.0, 5.0, 3.0, 4.0, 6.0])
    others = torch.stack([torch.zeros(5), torch.ones(5)])
    assert null_p(units, others, (0.0, 2.0), networks=False) == fitted_p(units, others.mean(0), (0.0, 2.0), 2)
    t = 3.5 / math.sqrt(0.5 * (1 + 1 / 2) + 2.5 / 5)
    assert null_p(units, others, (), networks=True) == pytest.approx(0.5 - math.atan(t) / math.pi)


def test_p_of_a_mask_by_hand():
    """Null values 0 and 2 have variance 2 (1 + 1/2); that over problems is given."""
    t = 3 / math.sqrt(3 + 0.5)
    assert gain_over(4.0, 0.5, [0.0, 2.0]).p == pytest.approx(0.5 - math.atan(t) / math.pi)
