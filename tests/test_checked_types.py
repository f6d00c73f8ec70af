"""The quick tests run under checks of types and shapes: what does not fit is refused where it enters or leaves a function."""

import pytest
import torch
from jaxtyping import Float, TypeCheckError, jaxtyped
from torch import Tensor

from assay.stats import cluster_means, share_interval
from checked_types import CALLS, begin_test, checked


def test_shapes_that_do_not_fit_are_refused():
    assert cluster_means(torch.ones(3), torch.zeros(3, dtype=torch.long)) is not None
    with pytest.raises(TypeCheckError, match="clusters"):
        cluster_means(torch.ones(3), torch.zeros(2, dtype=torch.long))


def test_types_that_do_not_fit_are_refused():
    with pytest.raises(TypeCheckError, match="found"):
        share_interval("one", 2)


def test_results_are_held_to_the_sizes_of_the_arguments():
    @jaxtyped(typechecker=checked)
    def turned(x: Float[Tensor, "n d"]) -> Float[Tensor, "d n"]:
        return x

    assert turned(torch.ones(2, 2)).shape == (2, 2)
    with pytest.raises(TypeCheckError, match="return value"):
        turned(torch.ones(2, 3))


def test_values_without_hints_are_let_through():
    @jaxtyped(typechecker=checked)
    def given(x, *, times: int = 1):
        return [x] * times

    assert given("a", times=2) == ["a", "a"]
    with pytest.raises(TypeCheckError, match="times"):
        given("a", times="2")


def test_a_function_is_checked_in_its_first_calls_of_each_test():
    @jaxtyped(typechecker=checked)
    def doubled(x: int) -> int:
        return 2 * x

    for x in range(CALLS):
        assert doubled(x) == 2 * x
    assert doubled("a") == "aa"
    begin_test()
    with pytest.raises(TypeCheckError, match="Parameter annotations"):
        doubled("a")
    for x in range(CALLS):
        assert doubled(x) == 2 * x
    assert doubled("a") == "aa"
