"""Which functions are affine is decided right, also where they bend far from the real values."""

from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.cuts.affine import is_affine


def judged(function: Callable[..., Tensor], *points: Tensor) -> bool:
    return is_affine(lambda some: [function(*some)], points, tolerance=1e-4, seed=0)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(0))


WEIGHT = normal(5, 4)

AFFINE: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: F.linear(x, WEIGHT, torch.ones(5)),
    "mean": lambda x: x.mean(0),
    "constant": lambda x: torch.ones(3),
    "reversed": lambda x: 1 - x.flip(0),
    "masked with infinity": lambda x: x.masked_fill(torch.eye(3, 4).bool(), -torch.inf),
    "where with a constant mask": lambda x: torch.where(torch.eye(3, 4).bool(), 0.0, x),
    "nothing": lambda x: x[:0],
}
NOT_AFFINE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "bends far off": lambda x: F.hardtanh(x, -6, 6),
    "square": lambda x: x * x,
    "softmax": lambda x: x.softmax(-1),
    "maximum": lambda x: x.amax(-1),
    "place of the maximum": lambda x: x.argmax(-1),
    "comparison": lambda x: x > 0,
    "domain left": torch.log,
    "layer norm": lambda x: F.layer_norm(x, (4,)),
    "absolute": torch.abs,
    "softmax behind a mask": lambda x: x.masked_fill(torch.eye(3, 4).bool(), -torch.inf).softmax(-1),
    "rounding": torch.round,
}


@pytest.mark.parametrize("name", AFFINE)
def test_affine_functions(name: str):
    assert judged(AFFINE[name], normal(3, 4))


@pytest.mark.parametrize("name", NOT_AFFINE)
@pytest.mark.parametrize("point", [normal(3, 4), torch.zeros(3, 4), 20 + normal(3, 4), torch.full((1, 4), 0.5)], ids=str)
def test_functions_that_are_not(name: str, point: Tensor):
    function = NOT_AFFINE[name]
    if name.endswith("a mask"):
        point = point.expand(3, 4)
    assert not judged(function, point)


def test_affine_in_each_argument_is_not_affine_in_both():
    assert judged(lambda q: q @ normal(4, 3), normal(3, 4))
    assert not judged(lambda q, k: q @ k, normal(3, 4), normal(4, 3))
    assert judged(lambda a, b: 2 * a - b, normal(3, 4), normal(3, 4))


@pytest.mark.parametrize("size", [0, 1])
def test_sizes_0_and_1(size: int):
    assert judged(lambda x: 3 * x, normal(size))
    assert judged(torch.relu, normal(size)) == (size == 0)


def test_entries_that_stand_for_infinity_are_left_alone():
    scores = normal(3, 4).masked_fill(torch.eye(3, 4).bool(), torch.finfo(torch.float32).min)
    assert judged(lambda s: s + 1, scores)
    assert not judged(lambda s: s.softmax(-1), scores)


def test_complex_numbers():
    point = torch.view_as_complex(normal(3, 2))
    assert judged(lambda z: z * 1j, point)
    assert not judged(lambda z: z * z.conj(), point)
