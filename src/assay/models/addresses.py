"""Loading of a subject from its address: a run directory, a Hugging Face folder, or a factory with its weights."""

import os
import pickle
import re
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from assay.arguments import checked
from assay.bounds import MOST_WEIGHTS_FILE, check_file, is_file
from assay.errors import AssayError
from assay.factory import call_factory
from assay.isolation import seeded
from assay.models.hub import fetched, is_hub_name
from assay.models.hugging_face import is_hugging_face, load_hugging_face
from assay.models.reference import ModelConfig, rebuild
from assay.predictions import Predictions
from assay.store import RECORD, RunDirectory, Training, read_tensors
from assay.subject import Subject
from assay.task import Task

_FACTORY = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)(?:@(?P<weights>.+))?")
_FORMS = (
    "a folder made by `assay train`",
    "a Hugging Face folder",
    "hf://owner/name",
    "package.module:factory",
    "package.module:factory@weights.safetensors",
    "package.module:factory@weights.pt",
    "a .jsonl file of answers",
)


@checked
def load_subject(address: str, *, task: Task | None = None, output: str | None = None) -> Subject:
    """The network at an address, on the CPU, with its own weights.

    **Arguments:**

    - `address`: one of the forms
        - the folder of a finished run;
        - a local Hugging Face folder (safetensors; nothing is fetched);
        - `hf://owner/name`, or `hf://owner/name@revision`: a model of the hub, fetched unless it is in the cache;
        - `package.module:factory`, a callable without arguments that returns an `nn.Module`, found on the path or in the
          current folder, optionally followed by `@` and a state dictionary in a `.safetensors` or `.pt` file;
        - a `.jsonl` file of answers, in place of a network (`assay.predictions.Predictions`).
    - `task`: the task to run it on; only a Hugging Face model needs it, to know whether the answer is one class.
    - `output`: which tensor is the answer, where forward returns several, as `Subject` takes it.

    **Raises:** `AssayError` for an invalid address, module or weights.

    Example::

        >>> subject = assay.load_subject("runs/addition")
        >>> subject.name
        'addition'
    """
    subject = _loaded(address, task)
    return subject if output is None else subject.with_output(output)


def _loaded(address: str, task: Task | None) -> Subject:
    path = Path(address)
    if path.suffix == ".jsonl" and is_file(path):
        return Predictions(path)
    if is_file(path / RECORD):
        return _load_run(path)
    if is_hub_name(address):
        subject = load_hugging_face(fetched(address), task=task)
        subject.name = address.removeprefix("hf://")  # the folder is named by a hash
        return subject
    if is_hugging_face(path):
        return load_hugging_face(path, task=task)
    factory = _FACTORY.fullmatch(address)
    if factory and not os.path.exists(path):
        weights = Path(factory["weights"]) if factory["weights"] else None
        return _load_factory(factory["module"], factory["name"], weights)
    raise AssayError(
        "a subject's address must be one of the forms below",
        given=f"{address} ({_what_it_is(path)})",
        choices=_FORMS,
        next_step="check the spelling, or train one with `assay train`",
    )


def _what_it_is(path: Path) -> str:
    if os.path.isdir(path):
        return f"a folder without {RECORD} and without a config.json that names a model_type"
    return "a file" if os.path.exists(path) else "no such file or folder, and not of the form module:factory"


def _load_run(path: Path) -> Subject:
    directory = RunDirectory.open(path)
    record = directory.read_record()
    weights = directory.read_weights()
    options = {name: value for name, value in record.options.items() if not isinstance(value, str)}
    if len(options) < len(record.options):
        texts = ", ".join(record.options.keys() - options.keys())
        raise AssayError(f"the sizes in {path / RECORD} must be numbers", given=f"texts as {texts}")
    config = ModelConfig(record.model, options)

    # A partial, not a closure: at access level 0 the subject is pickled.
    fresh = partial(_rebuilt, config)
    module = fresh(Generator().manual_seed(record.seed))
    load_weights(module, weights, str(path))
    subject = Subject(module, name=path.resolve().name, fresh=fresh)
    subject.training = Training(record.training, record.cpu_seconds)
    return subject


