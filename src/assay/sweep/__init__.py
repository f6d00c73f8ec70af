"""Sweeps: networks on a grid of settings, each trained, audited and stored, to find where composition appears."""

from assay.sweep.directory import finished as finished
from assay.sweep.estimate import Estimate as Estimate
from assay.sweep.estimate import estimated as estimated
from assay.sweep.grid import Axis as Axis
from assay.sweep.page import write_sweep as write_sweep
from assay.sweep.plan import SweepPlan as SweepPlan
from assay.sweep.run import Sweep as Sweep
from assay.sweep.run import sweep as sweep
