"""Examples are found among the dimensions of a tensor, and states become matrices and come back."""

import pytest
import torch
from torch import Generator, Tensor

from assay.cuts.state import Rows, State, close, find_rows
from assay.errors import AssayError

PLACES = [Rows(0, 1, 1), Rows(1, 1, 1), Rows(2, 1, 1), Rows(0, 1, 4), Rows(0, 4, 1), Rows(1, 2, 2), Rows(2, 1, 6)]


def planted(place: Rows, rows: int, *, seed: int = 0) -> Tensor:
    """A tensor of two further dimensions with the examples in that place, by plain indexing."""
    examples = torch.randn(8, place.outer, place.inner, 2, 3, generator=Generator().manual_seed(seed))[:rows]
    slices = [examples[k, a, :, :, :] for a in range(place.outer) for k in range(rows)]
    folded = torch.cat(slices)  # outer, then examples, then inner
    return folded.movedim(0, place.dim)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_the_planted_place_is_found(place: Rows):
    tensor, larger = planted(place, 3), planted(place, 5)
    moved = place.back(place.first(tensor).roll(1, 0), tensor.shape)
    assert find_rows(tensor, moved, larger.shape, rows=3, more=5) == place
    assert torch.equal(place.first(tensor), place.first(larger)[:3])


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_first_and_back_are_inverse(place: Rows):
    tensor = planted(place, 3)
    first = place.first(tensor)
    assert len(first) == 3
    assert torch.equal(place.back(first, tensor.shape), tensor)


def test_positions_first_read_like_examples_first():
    tensor = torch.randn(3, 7, 2)
    assert torch.equal(Rows(1, 1, 1).first(tensor.transpose(0, 1)), tensor)
    assert torch.equal(Rows(0, 7, 1).first(tensor.transpose(0, 1).reshape(21, 2)), tensor)


def test_no_place_where_nothing_grows_or_permutes():
    tensor = torch.randn(3, 4)
    assert find_rows(tensor, tensor, torch.Size((3, 4)), rows=3, more=5) is None  # as large on five examples
    assert find_rows(tensor, torch.randn(3, 4), torch.Size((5, 4)), rows=3, more=5) is None  # other rows, not the same moved
    assert find_rows(tensor @ tensor.T, tensor @ tensor.T, torch.Size((5, 5)), rows=3, more=5) is None  # grows twice


def state(n: int = 4, **changed: object) -> State:
    random = torch.randn(n, 2, 3, generator=Generator().manual_seed(0))
    masked = random.clone()
    masked[:, 0, 0] = -torch.inf
    parts = {"values": {"a": random, "b": masked, "c": random[:, 0, 0]}, "carried": {}, "shared": {}, **changed}
    return State(depth=1, numbers={}, shapes={"x": (2,)}, **parts)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_a_matrix_and_back(n: int):
    one = state(n)
    assert len(one) == n
    assert one.flat().shape == (n, 6 + (5 if n else 6) + 1)  # of no example, nothing is known to be masked
    back = one.unflat(one.flat())
    assert all(torch.equal(back.values[name], value) for name, value in one.values.items())


def test_a_matrix_has_its_own_number_of_rows_where_nothing_is_carried():
    patched = state().unflat(torch.zeros(7, 12))
    assert {len(value) for value in patched.values.values()} == {7}
    assert bool((patched.values["b"][:, 0, 0] == -torch.inf).all())
    assert float(patched.values["b"][:, 1].abs().max()) == 0


def test_carried_tensors_fix_the_number_of_rows():
    one = state(carried={"tokens": torch.arange(4)})
    with pytest.raises(AssayError, match=r"\(2, 12\), where \(4, 12\)"):
        one.unflat(torch.zeros(2, 12))
    two = one[:2].unflat(torch.zeros(2, 12))
    assert torch.equal(two.carried["tokens"], torch.arange(2))


def test_a_mask_of_its_own_for_each_example_is_refused():
    value = torch.zeros(2, 3)
    value[0, 0] = -torch.inf
    with pytest.raises(AssayError, match="same entries are masked"):
        state(values={"scores": value}).flat()
    with pytest.raises(AssayError, match="only if the cut has floating-point tensors"):
        state(values={}).flat()


def test_agreement_is_relative_and_knows_infinity():
    a = torch.tensor([1e-6, 2e-6, -torch.inf])
    assert close(a, a * 1.00001, tolerance=1e-4)
    assert not close(a, a * 1.1, tolerance=1e-4)
    assert close(a, a * 1.1, tolerance=1e-4, at_least=1.0)
    assert not close(a, a.abs(), tolerance=1e-4)
    assert not close(a, a[:2], tolerance=1e-4)
    assert not close(torch.tensor([1]), torch.tensor([2]), tolerance=0.5)
