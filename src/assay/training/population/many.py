"""`fit_many`: many models behind one call, each trained as it would be alone."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from assay.arguments import checked
from assay.errors import AssayError
from assay.jobs import run_parallel
from assay.store import Scalar, read_json, write_json
from assay.task import Task
from assay.training.checkpoint import Progressed
from assay.training.config import TrainingConfig, TrainingRecord
from assay.training.data import Source, TrainingData
from assay.training.population.plan import Chunk, PopulationMember, Strategy, build, make_plan
from assay.training.updates import DivergedError, records, train_cohort

PLAN = "plan.json"
Progress = Callable[[str, float], None]


@checked
def fit_many(
    models: Sequence[nn.Module],
    data: Source | Sequence[Source],
    *,
    configs: TrainingConfig | Sequence[TrainingConfig],
    strategy: Strategy = "rule",
    jobs: int = 1,
    checkpoint: Path | None = None,
    progress: Progress = lambda doing, done: None,
) -> list[TrainingRecord]:
    """Train every model in place as `fit` would train it alone, and leave it in evaluation mode.

    Models of one architecture whose batches have one shape take their steps together. The weights differ from those of
    `fit` by rounding only, by less than 1e-5 a step.

    **Arguments:**

    - `data`: a task or `TrainingData`, for all models or one for each.
    - `configs`: for all models or one for each. Every setting may differ; models that differ in `steps`, `batch_size` or
      `checkpoint_every` are trained one group after the other.
    - `strategy`: how models are trained together. `stack`: their weights in one tensor, for chains of Linear, Embedding,
      LayerNorm and layers without weights. `vmap`: any module that `torch.vmap` can batch. `loop`: each by itself under one
      optimiser, to the bits of `fit`. `rule` chooses by the sizes of model and batch alone, so that the same call gives the
      same bits. It takes `stack` or `vmap` only when the first step equals that of the plain loop. This is checked on two of
      the models that differ in weights and data alone, and on every model that differs in anything else.
    - `jobs`: processes, each on one thread. Another number may change the last bits.
    - `checkpoint`: a folder of this call alone. An interrupted call continues there, with the strategy chosen at first and, on
      the CPU, to the same bits. It stays when training ends; the caller removes it.
    - `progress`: called with what is done and the share that is done.

    **Returns:** a record for every model; its seconds are an equal share of those of the models it was trained with.

    **Raises:** `DivergedError`, an `AssayError` that numbers the models whose loss or gradient was no longer finite, after all
    others were trained; those keep the weights they had before that step. `AssayError` for what does not fit.
    `KeyboardInterrupt` after Ctrl-C, once the step is finished and a checkpoint written; where several processes train, they
    are stopped at once and continue from the checkpoint before.

    Example::

        >>> networks = [torch.nn.Linear(2, 2) for _ in range(3)]
        >>> data = assay.TrainingData({"input": torch.rand(8, 2)}, torch.zeros(8, dtype=torch.long), assay.Classification(2))
        >>> configs = [assay.TrainingConfig(steps=5, batch_size=8, seed=seed) for seed in range(3)]
        >>> len(assay.fit_many(networks, data, configs=configs))
        3
    """
    if strategy not in get_args(Strategy):
        raise AssayError("fit_many: there is no such strategy", given=strategy, choices=get_args(Strategy))
    if jobs < 1:
        raise AssayError("jobs must be at least 1", given=jobs)
    members = _members(models, data, configs)
    plan = _plan(members, strategy, jobs, checkpoint)
    done = 0
    items = []
    for k, chunk in enumerate(plan):
        inside = _share(progress, done / len(members), len(chunk.models) / len(members)) if jobs == 1 else None
        path = checkpoint / f"chunk-{k:03}.safetensors" if checkpoint else None
        items.append(_Item(chunk, [members[i] for i in chunk.models], path, inside))
        done += len(chunk.models)
    outside = None if jobs == 1 else lambda told, share: progress(f"training, {told} groups done", share)
    return _collect(models, plan, run_parallel(_train, items, jobs=jobs, progress=outside), members)


@dataclass(frozen=True)
class _Item:
    """A chunk with all that a process needs to train it."""

    chunk: Chunk
    members: Sequence[PopulationMember]
    checkpoint: Path | None
    progress: Progress | None


def _train(item: _Item) -> tuple[Progressed, list[dict[str, Any]]]:
    """How it went, and the state of every model: it may be another process that holds the models."""
    cohort = build(item.chunk.way, item.members)
    progressed = train_cohort(cohort, checkpoint=item.checkpoint, progress=item.progress or (lambda doing, done: None))
    return progressed, [model.state_dict() for model in cohort.models]


def _collect(
    models: Sequence[nn.Module],
    plan: Sequence[Chunk],
    trained: Sequence[tuple[Progressed, list[dict[str, Tensor]]]],
    members: Sequence[PopulationMember],
) -> list[TrainingRecord]:
    kept: dict[int, TrainingRecord] = {}
    diverged: dict[int, str] = {}
    for chunk, (progressed, states) in zip(plan, trained, strict=True):
        for i, state, record in zip(chunk.models, states, records(progressed, len(states)), strict=True):
            models[i].load_state_dict(state)
            models[i].eval()
            kept[i] = record
        diverged.update({chunk.models[k]: told for k, told in progressed.diverged.items()})
    ordered = [kept[i] for i in range(len(models))]
    if diverged:
        diverged = dict(sorted(diverged.items()))
        given = "; ".join(f"model {i}: {what}" for i, what in diverged.items())
        raise DivergedError.of_models(given, models=diverged, records=ordered, configs=[member.config for member in members])
    return ordered


def _members(
    models: Sequence[nn.Module],
    data: Source | Sequence[Source],
    configs: TrainingConfig | Sequence[TrainingConfig],
) -> list[PopulationMember]:
    sources = [data] * len(models) if isinstance(data, (Task, TrainingData)) else list(data)
    settings = [configs] * len(models) if isinstance(configs, TrainingConfig) else list(configs)
    for name, given in (("data", sources), ("configs", settings)):
        if len(given) != len(models):
            raise AssayError(
                f"fit_many: {name} must be one for all models or one for each", given=f"{len(given)} for {len(models)}"
            )
    if len({id(model) for model in models}) != len(models):
        raise AssayError("fit_many: the models must be distinct objects", next_step="build or copy one for each")
    for i, model in enumerate(models):
        if next(model.parameters(), None) is None:
            raise AssayError("fit_many: every model must have weights", given=f"model {i} without")
    return [PopulationMember(*parts) for parts in zip(models, sources, settings, strict=True)]


# The plan of an interrupted call


class _Settings(BaseModel):
    """What must agree for one call to continue another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: Strategy
    configs: list[dict[str, Scalar]]


