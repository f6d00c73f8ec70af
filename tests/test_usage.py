import itertools

import torch

from assay.task import Part
from assay.usage import indicator, unfamiliar_pairs, usage_of

LETTERS = (Part("first", ("a", "b", "c")), Part("second", ("a", "b", "c")))
MODULES = tuple(Part(f"m{k}", ("absent", "present"), graded=True) for k in range(6))


def test_usage_counts_every_value():
    report = usage_of(torch.tensor([[0, 0], [0, 1], [1, 1]]), LETTERS)
    assert report.usage == ((2, 1, 0), (1, 2, 0))
    assert report.unused == ("first=c", "second=c")
    assert not report.connected


def test_a_chain_is_connected():
    report = usage_of(torch.tensor([[0, 0], [1, 0], [1, 1], [2, 1], [2, 2]]), LETTERS)
    assert report.connected


def test_two_blocks_are_two_components():
    report = usage_of(torch.tensor([[0, 0], [1, 1], [2, 1], [2, 2]]), LETTERS)
    assert len(report.components) == 2
    assert ("first=a", "second=a") in report.components
    assert not report.unused


def test_absence_joins_nothing():
    triangles = [[1, 1, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 1, 1]]
    report = usage_of(torch.tensor(triangles), MODULES)
    assert len(report.components) == 2
    assert not report.unused


def test_no_combinations_cover_nothing():
    report = usage_of(torch.zeros(0, 2, dtype=torch.int64), LETTERS)
    assert report.components == ()
    assert len(report.unused) == 6


def test_unfamiliar_pairs_against_counting_by_hand():
    parts = (*LETTERS, Part("third", ("a", "b")))
    every = torch.tensor(list(itertools.product(range(3), range(3), range(2))))
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(0))
    trained, novel = every[order[:7]], every[order[7:]]
    expected = []
    for row in novel.tolist():
        missing = 0
        for a, b in itertools.combinations(range(3), 2):
            missing += not any(t[a] == row[a] and t[b] == row[b] for t in trained.tolist())
        new_values = sum(all(t[k] != row[k] for t in trained.tolist()) for k in range(3))
        expected.append(missing + new_values)
    assert unfamiliar_pairs(novel, trained, parts).tolist() == expected
    assert max(expected) > 1


def test_indicator_has_one_column_per_value():
    assert indicator(torch.tensor([[2, 0]]), LETTERS).long().tolist() == [[0, 0, 1, 1, 0, 0]]
