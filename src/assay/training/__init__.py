"""Training of networks on tasks, with checkpoints that continue an interrupted run to the same bits."""

from assay.training.data import TrainingData as TrainingData
from assay.training.fit import TrainingConfig as TrainingConfig
from assay.training.fit import TrainingRecord as TrainingRecord
from assay.training.fit import fit as fit
from assay.training.logs import Log as Log
from assay.training.logs import tensorboard as tensorboard
from assay.training.logs import trackio as trackio
from assay.training.population import fit_many as fit_many
from assay.training.run import PreparedRun as PreparedRun
from assay.training.run import completed as completed
from assay.training.run import prepare as prepare
from assay.training.run import recommended as recommended
from assay.training.run import train as train
from assay.training.sparse import density_of as density_of
from assay.training.sparse import prune as prune
from assay.training.updates import DivergedError as DivergedError
