"""Items that share something: the mean stays, the variance is that of clusters, and false findings are rare."""

import numpy as np
import pytest
import torch
from worlds_for_tests import items, utility

from assay.errors import AssayError
from assay.stats import fitted_p, mean_interval
from assay.swarm.clustered import Clustering, Clusterings
from assay.swarm.worlds import WorldSize, make_world

IDS = np.repeat(np.arange(8), 5)


def test_values_of_clusters_are_their_means_where_they_are_equally_large():
    scores = np.random.default_rng(0).random((3, 40))
    np.testing.assert_allclose(Clustering("fact", IDS)(scores), scores.reshape(3, 8, 5).mean(2))
    np.testing.assert_array_equal(Clustering("item")(scores), scores)


def test_of_unequal_clusters_the_mean_is_that_of_items_and_the_variance_that_of_totals():
    rng = np.random.default_rng(0)
    ids, scores = rng.permutation(np.repeat(np.arange(6), [1, 2, 3, 4, 10, 20])), rng.random(40)
    found = Clustering("fact", ids)(scores)
    assert found.mean() == pytest.approx(scores.mean())
    totals = np.array([(scores - scores.mean())[ids == k].sum() for k in range(6)])
    assert found.var(ddof=1) / 6 == pytest.approx(6 / 5 * (totals**2).sum() / 40**2)


def test_the_most_cautious_way_counts():
    scores = np.repeat(np.random.default_rng(0).random((2, 8)), 5, axis=1)
    both = Clusterings({"fact": IDS, "text": np.arange(40) % 10})
    alone = [Clusterings({"fact": IDS}), Clusterings({"text": np.arange(40) % 10})]
    test = lambda own, other: fitted_p(own, other)  # noqa: E731
    other = np.full((1, 40), 0.3)
    assert both.p(test, scores, other) == max(one.p(test, scores, other) for one in alone)
    wide = lambda interval: interval.high - interval.low  # noqa: E731
    assert wide(both.interval(scores, (0.0, 1.0))) == max(wide(one.interval(scores, (0.0, 1.0))) for one in alone)
    assert both.variance(scores) == max(one.variance(scores) for one in alone)
    assert both.fewest(scores) == (8, "fact")
    assert both.of(IDS < 6).fewest(scores[:, IDS < 6]) == (6, "fact")
    assert Clusterings({}).fewest(scores) == (40, "item")


def test_scores_that_all_agree_have_the_interval_of_as_many_units():
    found = Clusterings({"fact": IDS}).interval(np.ones((3, 40)), (0.0, 1.0))
    assert (found.low, found.high) == (mean_interval(torch.ones(8), bounds=(0.0, 1.0)).low, 1.0)


def test_nothing_is_found_more_often_than_it_should_be():
    """Nine facts, each known by chance with probability 1/4, on 20 items each: is the score more than 1/4?"""
    rng = np.random.default_rng(0)
    ids, other = np.repeat(np.arange(9), 20), np.full((1, 180), 0.25)
    ps = {name: [] for name in ("facts", "items")}
    for _ in range(400):
        scores = np.repeat(rng.random((1, 9)) < 0.25, 20, axis=1).astype(float)
        ps["facts"].append(Clusterings({"fact": ids}).p(fitted_p, scores, other))
        ps["items"].append(Clusterings({}).p(fitted_p, scores, other))
    assert np.mean(np.array(ps["facts"]) <= 0.05) <= 0.08
    assert np.mean(np.array(ps["items"]) <= 0.05) > 0.3


def test_what_is_no_clustering_of_the_test_items_is_refused():
    with pytest.raises(AssayError, match=r"one entry for each test item. Given: 3 of fact"):
        utility(test_shared={"fact": [0, 1, 2]})
    with pytest.raises(AssayError, match=r"at least 5 clusters.*Given: 4 of fact"):
        utility(test_shared={"fact": np.arange(30) % 4})
    with pytest.raises(AssayError, match="one entry for each test item"):
        utility(test=None, test_shared={"fact": np.arange(30)})
    assert utility(test_shared={"fact": np.arange(30)}).closed(items().targets).test_shared is None


def test_items_of_a_world_share_the_entries_of_the_operations_that_are_needed():
    tiny = WorldSize(modulus=7, old=4, experts=3, state=4, operation=4, hidden=4, base_steps=1, expert_steps=1, validation=80)
    for kind, needed in (("composable", (4, 5)), ("missing skill", (4, 7))):
        mine = make_world(kind, seed=0, size=tiny).utility
        assert list(mine.test_shared) == [f"entry of operation {k}" for k in needed]
        for operation, entries in zip(needed, mine.test_shared.values(), strict=True):
            # Where the operation comes first, its entry is the state that the chain begins with.
            first = mine.test.inputs[:, 1] == operation
            assert first.any()
            assert entries[first.numpy()].tolist() == mine.test.inputs[first, 0].tolist()
            assert set(entries.tolist()) == set(range(7))
