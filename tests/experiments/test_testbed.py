"""Statistics of `experiments/testbed` on columns whose answer is known, and rows with gaps."""

from types import SimpleNamespace

import numpy as np
import pytest
from over_networks import FEWEST, agreement, auroc, estimate, partial_spearman, spearman
from population import Row, add, recipes, table

import assay
from assay.evidence import Interval, Measure, Null

NUM = 40


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_ranks_alone_count(rng):
    x = rng.normal(size=NUM)
    assert spearman(x, np.exp(3 * x)) == pytest.approx(1)
    assert spearman(x, -(x**3)) == pytest.approx(-1)
    assert np.isnan(spearman(x, np.zeros(NUM)))


def test_a_common_cause_is_taken_out(rng):
    """Two columns that follow a third correlate, and no longer once it is given; what one adds of its own stays."""
    cause = rng.normal(size=400)
    x, y, own = cause + 0.3 * rng.normal(size=400), cause + 0.3 * rng.normal(size=400), rng.normal(size=400)
    assert spearman(x, y) > 0.8
    assert abs(partial_spearman(x, y, cause[None])) < 0.15
    assert partial_spearman(x + own, y + own, np.stack([cause, rng.normal(size=400)])) > 0.7
    assert np.isnan(partial_spearman(cause, y, cause[None]))


def test_auroc_is_the_share_of_pairs():
    positive = np.array([True, True, False, False])
    assert auroc(np.array([3.0, 2.0, 1.0, 0.0]), positive) == 1
    assert auroc(np.array([0.0, 1.0, 1.0, 2.0]), positive) == pytest.approx(1 / 8)
    assert auroc(np.zeros(4), positive) == 0.5
    assert np.isnan(auroc(np.zeros(4), ~np.zeros(4, bool)))


@pytest.mark.slow
def test_intervals_hold_what_they_should_and_p_is_uniform(rng):
    """Of 30 pairs of columns with a correlation of .5 nearly all intervals hold it; of 30 without few have a p below .05."""
    held, found = 0, 0
    truth = 6 / np.pi * np.arcsin(0.25)  # Spearman of normal columns with Pearson .5
    for k in range(30):
        x, noise = rng.normal(size=(2, NUM))
        one = estimate(spearman, list(x), list(0.5 * x + 0.75**0.5 * noise), draws=100, seed=k)
        held += one.low <= truth <= one.high
        found += estimate(spearman, list(x), list(noise), draws=100, seed=k).p < 0.05
    assert held >= 25
    assert found <= 5


def test_networks_without_a_value_are_left_out(rng):
    x, y = rng.normal(size=(2, NUM))
    with_gaps = [None if k % 2 else float(x[k]) for k in range(NUM)]
    found = estimate(spearman, with_gaps, list(y), draws=50)
    assert found.networks == NUM // 2
    assert found.value == pytest.approx(spearman(x[::2], y[::2]))
    assert estimate(spearman, [1.0] * (FEWEST - 1) + [None] * 9, list(range(FEWEST + 8))).value is None
    table = agreement([list(x), with_gaps, [None] * NUM])
    assert table[0, 1] == pytest.approx(1)
    assert np.isnan(table[2]).all()


def row(k, values, gaps=None):
    recipe = {"coverage": 0.5, "decay": 0.0, "scale": 1.0, "width": 64, "sparse": 1.0, "seed": k}
    seconds = {"training": 1.0, "polar": 2.0}
    return Row(recipe=recipe, truth=k / 10, seen=1.0, outside=51, values=values, gaps=gaps or {}, seconds=seconds)


def test_the_table_says_where_a_line_is_silent():
    rows = [row(k, {"polar uuas": float(k)} if k != 3 else {}, {"polar": "too few texts"} if k == 3 else {}) for k in range(9)]
    lines = table(rows).split("\n")
    (metric,) = [line for line in lines if line.startswith("| polar uuas")]
    assert [cell.strip() for cell in metric.split("|")][2] == "8"
    assert metric.endswith("| 1 |")
    assert any(line.startswith("| polar | 9") and "too few texts" in line for line in lines)


def test_headline_measures_are_means_over_parts():
    def measure(part, value):
        interval, null = Interval(low=0.0, high=1.0, level=0.95, method=""), Null(name="copies", how="", values=(0.0,))
        return Measure(
            key="necessity", name="necessity", value=value, unit="", direction="higher", interval=interval, nulls=(null,),
            units=5, unit_of="network", about={"part": part}, headline=True, level=2,
        )  # fmt: skip

    measures = (measure("a", 0.2), measure("b", 0.6))
    found = SimpleNamespace(instrument="subnetworks", not_enough="", measures=measures)
    one = row(0, {})
    add(one, found)
    assert one.values == {"subnetworks necessity": pytest.approx(0.4)}
    assert not one.gaps


def test_recipes_differ():
    names = [recipe.name for recipe in recipes()]
    assert len(set(names)) == len(names) >= 40
    assert len({recipe.coverage for recipe in recipes()[:10]}) == 5
    assert all(assay.load_task(recipe.task).address for recipe in recipes()[:2])
