"""The quick tests run under checks of types and shapes: what does not fit is refused where it enters a function of ours."""

import pytest
import torch
from jaxtyping import TypeCheckError

from assay.stats import cluster_means, share_interval


def test_shapes_that_do_not_fit_are_refused() -> None:
    assert cluster_means(torch.ones(3), torch.zeros(3, dtype=torch.long)) is not None
    with pytest.raises(TypeCheckError, match="clusters"):
        cluster_means(torch.ones(3), torch.zeros(2, dtype=torch.long))


def test_types_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TypeCheckError, match="found"):
        share_interval("one", 2)  # pyrefly: ignore
