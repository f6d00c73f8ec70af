import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.calibration import FEATURES, Combiner, Line, Thresholds
from assay.calibration.combiner import BETWEEN, NO_EVIDENCE, UNKNOWN
from assay.errors import AssayError

NAN = float("nan")


def line(features: tuple[str, ...], weights: tuple[float, ...], **more) -> Line:
    thresholds = Thresholds(composes_above=0.8, imitates_below=0.2)
    return Line(features=features, weights=weights, intercept=0.0, slope=1.0, offset=0.0, thresholds=thresholds, **more)


COMBINER = Combiner(
    features=FEATURES,
    lines=(
        line(("recombination",), (1.0,)),
        line(("additivity",), (2.0,)),
        line(("recombination", "additivity"), (3.0, 0.0)),
        line(("recombination", "additivity", "homomorphism"), (1.0, 0.5, 0.25)),
    ),
    low=dict.fromkeys(FEATURES, -10.0),
    high=dict.fromkeys(FEATURES, 10.0),
)


def judged(*row: float):
    probability, call, reason = COMBINER.judge(np.array([row]))
    return probability[0], call[0], reason[0]


def test_missing_evidence_has_a_line_of_its_own():
    assert judged(2.0, NAN, NAN, NAN)[0] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert judged(NAN, 2.0, NAN, NAN)[0] == pytest.approx(1 / (1 + np.exp(-4.0)))
    assert judged(2.0, 0.0, NAN, NAN)[0] == pytest.approx(1 / (1 + np.exp(-6.0)))


def test_what_no_line_was_fitted_to_falls_back_on_the_largest_set():
    assert judged(2.0, 1.0, 9.0, 3.0)[0] == judged(2.0, 1.0, NAN, 3.0)[0]
    assert judged(2.0, NAN, NAN, 3.0) == judged(2.0, NAN, NAN, NAN)


def test_calls_and_reasons():
    assert judged(5.0, NAN, NAN, NAN)[1:] == ("composes", "")
    assert judged(-5.0, NAN, NAN, NAN)[1:] == ("imitates", "")
    assert judged(0.0, NAN, NAN, NAN) == (0.5, "abstains", BETWEEN)
    assert judged(NAN, NAN, NAN, NAN)[1:] == ("abstains", NO_EVIDENCE)
    assert judged(NAN, NAN, 1.0, NAN)[1:] == ("abstains", UNKNOWN)


def test_outside_of_the_known_range_there_is_a_probability_and_no_call():
    assert judged(11.9, NAN, NAN, NAN)[1] == "composes"  # within a tenth of the span
    probability, call, reason = judged(12.1, NAN, NAN, NAN)
    assert probability > 0.99
    assert call == "abstains"
    assert reason.startswith("recombination of 12.1 lies outside")
    assert judged(-12.1, NAN, NAN, NAN)[1] == "abstains"
    assert judged(5.0, 99.0, NAN, NAN)[1] == "composes"  # additivity has no weight beside recombination


@given(st.lists(st.one_of(st.just(NAN), st.floats(-20, 20)), min_size=4, max_size=4), st.integers(0, 3), st.floats(0, 20))
def test_no_probability_falls_when_a_feature_rises(row, which, rise):
    risen = list(row)
    risen[which] += rise
    before, after = (COMBINER.predict(np.array([one]))[0] for one in (row, risen))
    assert np.isnan(before) == np.isnan(after)
    assert np.isnan(before) or after >= before


@pytest.mark.parametrize("num", [0, 1])
def test_few_rows(num):
    assert COMBINER.predict(np.full((num, 4), NAN)).shape == (num,)


def test_json_in_and_out():
    content = json.loads(json.dumps(COMBINER.to_dict(), allow_nan=False))
    assert Combiner.from_dict(content) == COMBINER
    content["lines"][0]["weights"] = [-1.0]
    with pytest.raises(AssayError, match=r"lines\.0\.weights"):
        Combiner.from_dict(content)


def without_a_weight(content):
    content["lines"][0]["weights"] = []


def without_a_range(content):
    del content["low"]["additivity"]


@pytest.mark.parametrize("spoil", [without_a_weight, without_a_range])
def test_a_calibration_that_does_not_hang_together_is_refused(spoil):
    content = COMBINER.to_dict()
    spoil(content)
    with pytest.raises(AssayError, match="every line of a calibration"):
        Combiner.from_dict(content)