class _PlanFile(BaseModel):
    """What `plan.json` holds: the choices of the first call, so that another release cannot change them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    settings: _Settings
    chunks: list[Chunk]


def _plan(members: Sequence[PopulationMember], strategy: Strategy, jobs: int, folder: Path | None) -> list[Chunk]:
    """The plan found in the folder, or a new one."""
    path = folder / PLAN if folder else None
    settings = _Settings(strategy=strategy, configs=[dataclasses.asdict(member.config) for member in members])
    if path is None or not path.exists():
        chunks = make_plan(members, strategy=strategy, jobs=jobs)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, _PlanFile(settings=settings, chunks=chunks))
        return chunks
    found = read_json(path, _PlanFile)
    if found.settings != settings:
        raise AssayError(
            "an interrupted population continues only with the strategy and the configurations it began with",
            given=f"others than those in {path}",
            next_step="repeat the first call, or choose another checkpoint folder; nothing in it was changed",
        )
    if sorted(i for chunk in found.chunks for i in chunk.models) != list(range(len(members))):
        raise AssayError(f"{path} must plan every model once", given=f"{len(found.chunks)} chunks that do not")
    return found.chunks


def _share(progress: Progress, start: float, share: float) -> Progress:
    """Progress of a part of the whole."""
    return lambda doing, done: progress(doing, start + share * done)
