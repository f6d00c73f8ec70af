"""Cuts of any network by depth: all activations through which the rest of the computation depends on its input, read and
patched."""

from assay.cuts.cuts import Cuts as Cuts
from assay.cuts.state import State as State
from assay.cuts.trace import Cut as Cut
