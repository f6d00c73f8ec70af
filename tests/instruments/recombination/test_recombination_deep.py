"""A long network of which the effort leaves cuts out."""

import dataclasses

import pytest
import torch
from stages import SIZE, Declared, Stages, by_pair, is_trained, sums

from assay.instrument import run
from assay.instruments.recombination import Recombination
from assay.instruments.recombination.instrument import BUDGETS
from assay.subject import Subject

pytestmark = pytest.mark.slow

LONG = 30
TASK = Declared()


def long_network(before: int, *, memorises: bool) -> Subject:
    """A unit for each pair, copied from layer to layer so often, where half of it counts as none; then the codes of both parts
    side by side, which the last two layers combine."""
    pairs, _ = by_pair(sums())
    copies = [(2 * torch.eye(SIZE**2), -torch.ones(SIZE**2))] * before
    codes = 2 * pairs[0].T, torch.zeros(2 * SIZE)
    halved = (0.5 * torch.eye(2 * SIZE), torch.zeros(2 * SIZE))
    return Subject(Stages(pairs, *copies, codes, halved, *by_pair(sums(), is_trained(TASK) if memorises else None)))


@pytest.mark.parametrize("memorises", [False, True])
def test_cuts_that_are_left_out_change_no_answer(memorises):
    network = long_network(LONG, memorises=memorises)
    few, every = (dataclasses.replace(BUDGETS["quick"], cuts=cuts, copies=5) for cuts in (8, 1_000))
    short, whole = (run(Recombination(budgets={"quick": one}), network, TASK, effort="quick") for one in (few, every))
    assert whole.settings["headline_depth"] == LONG + 3, "the last cut at which both parts stand side by side"
    for name in ("headline_depth", "combined_from", "combined_to", "combining_calls", "breaks"):
        assert short.settings[name] == whole.settings[name], name
    for key in ("seen_from_state", "novel_from_state", "novel_as_state"):
        assert short.measure(key, form="sum").value == whole.measure(key, form="sum").value
