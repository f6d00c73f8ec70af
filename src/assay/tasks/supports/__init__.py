"""Supports: sets of modules that are active together, as integer bitmasks (bit m is module m), and the choice of trained ones.

After Schug et al. 2024 (arXiv 2312.15001) and Redhardt, Akram and Schug 2025 (arXiv 2507.07207). Bitmasks in arrays instead of
sets of tuples: half a million supports are split in well under two seconds.
"""

from assay.tasks.supports.kinds import KINDS as KINDS
from assay.tasks.supports.kinds import Kind as Kind
from assay.tasks.supports.masks import SupportCoverage as SupportCoverage
from assay.tasks.supports.masks import all_supports as all_supports
from assay.tasks.supports.masks import coverage as coverage
from assay.tasks.supports.masks import identifies as identifies
from assay.tasks.supports.masks import indicator as indicator
from assay.tasks.supports.split import Supports as Supports
from assay.tasks.supports.split import split_supports as split_supports
