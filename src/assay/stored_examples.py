"""Examples stored with a report: inputs, declared answers and the network's answers behind the measures."""

import base64
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from assay.compiled import uncompiled
from assay.display import brief
from assay.evidence import BASE64, Evidence, Measure
from assay.figure import Level
from assay.objective import Classification, Unscored
from assay.predictions import Predictions
from assay.stats import keyed_generator
from assay.subject import Subject
from assay.task import Examples, Image, Items, Task, WritesExamples, WritesInputs

MOST_EXAMPLES = 200  # examples in a report
NUM_DRAWN = 2_000  # examples drawn of each split, among which the chosen combinations are found
MOST_CHARACTERS = 240  # characters of an input
SIDE, LEAST_SIDE = 32, 4  # most pixels of a stored picture, and of an input that is taken for one
COMBINATION = "combination"


@dataclass(frozen=True, kw_only=True)
class StoredExample:
    """One example of a combination.

    **Attributes:**

    - `combination`: its id (`Task.combination_id`), by which `Measure.unit_ids` name units; `split`: whether it was trained.
    - `inputs`: every input as text, cut where it is long; `image`: a PNG as base64 where an input is a picture, else empty.
    - `target`: the declared answer as text, empty where the access level forbids it; `answer`: the network's answer as text,
      empty where the output has no best answer; `score`: of the answer, in [0, 1].

    Example::

        >>> report = assay.read_report("report")
        >>> len(report.examples) <= 200, report.examples[0].split in ("seen", "novel")
        (True, True)
    """

    __repr__ = brief

    combination: int
    split: Literal["seen", "novel"]
    inputs: Mapping[str, str]
    image: str = ""
    target: str = ""
    answer: str = ""
    score: float | None = None

    def __post_init__(self):
        assert re.fullmatch(BASE64, self.image), "a picture must be base64"


def stored_examples(
    evidence: Sequence[Evidence], subject: Subject, task: Task, *, level: Level, seed: int
) -> tuple[StoredExample, ...]:
    """At most 200 examples, one for each combination: first those with the lowest and highest values of headline measures.

    **Arguments:** `task`: the view of the task at the access level; `level`: below 2 novel targets are left out.
    """
    rank = {one: place for place, one in enumerate(_wanted(evidence, seed))}
    if not rank:
        return ()
    found: list[tuple[int, StoredExample]] = []
    for split in ("seen", "novel") if level else ("seen",):
        drawn = task.examples(split, NUM_DRAWN, generator=keyed_generator(seed, f"stored examples: {split}"))
        drawn = drawn.in_canonical_order()
        ids = drawn.combination.tolist()
        known = {one.combination for _, one in found}
        first = [k for k, one in enumerate(ids) if one in rank and one not in known and (not k or ids[k - 1] != one)]
        first = sorted(first, key=lambda k: rank[ids[k]])[:MOST_EXAMPLES]
        if first:
            some = drawn.take(torch.tensor(first))
            stored = _stored(some, subject, task, split, labelled=split == "seen" or level == 2)
            found += [(rank[one.combination], one) for one in stored]
    kept = sorted(found, key=lambda one: one[0])[:MOST_EXAMPLES]
    return tuple(sorted((one for _, one in kept), key=lambda one: one.combination))


def _wanted(evidence: Sequence[Evidence], seed: int) -> list[int]:
    """Ids of the combinations that measures rest on, round-robin over measures: the lowest value of each, then the highest, and
    so on. Headline measures come first; equal values are in random order."""
    measures = [m for item in evidence for m in item.measures if m.unit_of == COMBINATION and m.listed.ids]
    groups = [[m for m in measures if m.headline], [m for m in measures if not m.headline]]
    turns = chain.from_iterable(zip_longest(*(from_both_ends(m, seed) for m in group)) for group in groups)
    return list(dict.fromkeys(one for turn in turns for one in turn if one is not None))


def from_both_ends(measure: Measure, seed: int) -> list[int]:
    """Ids of the units of a measure: of the lowest value, then of the highest, and so on; equal values are in random order."""
    values = measure.listed.values
    mixed = torch.randperm(len(values), generator=keyed_generator(seed, "stored examples")).tolist()
    ordered = [measure.ids[k] for k in sorted(mixed, key=values.__getitem__)]
    half = (len(ordered) + 1) // 2
    ends = zip_longest(ordered[:half], reversed(ordered[half:]))
    return [one for pair in ends for one in pair if one is not None]


