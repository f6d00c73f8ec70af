"""What every picture of a table has, and what is needed to read a table for one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.evidence import Table
from assay.report.canvas import Panel, Pixels

Cell = str | float | int | None
LINE = 12  # pixels from one label to the next


@dataclass(frozen=True)
class Picture:
    """A table as a figure.

    **Attributes:**

    - `name`: of the table.
    - `caption`: how to read it, in plain sentences.
    - `panels`: at least one.
    - `choices`: a line for each panel where a reader opens one at a time; empty where all stand side by side.
    - `left_out`: what was not drawn; empty where nothing was.
    """

    name: str
    caption: str
    panels: tuple[Panel, ...]
    choices: tuple[str, ...] = ()
    left_out: str = ""

    def __post_init__(self):
        assert len(self.choices) in (0, len(self.panels)), "one choice for each panel"


def rows_of(table: Table, needed: Sequence[str]) -> list[Mapping[str, Cell]] | None:
    """Rows by column; None where a needed column is missing, so that the table is of another kind."""
    if not set(needed) <= set(table.columns):
        return None
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def as_number(cell: Cell) -> float | None:
    """A cell that holds a number, else None."""
    return float(cell) if isinstance(cell, (int, float)) else None


def apart(wanted: Sequence[Pixels], *, low: Pixels, high: Pixels, gap: Pixels = LINE) -> list[Pixels]:
    """Places of labels: in the order of what was wanted, near it, and at least `gap` from one another.

    They stay within `low` and `high` as long as there is room for all.
    """
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    placed: list[Pixels] = [0.0] * len(wanted)
    least = low
    for k in order:
        placed[k] = max(wanted[k], least)
        least = placed[k] + gap
    most = high
    for k in reversed(order):
        placed[k] = min(placed[k], most)
        most = placed[k] - gap
    return placed
