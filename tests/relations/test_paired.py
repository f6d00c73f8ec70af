"""Paired comparisons of systems of relations: planted agreement, invariance, second routes, sizes 0 and 1."""

import functools
import inspect
import itertools

import numpy as np
import pytest
import torch
from calibrated_similarity import calibrate

from assay.errors import AssayError
from assay.relations import (
    analogy_accuracy,
    calibrated,
    calibrated_maximum,
    cosine,
    debiased_cka,
    gromov_wasserstein,
    match,
    mutual_neighbours,
    mutual_null,
    nearest,
    permutations,
    rated_correlation,
    rated_null,
    rsa,
    same_stem,
    spelling_overlap,
    unit_vectors,
)
from assay.relations.cka import cka_null
from assay.relations.rsa import frequency_difference
from assay.text.word_counts import frequency_bins


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def systems(num: int = 60, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    first = rng(1).normal(size=(num, 12))
    return first, first + noise * rng(2).normal(size=first.shape)


# Vectors and permutations


def test_unit_vectors_are_centred_and_of_length_one():
    x = rng().normal(size=(20, 5)) + 3
    unit = unit_vectors(x)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1)
    np.testing.assert_allclose(unit, unit_vectors(4 * x + 7))
    assert not unit_vectors(np.ones((3, 2))).any()
    assert unit_vectors(np.zeros((0, 2))).shape == (0, 2)
    rotated = np.linalg.qr(rng(3).normal(size=(5, 5)))[0]
    np.testing.assert_allclose(cosine(x), cosine(x @ rotated), atol=1e-12)


def test_principal_components_are_taken_out():
    x = rng().normal(size=(50, 6))
    x[:, 0] *= 100
    assert np.abs(unit_vectors(x, components=1)[:, 0]).max() < 0.1


def test_vectors_that_are_not_finite_are_named():
    with pytest.raises(AssayError, match="1 words without"):
        unit_vectors(np.array([[1.0, np.nan], [1.0, 2.0]]))


def test_permutations_keep_groups_and_are_uniform():
    groups = np.array([0, 1, 0, 1, 0, 2])
    order = permutations(6, 6_000, generator=rng(), groups=groups)
    assert (np.sort(order, 1) == np.arange(6)).all()
    assert (groups[order] == groups).all()
    assert len(np.unique(order, axis=0)) == 6 * 2
    _, counts = np.unique(order, axis=0, return_counts=True)
    assert counts.min() > 400
    free = permutations(3, 6_000, generator=rng())
    assert np.unique(free, axis=0, return_counts=True)[1].min() > 850
    assert permutations(0, 2, generator=rng()).shape == (2, 0)


# Neighbours


def test_neighbours_are_the_most_similar_others():
    x = rng().normal(size=(30, 4))
    found = nearest(cosine(x), 5)
    for k, row in enumerate(cosine(x)):
        row[k] = -np.inf
        assert set(found[k].tolist()) == set(np.argsort(-row)[:5].tolist())


