"""Means over networks, beside the nulls of the same networks."""

import pytest
import torch
from rows_for_tests import row

from assay.stats import network_interval
from assay.sweep.grid import grid_of
from assay.sweep.points import highest_null, summarised

GRID = grid_of({"x": ("1", "2")}, seeds=3)


def summary(scores, **more):
    return summarised(GRID, [row({"x": "1"}, seed, score, **more) for seed, score in enumerate(scores)], success=0.8)[0]


def test_a_point_is_the_mean_of_its_networks_with_students_interval():
    point = summary([0.7, 0.8, 0.9])
    assert point.novel.value == pytest.approx(0.8)
    half = 4.302652729911275 * 0.1 / 3**0.5  # t of 2 degrees of freedom
    assert point.novel.interval.low == pytest.approx(0.8 - half)
    assert point.novel.interval.high == 1.0, "cut at what a score can be"
    assert point.novel.repeats == (0.7, 0.8, 0.9)
    assert point.successes == 2
    assert [null.name for null in point.novel.nulls] == ["shuffled targets", "a memoriser"]
    assert all(null.p < 0.01 for null in point.novel.nulls)


def test_a_score_like_its_nulls_beats_none():
    torch.manual_seed(0)
    point = summary([0.10, 0.11, 0.12], null=0.1)
    assert point.novel.nulls[1].p > 0.5


@pytest.mark.parametrize("scores", [[0.9], [0.9, 0.8]])
def test_too_few_networks_give_no_number(scores):
    point = summary(scores)
    assert point.novel.value is None
    assert f"{len(scores)} networks, and an interval needs 3" in point.novel.note
    assert point.novel.repeats == tuple(scores)


def test_networks_without_novel_combinations_give_no_number():
    point = summary([None, None, None])
    assert point.novel.value is None
    assert point.successes == 0
    assert point.seen.value == pytest.approx(0.99)


def test_no_rows_no_points():
    assert summarised(GRID, [], success=0.8) == []
    assert highest_null([]) == 0.0


def test_the_highest_null_is_the_highest_mean():
    assert highest_null([row({"x": "1"}, 0, 0.5, null=0.2), row({"x": "1"}, 1, 0.5, null=0.4)]) == pytest.approx(0.32)


def test_equal_networks_are_no_certainty():
    interval = network_interval([1.0, 1.0, 1.0], bounds=(0.0, 1.0))
    assert interval.low < 0.4  # Clopper-Pearson of three successes in three
    assert network_interval([0.5, 0.6], bounds=(0.0, 1.0)) is None


def test_the_interval_covers_the_mean_of_many_networks_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    draws = (0.6 + 0.1 * torch.randn(400, 3, generator=generator)).clamp(0, 1).tolist()
    inside = [network_interval(scores, bounds=(0.0, 1.0)) for scores in draws]
    assert 0.92 < sum(one.low <= 0.6 <= one.high for one in inside) / len(inside) < 0.98
