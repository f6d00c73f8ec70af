"""The sparsity path of one part: masks under rising L0 penalties, and the choice of the mask that isolates the part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from torch import Generator

from assay.display import number
from assay.figure import Curve, Line, Plot
from assay.instruments.subnetworks.problems import Effect, MaskedModel
from assay.masks import Mask, SearchConfig, masked, path
from assay.task import Examples

SOLVES = 0.9  # share of its problems that a mask must solve to isolate a part; the network must solve as many first
_CAPTION = (
    "Each dot is a mask of one search, which goes from the whole network to fewer and fewer weights; the large dot is the "
    "chosen mask. Accuracy: solid on the part's own problems, dotted on those of the other part. Necessity: the accuracy on "
    "the other part's problems minus that on its own, when the mask is removed. Long dashes: the same network in another "
    "basis. Grey: the same search in networks that were never trained."
)


@dataclass(frozen=True)
class PathPoint:
    """A mask on the path.

    **Attributes:**

    - `penalty`: on keeping the whole network.
    - `mask`; `density`: the share of living weights that it keeps; `degenerate`: what is wrong with it, empty for a proper
      mask.
    - `accuracy`: on problems of the mask's own pool that the part decides.
    - `validation`: the necessity on problems of the same pool, by which a mask is chosen.
    - `alone`: the mask kept and all else removed; `without`: the mask removed; both on the test pool.
    """

    penalty: float
    mask: Mask
    density: float
    degenerate: str
    accuracy: float
    validation: float
    alone: Effect
    without: Effect


@dataclass(frozen=True)
class SparsityPath:
    """All masks of a path, from the largest to the smallest."""

    points: tuple[PathPoint, ...]

    @cached_property
    def isolating(self) -> tuple[PathPoint, ...]:
        """The masks that solve the part's own problems."""
        return tuple(point for point in self.points if point.accuracy >= SOLVES and not point.degenerate)

    @property
    def chosen(self) -> PathPoint | None:
        """The isolating mask with the highest validation score, on problems that are not reported; of equal ones the smaller.

        A mask may be too large, and include what the other part needs; or too small, and leave a copy of the part behind.
        """
        return max(reversed(self.isolating), key=lambda point: point.validation, default=None)

    @property
    def smallest(self) -> PathPoint | None:
        return min(self.isolating, key=lambda point: point.density, default=None)

    @property
    def degenerate(self) -> str:
        """What is wrong with the largest mask that solves the part's problems; empty for a proper mask, or where none solves
        them."""
        return next((point.degenerate for point in self.points if point.accuracy >= SOLVES), "")

    @property
    def flaw(self) -> str:
        """Why no mask isolates the part; defined where none does."""
        most = max(point.accuracy for point in self.points)
        best = f"no mask solves {SOLVES:g} of its problems; the best solves {number(most)}"
        return f"the mask {self.degenerate}" if self.degenerate else best


def fit_path(model: MaskedModel, part: str, *, generator: Generator, nonsense: int | None = None) -> SparsityPath:
    """The sparsity path of one part. It ends where masks become too small to solve the part's problems.

    **Arguments:** `nonsense`: the hash whose labels masks are searched for instead, along the whole path; they are judged as if
    they were the part's.
    """
    problems, weights = model.problems, model.weights
    training, checking = (problems.training[part], problems.checking[part]) if nonsense is None else problems.nonsense[nonsense]
    units, penalties, (first, later) = problems.units, problems.budget.penalties, problems.budget.steps
    num = max(1, units.mask(units.alive(weights)).of(weights))
    found = path(
        model.module,
        units,
        training,
        loss=problems.objective.loss,
        prices=[penalty / num for penalty in penalties],
        config=SearchConfig(steps=first, later_steps=later),
        generator=generator,
    )
    points: list[PathPoint] = []
    for penalty, one in zip(penalties, found, strict=True):
        points.append(judged(model, part, one.mask, checking, penalty=penalty))
        if nonsense is None and points[-1].accuracy < SOLVES:
            break
    return SparsityPath(tuple(points))


def judged(model: MaskedModel, part: str, mask: Mask, checking: Examples, *, penalty: float) -> PathPoint:
    """A mask judged as one of a part; `checking`: problems that it should solve alone."""
    weights, problems = model.weights, model.problems
    alone, without = masked(weights, mask), masked(weights, ~mask)
    return PathPoint(
        penalty=penalty,
        mask=mask,
        density=mask.density(weights),
        degenerate=mask.degenerate(weights),
        accuracy=model.score(alone, checking).raw,
        validation=model.effect(without, problems.choosing, part).necessity,
        alone=model.effect(alone, problems.testing, part),
        without=model.effect(without, problems.testing, part),
    )


def path_curve(
    paths: Mapping[str, Mapping[str, Sequence[SparsityPath]]], labels: Mapping[tuple[str, str], str] = MappingProxyType({})
) -> Curve:
    """Figure of accuracy and necessity against mask size: for every part the paths of `this` network, of its twin in a
    `rotated` basis, and of `untrained` copies. `labels`: of the measures of the first chosen mask, by part and key."""
    plots = []
    for part, kinds in paths.items():
        alone, without = [], []
        for kind, found in kinds.items():
            null, style = kind == "untrained", "dashed" if kind == "rotated" else "solid"
            for one in found:
                points = sorted(one.points, key=lambda point: point.density)
                line = Line(
                    name=kind,
                    x=tuple(point.density for point in points),
                    y=tuple(point.without.necessity for point in points),
                    null=null,
                    style=style,
                    marked=tuple(k for k, point in enumerate(points) if point is one.chosen),
                )
                own, other = (tuple(effect.raw for effect in side) for side in zip(*(p.alone for p in points), strict=True))
                of_first = kind == "this" and one is next((path for path in found if path.chosen), None)
                necessity, sufficiency = (
                    tuple(labels.get((part, name), "") if of_first and point is one.chosen else "" for point in points)
                    for name in ("necessity", "sufficiency")
                )
                without.append(replace(line, leads_to=necessity))
                alone.append(replace(line, name=f"own, {kind}", y=own, leads_to=sufficiency))
                alone.append(replace(line, name=f"other, {kind}", y=other, style="dashed" if kind == "rotated" else "dotted"))
        plots.append(Plot(title=f"Part {part}: its mask alone", subtitle="accuracy on problems", lines=tuple(alone)))
        plots.append(Plot(title=f"Part {part}: without its mask", subtitle="necessity", lines=tuple(without)))
    return Curve(
        name="Accuracy and necessity by size of the mask",
        across="share of weights kept",
        plots=tuple(plots),
        caption=_CAPTION,
        level=2,
    )
