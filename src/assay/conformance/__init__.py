"""Checks that every instrument must pass, ours and others', as scikit-learn's `check_estimator` does for estimators.

- `check_instrument(instrument)`: all checks, on pairs of values and an MLP, or on a case of your own.
- `CHECKS`: each by itself, for a test framework.
- `check(instrument)`: all checks, and how often it finds something where nothing is: `assay check` on the command line.
- `Case`: a small task with the abilities that an instrument needs, and networks for it.
"""

from assay.conformance.case import Case as Case
from assay.conformance.case import pairs as pairs
from assay.conformance.checks import CHECKS as CHECKS
from assay.conformance.checks import check_instrument as check_instrument
from assay.conformance.rates import Check as Check
from assay.conformance.rates import FalseFindings as FalseFindings
from assay.conformance.rates import check as check
from assay.conformance.rates import false_findings as false_findings
