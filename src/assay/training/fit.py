"""Training of one model on one task: AdamW, cosine schedule with warm-up, checkpoints."""

from collections.abc import Callable

from torch import nn

from assay.store import CHECKPOINT, RunDirectory
from assay.training.cohort import Separate
from assay.training.config import TrainingConfig as TrainingConfig
from assay.training.config import TrainingRecord as TrainingRecord
from assay.training.data import Source
from assay.training.logs import Log, no_log
from assay.training.updates import DivergedError, records, train_cohort


def fit(
    model: nn.Module,
    task: Source,
    *,
    config: TrainingConfig,
    directory: RunDirectory | None = None,
    progress: Callable[[str, float], None] = lambda doing, done: None,
    log: Log = no_log,
) -> TrainingRecord:
    """Train `model` in place on the task's `train` split, on one torch thread, and leave it in evaluation mode. One given in
    evaluation mode is set to training mode first, submodules included; in one given in training mode these keep theirs.

    With a `directory` training continues from the checkpoint there and writes new ones. On the CPU an interrupted run ends with
    the same weights, bit for bit, as an uninterrupted one. Random draws of the model, such as dropout, depend on the seed of
    `config` only, and the global generators are restored. `log` is called with the loss about a hundred times.

    **Raises:** `AssayError` when the loss or the gradient is no longer finite; the last checkpoint is kept. `KeyboardInterrupt`
    after Ctrl-C, when the step is finished and a checkpoint written.

    Example::

        >>> from assay.models import build
        >>> from assay.training import fit
        >>> task = assay.load_task("modular-addition:p=7")
        >>> model = build("mlp", task, generator=torch.Generator().manual_seed(0), width=32)
        >>> record = fit(model, task, config=assay.TrainingConfig(steps=200, batch_size=32, warmup=0))
        >>> losses = [loss for step, loss in record.losses]
        >>> losses[-1] < losses[0], model.training
        (True, False)
    """
    checkpoint = directory.path / CHECKPOINT if directory else None
    progressed = train_cohort(Separate([model], [task], [config]), checkpoint=checkpoint, progress=progress, log=log)
    kept = records(progressed, 1)
    if progressed.diverged:
        raise DivergedError.of_models(progressed.diverged[0], models=progressed.diverged, records=kept, configs=[config])
    return kept[0]
