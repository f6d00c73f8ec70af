"""The novel score along a numeric axis: slices of the grid, and what fits through them share.

The unit is the network: whole networks are resampled, and the null permutes the axis values over networks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from assay.evidence import Measure, Null
from assay.stats import permutation_p
from assay.sweep.grid import Axis, Grid
from assay.sweep.points import highest_null
from assay.sweep.rows import NOVEL, Row

MIN_VALUES = 3  # fewest values of an axis for a curve
NUM_DEALS = 199


@dataclass(frozen=True)
class Slice:
    """Networks that differ along one numeric axis, with all other axes fixed.

    **Attributes:** `others`: the values of the other axes.
    """

    axis: Axis
    others: dict[str, str]
    rows: tuple[Row, ...]

    @cached_property
    def numbers(self) -> np.ndarray:
        """Axis value of every network."""
        return np.array([float(row.point[self.axis.name]) for row in self.rows])

    @cached_property
    def places(self) -> np.ndarray:
        """Axis position of every network, on the axis' scale, on which the declared values span 0 to 1."""
        return np.array([place(self.axis, number) for number in self.numbers])

    @cached_property
    def scores(self) -> np.ndarray:
        """Novel score of every network."""
        return np.array([row.values[NOVEL] for row in self.rows], dtype=float)

    @cached_property
    def floor(self) -> float:
        """The best null of the novel score, at most .999, since the curve rises from it to 1."""
        return min(highest_null(self.rows), 1 - 1e-3)

    def measure(self, key: str, name: str, value: float | None, **more: Any) -> Measure:
        """A measure of this slice, with networks as units."""
        about = {"axis": self.axis.name, **self.others}
        return Measure(key=key, name=name, value=value, units=len(self.rows), unit_of="network", about=about, level=2, **more)

    def dealt(self, value: float, values: Sequence[float]) -> Null:
        """The null of a fit: its values with the axis values permuted over the networks."""
        how = f"the values of {self.axis.name} permuted over the networks, {len(values)} times"
        return Null(name="dealt values", how=how, values=tuple(values), p=permutation_p(value, values))


def slices(grid: Grid, rows: Sequence[Row]) -> list[Slice]:
    """A slice for every numeric axis and every setting of the other axes with enough values on it."""
    found = []
    for axis in grid.axes:
        if axis.numbers is None:
            continue
        by_others: dict[tuple[tuple[str, str], ...], list[Row]] = {}
        for row in rows:
            if row.values.get(NOVEL) is not None:
                others = tuple((name, value) for name, value in row.point.items() if name != axis.name)
                by_others.setdefault(others, []).append(row)
        for others, members in by_others.items():
            if len({row.point[axis.name] for row in members}) >= MIN_VALUES:
                found.append(Slice(axis, dict(others), tuple(members)))
    return found


def place(axis: Axis, number: float) -> float:
    """Position of a number on the axis' scale, on which the declared values span 0 to 1."""
    low, reach = _ends(axis)
    return (axis.scaled(number) - low) / reach


def number_at(axis: Axis, u: float) -> float:
    """The number at a position on that scale."""
    low, reach = _ends(axis)
    return math.exp(low + u * reach) if axis.logarithmic else low + u * reach


def _ends(axis: Axis) -> tuple[float, float]:
    assert axis.numbers is not None
    ends = [axis.scaled(number) for number in axis.numbers]
    return min(ends), (max(ends) - min(ends)) or 1.0
