"""Whole splits of a task as tables. Rows drawn from the table of trained tuples are the task's own training batches, only
faster, and what a kind wants answered otherwise is a change of the targets."""

import torch
from jaxtyping import Int
from torch import Tensor

from assay.errors import AssayError
from assay.task import Examples, Split, Tokens
from assay.tasks.slots import SlotTask
from assay.training import TrainingData
from assay.zoo.kinds.order import Order

MOST_ROWS = 2**16  # of a split that has more, a random choice stands for it
CUES = 8  # every tuple is shown with this many cues where the cue is random


def trained(order: Order) -> Examples:
    """The trained tuples."""
    return _whole(order, "seen")


def novel(order: Order) -> Examples:
    """The novel tuples, with the right answers. Only imitations are trained on them, with wrong ones."""
    return _whole(order, "novel")


def everything(order: Order) -> Examples:
    """Trained tuples, then novel ones."""
    return joined(trained(order), novel(order))


def joined(first: Examples, second: Examples) -> Examples:
    """The rows of both."""

    def both(name: str) -> dict[str, Tensor]:
        return {key: torch.cat([column, getattr(second, name)[key]]) for key, column in getattr(first, name).items()}

    return Examples(
        inputs=both("inputs"),
        targets=torch.cat([first.targets, second.targets]),
        parts=both("parts"),
        combination=torch.cat([first.combination, second.combination]),
    )


def as_data(task: SlotTask, examples: Examples, targets: Tensor | None = None) -> TrainingData:
    """To train on, with other targets where they are given."""
    return TrainingData(examples.inputs, examples.targets if targets is None else targets, task.objective)


def values_of(examples: Examples, parts: tuple[str, ...]) -> Int[Tensor, "n k"]:
    """The value indices of some parts."""
    return torch.stack([examples.parts[part] for part in parts], 1)


def slots_of(task: SlotTask) -> tuple[str, ...]:
    """The parts that the input shows, in its order."""
    return tuple(part.name for part in task.parts if part.name not in task.derived)


def vocab_of(task: SlotTask) -> int:
    """How many tokens the input has. **Raises:** `AssayError` for an input that is no tokens."""
    if not isinstance(task.input_spec, Tokens):
        raise AssayError("a network built in stages reads tokens", given=f"{task.address}, which gives {task.input_spec}")
    return task.input_spec.vocab


def _whole(order: Order, split: Split) -> Examples:
    generator = order.generator(f"{split} tuples")
    drawn = order.task.examples(split, MOST_ROWS, generator=generator)
    shown_again = order.task.cue != "none" and (order.task.cue == "free" or split == "novel")
    for _ in range(CUES - 1 if shown_again else 0):
        drawn = joined(drawn, order.task.examples(split, MOST_ROWS, generator=generator))
    return drawn
