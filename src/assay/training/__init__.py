"""Train a network on a task, with checkpoints that continue an interrupted run to the same bits."""

from assay.training.fit import TrainingConfig as TrainingConfig
from assay.training.fit import TrainingRecord as TrainingRecord
from assay.training.fit import fit as fit
from assay.training.run import recommended as recommended
from assay.training.run import train as train