def test_equally_similar_words_are_chosen_at_random_and_not_alike_in_two_systems():
    """As at equal distances in a dictionary, or between words that a network gives one vector."""
    alike = np.zeros((200, 200))
    a, b = (nearest(alike, 10, generator=rng(seed)) for seed in (0, 1))
    assert mutual_neighbours(a, b).mean() == pytest.approx(10 / 199, abs=0.02)
    assert np.bincount(a.ravel(), minlength=200).max() < 30  # no word is everybody's neighbour
    assert (nearest(alike, 10) == nearest(alike, 10)).all()
    steps = -np.abs(np.arange(20)[:, None] // 4 - np.arange(20) // 4).astype(float)  # in groups of four
    assert all(set(row.tolist()) == {0, 1, 2, 3} - {k} for k, row in enumerate(nearest(steps, 3)[:4]))


def test_similarities_that_are_not_finite_are_named():
    likeness = cosine(systems(8)[0])
    likeness[2, 3] = np.nan
    with pytest.raises(AssayError, match="1 of 8 words"):
        nearest(likeness, 2)


def test_systems_of_other_words_and_what_is_not_finite_are_named():
    """Without the checks of types that tests have: a user has none."""
    x, y = systems(12)
    broken = y.copy()
    broken[3, 1] = np.nan
    a, b = nearest(cosine(x), 3), nearest(cosine(x[:8]), 3)
    rows = np.arange(12, dtype=np.int32)[None]
    partial = functools.partial(inspect.unwrap(rsa), cosine(x), cosine(y), without=[np.eye(5)])
    refused = (
        lambda: inspect.unwrap(debiased_cka)(x, y[:5]),
        lambda: inspect.unwrap(cka_null)(x, y[:5], rows),
        lambda: inspect.unwrap(rsa)(cosine(x), cosine(y[:5])),
        partial,
        lambda: inspect.unwrap(mutual_neighbours)(a, b),
        lambda: inspect.unwrap(mutual_null)(b, a, draws=3, generator=rng()),
        lambda: inspect.unwrap(match)(cosine(x), cosine(y[:8]), generator=rng()),
        lambda: inspect.unwrap(gromov_wasserstein)(cosine(x), cosine(y[:8]), generator=rng()),
    )
    for call in refused:
        with pytest.raises(AssayError, match="over the same words"):
            call()
    with pytest.raises(AssayError, match="5 groups of 12 words"):
        inspect.unwrap(mutual_null)(a, a, draws=3, generator=rng(), groups=np.zeros(5, dtype=int))
    likeness = cosine(y)
    likeness[3] = np.nan
    for call in (
        lambda: debiased_cka(x, broken),
        lambda: cka_null(x, broken, rows),
        lambda: rsa(cosine(x), likeness),
        lambda: match(cosine(x), likeness, generator=rng()),
        lambda: gromov_wasserstein(cosine(x), likeness, generator=rng()),
    ):
        with pytest.raises(AssayError, match=r"must be finite. Given: (1|12) of 12 words"):
            call()


def test_what_is_not_finite_is_no_finding():
    for value, null in ((np.nan, np.zeros(9)), (0.5, np.array([0.1, np.nan]))):
        with pytest.raises(AssayError, match="similarities and their null must be finite"):
            calibrated(value, null)
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    with pytest.raises(AssayError, match="1 of 3 that are not"):
        rated_correlation(systems(8)[0], pairs, np.array([1.0, np.nan, 2.0]))


def test_what_does_not_vary_correlates_with_nothing():
    x, pairs, ratings = systems(8)[0], np.array([[0, 1], [1, 2], [2, 3]]), np.arange(3.0)
    order = permutations(8, 4, generator=rng())
    assert rated_correlation(np.ones((8, 2)), pairs, ratings) == 0
    assert rated_correlation(x, pairs, np.ones(3)) == 0
    assert not rated_null(np.ones((8, 2)), pairs, ratings, order).any()


def test_mutual_neighbours_by_hand_and_at_the_ends():
    a, b = np.array([[1, 2], [0, 2], [0, 1], [0, 1]]), np.array([[1, 3], [2, 3], [0, 1], [2, 1]])
    assert mutual_neighbours(a, b).tolist() == [0.5, 0.5, 1.0, 0.5]
    same = nearest(cosine(systems()[0]), 10)
    assert mutual_neighbours(same, same).mean() == 1


def test_the_null_is_that_of_computing_everything_again():
    x, y = systems(12)
    a, b = nearest(cosine(x), 3), nearest(cosine(y), 3)
    drawn = mutual_null(a, b, draws=40, generator=rng(5))
    again = []
    for row in permutations(12, 40, generator=rng(5)):
        moved = np.empty_like(y)
        moved[row] = y  # word i is now word row[i]
        again.append(mutual_neighbours(a, nearest(cosine(moved), 3)).mean())
    np.testing.assert_allclose(drawn, again)


def test_the_mean_of_the_free_null_is_known():
    x, y = systems(80)
    null = mutual_null(nearest(cosine(x), 10), nearest(cosine(y), 10), draws=2_000, generator=rng())
    assert null.mean() == pytest.approx(10 / 79, abs=0.002)


def test_agreement_by_frequency_alone_vanishes_under_the_matched_null_only():
    """Vectors of both systems know how frequent a word is and nothing else."""
    frequency = np.repeat(np.arange(20.0), 10)[:, None]
    groups = frequency_bins(frequency[:, 0].astype(np.int64), 20)
    z = []
    for seed in range(8):
        known = [np.cos(frequency / 4), np.sin(frequency / 4)]
        x, y = (np.concatenate([*known, 0.3 * rng(2 * seed + k).normal(size=(200, 5))], 1) for k in (0, 1))
        a, b = nearest(cosine(x), 10), nearest(cosine(y), 10)
        value = float(mutual_neighbours(a, b).mean())
        assert calibrated(value, mutual_null(a, b, draws=200, generator=rng())).p < 0.01
        z.append(calibrated(value, mutual_null(a, b, draws=200, generator=rng(), groups=groups)).z)
    assert abs(np.mean(z)) < 3 / 8**0.5


def test_left_out_pairs_are_no_neighbours_and_too_few_words_are_named():
    x, _ = systems(8)
    without = np.zeros((8, 8), dtype=bool)
    without[0, 1:4] = without[1:4, 0] = True
    assert not set(nearest(cosine(x), 3, without=without)[0].tolist()) & {1, 2, 3}
    with pytest.raises(AssayError, match="one has 4 others to choose from, and 5"):
        nearest(cosine(x), 5, without=without)
    with pytest.raises(AssayError, match="8 words"):
        nearest(cosine(x), 8)
    with pytest.raises(AssayError, match="0 words"):
        nearest(np.zeros((0, 0)), 1)


# Global agreement


def test_cka_is_that_of_whole_kernels():
    x, y = systems(20)

    def hsic(k, lot):
        n = len(k)
        k, lot = k - np.diag(np.diag(k)), lot - np.diag(np.diag(lot))
        return np.trace(k @ lot) + k.sum() * lot.sum() / (n - 1) / (n - 2) - 2 * k.sum(0) @ lot.sum(0) / (n - 2)

    k, lot = x @ x.T, y @ y.T
    assert debiased_cka(x, y) == pytest.approx(hsic(k, lot) / np.sqrt(hsic(k, k) * hsic(lot, lot)))
    order = permutations(20, 5, generator=rng())
    np.testing.assert_allclose(cka_null(x, y, order), [debiased_cka(x, y[row]) for row in order])


def test_cka_ignores_rotation_and_scale_and_is_unbiased_in_wide_systems():
    x, _ = systems(40)
    rotation = np.linalg.qr(rng(3).normal(size=(12, 12)))[0]
    assert debiased_cka(x, 3 * x @ rotation + 1) == pytest.approx(1)
    wide = [debiased_cka(*rng(seed).normal(size=(2, 20, 500))) for seed in range(40)]
    assert abs(np.mean(wide)) < 0.02
    with pytest.raises(AssayError, match="four words"):
        debiased_cka(x[:3], x[:3])


def test_rsa_is_that_of_scipy_and_its_null_that_of_permuted_words():
    from scipy.stats import spearmanr

    x, y = systems(15)
    a, b = cosine(x), cosine(y)
    upper = np.triu_indices(15, 1)
    order = permutations(15, 4, generator=rng())
    found = rsa(a, b, order=order)
    assert found.rho == pytest.approx(spearmanr(a[upper], b[upper]).statistic)
    again = [spearmanr(a[upper], b[np.ix_(row, row)][upper]).statistic for row in order]
    np.testing.assert_allclose(found.null, again, atol=1e-5)
    assert rsa(a[:2, :2], b[:2, :2]).rho == 0


def test_partial_rsa_removes_what_spelling_and_frequency_give():
    words = ["".join(letters) for letters in itertools.product("bdfk", "aeiou", "lmnr")]
    counts = rng().integers(1, 2_000, len(words))
    spelling, frequency = spelling_overlap(words), frequency_difference(counts)
    noise = [rng(k).normal(size=(2, len(words), len(words))) for k in (1, 2)]
    a, b = (spelling + 0.1 * (n[0] + n[0].T) for n in noise)
    assert rsa(a, b).rho > 0.3
    assert abs(rsa(a, b, without=[spelling, frequency]).rho) < 0.1
    shared = noise[0][1] + noise[0][1].T
    kept = rsa(a + shared, b + shared, without=[spelling, frequency])
    assert kept.rho > 0.5


# Calibration


def test_effect_score_and_p_by_hand():
    null = np.arange(99) / 1_000
    found = calibrated(0.5, null)
    assert found.mean == pytest.approx(0.049)
    assert found.effect == pytest.approx((0.5 - 0.049) / (1 - 0.049))
    assert found.p == 0.01
    assert found.score == pytest.approx((0.5 - 0.094) / (1 - 0.094))
    assert calibrated(0.0, null).p == 1
    assert calibrated(0.0, null).score == 0
    with pytest.raises(AssayError, match="draws"):
        calibrated(0.5, np.zeros(0))


def test_the_maximum_over_layers_of_nothing_is_nothing():
    hits = 0
    for seed in range(200):
        values = rng(seed).normal(size=(12, 200))
        hits += calibrated_maximum(values[:, 0].tolist(), values[:, 1:]).p <= 0.05
    assert hits / 200 < 0.1
    alone = [calibrated(float(row.max(0)[0]), row[0, 1:]).p <= 0.05 for row in rng(9).normal(size=(200, 12, 200))]
    assert np.mean(alone) > 0.2  # what choosing without calibration would claim


def test_calibration_is_that_of_the_published_package():
    """`calibrated-similarity` (MIT), on the same permutations."""
    x, y = systems(40, noise=2.0)
    order = permutations(40, 400, generator=rng())
    drawn = iter(order)
    score, p, tau = calibrate(
        torch.from_numpy(x),
        torch.from_numpy(y),
        lambda a, b: float(debiased_cka(a.numpy(), b.numpy())),
        K=400,
        perm_fn=lambda n, device: torch.from_numpy(next(drawn)),
    )
    ours = calibrated(debiased_cka(x, y), cka_null(x, y, order))
    assert 0 < ours.score < 1
    assert (ours.score, ours.p) == pytest.approx((float(score), float(p)), abs=1e-5)
    assert ours.value > float(tau)


# Spelling


def test_spelling_and_stems():
    overlap = spelling_overlap(["cat", "cats", "dog", "a"])
    assert overlap[0, 1] > 0.5 > overlap[0, 2] == 0
    np.testing.assert_allclose(np.diag(overlap), 1)
    words = ["walk", "walked", "walking", "city", "cities", "stop", "stopped", "table", "able"]
    table = same_stem(words)
    assert {(words[i], words[j]) for i, j in np.argwhere(np.triu(table)).tolist()} == {
        ("walk", "walked"),
        ("walk", "walking"),
        ("walked", "walking"),
        ("city", "cities"),
        ("stop", "stopped"),
    }
    assert same_stem([]).shape == (0, 0)


# People's judgements


def test_ratings_that_follow_the_vectors_correlate_and_permuted_words_do_not():
    x, _ = systems(50)
    pairs = rng().integers(0, 50, size=(300, 2))
    pairs[:, 1] = np.where(pairs[:, 0] == pairs[:, 1], (pairs[:, 1] + 1) % 50, pairs[:, 1])
    ratings = cosine(x)[pairs[:, 0], pairs[:, 1]] + 0.1 * rng(1).normal(size=300)
    assert rated_correlation(x, pairs, ratings) > 0.9
    order = permutations(50, 200, generator=rng())
    null = rated_null(x, pairs, ratings, order)
    assert abs(null.mean()) < 0.02
    assert null[0] == pytest.approx(rated_correlation(unit_vectors(x)[order[0]], pairs, ratings), abs=0.02)
    with pytest.raises(AssayError, match="2 pairs"):
        rated_correlation(x, pairs[:2], ratings[:2])


def test_analogies_of_a_planted_offset_with_neighbours_excluded_and_not():
    base, offset = rng().normal(size=(20, 40)), 0.3 * rng(1).normal(size=40)
    vectors = np.concatenate([base, base + offset])
    place = {f"{'ab'[k // 20]}{k % 20}": k for k in range(40)}
    questions = [(f"a{i}", f"b{i}", f"a{j}", f"b{j}") for i in range(5) for j in range(5, 10)]
    assert analogy_accuracy(vectors, place, questions).mean() > 0.9
    short = np.concatenate([base, base + 0.02 * offset + 0.05 * rng(2).normal(size=base.shape)])
    assert analogy_accuracy(short, place, questions).mean() > 0.5
    assert analogy_accuracy(short, place, questions, excluding=False).mean() < 0.5
    assert len(analogy_accuracy(vectors, place, [("a0", "b0", "a1", "unknown")])) == 0


def test_labels_of_groups_may_be_large():
    groups = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    small, large = (permutations(8, 50, generator=rng(), groups=some) for some in (groups, groups * 7 + 10**8))
    assert (small == large).all()
    assert len(np.unique(small, axis=0)) > 20
    # So many groups that their numbers leave single precision no digit to order two words by.
    many = permutations(2 * 10**5, 40, generator=rng(), groups=np.repeat(np.arange(10**5), 2))
    exchanged = (many[:, -2000::2] != np.arange(2 * 10**5)[-2000::2]).mean()
    assert exchanged == pytest.approx(0.5, abs=0.01)


def test_an_answer_that_is_as_near_as_others_counts_by_its_share():
    place, asked = {"a": 0, "b": 1, "c": 2, "d": 3}, [("a", "b", "c", "d")]
    flat = np.ones((30, 5))
    assert analogy_accuracy(flat, place, asked) == pytest.approx([1 / 27])
    assert analogy_accuracy(flat, place, asked, excluding=False) == pytest.approx([1 / 30])
    assert analogy_accuracy(flat, place, [("a", "b", "c", "c")]) == [0]
    assert analogy_accuracy(flat[:3], place, [("a", "b", "c", "a")]) == [0]
    planted = rng().normal(size=(30, 60))
    planted[3] = planted[1] - planted[0] + planted[2]
    assert analogy_accuracy(planted, place, asked) == [1]
    planted[4] = planted[3]
    assert analogy_accuracy(planted, place, asked) == [0.5]


@pytest.mark.parametrize("scale", [1e160, 1e-90, 1e300, 1e-300])
def test_cka_ignores_very_large_and_small_scales(scale):
    x, y = systems()
    order = np.stack([rng(k).permutation(len(x)) for k in range(3)])
    assert debiased_cka(scale * x, y) == pytest.approx(debiased_cka(x, y))
    np.testing.assert_allclose(cka_null(scale * x, y, order), cka_null(x, y, order))
    assert debiased_cka(scale * np.zeros_like(x), y) == 0


def test_numbers_of_neighbours_and_null_ratings_are_checked():
    for k in (0, -1):
        with pytest.raises(AssayError, match="number of neighbours must be a whole number from 1"):
            nearest(cosine(systems()[0]), k)
    pairs = np.array([[0, 1], [2, 3], [4, 5]])
    with pytest.raises(AssayError, match="1 of 3 that are not"):
        rated_null(systems()[0], pairs, np.array([1.0, np.nan, 2.0]), np.arange(60)[None])
