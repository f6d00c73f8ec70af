"""Decision rules on raw rates: the headline cut, where parts are combined, and which step fails."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from assay.cuts import Cut
from assay.evidence import Measure
from assay.stats import mean_interval

WORKS = 0.9  # a rate that counts as right
ABOVE_CHANCE = 0.1
Breaks = Literal["the combining", "the way in", "nothing found", "not resolved"]


class Between(NamedTuple):
    """Depths between which parts are combined: the last cut with Cs of at least .9, and the first behind it with at most chance
    + .1."""

    last: int
    first: int


def may_be_headline(cut: Cut) -> bool:
    """Whether a cut lies behind the first and before the last call that is not affine."""
    return not cut.affine and not cut.last


def resolves(units: Float[Tensor, " u"] | None) -> bool:
    """Whether the lower bound of a rate is at least .9, as that of Es must be at the headline cut."""
    interval = mean_interval(units, bounds=(0.0, 1.0)) if units is not None else None
    return interval is not None and interval.low >= WORKS


def combined_between(depths: Sequence[int], cs: Sequence[float | None], *, chance: float) -> Between | None:
    """Where parts are combined, from the rate Cs at each cut."""
    known = [(depth, rate) for depth, rate in zip(depths, cs, strict=True) if rate is not None]
    right = [depth for depth, rate in known if rate >= WORKS]
    if not right:
        return None
    gone = [depth for depth, rate in known if depth > right[-1] and rate <= chance + ABOVE_CHANCE]
    return Between(right[-1], gone[0]) if gone else None


def what_breaks(c: float | None, e: float | None) -> Breaks:
    """What fails at the headline cut, from its rates C and E (None where not known)."""
    if c is None:
        return "not resolved"
    if c < WORKS:
        return "the combining"
    if e is None:
        return "not resolved"
    return "the way in" if e < WORKS else "nothing found"


def certainly(breaks: Breaks, measures: Sequence[Measure], *, most: float) -> Breaks:
    """The same answer if it holds for the whole intervals of C and E, else `not resolved`.

    Broken combining needs a low C at all additive cuts (`most`: the largest there). A broken way in does not, since C may be
    high at a cut before the fault. Measures that the access level leaves out are unknown, so they confirm no answer.
    """
    c = next((one.interval for key in _C if (one := of_sum(measures, key)) and one.interval), None)
    e = one.interval if (one := of_sum(measures, "novel_as_state")) else None
    c_low, c_high = (c.low, c.high) if c else (0.0, 1.0)
    e_low, e_high = (e.low, e.high) if e else (0.0, 1.0)
    holds = {
        "the combining": max(c_high, most) < WORKS,
        "the way in": e_high < min(WORKS, c_low),
        "nothing found": c_low >= WORKS and e_low >= WORKS,
        "not resolved": True,
    }
    return breaks if holds[breaks] else "not resolved"


_C = ("novel_from_state", "novel_from_state_by_labels")


def of_sum(measures: Sequence[Measure], key: str) -> Measure | None:
    """The measure of this key for sums of effects."""
    return next((measure for measure in measures if measure.key == key and measure.about.get("form") == "sum"), None)


def cut_named(label: str) -> str:
    """`cut 2 (layers.0)` of the label `2 layers.0`."""
    depth, _, modules = label.partition(" ")
    return f"cut {depth} ({modules})" if modules else f"cut {label}"
