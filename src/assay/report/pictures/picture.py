"""What every picture of a figure has, and where its labels stand."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import count

from assay.report.canvas import Panel, Pixels

LINE = 12  # pixels from one label to the next


@dataclass(frozen=True)
class DrawnFigure:
    """A figure as it is drawn.

    **Attributes:**

    - `name`, `caption`: of the figure.
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


def unit_target(measure: str, unit: int) -> str:
    """Name of the link target of a unit of a measure, given by its label."""
    return f"{measure}/{unit}"


def free_name(name: str, taken: Container[str]) -> str:
    """The name, with the first number from 2 that makes it a new one where it is taken."""
    return name if name not in taken else next(other for k in count(2) if (other := f"{name}-{k}") not in taken)


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
