import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from assay.calibration.logistic import L2, fit_monotone, fit_platt

CLASSES = np.arange(300) % 3 == 0


def columns_for(strengths, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(CLASSES), len(strengths))) + np.outer(CLASSES, strengths)


def test_where_all_weights_are_positive_it_is_the_plain_regression():
    x = columns_for([1.0, 2.0])
    ours = fit_monotone(x, CLASSES)
    weight = np.where(CLASSES, 0.5 / CLASSES.sum(), 0.5 / (~CLASSES).sum())
    origin = weight @ x
    scaled = (x - origin) / np.sqrt(weight @ (x - origin) ** 2)
    plain = LogisticRegression(C=1 / (L2 * len(x)), class_weight="balanced", tol=1e-10).fit(scaled, CLASSES)
    assert np.allclose(ours.logit(x), plain.decision_function(scaled), atol=1e-4)


def test_what_speaks_for_the_other_class_gets_no_weight():
    both = fit_monotone(columns_for([2.0, -2.0]), CLASSES)
    assert both.weights[1] == 0
    assert both.weights[0] > 0.5


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=4),
    st.integers(0, 10),
    st.integers(0, 3),
    st.floats(0, 100),
)
def test_no_logit_falls_when_a_column_rises(strengths, seed, which, rise):
    x = columns_for(strengths, seed)
    model = fit_monotone(x, CLASSES)
    risen = x.copy()
    risen[:, which % len(strengths)] += rise
    assert (model.logit(risen) >= model.logit(x)).all()


def test_units_and_origins_of_columns_do_not_matter():
    x = columns_for([1.0, 0.5, 0.0])
    units, origins = np.array([1e-3, 1.0, 1e4]), np.array([5.0, -300.0, 0.0])
    one, other = fit_monotone(x, CLASSES), fit_monotone(x * units + origins, CLASSES)
    assert np.allclose(one.logit(x), other.logit(x * units + origins), atol=1e-5)


def test_a_column_that_does_not_vary_says_nothing():
    model = fit_monotone(np.full((len(CLASSES), 1), 0.1), CLASSES)
    assert model.weights.tolist() == [0.0]
    assert model.logit(np.array([[0.1], [99.0]])).tolist() == [0.0, 0.0]  # both classes count the same


def test_separable_classes_stay_finite():
    model = fit_monotone(CLASSES.astype(float)[:, None], CLASSES)
    assert 0 < model.weights[0] < 1e3


def test_platt_recovers_planted_slope_and_offset():
    rng = np.random.default_rng(0)
    truth = rng.random(40_000) < 0.5
    right = rng.normal(size=len(truth)) + np.where(truth, 1.0, -1.0)  # log odds of 2 z
    slope, offset = fit_platt((2 * right - 0.5) / 3, truth)
    assert slope == pytest.approx(3.0, rel=0.05)
    assert offset == pytest.approx(0.5, abs=0.05)


def test_platt_never_turns_the_order_round():
    logits = np.where(CLASSES, -1.0, 1.0)
    assert fit_platt(logits, CLASSES) == (0.0, 0.0)


def test_platt_of_separated_classes_is_less_than_certain():
    slope, offset = fit_platt(np.where(CLASSES, 5.0, -5.0), CLASSES)
    assert expit(slope * 5 + offset) == pytest.approx(1 - 1 / (CLASSES.sum() + 2), abs=1e-3)
