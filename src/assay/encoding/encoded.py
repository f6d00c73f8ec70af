"""Stored states of many texts: a folder with a header that identifies them, and one float16 memory map."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float16, Int
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from assay.bounds import MOST_WEIGHTS_FILE, check_file, is_file
from assay.display import brief
from assay.errors import AssayError
from assay.store import read_json, write_json

HEAD, STATES = "head.json", "states.f16"
_AGAIN = "remove the folder; the texts are then encoded again"


class Refused(BaseModel):
    """A text that was not encoded: its index, its name in the source, and the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: int
    sentence_id: str
    why: str


class EncodedHeader(BaseModel):
    """Content of `head.json`.

    **Attributes:**

    - `encoder`: hash of weights, tokenizer and layers. `texts`: hash of the texts and their nodes.
    - `layers`, `width`: the shape of a node's states.
    - `starts`: the first row of every encoded text, and the number of all rows.
    - `kept`: the indices of these texts. `refused`: the others.
    - `done`: batches on the disk; `batches`: their total.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    encoder: str
    texts: str
    layers: tuple[str, ...]
    width: int
    starts: tuple[int, ...]
    kept: tuple[int, ...]
    refused: tuple[Refused, ...]
    done: int
    batches: int


@dataclass(frozen=True)
class Encoded:
    """The states of the nodes of many texts.

    **Attributes:**

    - `states`: float16 `(layers, nodes, width)`, a memory map where they are on the disk.
    - `layers`: their names.
    - `starts`: text `k` of those kept has the rows `starts[k]` to `starts[k + 1]`.
    - `kept`: the index of each among the texts that were given.
    - `refused`: the texts that were not encoded, and why.
    """

    __repr__ = brief

    states: Float16[Tensor, "layers nodes width"]
    layers: tuple[str, ...]
    starts: Int[Tensor, " texts_and_one"]
    kept: tuple[int, ...]
    refused: tuple[Refused, ...]

    def __len__(self) -> int:
        return len(self.kept)

    def layer(self, name: str) -> int:
        """The index of a layer. **Raises:** `AssayError` listing the names for an unknown one."""
        if name not in self.layers:
            raise AssayError("a layer must be one that was encoded", given=name, choices=self.layers)
        return self.layers.index(name)

    def rows_of(self, texts: Sequence[int]) -> "Encoded":
        """Some of the kept texts, by their index; the states are shared, not copied."""
        states, starts, total = [], [0], 0
        for k in texts:
            rows = slice(int(self.starts[k]), int(self.starts[k + 1]))
            states.append(self.states[:, rows])
            total += rows.stop - rows.start
            starts.append(total)
        joined = torch.cat(states, 1) if states else self.states[:, :0]
        return Encoded(joined, self.layers, torch.tensor(starts), tuple(self.kept[k] for k in texts), ())

    @classmethod
    def open(cls, folder: Path, head: EncodedHeader) -> "Encoded":
        """The finished encoding in a folder."""
        states = open_states(folder, head, new=False)
        for layer, name in zip(states, head.layers, strict=True):
            if not np.isfinite(layer).all():
                rule = f"{folder / STATES} must hold finite numbers"
                raise AssayError(rule, given=f"another in layer {name}", next_step=_AGAIN)
        return cls(torch.from_numpy(states), head.layers, torch.tensor(head.starts), head.kept, head.refused)


def open_states(folder: Path, head: EncodedHeader, *, new: bool) -> np.ndarray:
    """The memory map. **Raises:** `AssayError` when the file is missing or its size disagrees with the header."""
    shape = (len(head.layers), head.starts[-1], head.width)
    path = folder / STATES
    if 0 in shape:
        return np.zeros(shape, dtype=np.float16)
    if not new:
        check_file(path, most=MOST_WEIGHTS_FILE, next_step=_AGAIN)
        if path.stat().st_size != 2 * math.prod(shape):
            size = f"{path.stat().st_size} bytes, where {HEAD} says otherwise"
            raise AssayError(f"{path} must be whole", given=size, next_step=_AGAIN)
    else:
        _reserve(path, 2 * math.prod(shape))
    # Copy on write: tensors over a finished map may be written to, the file may not.
    return np.memmap(path, dtype=np.float16, mode="r+" if head.done < head.batches else "c", shape=shape)


def _reserve(path: Path, num_bytes: int) -> None:
    """A new file with its bytes allocated: writing to a map for which the disk has no room would end the process."""
    try:
        with open(path, "wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, num_bytes)
            else:
                file.truncate(num_bytes)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def read_head(folder: Path) -> EncodedHeader | None:
    """The header in a folder, None without one."""
    return read_json(folder / HEAD, EncodedHeader) if is_file(folder / HEAD) else None


def write_head(folder: Path, head: EncodedHeader) -> None:
    """Replace the header."""
    write_json(folder / HEAD, head)


def check_same(folder: Path, there: EncodedHeader, wanted: EncodedHeader) -> None:
    """Check that a folder holds this encoding. **Raises:** `AssayError` when it is of another encoder or other texts, or has a
    damaged header."""
    for field, what in (("encoder", "another model or tokenizer"), ("layers", "other layers"), ("texts", "other texts")):
        if getattr(there, field) != getattr(wanted, field):
            raise AssayError(
                f"{folder} must hold the encoding of this model, this tokenizer and these texts",
                given=f"one made with {what} (its hash there and the one wanted differ)",
                next_step="choose another folder, or remove this one",
            )
    if there.model_copy(update={"done": 0}) != wanted.model_copy(update={"done": 0}) or not 0 <= there.done <= there.batches:
        raise AssayError(
            f"{folder / HEAD} must agree with the encoding of these texts",
            given="other rows, texts or batches",
            next_step=_AGAIN,
        )
