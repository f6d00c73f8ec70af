"""Public checks on `circuits` with gates and single weights, which its quick budget leaves out: nothing but network and seed
decides what they find."""

import dataclasses

import pytest

from assay.conformance import pairs
from assay.conformance.checks import (
    check_every_number_stands_beside_null_and_interval,
    check_same_seed_same_evidence,
    check_the_order_of_examples_does_not_matter,
    check_the_subject_is_left_as_it_was,
)
from assay.instruments.circuits import Circuits
from assay.instruments.circuits.metrics import BUDGETS

pytestmark = pytest.mark.slow

GATED = Circuits(
    budgets={
        "quick": dataclasses.replace(
            BUDGETS["quick"], examples=60, points=4, draws=2, seeds=2, ascent=1, nonsense=2, few=1, conditions=0, copies=5,
            prices=(0.2, 1.0), steps=(20, 5), batch_size=30, weights=True,
        )
    }
)  # fmt: skip


@pytest.mark.parametrize(
    "check",
    [
        check_same_seed_same_evidence,
        check_the_subject_is_left_as_it_was,
        check_the_order_of_examples_does_not_matter,
        check_every_number_stands_beside_null_and_interval,
    ],
    ids=lambda check: check.__name__.removeprefix("check_"),
)
def test_circuits_with_gates(check):
    check(GATED, pairs())