def _stored(
    examples: Examples, subject: Subject, task: Task, split: Literal["seen", "novel"], *, labelled: bool
) -> Iterator[StoredExample]:
    pictured = [name for name, values in examples.inputs.items() if _is_picture(values, task)]
    answers, scores = [""] * len(examples), None
    if not isinstance(subject, Predictions) and not isinstance(task.objective, Unscored):
        with uncompiled():
            outputs = subject(examples.inputs)
        best = _best(outputs, examples.targets)
        answers = answers if best is None else answer_lines(best, task)
        scores = task.score(outputs, examples).tolist() if labelled else None
    written = _written(examples, task)
    targets = answer_lines(examples.targets, task) if labelled else [""] * len(examples)
    for k in range(len(examples)):
        yield StoredExample(
            combination=int(examples.combination[k]),
            split=split,
            inputs={"input": written[k]} if written else _inputs(examples, k, pictured),
            image=png_text(examples.inputs[pictured[0]][k]) if pictured else "",
            target=targets[k],
            answer=answers[k],
            score=None if scores is None else float(scores[k]),
        )


def input_lines(examples: Examples, task: object) -> list[str]:
    """The inputs as text, one line for each example: as the task writes them, or all numbers of all inputs.

    Example::

        line, *_ = input_lines(task.examples("seen", 5, generator=torch.Generator().manual_seed(0)), task)
    """
    return _written(examples, task) or [cut("; ".join(_inputs(examples, k, ()).values())) for k in range(len(examples))]


def shown_inputs(examples: Examples, task: Task) -> tuple[list[str], list[Tensor | None]]:
    """The inputs of every example for people to look at: text, and the picture where an input is one."""
    pictured = next((values for values in examples.inputs.values() if _is_picture(values, task)), None)
    texts = _written(examples, task) if pictured is not None else input_lines(examples, task)
    texts = texts or [""] * len(examples)
    return texts, [None] * len(examples) if pictured is None else [*pictured]


def _written(examples: Examples, task: object) -> list[str]:
    """The inputs as the task writes them; empty where it does not."""
    return [cut(text) for text in task.input_texts(examples)] if isinstance(task, WritesInputs) else []


def answer_lines(rows: Tensor, task: Task) -> list[str]:
    """Targets, or the most likely classes, as text: as the task writes them, by the names of its classes, or as numbers."""
    if isinstance(task, WritesExamples) and (texts := task.answer_texts(rows)):
        return [cut(text) for text in texts]
    names = task.objective.names if isinstance(task.objective, Classification) else ()
    return [names[row] for row in rows.tolist()] if names and rows.ndim == 1 else [*map(_words, rows)]


def _inputs(examples: Examples, k: int, pictured: Sequence[str]) -> dict[str, str]:
    return {name: _words(values[k]) for name, values in examples.inputs.items() if name not in pictured}


def _is_picture(values: Tensor, task: Task) -> bool:
    """Whether an input is a picture: as the task declares, or by its shape and values (one or three channels in [0, 1])."""
    spec = task.input_spec
    if isinstance(spec, Image) or (isinstance(spec, Items) and isinstance(spec.of, Image)):
        return True
    if not values.is_floating_point() or values.ndim != 4 or values.shape[1] not in (1, 3):
        return False
    return min(values.shape[2:]) >= LEAST_SIDE and bool((values >= 0).all() and (values <= 1).all())


def _best(outputs: Tensor, targets: Tensor) -> Tensor | None:
    """The most likely class where targets are classes, the output itself where it has their shape, else None."""
    if not targets.is_floating_point() and outputs.ndim == targets.ndim + 1:
        return outputs.argmax(-1)
    return outputs if outputs.shape == targets.shape else None


def _words(values: Tensor) -> str:
    """Numbers separated by blanks; bytes as text."""
    if values.dtype == torch.uint8 and values.ndim == 1:
        return cut(bytes(values.tolist()).rstrip(b"\0").decode("utf-8", errors="replace"))
    flat = values.flatten()[:MOST_CHARACTERS].tolist()
    return cut(" ".join(f"{one:.3g}" if isinstance(one, float) else str(one) for one in flat))


def cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """A text, cut to the length stored in a report."""
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def png_text(picture: Float[Tensor, "..."]) -> str:
    """A picture `(channels, height, width)`, or several beside each other, of at most 32 pixels a side, as base64. Values
    outside [0, 1], such as those of standardised pictures, are rescaled from the lowest (black) to the highest (white) of this
    example."""
    pictures = picture.reshape(-1, *picture.shape[-3:]).float()
    low, high = pictures.aminmax()
    if low < 0 or high > 1:
        pictures = (pictures - low) / (high - low).clamp(min=1e-12)
    height, width = (min(SIDE, side) for side in pictures.shape[-2:])
    small = torch.nn.functional.interpolate(pictures, size=(height, width), mode="area")
    row = torch.cat([*small], -1)
    colours = row[:3] if len(row) >= 3 else row[:1].expand(3, -1, -1)
    pixels = (colours.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1).cpu().numpy()
    return base64.b64encode(png(pixels)).decode()


def png(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """An RGB image as PNG (ISO/IEC 15948)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # filter type 0 (none) for each row
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
