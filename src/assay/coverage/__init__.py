"""Coverage of a data set: which novel combinations follow from its training data, without a model."""

from assay.coverage.measure import coverage as coverage
from assay.coverage.page import write_coverage as write_coverage
from assay.coverage.result import Coverage as Coverage
