"""From evidence to three answers that are never merged: does it work on novel combinations, where are the parts combined and
what breaks, is each part one thing inside.

It reads `assay.instruments.recombination` and takes the place of `assay.former_verdict`.
"""

from assay.verdict.answers import Combining, Novel, Sharing, Verdict
from assay.verdict.judging import judge

__all__ = ["Combining", "Novel", "Sharing", "Verdict", "judge"]
