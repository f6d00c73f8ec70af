import numpy as np
import pytest
from scipy.stats import binomtest, spearmanr
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from assay.calibration import metrics

RNG = np.random.default_rng(0)
POSITIVE = RNG.random(60) < 0.4
SCORE = np.round(RNG.random(60) + 0.3 * POSITIVE, 1) / 1.4  # with ties
EVEN = np.where(POSITIVE, 1 / POSITIVE.sum(), 1 / (~POSITIVE).sum())
WEIGHTS = RNG.integers(0, 4, size=(20, 60)).astype(float)


def test_against_other_libraries():
    assert metrics.auroc(SCORE, POSITIVE) == pytest.approx(roc_auc_score(POSITIVE, SCORE))
    other = RNG.random(60).round(1)
    assert metrics.spearman(SCORE, other) == pytest.approx(spearmanr(SCORE, other).statistic)
    assert metrics.brier(SCORE, POSITIVE) == pytest.approx(brier_score_loss(POSITIVE, SCORE, sample_weight=EVEN))
    certain = SCORE.clip(1e-6, 1 - 1e-6)
    assert metrics.log_score(SCORE, POSITIVE) == pytest.approx(log_loss(POSITIVE, certain, sample_weight=EVEN), rel=1e-6)


@pytest.mark.parametrize("many", ["aurocs", "briers", "log_scores", "skills"])
def test_a_weight_is_how_often_a_row_is_there(many):
    function = getattr(metrics, many)
    values = function(SCORE, POSITIVE, WEIGHTS)
    for weights, value in zip(WEIGHTS, values, strict=True):
        rows = np.repeat(np.arange(60), weights.astype(int))
        once = function(SCORE[rows], POSITIVE[rows], np.ones((1, len(rows))))[0]
        assert value == pytest.approx(once)


def test_a_weight_is_how_often_a_row_is_there_for_spearman_too():
    other = RNG.random(60).round(1)
    for weights, value in zip(WEIGHTS, metrics.spearmans(SCORE, other, WEIGHTS), strict=True):
        rows = np.repeat(np.arange(60), weights.astype(int))
        assert value == pytest.approx(spearmanr(SCORE[rows], other[rows]).statistic)


def test_pairs_count_only_within_a_row_of_scores():
    scores = np.array([[3.0, 1.0, np.nan, 2.0], [np.nan, 9.0, 5.0, 7.0]])  # no pair with the first and the third network
    positive = np.array([True, False, False, True])
    # Within the first: 3 > 1, 2 > 1. Within the second: 7 < 9, 7 > 5.
    assert metrics.pooled_aurocs(scores, positive, np.ones((1, 4))).tolist() == [0.75]


@pytest.mark.parametrize("one", ["auroc", "calibration_error", "brier", "log_score", "skill"])
@pytest.mark.parametrize("size", [0, 1, 5])
@pytest.mark.parametrize("label", [False, True])
def test_one_class_only_has_no_value(one, size, label):
    assert getattr(metrics, one)(np.linspace(0, 1, size), np.full(size, label)) is None


def test_spearman_of_what_does_not_vary_has_no_value():
    assert metrics.spearman(np.ones(5), np.arange(5.0)) is None
    assert metrics.spearman(np.ones(1), np.ones(1)) is None


def test_perfect_and_useless_probabilities():
    sure = POSITIVE.astype(float)
    assert metrics.calibration_error(sure, POSITIVE) == pytest.approx(0)
    assert metrics.skill(sure, POSITIVE) == pytest.approx(1, abs=1e-4)
    assert metrics.skill(np.full(60, 0.5), POSITIVE) == pytest.approx(0)
    assert metrics.calibration_error(np.full(60, 0.5), POSITIVE) == pytest.approx(0)
    assert metrics.calibration_error(np.full(60, 0.9), POSITIVE) == pytest.approx(0.4)  # classes count the same


