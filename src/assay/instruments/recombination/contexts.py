"""Context dependence of effects: the effect of a part estimated beside one value of another part, and patched beside others."""

from collections.abc import Sequence
from itertools import permutations

import torch
from jaxtyping import Int
from torch import Tensor

from assay.instrument import Random
from assay.instruments.recombination.items import HELD, CombinationItems, ItemSampler, changing
from assay.instruments.recombination.states import PartDesign
from assay.stats import MIN_UNITS
from assay.task import Examples, Part

EFFECT, CONTEXT = "effect from", "context"
SAME, OTHER = "the same context", "other contexts"
MOST_CONTEXTS = 8  # values of the other part with a context each; all others share one more
MOST_COLUMNS = 1_000  # of the least-squares fit


def in_contexts(
    part: Part, context: Part, drawing: ItemSampler, exchanged: CombinationItems, known: Tensor, rng: Random
) -> tuple[PartDesign, CombinationItems, dict[str, Tensor]] | str:
    """Exchanges of one part with its effect from the context of the base, and with its effect from another context.

    A context is a value of another part; the other one is drawn for each exchange. One least-squares fit gives all effects,
    with a column for each value of the part in each context. A part represented once has the same effect in all contexts; where
    a network keeps a copy per context, the effect from the context of another copy does nothing.

    **Returns:** the design, held-out combinations, and for `SAME` and `OTHER` the differences of rows of the design. With two
    parts, context and new value are the held-out combination itself, so that there is no `SAME`. Or the reason for no result:
    too few exchanges change the answer, or the fit needs too many columns.
    """
    task, fitted, size = drawing.task, drawing.fitted, len(part.values)
    group, number = _grouped(fitted.parts[context.name], rng("contexts"))
    if size * (number + 1) > MOST_COLUMNS:
        return f"{size} values in {number} contexts need more columns than a fit may have, {MOST_COLUMNS}"
    split = Part(part.name, tuple(f"{value}, context {k}" for k in range(number + 1) for value in part.values))
    value = fitted.parts[part.name]
    parts = tuple(split if one.name == part.name else one for one in task.parts if not one.of)
    design = PartDesign.of(parts, _with(fitted, part.name, value + size * group))
    own, moved = group[exchanged.base], torch.randint(1, number, (len(exchanged),), generator=rng("others"))

    def difference(which: Int[Tensor, " m"]) -> Tensor:
        rows, each = torch.zeros(len(exchanged), design.rows.shape[1], dtype=torch.float64), torch.arange(len(exchanged))
        column = design.columns[part.name].start + size * which
        rows[each, column + value[exchanged.source]] += 1
        rows[each, column + value[exchanged.base]] -= 1
        return rows

    same, other = difference(own), difference((own + moved) % number)
    for step in range(1, number - 1):  # the next context where that one does not have both values
        lacking = ~design.determined(other)
        further = (own + 1 + (moved - 1 + step) % (number - 1)) % number
        other[lacking] = difference(further)[lacking]
    usable = known & (exchanged.kinds == HELD) & (own < number) & design.determined(other)
    few = 0
    for wanted in ({SAME: same, OTHER: other}, {OTHER: other}):
        both = usable & design.determined(same) if SAME in wanted else usable
        chosen = both.nonzero()[:, 0]
        chosen = chosen[changing(exchanged.take(chosen), fitted, task.objective, rng("balance"))]
        few = len(exchanged.ids[chosen].unique())
        if few >= MIN_UNITS:
            return design, exchanged.take(chosen), {name: rows[chosen] for name, rows in wanted.items()}
    return f"{few} held-out combinations follow from an exchange with an effect from another context; {MIN_UNITS} are needed"


def some_pairs(parts: Sequence[Part], most: int, generator: torch.Generator) -> tuple[list[tuple[Part, Part]], int]:
    """At most `most` random pairs of a part and its context, another part, and the number of pairs left out. Graded parts have
    no discrete values and are skipped."""
    every = [*permutations([part for part in parts if not part.graded], 2)]
    chosen = torch.randperm(len(every), generator=generator)[:most].sort().values.tolist()
    return [every[k] for k in chosen], len(every) - len(chosen)


def _grouped(values: Int[Tensor, " n"], generator: torch.Generator) -> tuple[Int[Tensor, " n"], int]:
    """The context of each example, and the number of contexts. Values beyond the drawn ones share the last index."""
    occurring = values.unique()
    drawn = occurring[torch.randperm(len(occurring), generator=generator)][:MOST_CONTEXTS]
    group = (values[:, None] == drawn).long()
    return torch.where(group.any(1), group.argmax(1), len(drawn)), len(drawn)


def _with(examples: Examples, name: str, values: Tensor) -> Examples:
    """The same examples with other values of one part."""
    return Examples(examples.inputs, examples.targets, {**examples.parts, name: values}, examples.combination, examples.amounts)
