"""The public checks, on pairs of which enough are trained to be held out, and a network that composes them."""

import dataclasses
import functools

import pytest
import torch
from stages import SIZE, Declared, Stages, by_pair, composer, reading, sums

from assay.conformance import CHECKS, Case
from assay.conformance.case import linear_layers_permuted
from assay.conformance.tasks import Few, Reordered
from assay.instruments.recombination import Recombination
from assay.instruments.recombination.instrument import BUDGETS
from assay.subject import Subject

pytestmark = pytest.mark.slow

TASK = Declared()
SMALL = {"quick": dataclasses.replace(BUDGETS["quick"], examples=200, scrambled=1, turned=1)}
INSTRUMENT = Recombination(budgets=SMALL)


def fresh(task, generator):
    module = composer().module
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(0, 0.3, generator=generator)
    return module


def on_wrong_labels(task, num):
    """Each knows another table by heart."""
    tables = [torch.randint(SIZE, (SIZE**2,), generator=torch.Generator().manual_seed(seed)) for seed in range(num)]
    return [Subject(Stages(reading(), *by_pair(table)), fresh=functools.partial(fresh, task)) for table in tables]


CASE = Case(
    task=TASK,
    fresh=fresh,
    learned=functools.cache(composer),
    permuted=linear_layers_permuted,
    reordered=Reordered(TASK),
    few=lambda seen, novel: Few(TASK, seen=seen if seen < 2 else len(sums()), novel=novel),
    hard={"pairs": TASK},
    memorisers=on_wrong_labels,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_conformance(check):
    check(INSTRUMENT, CASE)
