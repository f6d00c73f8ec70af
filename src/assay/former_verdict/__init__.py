"""From evidence to the two axes of the verdict: judged from the inside by a calibration on networks with a known answer, and
measured where novel combinations could be tested."""

from assay.former_verdict.calibration import Calibration, ErrorRates, OrganisedThresholds, calibrate, shipped
from assay.former_verdict.features import features, missing_parts
from assay.former_verdict.judging import judge
from assay.former_verdict.words import Answer, Axis, Inside, Outcome, Verdict

__all__ = [
    "Answer",
    "Axis",
    "Calibration",
    "ErrorRates",
    "Inside",
    "OrganisedThresholds",
    "Outcome",
    "Verdict",
    "calibrate",
    "features",
    "judge",
    "missing_parts",
    "shipped",
]
