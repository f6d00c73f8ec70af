"""From a task's address to a finished run directory."""

import dataclasses
import importlib.metadata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Generator

from assay.errors import AssayError
from assay.models import configure, default_name, rebuild
from assay.store import RunDirectory, RunRecord
from assay.subject import Subject
from assay.task import Task
from assay.tasks import load_task
from assay.training.fit import TrainingConfig, fit

NUM_SCORED = 8192  # examples of each split that the record's scores rest on, at most

_RECOMMENDED = {
    "mlp": TrainingConfig(steps=3000, batch_size=512, learning_rate=1e-3),
    "transformer": TrainingConfig(steps=2000, batch_size=256, learning_rate=2e-3),
    "encoder-decoder": TrainingConfig(steps=1200, batch_size=64, learning_rate=2e-3),
}


def recommended(model_name: str, **changes: Any) -> TrainingConfig:
    """How a reference model is trained when nothing else is said, with some fields changed.

    **Raises:** `AssayError` for an unknown model or field.
    """
    if model_name not in _RECOMMENDED:
        raise AssayError("there is no such reference model", given=model_name, choices=_RECOMMENDED)
    fields = [field.name for field in dataclasses.fields(TrainingConfig)]
    for name in changes:
        if name not in fields:
            raise AssayError("training has no such setting", given=name, choices=fields)
    return dataclasses.replace(_RECOMMENDED[model_name], **changes)


def train(
    task_address: str,
    model_name: str | None = None,
    *,
    out: Path | str,
    options: Mapping[str, int | float] | None = None,
    config: TrainingConfig | Mapping[str, int | float] | None = None,
    progress: Callable[[str, float], None] = lambda doing, done: None,
) -> RunDirectory:
    """Train a reference model on a task and keep it; continues when `out` holds the same run, interrupted.

    **Arguments:**

    - `model_name`: one of `assay.models.NAMES`; the one that suits the task by default.
    - `out`: a new or empty folder, or an interrupted run with the same task, model and configuration.
    - `options`: sizes of the model, as `assay.models.build` takes them.
    - `config`: a whole configuration, or only the fields that shall differ from the `recommended` one.

    **Returns:** the finished run; its record has the mean scores on seen and novel combinations.

    **Raises:** `AssayError` before anything is written for whatever does not fit, and what `fit` raises.
    """
    task = load_task(task_address)
    model_name = model_name or default_name(task)
    if not isinstance(config, TrainingConfig):
        config = recommended(model_name, **(config or {}))
    made = configure(model_name, task, **(options or {}))
    model = rebuild(made, generator=Generator().manual_seed(config.seed))
    record = RunRecord(
        task=task.address,
        model=made.name,
        options=dict(made.options),
        training=dataclasses.asdict(config),
        versions={package: importlib.metadata.version(package) for package in ("assay", "torch")},
        started=_now(),
    )
    directory = RunDirectory.create(out, record)
    trained = fit(model, task, config=config, directory=directory, progress=lambda doing, done: progress(doing, 0.98 * done))
    scores = _scores(Subject(model), task, seed=config.seed, progress=progress)
    finished = directory.read_record().model_copy(update={**dataclasses.asdict(trained), "scores": scores, "finished": _now()})
    directory.finish(finished, model.state_dict())
    progress("done", 1.0)
    return directory


def _scores(subject: Subject, task: Task, *, seed: int, progress: Callable[[str, float], None]) -> dict[str, float]:
    scores = {}
    for split in ("seen", "novel"):
        progress(f"scoring {split} combinations", 0.98)
        examples = task.examples(split, NUM_SCORED, generator=Generator().manual_seed(seed))
        if len(examples):
            scores[split] = float(task.score(subject(examples.inputs), examples).mean())
    return scores


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
