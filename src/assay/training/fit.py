"""Train one model on one task: AdamW, a cosine schedule with warm-up, batches from a generator, checkpoints."""

import dataclasses
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Generator, nn

from assay.errors import AssayError
from assay.parallel import one_thread
from assay.store import CHECKPOINT, RunDirectory
from assay.task import Examples, Task
from assay.training.checkpoint import Progressed, load_checkpoint, save_checkpoint


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How to train.

    **Attributes:**

    - `steps`, `batch_size`: updates (0 keeps the initial weights), and examples drawn for each.
    - `learning_rate`: at its highest, after `warmup` linear steps; it falls to zero along a cosine.
    - `weight_decay`: of AdamW, decoupled, on every parameter.
    - `clip`: the largest norm of the gradient; a longer one is shortened to it.
    - `seed`: of the initial weights and of the batches.
    - `checkpoint_every`: steps between checkpoints.
    """

    steps: int = 3000
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup: int = 100
    clip: float = 1.0
    seed: int = 0
    checkpoint_every: int = 250

    def __post_init__(self):
        for name in ("batch_size", "checkpoint_every", "learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise AssayError(f"training: {name} must be positive", given=getattr(self, name))
        for name in ("steps", "weight_decay", "warmup", "seed"):
            if not getattr(self, name) >= 0:
                raise AssayError(f"training: {name} must not be negative", given=getattr(self, name))

    def rate(self, step: int) -> float:
        """Learning rate of the update that follows `step` finished ones."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        return self.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """What training left: `(step, loss)` about every hundredth of the run, and its cost over all sittings."""

    losses: tuple[tuple[int, float], ...]
    wall_seconds: float
    cpu_seconds: float


def fit(
    model: nn.Module,
    task: Task,
    *,
    config: TrainingConfig,
    directory: RunDirectory | None = None,
    progress: Callable[[str, float], None] = lambda doing, done: None,
) -> TrainingRecord:
    """Train `model` in place on the task's `train` split, on one torch thread, and leave it in evaluation mode.

    With a `directory` it continues from the checkpoint found there and writes its own. On the CPU an interrupted run
    ends with the same weights, bit for bit, as one left alone, as long as the model draws nothing at random itself.

    **Raises:** `AssayError` when the loss or the gradient is no longer finite: the last checkpoint stays.
    `KeyboardInterrupt` after Ctrl-C, once the step is finished and a checkpoint written.
    """
    device = next(model.parameters()).device
    generator = Generator().manual_seed(config.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
    checkpoint = directory.path / CHECKPOINT if directory else None
    progressed = Progressed(0, [])
    loss: float | None = None
    if checkpoint is not None and checkpoint.exists():
        progressed = load_checkpoint(checkpoint, model, optimiser, generator=generator)
    clock = _Clock(progressed)

    def save() -> None:
        clock.stop()
        if checkpoint is not None:
            save_checkpoint(checkpoint, model, optimiser, generator=generator, progressed=progressed)

    model.train()
    with one_thread(), _interrupts_between_steps() as check_interrupt:
        try:
            while progressed.step < config.steps:
                for group in optimiser.param_groups:
                    group["lr"] = config.rate(progressed.step)
                examples = task.examples("train", config.batch_size, generator=generator)
                loss, last_good = _backward(model, task, examples, device), loss
                norm = float(nn.utils.clip_grad_norm_(model.parameters(), config.clip))
                if not (math.isfinite(loss) and math.isfinite(norm)):
                    _diverged(loss, norm, progressed.step + 1, last_good, config)
                optimiser.step()
                progressed.step += 1
                if progressed.step % max(1, config.steps // 100) == 0 or progressed.step == config.steps:
                    progressed.losses.append((progressed.step, loss))
                    progress(f"training, loss {loss:.4g}", progressed.step / config.steps)
                check_interrupt()
                if progressed.step % config.checkpoint_every == 0 or progressed.step == config.steps:
                    save()
        except KeyboardInterrupt:
            save()
            raise
    clock.stop()
    model.eval()
    return TrainingRecord(
        losses=tuple(progressed.losses), wall_seconds=progressed.wall_seconds, cpu_seconds=progressed.cpu_seconds
    )


def _backward(model: nn.Module, task: Task, examples: Examples, device: torch.device) -> float:
    """Leave the gradient of the loss on these examples in the parameters; the loss."""
    if not len(examples):
        raise AssayError(f"{task.address} must have training examples", given="none in its train split")
    moved = dataclasses.replace(examples, targets=examples.targets.to(device))
    model.zero_grad()
    loss = task.loss(model(**{name: column.to(device) for name, column in examples.inputs.items()}), moved)
    loss.backward()
    return float(loss.detach())


def _diverged(loss: float, norm: float, step: int, last_good: float | None, config: TrainingConfig) -> NoReturn:
    before = "it was the first" if last_good is None else f"the loss before was {last_good:.4g}"
    raise AssayError(
        "the training loss and its gradient must stay finite",
        given=f"loss {loss} with gradient norm {norm} at step {step}; {before}",
        next_step=f"lower the learning rate (it is {config.learning_rate}) or look for NaN in the data, and train into another "
        "folder; what was saved stays",
    )


class _Clock:
    """Adds the time since it was started, or last stopped, to what `progressed` counts."""

    def __init__(self, progressed: Progressed):
        self.progressed = progressed
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.progressed.wall_seconds += wall - self.wall
        self.progressed.cpu_seconds += cpu - self.cpu
        self.wall, self.cpu = wall, cpu


@contextmanager
def _interrupts_between_steps() -> Iterator[Callable[[], None]]:
    """Holds Ctrl-C back until the function that it yields is called: half an update must never be saved."""
    asked = False

    def note(signum: int, frame: object) -> None:
        nonlocal asked
        asked = True

    def check() -> None:
        if asked:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield check
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
