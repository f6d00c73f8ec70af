"""Readers of networks and of what they are trained by: runs, weights, checkpoints, masks, folders of Hugging Face."""

import dataclasses
import functools
import io
import json
import pickle
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from mutations import EXTREMES, changed, cut, json_files, written
from reader import Reader, written_as
from torch import Generator, nn

from assay.masks.files import load_mask, save_mask
from assay.masks.mask import Mask
from assay.models import ModelConfig, load_subject, rebuild
from assay.store import CHECKPOINT, RECORD, WEIGHTS, RunDirectory, RunRecord, write_tensors
from assay.tasks import load_task
from assay.training import TrainingConfig, prepare
from assay.training.checkpoint import Progressed, load_checkpoint, save_checkpoint
from assay.training.cohort import Separate

TASK = "modular:coverage=0.8,seed=0,p=3,num_first=3,num_second=3,maps=shift"
MODEL = ModelConfig("mlp", {"vocab": 9, "length": 3, "num_outputs": 3, "width": 4, "depth": 1, "init_scale": 1.0})
MODULE = rebuild(MODEL, generator=Generator().manual_seed(0))


def tiny() -> nn.Module:
    """A factory for the weights that a `.pt` file brings."""
    return nn.Linear(3, 2)


def _saved(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        write(path)
        return path.read_bytes()


_WEIGHTS = _saved(lambda path: write_tensors(path, MODULE.state_dict()))
_RECORD = RunRecord(
    task=TASK,
    model=MODEL.name,
    options=dict(MODEL.options),
    training=dataclasses.asdict(TrainingConfig(steps=2)),
    versions={"assay": "0"},
    started="2026-01-01T00:00:00+00:00",
    finished="2026-01-01T00:00:01+00:00",
    losses=((0, 1.5), (1, 1.25)),
    scores={"seen": 0.5, "novel": 0.25},
)


def _read_run(path: Path) -> None:
    task = RunDirectory.open(path.parent).read_record().task
    if task != TASK:
        load_task(task)
    subject = load_subject(str(path.parent))
    subject({"tokens": torch.zeros(1, 3, dtype=torch.int64)})


def _headed(content: bytes, header: Any) -> bytes:
    """Safetensors with another header."""
    length = struct.unpack("<Q", content[:8])[0]
    text = written(header)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def _safetensors(content: bytes) -> st.SearchStrategy[bytes]:
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    return st.one_of(cut(content), changed(header).map(functools.partial(_headed, content)))


def _pt(state: object) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


_STATES = (
    *({}, [], None, 3, "text", {"weight": 3}, {3: torch.zeros(2)}, [torch.zeros(2, 3)], {"weight": {"weight": torch.zeros(2)}}),
    {"weight": torch.zeros(2, 3)},
    {"weight": torch.zeros(2, 3), "bias": torch.zeros(2, dtype=torch.int64)},
    {"weight": torch.zeros(2, 3, dtype=torch.complex64), "bias": torch.zeros(2)},
    {"weight": torch.zeros(2, 3).to_sparse(), "bias": torch.zeros(2)},
    {"weight": torch.zeros(1, 1).expand(2, 3), "bias": torch.zeros(1).expand(10**9)},
    {"weight": torch.zeros(2, 3, dtype=torch.float16), "bias": torch.full((2,), torch.nan)},
    {"weight": torch.empty(2, 3, device="meta"), "bias": torch.zeros(2)},
)
_PT = _pt(tiny().state_dict())
_PICKLED = pickle.dumps({"weight": [0.0] * 6})


def _read_pt(path: Path) -> None:
    load_subject(f"of_networks:tiny@{path}")


@functools.cache
def _cohort() -> Separate:
    task, model, config, _ = prepare(TASK, "mlp", options={"width": 4, "depth": 1}, config={"steps": 4, "batch_size": 4})
    return Separate([model], [task], [config])


@functools.cache
def _checkpoint() -> bytes:
    """After two updates."""
    for step in range(2):
        _cohort().backward(step, ())
        _cohort().clip()
        _cohort().update(step, ())
    progressed = Progressed(step=2, curve=[(0, [1.5]), (1, [1.25])], diverged={}, wall_seconds=0.1, cpu_seconds=0.1)
    return _saved(lambda path: save_checkpoint(path, _cohort(), progressed))


def _checkpoints() -> st.SearchStrategy[bytes]:
    """Damaged as a file, or in the record of progress."""
    content = _checkpoint()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    progressed = json.loads(header["__metadata__"]["progressed"])

    def put(text: bytes) -> bytes:
        return _headed(content, {**header, "__metadata__": {"progressed": text.decode()}})

    return st.one_of(_safetensors(content), changed(progressed).map(written).map(put))


def _read_checkpoint(path: Path) -> None:
    load_checkpoint(path, _cohort())


_KEEP = {name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in MODULE.named_parameters()}
_MASK = Mask("weight", _KEEP, {name: tuple(weight.shape) for name, weight in MODULE.named_parameters()})
_MASK_FILE = _saved(lambda path: save_mask(path, _MASK, MODULE))


def _mask_heads() -> st.SearchStrategy[bytes]:
    header = json.loads(_MASK_FILE[8 : 8 + struct.unpack("<Q", _MASK_FILE[:8])[0]])
    head = json.loads(header["__metadata__"]["mask"])
    return changed(head).map(lambda value: _headed(_MASK_FILE, {**header, "__metadata__": {"mask": written(value).decode()}}))


def _read_mask(path: Path) -> None:
    mask = load_mask(path, MODULE)
    mask.density(dict(MODULE.named_parameters()))


# Training


@st.composite
def _networks(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, Any]]:
    numbers = st.sampled_from([value for value in EXTREMES if isinstance(value, int | float) and not isinstance(value, bool)])
    numbers = st.one_of(numbers, st.floats(), st.integers(), st.sampled_from((10**5, 10**6, 10**8, 10**400)))
    model = draw(st.sampled_from(("mlp", "transformer", "gru", "cnn", "x")))
    sizes = draw(st.dictionaries(st.sampled_from(("width", "depth", "heads", "init_scale", "x")), numbers, max_size=3))
    whole = [field.name for field in dataclasses.fields(TrainingConfig) if field.type is int]
    real = [field.name for field in dataclasses.fields(TrainingConfig) if field.type is float]
    counts = numbers.filter(lambda value: isinstance(value, int))  # the command line gives no others
    training = draw(st.dictionaries(st.sampled_from([*whole, "x"]), counts, max_size=1))
    training |= draw(st.dictionaries(st.sampled_from(real), st.floats() | st.sampled_from((1e-3, 0.1)), max_size=1))
    return model, sizes, training


