"""What the verdict's numbers rest on: networks with a known answer, a monotone fit to them, and how often it is wrong.

Nothing is scored by a fit that saw it: families, kinds and architectures are left out in turn.
"""

from assay.calibration.combiner import Combiner, Judged, Line
from assay.calibration.fitting import fit_combiner
from assay.calibration.protocol import leave_out
from assay.calibration.scores import Scores, score
from assay.calibration.table import FEATURES, Subjects, parquet_bytes, read_subjects, subjects_of
from assay.calibration.thresholds import Thresholds

__all__ = [
    "FEATURES",
    "Combiner",
    "Judged",
    "Line",
    "Scores",
    "Subjects",
    "Thresholds",
    "fit_combiner",
    "leave_out",
    "parquet_bytes",
    "read_subjects",
    "score",
    "subjects_of",
]
