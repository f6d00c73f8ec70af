"""Refinement of a sweep: the straddle heuristic for the level set at which networks begin to compose.

A Gaussian process is fitted to the novel scores over the axes; a candidate is worth 1.96 standard deviations of the surface
there minus the distance of its mean from the level (Bryan, Nichol, Genovese, Schneider, Miller and Wasserman 2005, "Active
learning for identifying function threshold boundaries", NeurIPS 18, eq. 2). Candidates are one more seed at a finished point,
and points half way between neighbours on a numeric axis.
"""

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.sweep.grid import Axis, Cell, Grid, Point

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Kernel

NUM_ROUNDS = 4
_CONFIDENCE = 1.96
_LEAST_LENGTH = 0.2  # length scale of the surface, on axes from 0 to 1: the declared values are assumed to show its rough shape


def next_cells(
    grid: Grid,
    scores: Mapping[Cell, float],
    *,
    level: float,
    num: int,
    taken: Sequence[Cell] = (),
    possible: Callable[[Point], bool] = lambda point: True,
) -> list[Cell]:
    """The `num` most informative cells about where the novel score crosses `level`.

    A pure function of its arguments. Each chosen cell counts as finished with its expected score before the next is chosen, so
    that cells spread.

    **Arguments:**

    - `scores`: of finished cells.
    - `taken`: further cells that must not be chosen again.
    - `possible`: whether a network can be trained at a point.
    """
    if len(scores) < 2 or num < 1:
        return []
    known = sorted(scores, key=lambda cell: (cell.point, cell.seed))
    where = np.array([coordinates(grid, cell.point) for cell in known])
    found = np.array([scores[cell] for cell in known])
    centre, spread = found.mean(), found.std() or 1.0
    surface = _fitted(where, (found - centre) / spread)
    used = [*known, *taken]
    chosen: list[Cell] = []
    for _ in range(num):
        points = [point for point in candidates(grid, [cell.point for cell in used]) if possible(point)]
        places = np.array([coordinates(grid, point) for point in points])
        mean, deviation = surface.predict(places, return_std=True)[:2]
        # Of the surface only: variance between seeds is no reason for another network.
        noise = surface.kernel_.get_params()["k2__noise_level"]
        worth = _CONFIDENCE * np.sqrt(np.maximum(deviation**2 - noise, 0)) - np.abs(mean - (level - centre) / spread)
        # Rounded, so that ties are broken by order and not by the last bit.
        best = int(np.argmax(np.round(worth, 9)))
        seed = 1 + max((cell.seed for cell in used if cell.point == points[best]), default=-1)
        chosen.append(Cell(points[best], seed))
        used.append(chosen[-1])
        where = np.vstack([where, places[best]])
        surface = _fitted(where, np.append(surface.y_train_, mean[best]), kernel=surface.kernel_)
    return chosen


def candidates(grid: Grid, points: Sequence[Point]) -> list[Point]:
    """Every given point, and every point half way between two neighbours that differ on one numeric axis."""
    distinct = sorted(set(points))
    found = dict.fromkeys(distinct)
    for index, axis in enumerate(grid.axes):
        if axis.numbers is None:
            continue
        lines: dict[tuple[Point, Point], list[str]] = {}
        for point in distinct:
            lines.setdefault((point[:index], point[index + 1 :]), []).append(point[index])
        for (before, after), values in lines.items():
            values.sort(key=float)
            for low, high in itertools.pairwise(values):
                middle = axis.between(low, high)
                if middle is not None:
                    found[(*before, middle, *after)] = None
    return list(found)


def coordinates(grid: Grid, point: Point) -> list[float]:
    """Coordinates of a point: numeric axes on their scale from 0 to 1, other axes one-hot."""
    return [x for axis, value in zip(grid.axes, point, strict=True) for x in _of_axis(axis, value)]


def _of_axis(axis: Axis, value: str) -> list[float]:
    if axis.numbers is None:
        return [float(value == other) for other in axis.values]
    ends = [axis.scaled(number) for number in axis.numbers]
    reach = max(ends) - min(ends)
    return [(axis.scaled(float(value)) - min(ends)) / reach if reach else 0.0]


def _fitted(where: np.ndarray, found: np.ndarray, kernel: "Kernel | None" = None) -> "GaussianProcessRegressor":
    """Gaussian process fitted to standardised scores, with one length scale per coordinate and noise for the variance between
    seeds. A given kernel is not optimised."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    if kernel is not None:
        return GaussianProcessRegressor(kernel=kernel, optimizer=None).fit(where, found)
    lengths = RBF(np.full(where.shape[1], 0.5), (_LEAST_LENGTH, 10.0))
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * lengths + WhiteKernel(0.1, (1e-4, 1.0))
    with warnings.catch_warnings():
        # A length scale at its bound means an axis without influence, not a failure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianProcessRegressor(kernel=kernel).fit(where, found)
