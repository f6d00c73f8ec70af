"""Training loop of one or many models: schedule, divergence, losses, checkpoints, Ctrl-C."""

import math
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from assay.errors import AssayError
from assay.isolation import seeded
from assay.jobs import one_thread
from assay.training.checkpoint import Progressed, load_checkpoint, save_checkpoint
from assay.training.cohort import Cohort
from assay.training.config import TrainingConfig, TrainingRecord
from assay.training.logs import Log, no_log


class DivergedError(AssayError):
    """The loss or the gradient of some models became infinite or NaN.

    **Attributes:**

    - `models`: a message for each of them, by index.
    - `records`: of all models, including those trained to the end.

    Example::

        >>> data = assay.TrainingData({"input": torch.ones(4, 1)}, torch.full((4, 1), float("inf")), assay.Regression(1, 1.0))
        >>> try:
        ...     assay.fit_many([torch.nn.Linear(1, 1)], data, configs=assay.TrainingConfig(steps=2, batch_size=4, warmup=0))
        ... except assay.DivergedError as error:
        ...     print(sorted(error.models))
        [0]
    """

    models: dict[int, str]
    records: list[TrainingRecord]

    @classmethod
    def of_models(
        cls, given: str, *, models: dict[int, str], records: list[TrainingRecord], configs: Sequence[TrainingConfig]
    ) -> "DivergedError":
        """The error, with the learning rates of the diverged models in its message."""
        rates = ", ".join(f"{rate:g}" for rate in sorted({configs[i].learning_rate for i in models}))
        error = cls(
            "the training loss and its gradient must stay finite",
            given=given,
            next_step=f"lower the learning rate (it is {rates}) or look for NaN in the data, and train into another folder;"
            " saved files are kept",
        )
        error.models, error.records = models, records
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        return *super().__reduce__(), vars(self)  # pickled with its attributes


def train_cohort(
    cohort: Cohort,
    *,
    checkpoint: Path | None = None,
    progress: Callable[[str, float], None] = lambda doing, done: None,
    log: Log = no_log,
) -> Progressed:
    """Take all steps, and set the models to evaluation mode.

    A model whose loss or gradient is no longer finite keeps its weights of before that step and is recorded in `diverged`; the
    others continue. Training ends when none is left, and the last checkpoint is kept. `log` gets the mean loss of the models.

    **Raises:** `KeyboardInterrupt` after Ctrl-C, when the step is finished and a checkpoint written; after a second Ctrl-C at
    once.
    """
    steps, every = cohort.configs[0].steps, cohort.configs[0].checkpoint_every
    progressed = load_checkpoint(checkpoint, cohort) if checkpoint is not None and checkpoint.exists() else Progressed()
    diverged = progressed.diverged
    last: Tensor | None = None
    clock = _Clock(progressed)

    def save() -> None:
        clock.stop()
        if checkpoint is not None:
            save_checkpoint(checkpoint, cohort, progressed)

    with one_thread(), seeded(0), _interrupts_between_steps() as interrupts:
        try:
            while progressed.step < steps:
                losses = cohort.backward(progressed.step, diverged)
                norms = cohort.clip()
                if not math.isfinite(float((losses + norms).sum())):
                    _note_diverged(diverged, losses, norms, progressed.step + 1, last)
                    if len(diverged) == len(cohort.models):
                        break
                cohort.update(progressed.step, diverged)
                last = losses
                progressed.step += 1
                if progressed.step % max(1, steps // 100) == 0 or progressed.step == steps:
                    known = [math.nan if i in diverged else loss for i, loss in enumerate(losses.tolist())]
                    progressed.curve.append((progressed.step, known))
                    mean = statistics.fmean(loss for loss in known if not math.isnan(loss))
                    progress(f"training, loss {mean:.4g}", progressed.step / steps)
                    log(progressed.step, {"loss": mean})
                if interrupts():
                    raise KeyboardInterrupt
                if progressed.step % every == 0 or progressed.step == steps:
                    save()
        except KeyboardInterrupt:
            if interrupts() < 2:  # a second Ctrl-C may interrupt an update
                save()
            raise
    clock.stop()
    cohort.finish()
    return progressed


def records(progressed: Progressed, num_models: int) -> list[TrainingRecord]:
    """Training record of each model: its finite losses, and an equal share of the cost."""
    return [
        TrainingRecord(
            losses=tuple((step, losses[i]) for step, losses in progressed.curve if math.isfinite(losses[i])),
            wall_seconds=progressed.wall_seconds / num_models,
            cpu_seconds=progressed.cpu_seconds / num_models,
        )
        for i in range(num_models)
    ]


def _note_diverged(diverged: dict[int, str], losses: Tensor, norms: Tensor, step: int, last: Tensor | None) -> None:
    for i, (loss, norm) in enumerate(zip(losses.tolist(), norms.tolist(), strict=True)):
        if i not in diverged and not (math.isfinite(loss) and math.isfinite(norm)):
            before = "it was the first" if last is None else f"the loss before was {float(last[i]):.4g}"
            diverged[i] = f"loss {loss} with gradient norm {norm} at step {step}; {before}"


class _Clock:
    """Timer that adds the time since its start, or its last stop, to the seconds of `progressed`."""

    def __init__(self, progressed: Progressed):
        self.progressed = progressed
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.progressed.wall_seconds += wall - self.wall
        self.progressed.cpu_seconds += cpu - self.cpu
        self.wall, self.cpu = wall, cpu


@contextmanager
def _interrupts_between_steps() -> Iterator[Callable[[], int]]:
    """Context that defers Ctrl-C to the end of a step, since half an update must never be saved. Yields a function that counts
    presses; the second acts at once."""
    pressed = 0

    def note(signum: int, frame: object) -> None:
        nonlocal pressed
        pressed += 1
        if pressed == 2:
            signal.signal(signal.SIGINT, before)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    here = threading.current_thread() is threading.main_thread()  # only the main thread may set signal handlers
    if not here or before is signal.SIG_IGN:  # such as in a shell's background command
        yield lambda: pressed
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
