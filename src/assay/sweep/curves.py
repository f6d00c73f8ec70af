"""How the novel score grows along an axis of numbers: the networks of one slice, and the fits through them.

The unit is the network: it is resampled whole, and the null deals the axis' values to the networks at random.
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
from assay.sweep.points import best_null
from assay.sweep.rows import NOVEL, Row

MIN_VALUES = 3  # an axis with fewer values has no shape
NUM_DEALS = 199


@dataclass(frozen=True)
class Slice:
    """Networks that differ along one axis of numbers, everything else held.

    **Attributes:** `others`: the values of the other axes.
    """

    axis: Axis
    others: dict[str, str]
    rows: tuple[Row, ...]

    @cached_property
    def numbers(self) -> np.ndarray:
        """The axis' value of every network."""
        return np.array([float(row.point[self.axis.name]) for row in self.rows])

    @cached_property
    def places(self) -> np.ndarray:
        """The same on the axis' scale, on which the declared values span 0 to 1."""
        return np.array([place(self.axis, number) for number in self.numbers])

    @cached_property
    def scores(self) -> np.ndarray:
        """The novel score of every network."""
        return np.array([row.values[NOVEL] for row in self.rows], dtype=float)

    @cached_property
    def floor(self) -> float:
        """The best null of the novel score; a null that is always right leaves no room for a curve."""
        return min(best_null(self.rows), 1 - 1e-3)

    def measure(self, key: str, name: str, value: float | None, **more: Any) -> Measure:
        """A measure of this slice, whose units are its networks."""
        about = {"axis": self.axis.name, **self.others}
        return Measure(key=key, name=name, value=value, units=len(self.rows), unit_of="network", about=about, level=2, **more)

    def dealt(self, value: float, values: Sequence[float]) -> Null:
        """The null of a fit, whose values come from networks to which the axis' values were dealt at random."""
        how = f"the values of {self.axis.name} dealt to the networks at random, {len(values)} times"
        return Null(name="dealt values", how=how, values=tuple(values), p=permutation_p(value, values))


def slices(grid: Grid, rows: Sequence[Row]) -> list[Slice]:
    """One for every axis of numbers and every setting of the other axes that has enough values on it."""
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
    """Where a number is on the axis' scale, on which the declared values span 0 to 1."""
    low, reach = _ends(axis)
    return (axis.scaled(number) - low) / reach


def number_at(axis: Axis, u: float) -> float:
    """The number at a place on that scale."""
    low, reach = _ends(axis)
    return math.exp(low + u * reach) if axis.logarithmic else low + u * reach


def _ends(axis: Axis) -> tuple[float, float]:
    assert axis.numbers is not None
    ends = [axis.scaled(number) for number in axis.numbers]
    return min(ends), (max(ends) - min(ends)) or 1.0
