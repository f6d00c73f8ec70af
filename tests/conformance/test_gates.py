"""The public checks on `circuits` with gates and single weights, which its quick budget leaves out."""

import dataclasses

import pytest

from assay.conformance import CHECKS, pairs
from assay.instruments.circuits import Circuits
from assay.instruments.circuits.metrics import BUDGETS

pytestmark = pytest.mark.slow

GATED = Circuits(
    budgets={
        "quick": dataclasses.replace(
            BUDGETS["quick"], examples=80, points=5, draws=3, seeds=2, ascent=1, nonsense=2, few=1, conditions=0,
            prices=(0.2, 1.0), steps=(30, 10), batch_size=40, weights=True,
        )
    }
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_circuits_with_gates(check):
    check(GATED, pairs())
