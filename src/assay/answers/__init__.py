"""From evidence to three answers that are never merged: does it work on novel combinations, where are the parts combined and
what breaks, is each part one thing inside.

It reads `assay.instruments.combining` and takes the place of `assay.verdict` once the zoo on entangled inputs has been
measured; until then no command uses it.
"""

from assay.answers.answers import Combining, Novel, Sharing, Verdict
from assay.answers.judging import judge

__all__ = ["Combining", "Novel", "Sharing", "Verdict", "judge"]
