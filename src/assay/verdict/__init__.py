"""The verdict: three separate answers from all evidence. Does the network work on novel combinations, where are the parts
combined and what breaks, is each part one thing inside?"""

from assay.verdict.answers import Combining, Novel, Sharing, Verdict
from assay.verdict.judging import judge
from assay.verdict.words import Answered, answered, next_step

__all__ = ["Answered", "Combining", "Novel", "Sharing", "Verdict", "answered", "judge", "next_step"]
