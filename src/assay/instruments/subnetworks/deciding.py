"""What was found about one part, and the rule that turns it into a word.

A part is `modular` when taking its mask out harms it more than the other part: by a third of what is possible or more, above
untrained networks that were searched alike, above random masks of its size and above masks of nonsense, whatever takes the
place of the removed weights. It is `not modular` when no mask isolates it, or that harm is surely less than a third of what is
possible. Everything else is `not resolved`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from assay.evidence import FINDING_LEVEL
from assay.instruments.subnetworks.controls import Removed
from assay.instruments.subnetworks.trail import Effect, Point, Trail
from assay.stats import Gain, gain_over, permutation_p

Word = Literal["modular", "not modular", "not resolved"]
SHARE = 1 / 3  # of 1 - chance, the most that can be found

Pick = Callable[[Trail], Point | None]
What = Callable[[Point], float]


def by_promise(trail: Trail) -> Point | None:
    """The mask that was chosen on other problems than those reported."""
    return trail.chosen


def by_size(trail: Trail) -> Point | None:
    """The smallest mask that solves its problems."""
    return trail.smallest


def necessity(point: Point) -> float:
    """How much more is left of the other part when the mask is taken out."""
    return point.without.removed


def sufficiency(point: Point) -> float:
    """How much more the mask alone solves of its own problems."""
    return point.alone.kept


@dataclass(frozen=True)
class PartFound:
    """Everything about one part of one network.

    **Attributes:**

    - `trails`: of the network, one for every seed of the search; `fresh`: of untrained copies; `turned`: of a rotated twin.
    - `nonsense`: of masks for nonsense on the same network, judged as if they were this part's.
    - `removals`, `random`, `reuse`, `stability`: see `controls`. Where no mask isolates the part, all but `trails` are empty.
    """

    part: str
    trails: tuple[Trail, ...]
    fresh: tuple[Trail, ...] = ()
    turned: Trail | None = None
    nonsense: tuple[Trail, ...] = ()
    removals: tuple[Removed, ...] = ()
    random: tuple[Effect, ...] = ()
    reuse: Mapping[str, float] = field(default_factory=dict)
    stability: Sequence[tuple[float, float]] = ()

    @cached_property
    def chosen(self) -> Point | None:
        """The mask that stands for the part under the first seed that finds one."""
        return next((trail.chosen for trail in self.trails if trail.chosen is not None), None)

    @property
    def num_isolating(self) -> int:
        """Under how many seeds a mask isolates it."""
        return sum(bool(trail.isolating) for trail in self.trails)

    def value(self, what: What, pick: Pick = by_promise) -> float:
        """The mean over seeds; 0 where no mask isolates the part."""
        return _mean([_of(trail, what, pick) for trail in self.trails])

    def untrained(self, what: What, pick: Pick = by_promise) -> list[float]:
        """The same of every untrained copy."""
        return [_of(trail, what, pick) for trail in self.fresh]

    def gain(self, what: What, pick: Pick = by_promise) -> Gain:
        """The value above the untrained copies."""
        point = next((found for trail in self.trails if (found := pick(trail)) is not None), None)
        variance = 0.0 if point is None else (point.without if what is necessity else point.alone).variance
        return gain_over(self.value(what, pick), variance, self.untrained(what, pick))

    @property
    def random_necessity(self) -> list[float]:
        """What taking out random masks of its size does."""
        return [effect.removed for effect in self.random]

    @property
    def nonsense_necessity(self) -> list[float]:
        """What taking out masks for nonsense does: the one that promises most of every path, whatever it solves."""
        return [necessity(max(trail.points, key=lambda point: point.promise)) for trail in self.nonsense]

    @property
    def random_p(self) -> float:
        return permutation_p(self.value(necessity), self.random_necessity)

    @property
    def nonsense_p(self) -> float:
        assert self.chosen is not None
        return gain_over(self.value(necessity), self.chosen.without.variance, self.nonsense_necessity).p

    @property
    def signs_agree(self) -> bool:
        """Whether every way to take it out leaves more of the other part than of this one."""
        return all(removed.difference > 0 for removed in self.removals)


@dataclass(frozen=True)
class Decision:
    """The word, and why."""

    word: Word
    reason: str


def decide(found: PartFound) -> Decision:
    """See the head of this file."""
    seeds = len(found.trails)
    if found.chosen is None:
        flaw = found.trails[0].flaw
        word: Word = "not resolved" if flaw.startswith("the mask") else "not modular"
        return Decision(word, f"no isolable part: {flaw}")
    if 2 * found.num_isolating <= seeds:
        return Decision("not resolved", f"a mask isolates it under {found.num_isolating} of {seeds} seeds of the search")
    gain, least = found.gain(necessity), SHARE * (1 - found.chosen.without.own.chance)
    told = f"necessity {gain.gain:+.2f} above untrained networks, [{gain.interval.low:+.2f}, {gain.interval.high:+.2f}]"
    if gain.interval.high < least:
        return Decision("not modular", f"{told}, surely less than {least:.2f}")
    missing = [
        told if gain.gain < least or gain.interval.low <= 0 else "",
        f"random masks of its size do as much (p {found.random_p:.2f})" if found.random_p > FINDING_LEVEL else "",
        f"masks for nonsense do as much (p {found.nonsense_p:.2f})" if found.nonsense_p > FINDING_LEVEL else "",
        "ways to remove it disagree in sign" if not found.signs_agree else "",
    ]
    failed = [reason for reason in missing if reason]
    return Decision("not resolved", "; ".join(failed)) if failed else Decision("modular", told)


def _of(trail: Trail, what: What, pick: Pick) -> float:
    point = pick(trail)
    return 0.0 if point is None else what(point)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
