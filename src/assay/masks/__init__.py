"""Masks over the weights of any network: search for subnetworks, their storage, combination and ablation."""

from assay.masks.files import load_mask as load_mask
from assay.masks.files import save_mask as save_mask
from assay.masks.magnitude import largest as largest
from assay.masks.mask import Mask as Mask
from assay.masks.mask import expected_overlap as expected_overlap
from assay.masks.mask import overlap as overlap
from assay.masks.relaxations import ContinuousSparsification as ContinuousSparsification
from assay.masks.relaxations import HardConcrete as HardConcrete
from assay.masks.relaxations import Relaxation as Relaxation
from assay.masks.removal import REMOVALS as REMOVALS
from assay.masks.removal import Removal as Removal
from assay.masks.removal import run_with_mean_outputs as run_with_mean_outputs
from assay.masks.removal import without as without
from assay.masks.rotation import rotated as rotated
from assay.masks.running import masked as masked
from assay.masks.running import run as run
from assay.masks.running import weights_of as weights_of
from assay.masks.search import FoundMask as FoundMask
from assay.masks.search import MaskTraining as MaskTraining
from assay.masks.search import SearchConfig as SearchConfig
from assay.masks.search import path as path
from assay.masks.search import search as search
from assay.masks.unit_kinds import UNITS as UNITS
from assay.masks.unit_kinds import Unit as Unit
from assay.masks.unit_kinds import Units as Units
from assay.masks.unit_kinds import units_of as units_of
