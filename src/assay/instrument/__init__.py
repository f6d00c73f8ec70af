"""The frame for instruments: an instrument reads one network; the frame adds copies, controls, nulls, intervals and
evidence."""

from assay.instrument.frame import Budget as Budget
from assay.instrument.frame import Control as Control
from assay.instrument.frame import Instrument as Instrument
from assay.instrument.frame import Metric as Metric
from assay.instrument.frame import NotEnough as NotEnough
from assay.instrument.frame import Notes as Notes
from assay.instrument.frame import OtherData as OtherData
from assay.instrument.frame import Random as Random
from assay.instrument.frame import Reading as Reading
from assay.instrument.frame import Readings as Readings
from assay.instrument.frame import Values as Values
from assay.instrument.run import answering as answering
from assay.instrument.run import draw as draw
from assay.instrument.run import missing_abilities as missing_abilities
from assay.instrument.run import not_enough as not_enough
from assay.instrument.run import read as read
from assay.instrument.run import run as run
from assay.instrument.run import seed_of_draws as seed_of_draws
from assay.instrument.run import with_running as with_running
from assay.progress import Progress as Progress
from assay.progress import following as following
from assay.progress import report as report
from assay.progress import silent as silent
from assay.progress import stage as stage
