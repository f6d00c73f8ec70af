"""What the first screen says of the verdict: the two ways in which its first question was asked, and what each rests on."""

from typing import NamedTuple

from assay.audit import Audit
from assay.evidence import Level, Measure
from assay.former_verdict import Axis, Inside, Verdict
from assay.report.words import MINUS

LEVELS: dict[Level, str] = {
    0: "from trained inputs alone",
    1: "from novel inputs without their labels",
    2: "from novel inputs with their labels",
}
"""Access levels in words."""

RESTS_ON = {
    "recombination": "one part exchanged inside gives the output that the task declares",
    "additivity": "states inside are the sum of one vector for each part",
    "collapse": "what the task calls equal becomes equal inside",
    "homomorphism": "a state follows from the states of its parts",
}
"""The calibration's features in words."""


class Way(NamedTuple):
    """One way of asking: which access it needs, the answer, its reason, and what it rests on as `(name, number, words)`."""

    title: str
    access: str
    axis: Axis
    rests_on: tuple[tuple[str, str, str], ...] = ()
    gauge: Inside | None = None


def axes(verdict: Verdict) -> tuple[tuple[str, Axis], ...]:
    """The two questions and their answers."""
    return (
        ("Do novel combinations work?", verdict.recombines),
        ("Is its function written tidily inside?", verdict.organised),
    )


def ways(audit: Audit) -> tuple[Way, ...]:
    """The first question asked of the inside, and of novel combinations; none where the network is unlearned."""
    verdict = audit.verdict
    if verdict.possible == ("unlearned",):
        return ()
    inside = verdict.inside
    rests_on = tuple(
        (name, "not measured" if value is None else f"{value:.2f}".replace("-", MINUS), RESTS_ON.get(name, ""))
        for name, value in inside.features.items()
    )
    return (
        Way("Asked of the inside", LEVELS[0], inside, rests_on, inside if inside.interval else None),
        Way("Asked of novel combinations", LEVELS[2], verdict.measured),
    )


def by_level(measures: list[Measure]) -> list[tuple[str, list[Measure]]]:
    """Measures told one by one, those of each access level by themselves, under its heading."""
    blocks = [(level, [measure for measure in measures if measure.level == level]) for level in LEVELS]
    return [(f"{LEVELS[level]} (access level {level})", block) for level, block in blocks if block]