def _load_factory(module_name: str, name: str, weights: Path | None) -> Subject:
    fresh = partial(_called, module_name, name)
    module = fresh(Generator().manual_seed(0))
    # A factory that loads its own trained weights cannot make untrained copies: two seeds would give the same network.
    redraws = _differ(module, fresh(Generator().manual_seed(1)))
    if weights is not None:
        load_weights(module, _read_weights(weights), str(weights))
    subject = Subject(module, name=f"{module_name}:{name}", fresh=fresh if redraws else None)
    subject.initial = f"{module_name}:{name}()" if weights is None else ""
    return subject


def _rebuilt(config: ModelConfig, generator: Generator) -> nn.Module:
    return rebuild(config, generator=generator)


def _called(module_name: str, name: str, generator: Generator) -> nn.Module:
    with seeded(generator):
        made = call_factory(module_name, name)
    if not isinstance(made, nn.Module):
        raise AssayError(f"{module_name}:{name}() must return a torch.nn.Module", given=type(made).__name__)
    return made


def _differ(a: nn.Module, b: nn.Module) -> bool:
    return any(not torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def _read_weights(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        return read_tensors(path)[0]
    if path.suffix not in (".pt", ".pth", ".bin"):
        raise AssayError(
            "weights must be safetensors or a PyTorch file", given=path, choices=[".safetensors", ".pt", ".pth", ".bin"]
        )
    if not is_file(path):
        raise AssayError("a weights file must exist", given=path, next_step="check the path")
    check_file(path, most=MOST_WEIGHTS_FILE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of unusual pickles just before it refuses them
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise AssayError(
            "a PyTorch file must hold weights only, because any other pickle can run code",
            given=f"{path}, which holds more or is damaged",
            next_step="save module.state_dict() with safetensors.torch.save_file and give that file",
        ) from error
    except Exception as error:  # a damaged file makes the unpickler raise many kinds of errors
        raise AssayError("a PyTorch file must be whole", given=f"{path}, which is truncated or altered ({error})") from error
    named = isinstance(state, Mapping) and all(isinstance(name, str) for name in state)
    if not (named and all(isinstance(value, Tensor) for value in state.values())):
        raise AssayError(
            "a weights file must hold a state dictionary: names and tensors",
            given=f"{path} with {type(state).__name__}",
            next_step="save module.state_dict() alone",
        )
    return state


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Load weights into a network. **Raises:** `AssayError` naming those that are missing, unexpected, or of another shape or
    type."""
    wanted = module.state_dict()
    faults = [f"{name} is missing" for name in wanted if name not in weights]
    faults += [f"{name} is not of this network" for name in weights if name not in wanted]
    faults += [
        f"{name} has shape {tuple(weights[name].shape)} instead of {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in weights and weights[name].shape != value.shape
    ]
    faults += [
        f"{name} holds {str(weights[name].dtype).removeprefix('torch.')} instead of {str(value.dtype).removeprefix('torch.')}"
        for name, value in wanted.items()
        if name in weights and not _converts(weights[name], value)
    ]
    if faults:
        more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise AssayError(
            "the weights must be those of the network that is built",
            given=f"{where}: {'; '.join(faults[:5])}{more}",
            next_step="check that the file and the architecture belong together",
        )
    module.load_state_dict(weights)


def _converts(given: Tensor, wanted: Tensor) -> bool:
    """Whether both are plain numbers of the same kind: real, integer or complex."""
    plain = given.layout == torch.strided and not given.is_quantized and given.device.type != "meta"
    alike = given.is_floating_point() == wanted.is_floating_point() and given.is_complex() == wanted.is_complex()
    return plain and alike
