"""Cuts of any network by depth: all that the rest of the computation knows of its input, read and patched."""

from assay.cuts.cuts import Cuts as Cuts
from assay.cuts.state import State as State
from assay.cuts.trace import Cut as Cut
