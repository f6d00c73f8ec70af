"""Weight-sparse training keeps exactly the weights that it should, whichever way they are selected."""

import itertools

import numpy as np
import pytest
import torch
from torch import Generator, nn

from assay.cli.train import share
from assay.errors import AssayError
from assay.training import TrainingConfig, prune
from assay.training.sparse import Projection, normalise_gradient

SPARSE = {"sparse": 0.25, "sparse_floor": 1}


def matrix(rows: int, columns: int, seed: int = 0) -> nn.Linear:
    layer = nn.Linear(columns, rows)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(rows, columns, generator=Generator().manual_seed(seed)))
    return layer


def by_sorting(weight: np.ndarray, target: int, floor: int) -> np.ndarray:
    """Second route: floors by a loop over units, the rest by one sort."""
    keep = np.zeros_like(weight, dtype=bool)
    rows = weight.shape[0] >= weight.shape[1]
    for unit in range(max(weight.shape)):
        line = weight[unit] if rows else weight[:, unit]
        for other in np.argsort(-abs(line))[:floor]:
            keep[(unit, other) if rows else (other, unit)] = True
    for place in np.argsort(-abs(weight).ravel()):
        if keep.sum() >= target:
            break
        keep.ravel()[place] = True
    return np.where(keep, weight, 0)


@pytest.mark.parametrize(("rows", "columns"), [(12, 30), (30, 12), (9, 9), (1, 8), (8, 1), (1, 1)])
@pytest.mark.parametrize("floor", [0, 1, 2])
def test_the_largest_weights_and_those_of_each_unit_stay(rows: int, columns: int, floor: int):
    layer = matrix(rows, columns)
    before = layer.weight.detach().numpy().copy()
    bias = layer.bias.detach().clone()
    projection = Projection(layer, TrainingConfig(sparse=1.0, sparse_floor=floor))
    (one,) = projection.matrices
    target = one.target(0.4)
    one.project(target, exactly=True)
    assert np.array_equal(layer.weight.detach().numpy(), by_sorting(before, target, min(floor, rows, columns)))
    assert torch.equal(layer.bias, bias)
    assert int(torch.count_nonzero(layer.weight)) == target


def test_of_equal_weights_exactly_as_many_stay_as_asked():
    layer = nn.Linear(20, 10)
    nn.init.ones_(layer.weight)
    (one,) = Projection(layer, TrainingConfig(sparse=0.5, sparse_floor=1)).matrices
    one.project(77, exactly=True)
    assert int(torch.count_nonzero(layer.weight)) == 77


def test_the_last_threshold_serves_until_the_number_drifts():
    layer = matrix(64, 64)
    (one,) = Projection(layer, TrainingConfig(sparse=0.25, sparse_floor=1)).matrices
    with torch.no_grad():
        one.project(1024, exactly=True)
        threshold = float(one.threshold)
        layer.weight.copy_(matrix(64, 64).weight)
        one.project(1040, exactly=False)  # 1.5 % more: within what a threshold may drift, and it moves towards it
        assert int(torch.count_nonzero(layer.weight)) == 1023  # all beyond the smallest that was kept
        assert float(one.threshold) < threshold
        layer.weight.copy_(matrix(64, 64).weight)
        one.project(600, exactly=False)  # too far: selected exactly
        assert int(torch.count_nonzero(layer.weight)) == 600
        layer.weight.mul_(0.001)
        one.project(500, exactly=False)  # nothing passes the threshold but the floor
        assert int(torch.count_nonzero(layer.weight)) == 500


def test_a_random_mask_is_one_for_the_whole_training_whatever_the_weights():
    layer = matrix(20, 20)
    config = TrainingConfig(steps=10, sparse=0.25, sparse_floor=1, sparse_random=1)
    projection = Projection(layer, config)
    masks = []
    for step in (4, 9):  # the density has been reached at half of the steps
        with torch.no_grad():
            layer.weight.normal_(0, 1)
        projection.after(step)
        masks.append(layer.weight.detach() != 0)
    assert torch.equal(*masks)
    assert int(masks[0].sum()) == 100
    assert int(masks[0].sum(1).min()) >= 1
    other = matrix(20, 20)
    Projection(other, TrainingConfig(steps=10, sparse=0.25, sparse_floor=1, sparse_random=1, seed=1)).after(9)
    assert not torch.equal(other.weight != 0, masks[0])


def test_pruning_keeps_the_largest_weights_of_every_matrix():
    layer = matrix(10, 10)
    before = layer.weight.detach().numpy().copy()
    prune(layer, 0.3)
    assert np.array_equal(layer.weight.detach().numpy(), by_sorting(before, 30, 0))


def test_the_density_falls_from_all_to_the_target_in_the_first_half():
    config = TrainingConfig(steps=1000, **SPARSE)
    densities = [config.density(step) for step in range(1000)]
    assert densities[0] == 1
    assert densities[9] == 1 > densities[10]
    assert all(one >= other for one, other in itertools.pairwise(densities))
    assert densities[498] > densities[499] == densities[999] == 0.25
    rates = [config.rate(step) for step in range(1000)]
    assert 480 <= int(np.argmax(rates)) <= 500  # highest when the density has reached its target, but for the fall
    assert rates[-1] < 0.01 * max(rates)


def test_the_gradient_is_divided_by_its_root_mean_square():
    layer = matrix(3, 4)
    layer.weight.grad, layer.bias.grad = torch.full((3, 4), 5.0), torch.full((3,), -5.0)
    assert float(normalise_gradient(layer)) == pytest.approx(5 * 15**0.5)
    assert torch.equal(layer.weight.grad, torch.ones(3, 4))
    layer.weight.grad.zero_()
    layer.bias.grad.zero_()
    assert float(normalise_gradient(layer)) == 0.0
    assert torch.equal(layer.weight.grad, torch.zeros(3, 4))
    assert float(normalise_gradient(nn.ReLU())) == 0.0


def test_a_density_below_the_floor_is_named_with_what_to_change():
    with pytest.raises(AssayError, match=r"weight \(0.4\).*density of at least 0.4, a smaller sparse_floor"):
        Projection(nn.Linear(10, 10), TrainingConfig(sparse=1 / 64))
    with pytest.raises(AssayError, match="needs a network with matrices"):
        Projection(nn.LayerNorm(3), TrainingConfig(sparse=0.5))
    for sparse in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(AssayError, match="sparse"):
            TrainingConfig(sparse=sparse)


@pytest.mark.parametrize("text", ["0", "2", "1/0", "x", "-1/4", "nan", "1e-3", "9" * 40, ""])
def test_a_share_must_be_one(text: str):
    with pytest.raises(AssayError, match="--sparse must be a share"):
        share(text)


def test_a_share_is_a_fraction_or_a_number():
    assert share("1/64") == 1 / 64
    assert share("0.25") == 0.25
    assert share("1") == 1.0
