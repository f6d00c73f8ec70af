"""Coverage of a data set, measured without any model."""

from assay.coverage.measure import coverage as coverage
from assay.coverage.page import write_coverage as write_coverage
from assay.coverage.result import Coverage as Coverage
