"""Checks that every instrument must pass, plug-ins included, like scikit-learn's `check_estimator` for estimators.

- `check_instrument(instrument)`: runs all checks, on pairs of values and an MLP, or on your own case.
- `CHECKS`: the single checks, for a test framework.
- `check(instrument)`: runs all checks and measures the false-finding rate; `assay check` on the command line.
- `Case`: a small task with the abilities that an instrument needs, with networks.
"""

from assay.conformance.case import Case as Case
from assay.conformance.case import pairs as pairs
from assay.conformance.checks import CHECKS as CHECKS
from assay.conformance.checks import check_instrument as check_instrument
from assay.conformance.rates import Check as Check
from assay.conformance.rates import FalseFindings as FalseFindings
from assay.conformance.rates import check as check
from assay.conformance.rates import false_findings as false_findings
