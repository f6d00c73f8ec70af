"""Checkpoints: the state of training in one safetensors file, so that a kill cannot mix two steps."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from pydantic import TypeAdapter
from torch import Tensor

from assay.bounds import check_real
from assay.errors import AssayError
from assay.store import read_tensors, write_tensors
from assay.training.cohort import Cohort

_OPTIMISER = {"step", "exp_avg", "exp_avg_sq"}


@dataclass
class Progressed:
    """Progress of training: content of a checkpoint besides tensors.

    `step` counts finished updates; `curve` holds `(step, loss of every model)`; `diverged` has a message for every model that
    diverged; seconds are summed over resumed runs.
    """

    step: int = 0
    curve: list[tuple[int, list[float]]] = field(default_factory=list)
    diverged: dict[int, str] = field(default_factory=dict)
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


def save_checkpoint(path: Path, cohort: Cohort, progressed: Progressed) -> None:
    """Write weights, the optimiser's state and the generators' states in one atomic rename."""
    tensors = {f"model/{name}": value for name, value in cohort.tensors().items()}
    for name, parameter in cohort.optimised().items():
        for key, value in cohort.optimiser.state[parameter].items():
            tensors[f"optimiser/{name}/{key}"] = value
    tensors["generators"] = torch.stack([generator.get_state() for generator in cohort.generators])
    write_tensors(path, tensors, {"progressed": json.dumps(vars(progressed))})


def load_checkpoint(path: Path, cohort: Cohort) -> Progressed:
    """Restore the state of training, bit for bit. **Raises:** `AssayError` when the file is damaged or of other models."""
    tensors, metadata = read_tensors(path)
    try:
        progressed = _progressed(metadata["progressed"], cohort)
        for generator, state in zip(cohort.generators, tensors["generators"], strict=True):
            generator.set_state(state.clone())  # cloned: torch would read a row of a larger tensor from a wrong address
        weights = _beneath("model/", tensors)
        if weights.keys() != cohort.tensors().keys():
            raise ValueError(f"it holds {', '.join(weights)}")
        for name, value in cohort.tensors().items():
            value.copy_(_fitting(weights[name], value))
        for name, parameter in cohort.optimised().items():
            state = _beneath(f"optimiser/{name}/", tensors)
            if state and state.keys() != _OPTIMISER:
                raise ValueError(f"the optimiser's state of {name} holds {', '.join(state)}")
            wanted = {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
            cohort.optimiser.state[parameter] = {
                key: _fitting(value, wanted[key]).to(parameter.device) for key, value in state.items()
            }
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise AssayError(
            "a checkpoint must belong to the run that it continues",
            given=f"{path}: {error}",
            next_step="start again in another --out",
        ) from error
    return progressed


def _progressed(text: str, cohort: Cohort) -> Progressed:
    """Progress from JSON, in which the loss of a diverged model is NaN."""
    progressed = TypeAdapter(Progressed).validate_json(text)
    steps, models = range(cohort.configs[0].steps + 1), range(len(cohort.models))
    if progressed.step not in steps or any(step not in steps for step, _ in progressed.curve):
        raise ValueError("it has more steps than the run")
    if any(len(losses) != len(models) for _, losses in progressed.curve) or not all(i in models for i in progressed.diverged):
        raise ValueError("it has another number of models")
    for seconds in (progressed.wall_seconds, progressed.cpu_seconds):
        check_real("the seconds of a training", seconds, least=0.0)
    return progressed


def _fitting(stored: Tensor, wanted: Tensor) -> Tensor:
    if stored.shape != wanted.shape or stored.dtype != wanted.dtype:
        raise ValueError(f"a tensor of shape {tuple(stored.shape)} for one of {tuple(wanted.shape)}")
    return stored


def _beneath(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
