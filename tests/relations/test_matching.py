"""Label-free matching: planted copies, the solver that fails, power, given words, groups, and the second solver."""

import numpy as np
import pytest

from assay.errors import AssayError
from assay.relations import category_agreement, cosine, gromov_wasserstein, match, match_categories, power_curve
from assay.relations.categories import clusters


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noisy(num: int, noise: float, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    first = rng(1).normal(size=(num, width))
    return cosine(first), cosine(first + noise * rng(2).normal(size=first.shape))


@pytest.mark.parametrize("num", [120, 400])
def test_near_identical_spaces_are_recovered(num):
    found = match(*noisy(num, 0.5), generator=rng())
    assert found.accuracy >= 0.99
    assert found.best_ten == 1
    assert found.outcome == "recovered"


def test_the_start_of_scipy_fails_where_the_answer_is_plain_and_is_said_to():
    found = match(*noisy(120, 0.5), generator=rng(), start="barycentre")
    assert found.accuracy < 0.1
    assert found.true_objective > found.objective
    assert found.outcome == "solver failed"


def test_unrelated_systems_are_below_power_and_not_absent():
    a, b = cosine(rng(1).normal(size=(60, 20))), cosine(rng(2).normal(size=(60, 20)))
    found = match(a, b, generator=rng())
    assert found.objective > found.true_objective
    assert found.outcome == "below power"
    assert found.chance == pytest.approx(1 / 60)


def test_the_order_of_words_does_not_help_the_solver():
    a, b = noisy(80, 0.4)
    order = rng(3).permutation(80)
    moved = match(a[np.ix_(order, order)], b[np.ix_(order, order)], generator=rng())
    assert moved.accuracy == match(a, b, generator=rng()).accuracy == 1
    assert (moved.found == np.arange(80)).all()


def test_given_words_are_not_counted_and_help():
    a, b = noisy(60, 1.6)
    alone = match(a, b, generator=rng())
    told = match(a, b, generator=rng(), given=range(40))
    assert told.chance == pytest.approx(1 / 20)
    assert (told.found[:40] == np.arange(40)).all()
    assert told.accuracy > alone.accuracy


def test_power_grows_with_words():
    a, b = noisy(60, 0.6)
    curve = power_curve(a, b, sizes=(9, 60, 500), generator=rng(), given=(0, 5))
    assert [(size, given) for size, given, _ in curve] == [(9, 0), (9, 5), (60, 0), (60, 5)]
    assert curve[2][2].accuracy > curve[0][2].accuracy
    again = power_curve(a, b, sizes=(9, 500), generator=rng(), subsets=3)
    assert [size for size, _, _ in again] == [9, 9, 9]
    assert len({one.true_objective for _, _, one in again}) == 3
    assert power_curve(a[:4, :4], b[:4, :4], sizes=(4,), generator=rng(), given=(3,)) == []


def test_too_few_words_are_named():
    with pytest.raises(AssayError, match="three words"):
        match(np.eye(2), np.eye(2), generator=rng())
    with pytest.raises(AssayError, match="3 of them given"):
        match(*noisy(5, 0.1), generator=rng(), given=range(3))


def test_transport_finds_the_same_copy_and_its_objective_tells_where_it_fails():
    found = gromov_wasserstein(*noisy(120, 0.2), generator=rng())
    assert found.accuracy == 1.0
    failed = gromov_wasserstein(*noisy(120, 0.5), generator=rng())
    assert failed.accuracy < 0.5
    assert failed.objective < failed.true_objective


def test_without_pot_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(AssayError, match=r"pip install assay\[gromov\]"):
        gromov_wasserstein(*noisy(5, 0.2), generator=rng())


def test_given_words_are_rows_and_sizes_are_possible():
    a, b = noisy(12, 0.2)
    for given in ([0, 50], [-1]):
        with pytest.raises(AssayError, match="must be rows"):
            match(a, b, generator=rng(), given=given)
    assert power_curve(a, b, sizes=(-3, 0, 2, 13), generator=rng()) == []
    with pytest.raises(AssayError, match="three words at least"):
        gromov_wasserstein(a[:1, :1], b[:1, :1], generator=rng())


def test_systems_without_any_relation_are_matched_by_chance():
    flat = np.ones((12, 12))
    found = match(flat, flat, generator=rng())
    assert found.accuracy < 0.5
    assert found.outcome != "recovered"
    x, _, groups = grouped(4)
    assert match_categories(x, np.ones((len(x), 2)), groups, draws=9, generator=rng()).rank == 1


@pytest.mark.parametrize("level", [1.0, 0.1])
def test_of_words_that_fit_equally_well_ten_are_drawn(level):
    flat = np.full((30, 30), level)
    assert match(flat, flat, generator=rng()).best_ten == pytest.approx(10 / 30)
    twins = np.repeat(np.arange(6), 2)  # each word has a twin, so that one of the two is not the only one that fits
    a = cosine(rng(1).normal(size=(6, 20)))[np.ix_(twins, twins)]
    assert match(a, a, generator=rng()).best_ten == 1
    wide = np.repeat(np.arange(3), 20)
    a = cosine(rng(1).normal(size=(3, 20)))[np.ix_(wide, wide)]
    assert match(a, a, generator=rng()).best_ten <= 0.6


def grouped(num_groups: int, noise: float = 0.4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    groups = np.repeat(np.arange(num_groups), 12)
    centres = rng(4).normal(size=(num_groups, 30))
    x, y = (centres[groups] + noise * rng(k).normal(size=(len(groups), 30)) for k in (5, 6))
    return x, y, groups


@pytest.mark.parametrize("num_groups", [5, 12])
def test_groups_are_matched_by_their_centroids(num_groups):
    x, y, groups = grouped(num_groups)
    found = match_categories(x, y, groups, draws=99, generator=rng())
    assert found.accuracy == 1
    assert found.rank <= 0.02
    assert found.true_objective == pytest.approx(found.objective)
    unrelated = match_categories(x, rng(9).normal(size=y.shape), groups, draws=99, generator=rng())
    assert unrelated.rank > 0.05


def test_groups_that_nothing_tells_apart_are_matched_by_chance():
    x, groups = rng().normal(size=(30, 5)), np.repeat(np.arange(5), 6)
    found = [match_categories(x, np.ones((30, 5)), groups, draws=9, generator=rng(k)).accuracy for k in range(60)]
    assert 0.1 < np.mean(found) < 0.3  # 1/5, with a standard error of .026
    # Two groups of five that stand in the same place are exchanged half of the time.
    x, _, groups = grouped(5)
    x[groups == 1] = x[groups == 0]
    found = [match_categories(x, x, groups, draws=9, generator=rng(k)).accuracy for k in range(40)]
    assert set(found) == {0.6, 1.0}


def test_groupings_of_like_systems_agree():
    x, y, groups = grouped(6)
    found = [clusters(one, 6, seed=0) for one in (x, y)]
    assert category_agreement(*found) > 0.9
    assert category_agreement(found[0], groups) > 0.9
    assert abs(category_agreement(groups, rng().permutation(groups))) < 0.1
    with pytest.raises(AssayError, match="three at least"):
        match_categories(x, y, groups % 2, draws=9, generator=rng())
    with pytest.raises(AssayError, match="1 groups"):
        clusters(x, 1, seed=0)


def test_words_that_are_alike_to_the_last_digit_fall_into_as_many_groups_as_differ():
    found = clusters(np.repeat(np.eye(3), 4, axis=0), 5, seed=0)
    assert len(np.unique(found)) == 3
    assert (found.reshape(3, 4) == found.reshape(3, 4)[:, :1]).all()
