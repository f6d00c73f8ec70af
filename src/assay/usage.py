"""Coverage of the trained combinations: counts of part values, connectivity of their co-occurrence graph, unfamiliar pairs.

After Schug et al. 2024 (arXiv 2312.15001): parts that never occur together, directly or through others, are not identifiable
from the data, whatever the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from assay.task import Part


@dataclass(frozen=True)
class Usage:
    """**Attributes:**

    - `usage`: for every part in order, the number of combinations with each of its values.
    - `components`: groups of (part, value) pairs. Two pairs are in one group if they occur in one combination, or are linked
      by a chain of such pairs. Pairs that never occur are in no group, and the absence of a graded part links nothing.
    - `unused`: the (part, value) pairs that never occur, by name.
    """

    usage: tuple[tuple[int, ...], ...]
    components: tuple[tuple[str, ...], ...]
    unused: tuple[str, ...]

    @property
    def connected(self) -> bool:
        """Whether every value occurs and all of them are in one component."""
        return not self.unused and len(self.components) == 1


def usage_of(combinations: Int[Tensor, "c k"], parts: Sequence[Part]) -> Usage:
    """Which values of the parts occur, and how combinations (one a row, with a column of indices for each part) link them.

    Example::

        >>> from assay.usage import usage_of
        >>> parts = (assay.Part("colour", ("red", "green", "blue")), assay.Part("shape", ("disc", "ring")))
        >>> usage = usage_of(torch.tensor([[0, 0], [1, 1]]), parts)
        >>> usage.connected, usage.unused, len(usage.components)
        (False, ('colour=blue',), 2)
    """
    names = [(part, value) for part in parts for value in part.values]
    present = indicator(combinations, parts)
    counts = present.sum(0).tolist()
    joins = torch.tensor([not (part.graded and value == part.values[0]) for part, value in names])
    labels = [f"{part.name}={value}" for part, value in names]
    groups = connected_groups(present & joins)
    starts = torch.tensor([len(part.values) for part in parts]).cumsum(0).tolist()
    return Usage(
        usage=tuple(tuple(counts[end - len(part.values) : end]) for part, end in zip(parts, starts, strict=True)),
        components=tuple(sorted(tuple(labels[column] for column in group) for group in groups)),
        unused=tuple(label for label, count, join in zip(labels, counts, joins.tolist(), strict=True) if join and not count),
    )


def connected_groups(present: Bool[Tensor, "c v"]) -> tuple[tuple[int, ...], ...]:
    """Connected components of columns, joined by being true in one row. Columns that are never true are in no group.

    Computed by repeated squaring of the co-occurrence graph.
    """
    reach = present.float().T @ present.float() > 0
    for _ in range(max(present.shape[1] - 1, 1).bit_length()):
        reach = reach.float() @ reach.float() > 0
    return tuple(sorted({tuple(row.nonzero().flatten().tolist()) for row in reach if row.any()}))


def indicator(combinations: Int[Tensor, "c k"], parts: Sequence[Part]) -> Bool[Tensor, "c v"]:
    """Indicator matrix: one column for each (part, value), true where the combination has it."""
    columns = [combinations[:, [k]] == torch.arange(len(part.values)) for k, part in enumerate(parts)]
    return torch.cat(columns, 1)


def unfamiliar_pairs(novel: Int[Tensor, "m k"], trained: Int[Tensor, "c k"], parts: Sequence[Part]) -> Int[Tensor, " m"]:
    """For every novel combination the number of pairs of its part values that never occur together in a trained one."""
    known = indicator(trained, parts).float()
    never = ((known.T @ known) == 0).float()
    present = indicator(novel, parts).float()
    # The diagonal pairs a value with itself: an untrained value counts as one unfamiliar pair.
    pairs = ((present @ never) * present).sum(1)
    alone = (present * never.diagonal()).sum(1)
    return ((pairs + alone) / 2).round().long()
