"""Predictions from a JSON Lines file, as a subject instead of a network."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from assay.bounds import MOST_TABLE, open_file
from assay.errors import AssayError
from assay.store import sha256, write_bytes_atomically
from assay.subject import Subject


class PredictionLine(BaseModel):
    """One line of the file: the answer to one example."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: int | str
    text: str | None = None
    nodes: dict[str, int | str | None] | None = None
    answer: int | str | None = None
    truncated: bool = False


def read_lines(path: Path | str) -> dict[int | str, PredictionLine]:
    """The lines of a file by the id of their example, in the order of the file.

    Each has an `id`, and either `text`, the scratchpad that a model wrote, or `nodes`, an object from node names to values
    (null where there is none). Optional are `answer`, the model's answer without a scratchpad, and `truncated`, whether its
    output hit a length limit.

    **Raises:** `AssayError` naming the line that is no such object, or an id that comes twice.
    """
    lines: dict[int | str, PredictionLine] = {}
    with open_file(Path(path), most=MOST_TABLE) as stream:
        for at, raw in enumerate(stream.read().splitlines(), 1):
            if raw.strip():
                line = _parsed(raw, f"{path}, line {at}")
                if line.id in lines:
                    rule = f"{path}, line {at}: every example must be answered once"
                    raise AssayError(rule, given=f"id {line.id} again")
                lines[line.id] = line
    return lines


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs. **Raises:** `ValueError` for a repeated key, which would give a node two values."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} comes twice")
    return found


def _parsed(raw: bytes, where: str) -> PredictionLine:
    try:
        line = PredictionLine.model_validate(json.loads(raw, object_pairs_hook=_once))
    except (ValidationError, ValueError, RecursionError) as error:
        fault = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        place = ".".join(map(str, fault["loc"]))
        raise AssayError(
            f"{where} must be a JSON object with id, and text or nodes",
            given=f"{place}: {fault['msg']}" if place else fault["msg"],
        ) from error
    if (line.text is None) == (line.nodes is None):
        raise AssayError(f"{where} must have either text or nodes", given="both" if line.text is not None else "neither")
    return line


def save_lines(path: Path | str, lines: Sequence[PredictionLine]) -> None:
    """Write a file that `read_lines` reads; empty fields are left out.

    Example::

        save_lines("answers.jsonl", [PredictionLine(id=0, text="d2 = 0\\nd1 = 3")])
    """
    text = "".join(line.model_dump_json(exclude_defaults=True) + "\n" for line in lines)
    write_bytes_atomically(path, text.encode())


class _Absent(nn.Module):
    """Placeholder for the network, which cannot be run."""

    def forward(self, **inputs: Tensor) -> Tensor:
        raise AssayError(
            "predictions answer only the examples in their file",
            given=f"inputs {', '.join(inputs)}",
            next_step="give the network itself, or choose an instrument that reads predictions",
        )


class Predictions(Subject):
    """A file of answers as a subject (format: `read_lines`), for instruments that read predictions. It has no untrained copies,
    so only the other nulls apply.

    An `id` is the number of the example's combination in its task (`Examples.combination`); `save_prompts` of
    `assay.computation.predictions` writes examples with their ids.

    Example::

        from assay.predictions import Predictions

        result = assay.audit(Predictions("answers.jsonl"), assay.load_task("non-adjacent-sum"))
    """

    def __init__(self, path: Path | str, *, name: str = ""):
        super().__init__(_Absent(), name=name or Path(path).name)
        self.path = Path(path)
        self.lines = read_lines(path)
        self.digest = sha256(path)

    def __repr__(self) -> str:
        return f"Predictions({str(self.path)!r}, {len(self.lines):,} answers)"
