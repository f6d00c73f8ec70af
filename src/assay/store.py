"""Run directories: a folder with one trained network, its record and, during training, its checkpoint.

Every file is written under a temporary name, flushed to the disk and renamed, so a reader sees either the old file or the new
one.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import PydanticSerializationError
from torch import Tensor

from assay.arguments import checked
from assay.bounds import MOST_JSON, MOST_WEIGHTS_FILE, check_file, check_seed, is_file, parse_json, read_bytes
from assay.display import brief
from assay.errors import AssayError
from assay.printable import printable, storable

Scalar = bool | int | float | str
RECORD = "run.json"
WEIGHTS = "weights.safetensors"
CHECKPOINT = "checkpoint.safetensors"
_PARTIAL = ".partial"
UNFINISHED = ".unfinished"
"""File in an output folder that names the command writing to it, locked while that runs."""
Model = TypeVar("Model", bound=BaseModel)


class Training(NamedTuple):
    """Settings of a training (the fields of `assay.training.TrainingConfig`) and its duration."""

    settings: Mapping[str, Any]
    cpu_seconds: float


class RunRecord(BaseModel):
    """Content of `run.json`: everything needed to repeat the run, and its results.

    **Attributes:**

    - `task`: the task's address.
    - `model`, `options`: the model's name and all of its sizes, so that it can be rebuilt without the task.
    - `training`: every field of the training configuration, including the seed.
    - `started`, `finished`: UTC, ISO 8601; `finished` is None while the run can be resumed.
    - `losses`: about a hundred pairs `(step, loss)`.
    - `scores`: mean score by split, once it is finished.
    - `wall_seconds`, `cpu_seconds`: of training, summed over resumed runs.
    - `weights_sha256`: of `weights.safetensors`.
    """

    __repr__ = brief

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    task: str
    model: str
    options: dict[str, Scalar]
    training: dict[str, Scalar]
    versions: dict[str, str]
    started: str
    finished: str | None = None
    losses: tuple[tuple[int, float], ...] = ()
    scores: dict[str, float] = {}
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    weights_sha256: str | None = None

    @field_validator("training")
    @classmethod
    def _check_training(cls, training: dict[str, Scalar]) -> dict[str, Scalar]:
        check_seed("the seed of a training", training.get("seed"))
        return training

    @property
    def seed(self) -> int:
        return int(self.training["seed"])

    def identity(self) -> dict[str, Scalar]:
        """Fields that must agree for a run to be continued, by their names on the command line."""
        return {"task": self.task, "model": self.model, **self.options, **self.training}


class RunDirectory:
    """A folder that holds one run. Make one with `create` or `open`.

    Example::

        >>> run = assay.RunDirectory.open("runs/addition")
        >>> run.read_record().scores["seen"] > 0.9
        True
        >>> sorted(run.read_weights())[:2]
        ['layers.0.bias', 'layers.0.weight']
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    @classmethod
    def create(cls, path: Path | str, record: RunRecord) -> "RunDirectory":
        """Create a folder with this record, or reopen that of the same run if it was interrupted.

        **Raises:** `AssayError` when the folder holds anything else, which is left unchanged.
        """
        directory = cls(path)
        if is_file(path):
            raise AssayError("--out must name a folder", given=f"{path}, which is a file", next_step="choose another name")
        if directory.path.is_dir() and not is_unused(directory.path):
            directory._check_resumable(record)
        else:
            directory.path.mkdir(parents=True, exist_ok=True)
            directory.write_record(record)
        return directory

    @classmethod
    @checked
    def open(cls, path: Path | str) -> "RunDirectory":
        """The run in this folder. **Raises:** `AssayError` naming what is missing or damaged."""
        directory = cls(path)
        if not os.path.isdir(path):
            raise AssayError("a run must be a folder that exists", given=path, next_step="make one with `assay train`")
        if not is_file(directory.path / RECORD):
            raise AssayError(
                f"a run directory must hold {RECORD}", given=f"{path} without it", next_step="make a run with `assay train`"
            )
        directory.read_record()
        return directory

    def read_record(self) -> RunRecord:
        """The record. **Raises:** `AssayError` naming invalid fields."""
        return read_json(self.path / RECORD, RunRecord)

    def write_record(self, record: RunRecord) -> None:
        """Replace the record."""
        write_json(self.path / RECORD, record)

    def finish(self, record: RunRecord, weights: Mapping[str, Tensor]) -> None:
        """Write the final weights, then the record with their digest, then delete the checkpoint."""
        write_tensors(self.path / WEIGHTS, weights)
        digest = sha256(self.path / WEIGHTS)
        self.write_record(record.model_copy(update={"weights_sha256": digest}))
        (self.path / CHECKPOINT).unlink(missing_ok=True)

    def read_weights(self) -> dict[str, Tensor]:
        """The final weights. **Raises:** `AssayError` when the run is unfinished or the file was altered."""
        record = self.read_record()
        if record.finished is None:
            raise AssayError(
                "a run must be finished before its weights are used",
                given=f"{self.path}, which was interrupted",
                next_step="repeat the `assay train` command with the same --out: it continues where it was",
            )
        return read_tensors(self.path / WEIGHTS, digest=record.weights_sha256)[0]

    def _check_resumable(self, record: RunRecord) -> None:
        if not is_file(self.path / RECORD):
            raise AssayError(
                "--out must be a new or empty folder, or a run to continue",
                given=f"{self.path}, which holds other files",
                next_step="choose another --out; nothing in it was changed",
            )
        there = self.read_record()
        if there.finished is not None:
            raise AssayError(
                "--out must not hold a finished run",
                given=f"{self.path}, finished {there.finished}",
                next_step="choose another --out; nothing in it was changed",
            )
        old, new = there.identity(), record.identity()
        differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        if differing:
            changes = ", ".join(f"{key} {old.get(key)} there and {new.get(key)} now" for key in differing)
            raise AssayError(
                "an interrupted run continues only with the configuration it began with",
                given=changes,
                next_step="repeat the first command, or choose another --out; nothing in it was changed",
            )


