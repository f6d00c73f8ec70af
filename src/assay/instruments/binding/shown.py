"""Inputs behind the scores of binding, for people to look at: lists in words with the answers, scenes as pictures."""

import base64
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from assay.entities import ObjectScenes
from assay.evidence import Measure
from assay.instruments.binding.asked import Asked, own_attribute
from assay.instruments.binding.scene_figures import numbered_alike
from assay.stored_examples import MOST_EXAMPLES, SIDE, answer_lines, from_both_ends, input_lines, png
from assay.task import Examples, Task

COLOURS = torch.tensor(  # of the background, then of objects by number
    [
        *([227, 229, 232], [18, 89, 140], [180, 95, 6], [111, 63, 152]),
        *([27, 122, 104], [166, 61, 112], [201, 138, 27], [89, 97, 107]),
    ],
    dtype=torch.uint8,
)


def lists_in_words(asked: Asked, task: Task) -> list[str]:
    """Every context with its first query, as the task writes it."""
    few = {name: column[:: asked.entities.shape[1]] for name, column in asked.written.inputs.items()}
    targets = asked.outputs[own_attribute(asked)[:, 0].clamp(min=0)]
    return input_lines(Examples(few, targets, {}, torch.arange(len(asked.contexts))), task)


def answers_in_words(answered: Int[Tensor, "n k"], asked: Asked, task: Task) -> list[str]:
    """For every context the answers for its entities in the order of the list, and the right ones where they differ."""
    right = asked.contexts.attributes
    words = answer_lines(asked.outputs, task)

    def named(row: Int[Tensor, " k"]) -> str:
        return ", ".join(words[k] for k in row.tolist())

    return [
        named(said) + ("" if torch.equal(said, own) else f" (right: {named(own)})")
        for said, own in zip(answered, right, strict=True)
    ]


Shown = tuple[ObjectScenes, Int[Tensor, "n rows columns"] | None]
"""Scenes, and the segments of the network where they were read."""


def pictures_of(measures: Sequence[Measure], shown: Mapping[str, Shown], *, seed: int = 0) -> dict[str, dict[int, str]]:
    """For the scenes of each kind of unit or label (`Evidence.images`) those with the lowest and highest values of the first
    measure that they belong to: input, objects and segments side by side, as PNG in base64."""
    found: dict[str, dict[int, str]] = {}
    taken = [(key, one) for key in shown if (one := next((m for m in measures if _belongs(m, key, shown)), None))]
    for key, measure in taken:
        ids = from_both_ends(measure, seed)[: MOST_EXAMPLES // len(taken)]
        found[key] = {k: _picture(*shown[key], k) for k in ids}
    return found


def _belongs(measure: Measure, key: str, shown: Mapping[str, Shown]) -> bool:
    return bool(measure.listed.values) and (measure.label == key or (measure.unit_of == key and measure.label not in shown))


def _picture(scenes: ObjectScenes, segments: Int[Tensor, "n rows columns"] | None, k: int) -> str:
    objects = scenes.objects[k]
    parts = [_colours(next(iter(scenes.inputs.values()))[k]), _labels(objects)]
    parts += [] if segments is None else [_labels(numbered_alike(segments[k], objects))]
    between = torch.full((len(objects), 1, 3), 255, dtype=torch.uint8)
    every = max(1, -(-max(objects.shape) // SIDE))
    row = [column for part in parts for column in (between, part)][1:]
    return base64.b64encode(png(torch.cat([one[::every, ::every] for one in row], 1).numpy())).decode()


def _labels(numbers: Int[Tensor, "rows columns"]) -> UInt8[Tensor, "rows columns 3"]:
    several = len(COLOURS) - 1
    return COLOURS[torch.where(numbers == 0, 0, 1 + (numbers - 1) % several)]


def _colours(image: Float[Tensor, "channels rows columns"]) -> UInt8[Tensor, "rows columns 3"]:
    """Three channels as colours; of another number the mean as grey."""
    whole = image.float() if len(image) == 3 else image.float().mean(0, keepdim=True).expand(3, -1, -1)
    return (whole.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1)
