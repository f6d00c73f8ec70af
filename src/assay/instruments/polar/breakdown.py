"""Rates by relation, by distance between the words, by depth and by length: each a row of counts of gold edges."""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from assay.evidence import Table
from assay.instruments.polar.measures import LEVEL
from assay.instruments.polar.scores import RATES, Scored

MIN_EDGES = 30  # of a relation or a group, below which its rate says too little
SPANS = ((1, 1), (2, 2), (3, 4), (5, 7), (8, 15), (16, None))
DEPTHS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, None))
LENGTHS = ((1, 10), (11, 20), (21, 30), (31, 40), (41, None))
Groups = Mapping[str, Bool[Tensor, " e"]]


def by_relation(scored: Scored, relations: Sequence[str]) -> Groups:
    """The edges of every relation that was seen in training."""
    return {name: scored.relation == k for k, name in enumerate(relations)}


def by_span(scored: Scored) -> Groups:
    """The edges by |i - j|."""
    return _ranges(scored.span, SPANS)


def by_depth(scored: Scored) -> Groups:
    """The edges by the depth of their dependent."""
    return _ranges(scored.depth, DEPTHS)


def by_length(scored: Scored) -> Groups:
    """The edges by the number of nodes of their text."""
    return _ranges(scored.length, LENGTHS)


def _ranges(values: Tensor, ranges: Sequence[tuple[int, int | None]]) -> Groups:
    found = {}
    for low, high in ranges:
        name = f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
        found[name] = (values >= low) & (values <= (high or 10**9))
    return found


def rate_table(
    name: str, of: str, scored: Scored, groups: Groups, *, beside: Mapping[str, Scored] | None = None, note: str = ""
) -> Table:
    """A row for every group with at least `MIN_EDGES` gold edges: their number, every rate, and the UUAS of the nulls `beside`.

    **Arguments:** `of`: what the groups are. The nulls score the same edges in the same order.
    """
    beside = beside or {}
    assert all(torch.equal(null.text, scored.text) for null in beside.values()), "the nulls must score the same edges"
    kept = {group: chosen for group, chosen in groups.items() if int(chosen.sum()) >= MIN_EDGES}
    few = [group for group, chosen in groups.items() if 0 < int(chosen.sum()) < MIN_EDGES]
    left_out = f" Fewer than {MIN_EDGES} edges, so left out: {', '.join(few)}." if few else ""
    rows = [
        (group, int(chosen.sum()), *_rates(scored, chosen), *(_rates(null, chosen)[0] for null in beside.values()))
        for group, chosen in kept.items()
    ]
    columns = (of, "edges", *RATES, *(f"UUAS, {null}" for null in beside))
    return Table(name=name, columns=columns, rows=tuple(rows), note=(note + left_out).strip(), level=LEVEL)


def _rates(scored: Scored, chosen: Bool[Tensor, " e"]) -> tuple[float, ...]:
    return tuple(scored.right[:, chosen].double().mean(1).tolist())


KINDS: Mapping[str, Callable[[Scored], Groups]] = {"|i - j|": by_span, "depth": by_depth, "length": by_length}
