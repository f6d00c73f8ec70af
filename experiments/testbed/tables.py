"""Markdown tables, and ranks of networks within each world."""

from collections.abc import Sequence

from population import Row
from scipy.stats import rankdata


def table(heads: Sequence[str], lines: Sequence[Sequence[object]]) -> list[str]:
    """The lines of a Markdown table."""
    return [f"| {' | '.join(map(str, cells))} |" for cells in (heads, ["---"] * len(heads), *lines)]


def within(rows: Sequence[Row], column: Sequence[float | None]) -> list[float | None]:
    """Ranks within each world, from 0 to 1, over the networks that have a value."""
    found: list[float | None] = [None] * len(rows)
    for world in {row.world for row in rows}:
        known = [k for k, row in enumerate(rows) if row.world == world and column[k] is not None]
        ranks = (rankdata([column[k] for k in known]) - 0.5) / max(1, len(known))
        for k, rank in zip(known, ranks, strict=True):
            found[k] = float(rank)
    return found
