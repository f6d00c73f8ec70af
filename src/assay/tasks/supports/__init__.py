"""Supports: which modules are active together, as integer bitmasks (bit m is module m), and which of them are trained.

After Schug et al. 2024 (arXiv 2312.15001) and Redhardt, Akram and Schug 2025 (arXiv 2507.07207). Arrays of bitmasks
instead of sets of tuples: half a million supports are split in well under two seconds.
"""

from assay.tasks.supports.kinds import KINDS, Kind
from assay.tasks.supports.masks import SupportCoverage, all_supports, coverage, identifies, indicator
from assay.tasks.supports.split import Supports, split_supports

__all__ = [
    "KINDS",
    "Kind",
    "SupportCoverage",
    "Supports",
    "all_supports",
    "coverage",
    "identifies",
    "indicator",
    "split_supports",
]
