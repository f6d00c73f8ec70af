"""Whether the effect of a part is one thing: estimated in some contexts and put into states of others."""

import torch
from torch import Tensor

from assay.instrument import Random
from assay.instruments.recombination.items import HELD, Drawing, Items, changing
from assay.instruments.recombination.states import Design
from assay.stats import MIN_UNITS
from assay.task import Examples, Part

EFFECT = "effect from"
SAME, OTHER = "the same contexts", "other contexts"


def in_contexts(
    part: Part, drawing: Drawing, exchanged: Items, known: Tensor, rng: Random
) -> tuple[Design, Items, dict[str, Tensor]] | None:
    """Exchanges of one part with its effects from half of the values of another part, the context: of that half to which the
    base of the exchange belongs, and of the other half. One least-squares fit gives both, with a column for each value of the
    part in each half. A part that is stored once has one effect; with copies by context the effect of other contexts does
    nothing.

    **Returns:** the design, held-out combinations, and for `SAME` and `OTHER` the differences of rows of the design; `None`
    where too few exchanges change the answer.
    """
    task, fitted = drawing.task, drawing.fitted
    others = [one for one in task.parts if one.name in task.combines and one.name != part.name and not one.graded]
    if len(task.combines) < 3 or part.graded or part.of or not others:
        return None
    context = max(others, key=lambda one: len(fitted.parts[one.name].unique()))
    half = torch.randperm(len(context.values), generator=rng("halves")) % 2
    in_half = half[fitted.parts[context.name]]
    size = len(part.values)
    split = Part(part.name, tuple(f"{value}, half {k}" for k in range(2) for value in part.values))
    value = fitted.parts[part.name]
    parts = tuple(split if one.name == part.name else one for one in task.parts if not one.of)
    design = Design.of(parts, _with(fitted, part.name, value + size * in_half))
    start = design.columns[part.name].start
    rows = {}
    for name, moved in ((SAME, 0), (OTHER, 1)):
        column = start + size * ((in_half[exchanged.base] + moved) % 2)
        rows[name] = torch.zeros(len(exchanged), design.rows.shape[1], dtype=torch.float64)
        each = torch.arange(len(exchanged))
        rows[name][each, column + value[exchanged.source]] += 1
        rows[name][each, column + value[exchanged.base]] -= 1
    usable = known & (exchanged.kinds == HELD)
    for difference in rows.values():
        usable &= design.determined(difference)
    chosen = usable.nonzero()[:, 0]
    chosen = chosen[changing(exchanged.take(chosen), fitted, task.objective, rng("balance"))]
    if len(exchanged.ids[chosen].unique()) < MIN_UNITS:
        return None
    return design, exchanged.take(chosen), {name: difference[chosen] for name, difference in rows.items()}


def _with(examples: Examples, name: str, values: Tensor) -> Examples:
    """With other values of one part."""
    return Examples(examples.inputs, examples.targets, {**examples.parts, name: values}, examples.combination, examples.amounts)
