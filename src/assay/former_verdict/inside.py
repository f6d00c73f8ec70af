"""The verdict from the inside alone: features, the call on them, and whether it holds when they are drawn again."""

from collections.abc import Mapping, Sequence

import numpy as np

from assay.calibration import FEATURES
from assay.calibration.combiner import Call
from assay.evidence import Evidence, Interval
from assay.former_verdict.calibration import NONE_SHIPS, Calibration
from assay.former_verdict.features import NUM_DRAWS, features, find, missing_parts, resampled
from assay.former_verdict.words import Answer, Axis, Inside
from assay.stats import LEVEL

_ANSWERS: dict[Call, Answer] = {"composes": "yes", "imitates": "no", "abstains": "not resolved"}
STABLE = 0.95  # share of the resamples that must give the same call


def inside(evidence: Sequence[Evidence], calibration: Calibration | None) -> Inside:
    """The answer at access level 0."""
    found = find(evidence, "recombination")
    if found is None or found.not_enough:
        because = found.not_enough if found else "recombination gave no evidence"
        return Inside(answer="not resolved", because=because, tested=False)
    measured = features(evidence)
    if calibration is None:
        return Inside(answer="not resolved", because=NONE_SHIPS, features=measured, tested=False)
    combiner = calibration.combiner
    judged = combiner.judge(_row(measured))
    probability, reason = float(judged.probability[0]), str(judged.reason[0])
    call: Call = judged.call.tolist()[0]
    rates = calibration.error_rates.told()
    if np.isnan(probability):
        return Inside(answer="not resolved", because=reason, features=measured, error_rates=rates, tested=False)
    again = combiner.judge(resampled(evidence))
    stability = float((again.call == call).mean())
    interval = _interval(again.probability, probability)
    told = (
        f"from trained inputs alone, the probability that it composes is {probability:.2f} "
        f"[{interval.low:.2f}, {interval.high:.2f}]"
    )
    if call == "abstains":
        told = f"{told}: {reason}"
    elif stability < STABLE:
        told = f"{told}: {stability:.0%} of resamples lead to the same call, and {STABLE:.0%} are needed"
        call = "abstains"
    missing, answer = missing_parts(evidence), _ANSWERS[call]
    if call == "composes" and missing:
        answer, told = "not resolved", f"{told}, but exchanging {', '.join(missing)} inside does not give the declared output"
    return Inside(
        answer=answer,
        because=told,
        call=call,
        probability=probability,
        interval=interval,
        stability=stability,
        features=measured,
        error_rates=rates,
    )


def organised(evidence: Sequence[Evidence], calibration: Calibration | None) -> Axis:
    """The second axis: which side of the calibration's thresholds the whole interval of the score of organisation lies on."""
    found = find(evidence, "organisation")
    if found is None or found.not_enough:
        because = found.not_enough if found else "organisation gave no evidence"
        return Axis(answer="not resolved", because=because, tested=False)
    measure = found.measure("organisation")
    if measure.value is None or measure.interval is None:
        return Axis(answer="not resolved", because=measure.note or "not enough data", tested=False)
    low, high = measure.interval.low, measure.interval.high
    told = f"its organisation scores {measure.value:.2f} [{low:.2f}, {high:.2f}]"
    if calibration is None:
        return Axis(answer="not resolved", because=f"{told}, and {NONE_SHIPS}", tested=False)
    tidy, fractured = calibration.organised.tidy_above, calibration.organised.fractured_below
    if low > tidy:
        return Axis(answer="yes", because=f"{told}, above the {tidy:.2f} that fractured networks stay below")
    if high < fractured:
        return Axis(answer="no", because=f"{told}, below the {fractured:.2f} that tidy networks stay above")
    return Axis(answer="not resolved", because=f"{told}, and only below {fractured:.2f} or above {tidy:.2f} could it be told")


def _interval(draws: np.ndarray, value: float) -> Interval:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    method = f"percentiles of {NUM_DRAWS} resamples of what was measured"
    return Interval(low=min(float(low), value), high=max(float(high), value), level=LEVEL, method=method)


def _row(measured: Mapping[str, float | None]) -> np.ndarray:
    """Features as one row `(1, k)` of what a combiner judges."""
    values = [measured[name] for name in FEATURES]
    return np.array([[np.nan if value is None else value for value in values]])