def list_runs(folder: Path | str) -> list[RunDirectory]:
    """Every run in the folder or beneath it, ordered by path. **Raises:** `AssayError` for a damaged record."""
    return [RunDirectory.open(record.parent) for record in sorted(Path(folder).rglob(RECORD))]


def is_unfinished(folder: Path) -> bool:
    """Whether a command is writing to a folder, or was stopped while it did."""
    return (folder / UNFINISHED).exists()


def is_unused(folder: Path) -> bool:
    """Whether a folder is empty, except for temporary files of an interrupted write."""
    return all(entry.name.endswith(_PARTIAL) for entry in folder.iterdir())


def write_bytes_atomically(path: Path | str, data: bytes) -> None:
    """Write a file so that a kill at any moment leaves the old content or the new. A failed write leaves no temporary file."""
    path = Path(path)
    partial = path.with_name(f".{path.name}{_PARTIAL}")
    partial.unlink(missing_ok=True)  # left by a killed process; removed, not written through, since it may be a malicious link
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # the system's message for a full disk names no file
            error.filename = str(path)
        raise
    folder = os.open(path.parent, os.O_RDONLY)  # the rename itself must reach the disk
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path | str, value: BaseModel) -> None:
    """Write a pydantic model as indented JSON."""
    try:
        text = value.model_dump_json(indent=2)
    except PydanticSerializationError:  # of lone surrogates, which UTF-8 cannot encode
        text = value.model_validate(storable(value.model_dump())).model_dump_json(indent=2)
    write_bytes_atomically(path, printable(text, keep="\n").encode() + b"\n")


def read_json(path: Path | str, model: type[Model]) -> Model:
    """Read a pydantic model. **Raises:** `AssayError` naming the file and its invalid fields."""
    again = "restore the file, or make the run again"
    content = read_bytes(path, most=MOST_JSON, next_step=again)
    parse_json(content, path, next_step=again)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise AssayError(f"{path} must be what Assay wrote", given=faults_of(error), next_step=again) from error


def faults_of(error: ValidationError) -> str:
    """The first five invalid fields of a model, each with the reason."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)[:5]
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in faults)


def write_tensors(path: Path | str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors."""
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes_atomically(path, save(plain, dict(metadata) if metadata else None))


def read_tensors(path: Path | str, *, digest: str | None = None) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file, on the CPU.

    **Raises:** `AssayError` when the file is missing or truncated, or its SHA-256 is not `digest`.
    """
    from safetensors import SafetensorError, safe_open

    if not is_file(path):
        raise AssayError("a weights file must exist", given=path, next_step="check the path, or make the run again")
    check_file(path, most=MOST_WEIGHTS_FILE)
    if digest is not None and sha256(path) != digest:
        raise AssayError(
            "a weights file must be the one that was written, to the byte",
            given=f"{path}, which is truncated or altered (its SHA-256 is not the one in {RECORD})",
            next_step="restore the file, or make the run again",
        )
    try:
        with safe_open(path, framework="pt") as file:
            # Cloned, because safetensors returns views of the file.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not a dictionary
            return tensors, file.metadata() or {}
    except (SafetensorError, RuntimeError, ValueError, OverflowError, MemoryError, OSError, TypeError) as error:
        raise AssayError(
            "a weights file must be whole safetensors",
            given=f"{path}, which is truncated or altered ({error})",
            next_step="restore the file, or make it again",
        ) from error


def sha256(path: Path | str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
