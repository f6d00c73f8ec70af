"""Slopes and expected sizes in closed form agree with automatic differentiation and with counting draws."""

import math

import pytest
import torch
from torch import Generator

from assay.masks import ContinuousSparsification, HardConcrete

LOGITS = torch.linspace(-3, 3, 41)


@pytest.mark.parametrize("progress", [0.0, 0.3, 0.9])
def test_slopes_of_continuous_sparsification_are_those_of_autograd(progress):
    logits = LOGITS.double().requires_grad_()
    mask = torch.sigmoid(200**progress * logits)
    mask.sum().backward()
    relaxed = ContinuousSparsification().relax(LOGITS.double(), progress, Generator())
    assert torch.allclose(relaxed.mask, mask.detach())
    assert torch.allclose(relaxed.slope, logits.grad)
    assert torch.allclose(relaxed.chance_slope, logits.grad)
    assert float(relaxed.chance.sum()) == pytest.approx(float(mask.detach().sum()))


def test_slopes_of_hard_concrete_are_those_of_autograd():
    logits = LOGITS.double().requires_grad_()
    uniform = torch.rand(41, generator=Generator().manual_seed(3)).clamp(1e-4, 1 - 1e-4).double()
    concrete = torch.sigmoid((uniform.log() - (1 - uniform).log() + logits) / (2 / 3))
    mask = (concrete * 1.2 - 0.1).clamp(0, 1)
    (slope,) = torch.autograd.grad(mask.sum(), logits, retain_graph=True)
    size = torch.sigmoid(logits - (2 / 3) * math.log(0.1 / 1.1)).sum()
    (size_slope,) = torch.autograd.grad(size, logits)
    relaxed = HardConcrete().relax(LOGITS.double(), 0.5, Generator().manual_seed(3))
    assert torch.allclose(relaxed.mask, mask.detach())
    assert torch.allclose(relaxed.slope, slope)
    assert torch.allclose(relaxed.chance_slope, size_slope)
    assert float(relaxed.chance.sum()) == pytest.approx(float(size.detach()))


def test_expected_size_of_hard_concrete_is_the_share_of_draws_that_are_not_zero():
    logits, draws = torch.full((20_000,), -1.0), Generator().manual_seed(0)
    relaxed = HardConcrete().relax(logits, 0.0, draws)
    assert float((relaxed.mask > 0).float().mean()) == pytest.approx(float(relaxed.chance.sum()) / 20_000, abs=0.01)


def test_hard_concrete_keeps_what_is_kept_in_more_than_half_of_the_draws():
    for logit in (-0.4, 0.4):
        relaxed = HardConcrete().relax(torch.full((20_000,), logit), 0.0, Generator().manual_seed(0))
        often = float((relaxed.mask > 0.5).float().mean()) > 0.5
        assert bool(HardConcrete().hard(torch.tensor([logit]))[0]) == often


def test_a_late_mask_is_hard():
    relaxed = ContinuousSparsification().relax(torch.tensor([-0.1, 0.1]), 0.999, Generator())
    assert torch.allclose(relaxed.mask, torch.tensor([0.0, 1.0]), atol=1e-6)


def test_what_is_remembered_for_the_next_search_are_signs():
    again = ContinuousSparsification(start=0.05).again(torch.tensor([-2.0, -0.01, 0.02, 3.0]))
    assert again.tolist() == pytest.approx([-0.05, -0.01, 0.02, 0.05])