def test_the_calibration_error_of_planted_miscalibration():
    # 100 of each class: those at .2 are right a tenth of the time, those at .8 nine tenths of it.
    probability = np.repeat([0.2, 0.8], 100)
    positive = np.concatenate([np.arange(100) < 10, np.arange(100) < 90])
    assert metrics.calibration_error(probability, positive) == pytest.approx(0.1)


def test_bins_ignore_the_order_of_equal_probabilities():
    order = RNG.permutation(60)
    one = metrics.calibration_error(SCORE, POSITIVE)
    assert metrics.calibration_error(SCORE[order], POSITIVE[order]) == pytest.approx(one)


def test_instances_are_drawn_whole_and_within_families():
    family = np.array(["a"] * 6 + ["b"] * 4)
    task = np.array(["x", "x", "y", "y", "z", "z", "x", "x", "w", "w"])
    weights = metrics.resamples(family, task, np.random.default_rng(0), num=50)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 0::2].sum(1) == 5).all()
    assert (weights[:, :6].sum(1) == 6).all()
    assert (weights[:, 0] != weights[:, 6]).any()  # instances of one name in two families are two
    assert metrics.resamples(family[:0], task[:0], np.random.default_rng(0)).shape == (metrics.NUM_RESAMPLES, 0)


def test_intervals_on_noise_contain_one_half_about_as_often_as_they_say():
    contained = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        positive = np.arange(80) % 2 == 0
        weights = metrics.resamples(np.full(80, "a"), np.arange(80).astype(str), rng, num=600)
        interval = metrics.auroc_statistic(rng.normal(size=80), positive, weights).interval
        contained += interval.low <= 0.5 <= interval.high
    assert 0.88 <= contained / 100 <= 1


def test_clusters_widen_the_interval():
    # Ten copies of each network say no more than one of them.
    rng = np.random.default_rng(0)
    positive, score = np.arange(40) % 2 == 0, rng.normal(size=40)
    alone = metrics.auroc_statistic(score, positive, metrics.resamples(np.full(40, "a"), np.arange(40).astype(str), rng))
    copies, score = np.tile(positive, 10), np.tile(score, 10)
    task = np.tile(np.arange(40), 10).astype(str)
    copied = metrics.auroc_statistic(score, copies, metrics.resamples(np.full(400, "a"), task, rng))
    assert copied.value == pytest.approx(alone.value)
    width, other = (one.interval.high - one.interval.low for one in (alone, copied))
    assert other == pytest.approx(width, rel=0.15)


def test_no_pair_out_of_order_is_not_certainty():
    positive = np.arange(30) < 10
    weights = np.ones((metrics.NUM_RESAMPLES, 30))
    interval = metrics.auroc_statistic(positive.astype(float), positive, weights).interval
    assert interval.high == 1.0
    assert interval.low == pytest.approx(0.025 ** (1 / 10))


def test_scores_that_are_missing_are_left_out_and_too_few_are_not_enough():
    positive = np.arange(12) < 6
    score = np.arange(12.0)
    score[[0, 11]] = np.nan
    weights = np.ones((metrics.NUM_RESAMPLES, 12))
    assert metrics.auroc_statistic(score, positive, weights).units == 10
    score[1] = np.nan
    lacking = metrics.auroc_statistic(score, positive, weights)
    assert lacking.value is None
    assert lacking.note.startswith("4 positive and 5 negative")


@pytest.mark.parametrize(("hits", "units"), [(0, 60), (3, 40), (7, 7)])
def test_shares_have_the_exact_interval(hits, units):
    exact = binomtest(hits, units).proportion_ci(0.95, method="exact")
    ours = metrics.share(hits, units)
    assert (ours.interval.low, ours.interval.high) == pytest.approx((exact.low, exact.high))
    assert ours.value == hits / units


def test_a_share_of_nothing_has_no_value():
    assert metrics.share(0, 0) == metrics.Statistic(value=None, note="no such networks")
