"""Where in a reference network a kind puts its hand, and which parts of the task it puts there."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError
from assay.models.mlp import TokenMLP
from assay.models.transformer import Transformer
from assay.task import Examples
from assay.tasks.slots import SlotTask
from assay.zoo.kinds.tables import slots_of, values_of


def halfway(model: nn.Module) -> nn.Module:
    """The module whose output is the state halfway, with a non-linear layer on either side.

    States are `(n, width)`, or `(n, positions, width)` of which the last position answers.

    **Raises:** `AssayError` when the model is neither an mlp nor a transformer, or too shallow.
    """
    if isinstance(model, TokenMLP):
        hidden = [layer for layer in model.layers if isinstance(layer, nn.ReLU)]
    elif isinstance(model, Transformer):
        hidden = list(model.blocks)
    else:
        raise AssayError("a place halfway is known in an mlp and a transformer only", given=type(model).__name__)
    if len(hidden) < 2:
        raise AssayError("a network has a place halfway from two hidden layers or blocks on", given=len(hidden))
    return hidden[(len(hidden) + 1) // 2 - 1]


def readout(model: nn.Module) -> nn.Linear:
    """The layer that gives the answer of a reference model: the last that it declares.

    **Raises:** `AssayError` when it has no linear layer.
    """
    linears = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise AssayError("the model must answer with a linear layer", given=type(model).__name__)
    return linears[-1]


def answering(state: Float[Tensor, "n *positions width"]) -> Float[Tensor, "n width"]:
    """The state that is answered from: of a sequence, the last."""
    return state if state.ndim == 2 else state[:, -1]


def shares(num: int, width: int) -> list[slice]:
    """Consecutive units for each of `num` parts, nearly equally many. **Raises:** `AssayError` when there are too few."""
    if not 0 < num <= width:
        raise AssayError("every part needs a unit of its own", given=f"{num} parts, width {width}")
    bounds = [width * k // num for k in range(num + 1)]
    return [slice(a, b) for a, b in pairwise(bounds)]


def stage(task: SlotTask, tuples: Examples) -> tuple[str, ...]:
    """The parts that carry the answer halfway: derived ones, as wide as possible, and the slots that none of them covers.

    A derived part is taken when it does not swallow the whole combination, shares no slot with one taken before, and the
    answers of all `tuples` follow from what is then carried. Without any, the stage is the slots.
    """
    chosen: list[str] = []
    for part in sorted(task.derived, key=lambda name: -len(task.derived[name])):
        covered = {slot for name in chosen for slot in task.derived[name]}
        of = set(task.derived[part])
        apart = not of & covered and not set(task.combines) <= of
        if apart and _determines(tuples, _carried(task, [*chosen, part])):
            chosen.append(part)
    return _carried(task, chosen)


def _carried(task: SlotTask, chosen: Sequence[str]) -> tuple[str, ...]:
    covered = {slot for name in chosen for slot in task.derived[name]}
    return (*chosen, *(slot for slot in slots_of(task) if slot not in covered))


def _determines(tuples: Examples, parts: tuple[str, ...]) -> bool:
    """Whether equal values of the parts always have equal answers."""
    carried = values_of(tuples, parts)
    answered = torch.cat([carried, tuples.targets[:, None]], 1)
    return len(answered.unique(dim=0)) == len(carried.unique(dim=0))
