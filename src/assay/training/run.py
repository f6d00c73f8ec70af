"""Training of a reference model from a task's address to a finished run directory."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from torch import Generator, nn

from assay.arguments import checked
from assay.bounds import MOST_CELLS
from assay.errors import AssayError
from assay.models import configure, default_name, rebuild
from assay.progress import Shown, shown
from assay.stats import keyed_generator
from assay.store import RunDirectory, RunRecord
from assay.subject import Subject
from assay.task import Image, Items, SourceToTarget, Task, Tokens, Vector, VectorSequence
from assay.tasks import load_task
from assay.tasks.bit_parity import BitParity
from assay.tasks.hyperteacher import Hyperteacher
from assay.tasks.language import Language
from assay.tasks.modular_addition import ModularAddition
from assay.tasks.odd_one_out import NUM_ITEMS
from assay.tasks.preference_grid import PreferenceGrid
from assay.tasks.sentences import Agreement, Anaphora
from assay.tasks.text import Text
from assay.training.fit import TrainingConfig, TrainingRecord, fit
from assay.training.logs import Log, no_log
from assay.training.sparse import Projection
from assay.versions import versions_of

NUM_SCORED = 8192  # most examples of each split for the record's scores

_RECOMMENDED = {
    "mlp": TrainingConfig(steps=3000, batch_size=512, learning_rate=1e-3),
    "transformer": TrainingConfig(steps=2000, batch_size=256, learning_rate=2e-3),
    "gru": TrainingConfig(steps=3000, batch_size=256, learning_rate=2e-3),
    "encoder-decoder": TrainingConfig(steps=1200, batch_size=64, learning_rate=2e-3),
    "causal": TrainingConfig(steps=2000, batch_size=128, learning_rate=2e-3),
    "cppn": TrainingConfig(steps=5000, batch_size=4096, learning_rate=3e-3),
    **dict.fromkeys(
        ("cnn", "conv-autoencoder", "vit", "set-transformer"), TrainingConfig(steps=1500, batch_size=32, learning_rate=2e-3)
    ),
    # Clipped in every step: docs/methods/binding.md
    "slot-attention": TrainingConfig(steps=8000, batch_size=32, learning_rate=2e-3, warmup=500, clip=3e-3),
}
_RATE_OF_SPARSE = 0.02  # for Adam with epsilon .1 on gradients with a root mean square of 1

_RECOMMENDED_FOR: dict[tuple[str, type], TrainingConfig] = {
    # Chosen by the trials in docs/demo.md, docs/time-to-result.md, docs/methods/langue.md and, in docs/tasks,
    # preference_grid.md, odd_one_out.md and language.md
    ("mlp", ModularAddition): TrainingConfig(steps=2000, batch_size=672, learning_rate=1e-2, weight_decay=1.0),
    ("mlp", Hyperteacher): TrainingConfig(steps=3000, batch_size=256, learning_rate=1e-2, weight_decay=0.1),
    ("mlp", BitParity): TrainingConfig(steps=1500, batch_size=64, learning_rate=2e-3),
    ("transformer", Agreement): TrainingConfig(steps=500, batch_size=32, learning_rate=2e-3),
    ("transformer", Anaphora): TrainingConfig(steps=500, batch_size=32, learning_rate=2e-3),
    ("mlp", PreferenceGrid): TrainingConfig(steps=4000, batch_size=128, learning_rate=2e-3),
    ("transformer", Language): TrainingConfig(steps=1500, batch_size=128, learning_rate=4e-3, weight_decay=0.6),
    ("transformer", Text): TrainingConfig(steps=3600, batch_size=8, learning_rate=2e-3, weight_decay=0.1),
}


def recommended(model_name: str, task: Task | None = None, **changes: Any) -> TrainingConfig:
    """Default training configuration of a reference model, with some fields changed.

    With a `task`, the configuration measured as best on its family, if any.

    **Raises:** `AssayError` for an unknown model or field.
    """
    if model_name not in _RECOMMENDED:
        raise AssayError("there is no such reference model", given=model_name, choices=_RECOMMENDED)
    fields = [field.name for field in dataclasses.fields(TrainingConfig)]
    for name in changes:
        if name not in fields:
            raise AssayError("training has no such setting", given=name, choices=fields)
    config = _RECOMMENDED_FOR.get((model_name, type(task)), _RECOMMENDED[model_name])
    if changes.get("sparse", 1) < 1:
        config = dataclasses.replace(config, learning_rate=_RATE_OF_SPARSE)
    return dataclasses.replace(config, **changes)


@checked
def train(
    task_address: str,
    model_name: str | None = None,
    *,
    out: Path | str,
    options: Mapping[str, int | float] | None = None,
    config: TrainingConfig | Mapping[str, int | float] | None = None,
    trust: Collection[str] = (),
    progress: Shown = "bar",
    log: Log = no_log,
) -> RunDirectory:
    """Train a reference model on a task and store it; an interrupted run in `out` is continued.

    **Arguments:**

    - `model_name`: one of `assay.models.NAMES`; by default that recommended for the task.
    - `out`: a new or empty folder, or an interrupted run with the same task, model and configuration.
    - `options`: sizes of the model, as for `assay.models.build`.
    - `config`: a whole configuration, or the fields that differ from the `recommended` ones.
    - `trust`: addresses of code that only a file names and that may be imported, such as a table's executor.
    - `progress`: as for `assay.audit`.
    - `log`: called with step and values (`assay.training.Log`), such as that of `assay.training.tensorboard`.

    **Returns:** the finished run; its record has the mean scores on seen and novel combinations.

    **Raises:** `AssayError` for invalid arguments, before anything is written, and as `fit`.

    Example::

        >>> run = assay.train("modular-addition:p=7", out="runs/another", config={"steps": 5, "seed": 1}, progress=None)
        >>> sorted(run.read_record().scores)
        ['novel', 'seen']
    """
    with shown(progress) as report:
        task, model, config, record = prepare(task_address, model_name, options=options, config=config, trust=trust)
        directory = RunDirectory.create(out, record)
        scaled = lambda doing, done: report(doing, 0.98 * done)  # noqa: E731
        trained = fit(model, task, config=config, directory=directory, progress=scaled, log=log)
        finished = completed(directory.read_record(), model, task, trained, progress=report)
        directory.finish(finished, model.state_dict())
        log(config.steps, finished.scores)
        report("done", 1.0)
    return directory


class PreparedRun(NamedTuple):
    """A run before its first step: initialised model, task, configuration and record."""

    task: Task
    model: nn.Module
    config: TrainingConfig
    record: RunRecord


def prepare(
    task_address: str,
    model_name: str | None = None,
    *,
    options: Mapping[str, int | float] | None = None,
    config: TrainingConfig | Mapping[str, int | float] | None = None,
    trust: Collection[str] = (),
) -> PreparedRun:
    """Prepare a run, with the arguments and errors of `train`; nothing is written."""
    task = load_task(task_address, trust=trust)
    model_name = model_name or default_name(task)
    if not isinstance(config, TrainingConfig):
        config = recommended(model_name, task, **(config or {}))
    made = configure(model_name, task, **(options or {}))
    _check_batch(task, made.options, config.batch_size)
    model = rebuild(made, generator=Generator().manual_seed(config.seed))
    if config.sparse < 1:
        Projection(model, config)  # refuses a density below the floor
    record = RunRecord(
        task=task.address,
        model=made.name,
        options=dict(made.options),
        training=dataclasses.asdict(config),
        versions=versions_of("assay", "torch"),
        started=_now(),
    )
    return PreparedRun(task, model, config, record)


def _check_batch(task: Task, options: Mapping[str, int | float], batch_size: int) -> None:
    """Refuse a batch whose activations would not fit into memory, by a rough count over layers and positions."""
    width = options.get("width", 1)
    wide = 4 * width * options.get("depth", 1)
    spec = task.input_spec
    match spec.of if isinstance(spec, Items) else spec:
        case Tokens(vocab=vocab, length=length):
            numbers = length * (vocab + wide)
        case Vector(num_features=features):
            numbers = features + wide
        case VectorSequence(num_features=features, length=length):
            numbers = length * (features + wide)
        case SourceToTarget() as both:
            numbers = both.source_length * wide + both.target_length * (wide + both.target_vocab)
        case Image(channels=channels, size=size):
            numbers = size**2 * (channels + width)
        case _:
            return
    numbers = int(numbers) * (NUM_ITEMS if isinstance(spec, Items) else 1)
    if batch_size * numbers > MOST_CELLS:
        raise AssayError(
            f"a batch must need at most {MOST_CELLS:,} numbers in the network",
            given=f"{batch_size:,} examples, each of which needs about {numbers:,}",
            next_step=f"choose a batch_size of at most {max(1, MOST_CELLS // numbers):,}, or a smaller network or task",
        )


def completed(
    record: RunRecord,
    model: nn.Module,
    task: Task,
    trained: TrainingRecord,
    *,
    progress: Callable[[str, float], None] = lambda doing, done: None,
) -> RunRecord:
    """The record of a finished run: the training record, and mean scores on seen and novel combinations."""
    scores = _scores(Subject(model), task, seed=record.seed, progress=progress)
    return record.model_copy(update={**dataclasses.asdict(trained), "scores": scores, "finished": _now()})


def _scores(subject: Subject, task: Task, *, seed: int, progress: Callable[[str, float], None]) -> dict[str, float]:
    scores = {}
    for split in ("seen", "novel") if task.level == 2 else ("seen",):
        progress(f"scoring {split} combinations", 0.98)
        # A separate generator: that of the seed drew the training batches, so tasks with unlimited inputs would repeat their
        # rows.
        examples = task.examples(split, NUM_SCORED, generator=keyed_generator(seed, f"scoring {split}"))
        if len(examples):
            scores[split] = float(task.score(subject(examples.inputs), examples).mean())
    return scores


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
