"""Classes, rankings and baselines of `experiments/cuts` on measured networks that were made up, and its partly broken head."""

from typing import Any

import pytest
import torch
from answers import (
    READINGS,
    REPEATS,
    auroc,
    has_planted_fault,
    is_broken_in_part,
    is_partial,
    over_instances,
    random_products,
    rank_correlation,
    share,
)
from architectures import P, all_pairs, head_of
from torch import nn


def row(**given: Any) -> dict[str, Any]:
    usual = {
        "name": "made-up",
        "kind": "waveforms",
        "seed": 100,
        "meant": "broken combining",
        "novel": 0.2,
        "novel_low": 0.15,
        "novel_high": 0.25,
        "novel_pairs": 20,
        "taught_right": 0.0,
        "untaught_right": 0.95,
    }
    return {**usual, **given}


def test_by_behaviour_a_broken_composer_is_an_imitator_and_as_made_it_is_not():
    (as_composer, as_imitator), (any_composer, any_imitator) = READINGS["made as such"], READINGS["by behaviour"]
    broken, imitator = row(), row(meant="natural imitator")
    assert (as_imitator(broken), any_imitator(broken)) == (False, True)
    assert as_imitator(imitator)
    assert any_imitator(imitator)
    high = {"novel": 0.97, "novel_low": 0.92, "novel_high": 0.99}
    assert as_composer(row(meant="composer", **high))
    assert not as_composer(row(meant="partial", **high))
    assert any_composer(row(meant="partial", **high))
    assert not any_composer(row(meant="composer"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"untaught_right": 0.89}, False),
        ({"taught_right": 0.11}, False),
        ({"untaught_right": None}, True),
        ({"meant": "partial", "taught_right": None, "untaught_right": None}, False),
    ],
)
def test_a_network_broken_in_part_is_wrong_where_taught_wrongly_and_right_elsewhere(given, expected):
    assert is_broken_in_part(row(**given)) == expected
    assert has_planted_fault(row(**given)) == expected
    assert has_planted_fault(row(**given | {"meant": "broken way in"})), "whatever it does elsewhere"


@pytest.mark.parametrize("novel", [0.0, 0.35, 1.0])
def test_random_products_are_those_that_the_identity_permits(novel):
    drawn = random_products(row(novel=novel))
    permitted = {
        c * e / 400
        for c in range(21)
        for e in range(21)
        if c + e - 20 <= novel * 20 + 1e-9 and novel * 20 <= 20 - abs(c - e) + 1e-9
    }
    assert len(drawn) == REPEATS
    assert all(any(abs(one - other) < 1e-9 for other in permitted) for one in drawn)
    assert len({round(one, 6) for one in drawn}) > 5, "drawn, not one value"
    assert drawn == random_products(row(novel=novel)) != random_products(row(novel=novel, name="other"))


def test_rankings_at_sizes_none_and_one():
    assert auroc([1.0], [0.0]) == 1
    assert auroc([0.5], [0.5]) == 0.5
    assert torch.tensor(auroc([], [0.5])).isnan()
    assert torch.tensor(share(lambda _: False, lambda _: True)([row()])).isnan()
    assert rank_correlation(lambda one: one["novel"], is_partial)([row()]) == 0


def test_intervals_are_over_instances_and_not_over_networks():
    alike = [row(novel=0.0, seed=100)] * 30 + [row(novel=1.0, seed=101)] * 30
    figure, low, high = over_instances(alike, share(lambda _: True, lambda one: one["novel"] == 1))
    assert (figure, low, high) == (0.5, 0.0, 1.0)


def test_a_head_taught_exceptions_starts_from_the_one_given_and_leaves_it_as_it_was():
    pairs = all_pairs()[:40]
    answers = pairs.sum(1) % P
    start = head_of(pairs, answers, decay=0.0, seed=0, steps=60)
    before = start.hidden.weight.detach().clone()
    exceptions = torch.arange(40) < 4
    taught = torch.where(exceptions, (answers + 1) % P, answers)
    symbols = nn.functional.one_hot(pairs, P).flatten(1).float()
    again = head_of(pairs, taught, decay=0.0, seed=0, rate=0.001, steps=0, start=start)
    assert torch.equal(again(symbols), start(symbols)), "no step, no change"
    found = head_of(pairs, taught, decay=0.0, seed=0, rate=0.001, steps=400, start=start)
    assert torch.equal(found(symbols).argmax(1), taught)
    assert torch.equal(start.hidden.weight, before)
