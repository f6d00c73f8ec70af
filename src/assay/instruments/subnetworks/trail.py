"""One path of masks for one part of one network, and which of its masks stand for the part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Generator

from assay.instruments.subnetworks.problems import Network, Problems, Scored
from assay.masks import Mask, SearchConfig, Units, masked, path
from assay.task import Examples

OWN = 0.9  # of its problems that a mask must solve to stand for a part, and that the network must solve first


@dataclass(frozen=True)
class Effect:
    """Accuracies on the part's own and on the other part's test problems."""

    own: Scored
    other: Scored

    @property
    def kept(self) -> float:
        """How much more is left of the own part than of the other, in [-1, 1]; both not less than chance."""
        return self.own.value - self.other.value

    @property
    def removed(self) -> float:
        """How much more is left of the other part."""
        return -self.kept

    @property
    def raw(self) -> float:
        """`kept` without the floor at chance."""
        return self.own.raw - self.other.raw

    @property
    def variance(self) -> float:
        """Of either difference, over problems."""
        return self.own.variance + self.other.variance


@dataclass(frozen=True)
class Point:
    """A mask on the path.

    **Attributes:**

    - `price`: what keeping the whole network would cost.
    - `mask`, `density`: and the share of living weights that it keeps; `degenerate`: what is wrong with it.
    - `accuracy`: on problems of the mask's own pool that the part decides.
    - `promise`: the necessity on problems of the same pool: what a mask is chosen by.
    - `alone`: the mask kept and all else removed; `without`: the mask removed; both on the test pool.
    """

    price: float
    mask: Mask
    density: float
    degenerate: str
    accuracy: float
    promise: float
    alone: Effect
    without: Effect

    @property
    def isolates(self) -> bool:
        return self.accuracy >= OWN and not self.degenerate


@dataclass(frozen=True)
class Trail:
    """All masks of a path, from the largest to the smallest."""

    points: tuple[Point, ...]

    @cached_property
    def isolating(self) -> tuple[Point, ...]:
        """Those that solve the part's own problems."""
        return tuple(point for point in self.points if point.isolates)

    @property
    def chosen(self) -> Point | None:
        """Of those, the one whose removal promises most, by problems that are not reported; the smaller one of equals.

        A mask may be too large, and hold what the other part needs too; or too small, and leave a copy of the part behind.
        """
        return max(reversed(self.isolating), key=lambda point: point.promise, default=None)

    @property
    def smallest(self) -> Point | None:
        return min(self.isolating, key=lambda point: point.density, default=None)

    @property
    def flaw(self) -> str:
        """Why none isolates the part."""
        if self.isolating:
            return ""
        whole = next((point.degenerate for point in self.points if point.accuracy >= OWN), "")
        best = max(point.accuracy for point in self.points)
        return f"the mask {whole}" if whole else f"no mask solves {OWN:g} of its problems; the best solves {best:.2f}"


def follow(
    network: Network,
    units: Units,
    problems: Problems,
    part: str,
    *,
    prices: Sequence[float],
    config: SearchConfig,
    generator: Generator,
) -> Trail:
    """The path for one part. It ends where masks become too small to solve the part's problems."""
    return _walk(
        network,
        units,
        problems.training[part],
        prices=prices,
        config=config,
        generator=generator,
        point=lambda price, mask: judged(network, problems, part, mask, problems.checking[part], price=price),
        end=lambda point: point.accuracy < OWN,
    )


def follow_nonsense(
    network: Network,
    units: Units,
    problems: Problems,
    seed: int,
    *,
    prices: Sequence[float],
    config: SearchConfig,
    generator: Generator,
) -> dict[str, Trail]:
    """The path for problems that a hash decides, judged as if it were that of each part in turn."""
    training, checking = problems.nonsense[seed]
    first, second = problems.parts
    trail = _walk(
        network,
        units,
        training,
        prices=prices,
        config=config,
        generator=generator,
        point=lambda price, mask: judged(network, problems, first, mask, checking, price=price),
        end=lambda point: False,
    )
    again = [judged(network, problems, second, point.mask, checking, price=point.price) for point in trail.points]
    return {first: trail, second: Trail(tuple(again))}


def judged(network: Network, problems: Problems, part: str, mask: Mask, checking: Examples, *, price: float) -> Point:
    """A mask as one of a part."""
    weights, other = network.weights, problems.other(part)
    alone, without = masked(weights, mask), masked(weights, ~mask)

    def effect(changed: dict) -> Effect:
        return Effect(network.score(changed, problems.testing[part]), network.score(changed, problems.testing[other]))

    left = [network.score(without, problems.choosing[name]).value for name in (other, part)]
    return Point(
        price=price,
        mask=mask,
        density=mask.density(weights),
        degenerate=mask.degenerate(weights),
        accuracy=network.score(alone, checking).raw,
        promise=left[0] - left[1],
        alone=effect(alone),
        without=effect(without),
    )


def _walk(
    network: Network,
    units: Units,
    training: Examples,
    *,
    prices: Sequence[float],
    config: SearchConfig,
    generator: Generator,
    point: Callable[[float, Mask], Point],
    end: Callable[[Point], bool],
) -> Trail:
    num = max(1, units.mask(units.alive(network.weights)).of(network.weights))
    points: list[Point] = []
    found = path(
        network.module,
        units,
        training,
        loss=network.objective.loss,
        prices=[price / num for price in prices],
        config=config,
        generator=generator,
    )
    for price, one in zip(prices, found, strict=False):  # the path may end before the prices do
        points.append(point(price, one.mask))
        if end(points[-1]):
            break
    return Trail(tuple(points))