def _prepare(_: Path, given: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
    model, sizes, training = given
    prepare(TASK, model, options=sizes, config=training)


# Hugging Face folders

_CONFIG = {
    **{"architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_size": 4, "num_hidden_layers": 1},
    **{"num_attention_heads": 1, "intermediate_size": 4, "vocab_size": 9, "max_position_embeddings": 8, "type_vocab_size": 1},
    **{"layer_norm_eps": 1e-12, "hidden_act": "gelu", "pad_token_id": 0, "id2label": {"0": "a", "1": "b"}},
}


@functools.cache
def _hugging_face_weights() -> bytes:
    from transformers import BertConfig, BertForSequenceClassification

    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        BertForSequenceClassification(BertConfig.from_dict(dict(_CONFIG))).save_pretrained(folder)
        return Path(folder, "model.safetensors").read_bytes()


def _read_hugging_face(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(_hugging_face_weights())
    (folder / "config.json").write_bytes(content)
    load_subject(str(folder))


def _read_hugging_face_weights(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_text(json.dumps(_CONFIG))
    (folder / "model.safetensors").write_bytes(content)
    load_subject(str(folder))


def readers() -> tuple[Reader, ...]:
    record, weights = _RECORD.model_dump_json().encode(), {"weights__safetensors": _WEIGHTS}
    pts = st.one_of(cut(_PT), cut(_PICKLED), st.sampled_from(_STATES).map(_pt))
    hugging_face = _safetensors(_hugging_face_weights())
    return (
        Reader("run.json", json_files(json.loads(record)), written_as(RECORD, _read_run, **weights)),
        Reader("weights.safetensors", _safetensors(_WEIGHTS), written_as(WEIGHTS, _read_run, run__json=record)),
        Reader("weights.pt", pts, written_as("w.pt", _read_pt)),
        Reader("checkpoint", _checkpoints(), written_as(CHECKPOINT, _read_checkpoint)),
        Reader("mask", st.one_of(_safetensors(_MASK_FILE), _mask_heads()), written_as("mask", _read_mask)),
        Reader("network and training", _networks(), _prepare),
        Reader("Hugging Face config", json_files(_CONFIG), _read_hugging_face, slow=True),
        Reader("Hugging Face weights", hugging_face, _read_hugging_face_weights, slow=True),
    )
