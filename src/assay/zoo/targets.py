"""How good the verdict must be, and how good it shall be, figure by figure, as fixed before anything was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.calibration import Scores

MARGIN = 0.10  # by which the verdict shall be above the best baseline


@dataclass(frozen=True, kw_only=True)
class Target:
    """**Attributes:** `key`: of the figure; `says`: in words; `upper`: the upper end of its interval counts."""

    key: str
    says: str
    must: float
    aim: float
    better: Literal["higher", "lower"] = "higher"
    upper: bool = False


TARGETS = (
    Target(key="auroc_pooled", says="AUROC, all families", must=0.90, aim=0.97),
    Target(key="auroc_worst_family", says="AUROC, worst family", must=0.80, aim=0.90),
    Target(key="auroc_worst_kind", says="AUROC, worst kind of imitation", must=0.75, aim=0.90),
    Target(key="spearman_partial", says="Spearman, partial networks", must=0.75, aim=0.85),
    Target(key="calibration_error", says="calibration error", must=0.08, aim=0.05, better="lower"),
    Target(key="coverage", says="share called anything", must=0.80, aim=0.90),
    Target(key="false_composes", says="imitators called composing, upper", must=0.08, aim=0.05, better="lower", upper=True),
    Target(key="false_imitates", says="composers called imitating, upper", must=0.08, aim=0.05, better="lower", upper=True),
    Target(key="twin_flips", says="calls changed by a twin", must=0.02, aim=0.0, better="lower"),
    Target(key="wrong_declaration", says="wrong declarations that compose", must=0.05, aim=0.02, better="lower"),
    Target(key="auroc_organised", says="AUROC, tidy against fractured", must=0.85, aim=0.95),
)


@dataclass(frozen=True, kw_only=True)
class Held:
    """A figure beside its target. `value` is what counts; None is not enough data, and `note` says of what."""

    target: Target
    value: float | None
    interval: tuple[float, float] | None
    units: int
    note: str

    @property
    def reached(self) -> Literal["aim", "must", "missed", "not enough data"]:
        """How far it goes."""
        if self.value is None:
            return "not enough data"
        sign = 1 if self.target.better == "higher" else -1
        for level, bar in (("aim", self.target.aim), ("must", self.target.must)):
            if sign * self.value >= sign * bar:
                return level
        return "missed"


def held(scores: Scores) -> Sequence[Held]:
    """Every figure of a target."""
    rows = []
    for target in TARGETS:
        found = scores.figures[target.key]
        ends = None if found.interval is None else (found.interval.low, found.interval.high)
        value = found.value if not target.upper else None if ends is None else ends[1]
        rows.append(Held(target=target, value=value, interval=ends, units=found.units, note=found.note))
    return rows


def plain(rows: Sequence[Held]) -> Mapping[str, Mapping[str, object]]:
    """For JSON: must, aim and what was reached, by figure."""
    return {row.target.key: {"must": row.target.must, "aim": row.target.aim, "reached": row.reached} for row in rows}
