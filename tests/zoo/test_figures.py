"""Statistics of the table, each against values worked out by hand."""

import math

import pytest
from planted_records import composer, imitator
from scipy.stats import beta

from zoo.figures import auroc, clustered, largest, rank_correlation, ranking, share, upper_end
from zoo.measure import C
from zoo.scores import at_headline


def test_auroc_counts_ties_half():
    assert auroc([1.0, 0.5], [0.5, 0.0]) == 3.5 / 4
    assert auroc([1.0], [0.0]) == 1.0
    assert auroc([0.2, 0.2], [0.2]) == 0.5
    assert math.isnan(auroc([], [0.5]))
    assert math.isnan(auroc([0.5], []))


def test_shares_have_exact_intervals():
    none, every = share([False] * 10), share([True] * 10)
    assert (none.value, none.low, none.high) == (0.0, 0.0, pytest.approx(1 - 0.025 ** (1 / 10)))
    assert (every.value, every.low, every.high) == (1.0, pytest.approx(0.025 ** (1 / 10)), 1.0)
    one = share([True])
    assert (one.low, one.high, one.subjects) == (pytest.approx(0.025), 1.0, 1)
    # The binomial tails of 3 of 8 at both ends are 2.5 %.
    some = share([True] * 3 + [False] * 5)
    tail = sum(math.comb(8, k) * some.low**k * (1 - some.low) ** (8 - k) for k in range(3, 9))
    assert tail == pytest.approx(0.025)
    assert sum(math.comb(8, k) * some.high**k * (1 - some.high) ** (8 - k) for k in range(4)) == pytest.approx(0.025)


def test_copies_of_independent_networks_say_no_more_than_the_networks():
    right, names = [True, True, False, True], list("abcd")
    copied = share(right * 5, names * 5)
    # Four clusters: the variance between them is 4 / 3 of that of four independent networks.
    assert copied.value == 0.75
    three = share([True] * 3 + [False], [])
    assert copied.low < three.low
    assert copied.high > three.high
    assert copied.low == pytest.approx(float(beta.ppf(0.025, 0.75 * 3, 0.25 * 3 + 1)))


def test_networks_of_instances_that_are_alike_count_each():
    """Every instance has the same share, so that nothing is known to be shared: no interval is narrower than the exact one."""
    right, names = [True, False] * 10, [str(k // 2) for k in range(20)]
    assert share(right, names) == share(right)
    assert share([False] * 10, ["a"] * 10) == share([False] * 10)
    assert share([True, False], ["a", "a"]) == share([True, False])


def test_a_share_of_nothing_is_no_share():
    assert share([]).value is None
    assert upper_end(share([])).value is None
    assert upper_end(share([False] * 10)).value == pytest.approx(1 - 0.025 ** (1 / 10))
    assert largest([]).value is None
    assert (largest([0.0, 2.0]).value, largest([0.0, 2.0]).low) == (2.0, 0.0)


def positive(row):
    return row.truth.meant == "composer"


def negative(row):
    return row.truth.meant == "imitator"


def test_whole_instances_are_drawn():
    """One of two instances ranks wrongly: drawn are both right, both wrong, or one of each, and nothing between."""
    rows = [composer("a", 1.0, instance="one"), imitator("b", 0.0, instance="one")]
    figure = clustered(rows, ranking(at_headline(C), positive, negative), subjects=2)
    assert (figure.value, figure.low, figure.high) == (1.0, 1.0, 1.0)
    rows += [composer("c", 0.0, instance="two"), imitator("d", 1.0, instance="two")]
    figure = clustered(rows, ranking(at_headline(C), positive, negative), subjects=4)
    assert (figure.value, figure.low, figure.high) == (0.5, 0.0, 1.0)


def test_a_statistic_of_nothing_has_no_interval():
    assert clustered([], ranking(at_headline(C), positive, negative), subjects=0).value is None


def test_a_rank_correlation_needs_three_networks_that_differ():
    def novel(row):
        return row.truth.outside.share

    def every(row):
        return True

    rows = [composer("a", 0.9, novel=0.9), composer("b", 0.1, novel=0.5)]
    assert math.isnan(rank_correlation(at_headline(C), novel, every)(rows))
    rows.append(composer("c", 0.5, novel=0.7))
    assert rank_correlation(at_headline(C), novel, every)(rows) == pytest.approx(1.0)
    assert math.isnan(rank_correlation(at_headline(C), novel, every)([rows[0]] * 3))
