"""The state of a training run as one safetensors file, so that a kill can never mix two steps."""

import json
from dataclasses import dataclass
from pathlib import Path

from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from assay.errors import AssayError
from assay.store import read_tensors, write_tensors


@dataclass
class Progressed:
    """How far training is: what a checkpoint holds besides tensors.

    `step` counts finished updates; `losses` holds `(step, loss)` pairs; the seconds are those of all sittings together.
    """

    step: int
    losses: list[tuple[int, float]]
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


def save_checkpoint(
    path: Path, model: nn.Module, optimiser: Optimizer, *, generator: Generator, progressed: Progressed
) -> None:
    """Write weights, the optimiser's state and the generator's state in one atomic rename."""
    tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimiser.state[parameter].items():
            tensors[f"optimiser/{name}/{key}"] = value
    tensors["generator"] = generator.get_state()
    write_tensors(path, tensors, {"progressed": json.dumps(vars(progressed))})


def load_checkpoint(path: Path, model: nn.Module, optimiser: Optimizer, *, generator: Generator) -> Progressed:
    """Put everything back as it was, bit for bit. **Raises:** `AssayError` when the file is damaged or of another model."""
    tensors, metadata = read_tensors(path)
    try:
        progressed = json.loads(metadata["progressed"])
        generator.set_state(tensors["generator"])
        model.load_state_dict(_beneath("model/", tensors))
        for name, parameter in model.named_parameters():
            optimiser.state[parameter] = _beneath(f"optimiser/{name}/", tensors)
    except (KeyError, RuntimeError, ValueError) as error:
        raise AssayError(
            "a checkpoint must be of the run that it continues",
            given=f"{path}: {error}",
            next_step="start again in another --out",
        ) from error
    progressed["losses"] = [(step, loss) for step, loss in progressed["losses"]]
    return Progressed(**progressed)


def _beneath(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
