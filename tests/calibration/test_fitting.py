import numpy as np
import pytest
from scipy.stats import binom

from assay.calibration import FEATURES, fit_combiner
from assay.calibration.combiner import NO_EVIDENCE, UNKNOWN
from assay.calibration.fitting import Fits


def x_of(subjects) -> np.ndarray:
    return np.stack([subjects.features[name] for name in FEATURES], axis=1)


def test_every_set_of_features_has_its_line(plant):
    combiner = fit_combiner(plant(num=40, missing=0.2))
    assert len(combiner.lines) == 15
    assert {line.features for line in combiner.lines} >= {("collapse",), FEATURES}


def test_a_set_that_no_network_has_has_none(plant, columns):
    subjects = plant(num=40)
    subjects.features["homomorphism"][:] = np.nan
    assert len(fit_combiner(subjects).lines) == 7


def test_separable_classes_are_called_right(plant):
    combiner = fit_combiner(plant(strength=6.0))
    fresh = plant(strength=6.0, families=("new",), seed=1)
    judged = combiner.judge(x_of(fresh))
    right = np.where(fresh.composes, "composes", "imitates")
    assert (judged.call == right).mean() > 0.9  # the others lie outside of the known range
    assert set(judged.call[judged.call != right]) <= {"abstains"}


def test_a_useless_feature_gets_no_weight_to_speak_of(plant):
    combiner = fit_combiner(plant(strengths={"collapse": 0.0, "homomorphism": -2.0}))
    weights = dict(zip(FEATURES, next(line.weights for line in combiner.lines if line.features == FEATURES), strict=True))
    assert weights["homomorphism"] == 0
    assert weights["collapse"] < 0.2 * weights["recombination"]


def test_on_noise_nothing_is_called(plant):
    judged = fit_combiner(plant(strength=0.0)).judge(x_of(plant(strength=0.0, families=("new",), seed=1)))
    assert (judged.call == "abstains").mean() > 0.85
    assert np.nanmax(np.abs(judged.probability - 0.5)) < 0.3


@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_fresh_families_are_called_wrongly_no_more_often_than_was_stated(plant, missing):
    def shifts(names, seed):
        return dict(zip(names, np.random.default_rng(seed).normal(0, 0.3, len(names)).tolist(), strict=True))

    known = ("modular", "commands", "hyperteacher", "attributes", "transduction", "digits")
    fresh = tuple(f"fresh{index}" for index in range(12))
    combiner = fit_combiner(plant(strength=2.0, missing=missing, shift=shifts(known, 0)))
    subjects = plant(strength=2.0, missing=missing, families=fresh, shift=shifts(fresh, 1), seed=1)
    judged = combiner.judge(x_of(subjects))
    for composes, wrong in ((False, "composes"), (True, "imitates")):
        rows = subjects.composes == composes
        assert (judged.call[rows] == wrong).sum() <= binom.ppf(0.999, rows.sum(), 0.05)
    assert (judged.call != "abstains").mean() > 0.5


def test_probabilities_hold_on_a_fresh_family(plant):
    combiner = fit_combiner(plant(strength=1.0))
    subjects = plant(strength=1.0, families=("new",), num=3000, seed=1)
    probability = combiner.predict(x_of(subjects))
    for low in (0.1, 0.3, 0.5, 0.7):
        rows = (probability >= low) & (probability < low + 0.2)
        assert subjects.composes[rows].mean() == pytest.approx(probability[rows].mean(), abs=0.07)


def test_the_order_of_rows_does_not_matter(plant):
    subjects = plant(num=40, missing=0.2)
    order = np.random.default_rng(0).permutation(len(subjects))
    assert fit_combiner(subjects) == fit_combiner(subjects.take(order))


def test_units_of_features_do_not_matter(plant):
    subjects, other = plant(num=40, missing=0.2), plant(num=40, missing=0.2)
    other.features["additivity"][:] = 1000 * other.features["additivity"] - 7
    one, two = (fit_combiner(table).judge(x_of(table)) for table in (subjects, other))
    assert np.allclose(one.probability, two.probability, atol=1e-4, equal_nan=True)


def test_twins_partial_networks_and_wrong_declarations_are_not_fitted_to(plant):
    subjects = plant(num=40, twins=5, partial=10, wrong=10)
    assert fit_combiner(subjects) == fit_combiner(subjects.take(subjects.decided))


def test_sealed_families_are_fitted_to_when_asked(plant):
    subjects = plant(num=40, families=("modular", "digits", "trees"))
    without = fit_combiner(subjects)
    assert without == fit_combiner(subjects.take(subjects.family != "trees"))
    assert without != fit_combiner(subjects, fit_sealed=True)


def test_one_family_is_calibrated_over_its_task_instances(plant):
    subjects = plant(families=("modular",))
    fits = Fits(subjects)
    assert len(np.unique(fits.folds(fits.known))) == 5
    assert len(fit_combiner(subjects).lines) == 15
    alone = subjects.take(subjects.task == subjects.task[0])
    assert fit_combiner(alone).lines == ()  # one instance cannot be left out


@pytest.mark.parametrize("label", ["composes", "imitates"])
def test_one_class_only_gives_no_line(plant, label):
    subjects = plant(num=40)
    combiner = fit_combiner(subjects.take(subjects.label == label))
    assert combiner.lines == ()
    assert set(combiner.judge(x_of(subjects)).reason) == {UNKNOWN}


@pytest.mark.parametrize("num", [0, 1])
def test_tables_of_nothing(plant, num):
    combiner = fit_combiner(plant(num=num, families=("modular",)))
    assert combiner.lines == ()
    assert combiner.judge(np.full((1, 4), np.nan)).reason.tolist() == [NO_EVIDENCE]


def test_probabilities_come_from_fits_that_did_not_see_the_network(plant):
    # On noise and few networks a fit always tells those apart that it saw. Slopes calibrated on them would say so.
    def slope(seed: int) -> float:
        combiner = fit_combiner(plant(num=10, strength=0.0, seed=seed))
        return next(line.slope for line in combiner.lines if line.features == FEATURES)

    assert np.median([slope(seed) for seed in range(11)]) < 0.1
