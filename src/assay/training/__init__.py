"""Train a network on a task, with checkpoints that continue an interrupted run to the same bits."""

from typing import TYPE_CHECKING, Any

from assay.training.data import TrainingData as TrainingData
from assay.training.fit import TrainingConfig as TrainingConfig
from assay.training.fit import TrainingRecord as TrainingRecord
from assay.training.fit import fit as fit
from assay.training.population import fit_many as fit_many
from assay.training.updates import DivergedError as DivergedError

if TYPE_CHECKING:
    from assay.training.run import Prepared as Prepared
    from assay.training.run import completed as completed
    from assay.training.run import prepare as prepare
    from assay.training.run import recommended as recommended
    from assay.training.run import train as train

_OF_RUNS = ("Prepared", "completed", "prepare", "recommended", "train")


def __getattr__(name: str) -> Any:
    # Runs know every family of tasks; a network judged without its task is trained on shuffled labels all the same.
    if name not in _OF_RUNS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assay.training import run

    return getattr(run, name)
