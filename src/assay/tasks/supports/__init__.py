"""Supports: sets of modules that are active together, as integer bitmasks (bit m is module m), and the choice of trained ones.

After Schug et al. 2024 (arXiv 2312.15001) and Redhardt, Akram and Schug 2025 (arXiv 2507.07207). Bitmasks in arrays instead of
sets of tuples: half a million supports are split in well under two seconds.
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
