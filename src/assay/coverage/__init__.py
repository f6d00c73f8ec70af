"""Coverage of a data set, measured without any model."""

from assay.coverage.measure import Coverage as Coverage
from assay.coverage.measure import coverage as coverage
from assay.coverage.page import write_coverage as write_coverage
