"""The declared grid of a sweep: axes, their values as they were written, and the cells that they make."""

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.errors import AssayError

_MAX_NAME = 120
MOST_NETWORKS = 100_000
"""Of one sweep: at a minute each they take ten weeks of a core."""
# An axis is read on a logarithmic scale when its largest value is at least so many times its smallest: sizes (whole numbers)
# soon, shares such as a coverage of 0.1 to 0.9 not.
_LOG_WHOLE, _LOG_REAL = 8.0, 32.0


@dataclass(frozen=True)
class Axis:
    """One thing that a sweep varies.

    **Attributes:**

    - `name`: an option of the task, a size of the model, `model`, or a setting of training.
    - `values`: as they were written. A value may set other things with it: `random+num_train=28`.
    """

    name: str
    values: tuple[str, ...]

    def __post_init__(self):
        if not self.name or not all(self.values) or not self.values:
            raise AssayError(
                "an axis of a sweep is written NAME=VALUE,VALUE,...",
                given=f"{self.name}={','.join(self.values)}",
                next_step="give every axis a name and at least one value: a grid without cells has nothing to train",
            )
        twice = next((value for value, count in Counter(self.values).items() if count > 1), None)
        if twice is not None:
            raise AssayError(f"every value of {self.name} may be given once", given=twice)

    @classmethod
    def parse(cls, text: str) -> "Axis":
        """From `NAME=VALUE,VALUE,...`. **Raises:** `AssayError` for anything else."""
        name, _, values = text.partition("=")
        return cls(name.strip(), tuple(value.strip() for value in values.split(",")))

    def settings(self, value: str) -> dict[str, str]:
        """What a value sets, the axis' own name first."""
        own, *others = value.split("+")
        pairs = {self.name: own, **{name: given for name, _, given in (other.partition("=") for other in others)}}
        for name, given in pairs.items():
            if not name or not given:
                raise AssayError(
                    f"{self.name}: what a value sets besides is written VALUE+NAME=VALUE", given=value, next_step="see --help"
                )
        return pairs

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The values as numbers; None when one is none."""
        try:
            numbers = tuple(float(value) for value in self.values)
        except ValueError:
            return None
        return numbers if all(map(math.isfinite, numbers)) else None

    @property
    def logarithmic(self) -> bool:
        """Whether it is read on a logarithmic scale."""
        numbers = self.numbers
        ratio = _LOG_WHOLE if self._whole else _LOG_REAL
        return numbers is not None and min(numbers) > 0 and max(numbers) >= ratio * min(numbers)

    @property
    def _whole(self) -> bool:
        return all(value.lstrip("-").isdigit() for value in self.values)

    def scaled(self, number: float) -> float:
        """A number on the scale on which the axis is read."""
        return math.log(number) if self.logarithmic else number

    def between(self, low: str, high: str) -> str | None:
        """A value half way on the axis' scale, written as the others are; None when there is none in between."""
        a, b = float(low), float(high)
        middle = math.sqrt(a * b) if self.logarithmic else (a + b) / 2
        written = f"{round(middle)}" if self._whole else f"{middle:.4g}"
        return written if min(a, b) < float(written) < max(a, b) else None


Point = tuple[str, ...]
"""One value for every axis, as written."""


@dataclass(frozen=True)
class Cell:
    """One network of a sweep: a point of the grid and a seed."""

    point: Point
    seed: int


@dataclass(frozen=True)
class Grid:
    """Axes and the number of seeds at every point."""

    axes: tuple[Axis, ...]
    seeds: int

    def __post_init__(self):
        names = [axis.name for axis in self.axes]
        if not names:
            raise AssayError(
                "a sweep needs at least one axis", given="none", next_step="say what to vary: --over NAME=VALUE,VALUE,..."
            )
        if len(set(names)) < len(names):
            raise AssayError("every axis may be given once", given=", ".join(names))
        if self.seeds < 1:
            raise AssayError(
                "a sweep needs at least one seed, or its grid has no cells",
                given=self.seeds,
                next_step="give --seeds 3 or more: an interval needs several networks",
            )
        points = math.prod(len(axis.values) for axis in self.axes)
        if points * self.seeds > MOST_NETWORKS:
            raise AssayError(
                f"a sweep has at most {MOST_NETWORKS:,} networks",
                given=f"{points:,} points with {self.seeds:,} seeds",
                next_step=f"give fewer values, or --seeds of at most {max(1, MOST_NETWORKS // points):,}",
            )

    def points(self) -> list[Point]:
        """Every combination of values, the last axis fastest."""
        return list(itertools.product(*(axis.values for axis in self.axes)))

    def cells(self) -> list[Cell]:
        """Every point with every seed, seed by seed."""
        return [Cell(point, seed) for seed in range(self.seeds) for point in self.points()]

    def order(self, point: Point) -> tuple[float, ...]:
        """What points are sorted by: axes of numbers by the number, others as their values were declared."""
        return tuple(
            float(value) if axis.numbers is not None else float(axis.values.index(value))
            for axis, value in zip(self.axes, point, strict=True)
        )

    def settings(self, point: Point) -> dict[str, str]:
        """What a point sets. **Raises:** `AssayError` when two axes set one thing."""
        settings: dict[str, str] = {}
        for axis, value in zip(self.axes, point, strict=True):
            for name, given in axis.settings(value).items():
                if name in settings:
                    raise AssayError(f"{name} may be set by one axis", given=self.told(point))
                settings[name] = given
        return settings

    def told(self, point: Point) -> str:
        """A point in words: `supports=random, width=32`."""
        return ", ".join(f"{axis.name}={value}" for axis, value in zip(self.axes, point, strict=True))

    def cell_name(self, cell: Cell) -> str:
        """What a cell is called, and its folder."""
        told = f"{self.told(cell.point)},seed={cell.seed}".replace(", ", ",")
        name = "".join(letter if letter.isalnum() or letter in "=,.+-" else "_" for letter in told)
        if name == told and len(name) <= _MAX_NAME:
            return name
        return f"{name[: _MAX_NAME - 9]}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def grid_of(over: Mapping[str, Sequence[object]], seeds: int) -> Grid:
    """The grid of axes given as a mapping from names to values."""
    return Grid(tuple(Axis(name, tuple(map(str, values))) for name, values in over.items()), seeds)
