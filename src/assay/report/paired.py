"""Paired differences between networks on the same combinations, with the smallest detectable difference."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from assay.audit import Audit
from assay.evidence import CUT, Interval, Measure
from assay.power import PairedDifference, paired_difference, range_p
from assay.stats import MIN_UNITS, false_discovery

_Pair = tuple[Measure, Measure]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Difference of one headline measure between two networks, on their common units.

    **Attributes:**

    - `key`, `label`, `unit_of`: of the measure.
    - `network`: index of the audit; `value` is its measure minus that of the first.
    - `value`, `interval`, `p`, `units`, `differing`, `detectable`, `more_units`: see `assay.power.PairedDifference`.
    - `adjusted_p`: over all differences of the comparison (Benjamini and Hochberg 1995).
    """

    key: str
    label: str
    unit_of: str
    network: int
    value: float
    interval: Interval | None
    p: float
    adjusted_p: float
    units: int
    differing: int
    detectable: float | None
    more_units: int


def differences(audits: Sequence[Audit]) -> tuple[Difference, ...]:
    """Paired differences of every network to the first, in every headline measure that both have.

    Networks are paired on the same task, with at least five common units. Conclusions are about these two networks; to compare
    ways of training, train several networks of each (`assay sweep`).

    Example::

        >>> from assay.report import differences
        >>> audit = assay.read_report("report")
        >>> [(found.label, found.network, found.value) for found in differences([audit, audit])]
        [('seen score', 1, 0.0)]
    """
    found: list[tuple[int, Measure, PairedDifference]] = []
    for index, audit in enumerate(audits[1:], 1):
        if audit.task == audits[0].task:
            alike = same_draws(audit, audits[0])
            for own, first in _shared(audit, audits[0]):
                if (difference := paired(own, first, same_draws=alike)) is not None:
                    found.append((index, own, difference))
    adjusted = false_discovery([difference.p for _, _, difference in found])
    return tuple(
        Difference(
            key=measure.key,
            label=measure.label,
            unit_of=measure.unit_of,
            network=index,
            adjusted_p=p,
            **difference._asdict(),
        )
        for (index, measure, difference), p in zip(found, adjusted, strict=True)
    )


class _Key(NamedTuple):
    key: str
    about: tuple[tuple[str, str], ...]
    unit: str


def headlines(audit: Audit) -> dict[_Key, Measure]:
    """Headline measures by key, `about` and unit, ignoring each network's own cut."""
    found = {}
    for measure in (one for evidence in audit.evidence for one in evidence.measures if one.headline):
        about = {name: value for name, value in measure.about.items() if name != CUT}
        found[_Key(measure.key, tuple(sorted(about.items())), measure.unit)] = replace(measure, about=about)
    return found


def _shared(audit: Audit, first: Audit) -> list[_Pair]:
    known = headlines(first)
    return [(measure, known[key]) for key, measure in headlines(audit).items() if key in known]


def same_draws(audit: Audit, other: Audit) -> bool:
    """Whether units without ids are the same in two audits: drawn with one seed and effort."""
    return (audit.seed, audit.effort) == (other.seed, other.effort)


def paired(own: Measure, first: Measure, *, same_draws: bool) -> PairedDifference | None:
    """Paired difference of one measure of two networks: matched by unit id, or by index if neither has ids, both have equally
    many units, and `same_draws` holds.

    **Returns:** None without values, or with fewer than five common units.
    """
    if own.value is None or first.value is None:
        return None
    if own.unit_ids and first.unit_ids:
        others = dict(zip(first.unit_ids, first.repeats, strict=True))
        pairs = [(value, others[k]) for k, value in zip(own.unit_ids, own.repeats, strict=True) if k in others]
    elif same_draws and not own.unit_ids and not first.unit_ids and len(own.repeats) == len(first.repeats):
        pairs = list(zip(own.repeats, first.repeats, strict=True))
    else:
        return None
    values = torch.tensor(pairs, dtype=torch.float64).reshape(-1, 2)
    return paired_difference(values[:, 0], values[:, 1], bounds=own.bounds)


def range_of(measures: Sequence[Measure]) -> float | None:
    """P-value of the range of several networks (`assay.power.range_p`), on the units with ids that all have. **Returns:** None
    with fewer than five units."""
    found = [dict(zip(measure.unit_ids, measure.repeats, strict=True)) for measure in measures if measure.unit_ids]
    common = sorted(set.intersection(*map(set, found))) if len(found) == len(measures) else []
    return range_p(torch.tensor([[one[k] for k in common] for one in found])) if len(common) >= MIN_UNITS else None
