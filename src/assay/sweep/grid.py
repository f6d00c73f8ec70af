"""Grid of a sweep: axes with values as text, and the cells of all combinations."""

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.errors import AssayError

_MAX_NAME = 120
MOST_NETWORKS = 100_000
"""Networks of one sweep; at a minute each this is ten weeks of one core."""
# Ratio of largest to smallest value from which an axis is logarithmic: small for sizes (whole numbers), large enough that
# shares such as a coverage of 0.1 to 0.9 stay linear.
_LOG_WHOLE, _LOG_REAL = 8.0, 32.0


@dataclass(frozen=True)
class Axis:
    """One axis of a sweep.

    **Attributes:**

    - `name`: an option of the task, a size of the model, `model`, or a setting of training.
    - `values`: as text. A value may set other options with it: `random+num_train=28`.
    """

    name: str
    values: tuple[str, ...]

    def __post_init__(self):
        if not self.name or not all(self.values) or not self.values:
            raise AssayError(
                "an axis of a sweep must have the form NAME=VALUE,VALUE,...",
                given=f"{self.name}={','.join(self.values)}",
                next_step="give every axis a name and at least one value: a grid without cells has nothing to train",
            )
        twice = next((value for value, count in Counter(self.values).items() if count > 1), None)
        if twice is not None:
            raise AssayError(f"every value of {self.name} may be given once", given=twice)

    @classmethod
    def parse(cls, text: str) -> "Axis":
        """Parse `NAME=VALUE,VALUE,...`. **Raises:** `AssayError` for anything else."""
        name, _, values = text.partition("=")
        return cls(name.strip(), tuple(value.strip() for value in values.split(",")))

    def settings(self, value: str) -> dict[str, str]:
        """Settings made by a value, the axis' own name first."""
        own, *others = value.split("+")
        pairs = {self.name: own, **{name: given for name, _, given in (other.partition("=") for other in others)}}
        for name, given in pairs.items():
            if not name or not given:
                raise AssayError(
                    f"{self.name}: a value with settings must be VALUE+NAME=VALUE", given=value, next_step="see --help"
                )
        return pairs

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The values as numbers; None where one is not a number."""
        try:
            numbers = tuple(float(value) for value in self.values)
        except ValueError:
            return None
        return numbers if all(map(math.isfinite, numbers)) else None

    @property
    def logarithmic(self) -> bool:
        """Whether the axis has a logarithmic scale."""
        numbers = self.numbers
        ratio = _LOG_WHOLE if self._whole else _LOG_REAL
        return numbers is not None and min(numbers) > 0 and max(numbers) >= ratio * min(numbers)

    @property
    def _whole(self) -> bool:
        return all(value.lstrip("-").isdigit() for value in self.values)

    def scaled(self, number: float) -> float:
        """A number on the axis' scale."""
        return math.log(number) if self.logarithmic else number

    def between(self, low: str, high: str) -> str | None:
        """The value half way on the axis' scale, as text; None where there is none in between."""
        a, b = float(low), float(high)
        middle = math.sqrt(a * b) if self.logarithmic else (a + b) / 2
        written = f"{round(middle)}" if self._whole else f"{middle:.4g}"
        return written if min(a, b) < float(written) < max(a, b) else None


Point = tuple[str, ...]
"""One value for every axis, as text."""


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
        """Sort key of points: numeric axes by number, others by order of declaration."""
        return tuple(
            float(value) if axis.numbers is not None else float(axis.values.index(value))
            for axis, value in zip(self.axes, point, strict=True)
        )

    def settings(self, point: Point) -> dict[str, str]:
        """Settings of a point. **Raises:** `AssayError` when two axes set the same option."""
        settings: dict[str, str] = {}
        for axis, value in zip(self.axes, point, strict=True):
            for name, given in axis.settings(value).items():
                if name in settings:
                    raise AssayError(f"{name} may be set by one axis", given=self.text(point))
                settings[name] = given
        return settings

    def text(self, point: Point) -> str:
        """A point as text: `supports=random, width=32`."""
        return ", ".join(f"{axis.name}={value}" for axis, value in zip(self.axes, point, strict=True))

    def cell_name(self, cell: Cell) -> str:
        """Name of a cell and of its folder."""
        text = f"{self.text(cell.point)},seed={cell.seed}".replace(", ", ",")
        name = "".join(letter if letter.isalnum() or letter in "=,.+-" else "_" for letter in text)
        if name == text and len(name) <= _MAX_NAME:
            return name
        return f"{name[: _MAX_NAME - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def grid_of(over: Mapping[str, Sequence[object]], seeds: int) -> Grid:
    """Grid from a mapping of axis names to values."""
    return Grid(tuple(Axis(name, tuple(map(str, values))) for name, values in over.items()), seeds)
