"""The verdict on each family, each kind and each architecture, every network judged with its family left out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assay.calibration.combiner import Judged
from assay.calibration.metrics import (
    Statistic,
    auroc_statistic,
    percentiles,
    share,
    spearman,
    spearmans,
)
from assay.calibration.protocol import PROTOCOLS, By
from assay.calibration.table import Subjects
from assay.stats import MIN_UNITS


@dataclass(frozen=True, kw_only=True)
class Group:
    """Networks that have one thing in common.

    **Attributes:**

    - `by`, `name`: what they have in common.
    - `subjects`, `calls`: how many there are, twins and partial networks among them, and how many are called what.
    - `auroc`: composers against imitators. For a kind, its networks against all of the other class.
    - `spearman_partial`: probability against true novel score over partial networks.
    - `coverage`, `false_composes`, `false_imitates`: shares of its decided networks.
    """

    by: By
    name: str
    subjects: int
    calls: Mapping[str, int]
    auroc: Statistic
    spearman_partial: Statistic
    coverage: Statistic
    false_composes: Statistic
    false_imitates: Statistic


def groups(subjects: Subjects, judged: Judged, weights: np.ndarray) -> tuple[Group, ...]:
    """Every group of the table.

    **Arguments:** `weights`: the resamples of all rows, `(b, n)`.
    """
    return tuple(
        _group(subjects, judged, weights, by, str(name)) for by in PROTOCOLS for name in np.unique(getattr(subjects, by))
    )


def error_rates(subjects: Subjects, judged: Judged, rows: np.ndarray) -> tuple[Statistic, Statistic, Statistic]:
    """Share of `rows` that are called anything; of imitators called composing; of composers called imitating."""
    composes, call = subjects.composes[rows], judged.call[rows]
    return (
        share(int((call != "abstains").sum()), len(call)),
        share(int((call[~composes] == "composes").sum()), int((~composes).sum())),
        share(int((call[composes] == "imitates").sum()), int(composes.sum())),
    )


def spearman_partial(subjects: Subjects, judged: Judged, weights: np.ndarray, rows: np.ndarray) -> Statistic:
    """Rank correlation of probability with the true novel score over the partial networks among `rows`."""
    # A wrong declaration is of no class either, but says nothing of its network.
    partial = rows & (subjects.label == "partial") & (subjects.twin_of == "") & (subjects.kind != "W")
    partial = partial & ~np.isnan(judged.probability) & ~np.isnan(subjects.novel_score)
    num, pair = int(partial.sum()), (judged.probability[partial], subjects.novel_score[partial])
    value = spearman(*pair) if num >= MIN_UNITS else None
    if value is None:
        return Statistic(value=None, units=num, note=f"{num} partial networks, where {MIN_UNITS} that differ are needed")
    return Statistic(value=value, interval=percentiles(spearmans(*pair, weights[:, partial]), value), units=num)


def _group(subjects: Subjects, judged: Judged, weights: np.ndarray, by: By, name: str) -> Group:
    members = getattr(subjects, by) == name
    rows = members & subjects.decided
    compared = rows
    if by == "kind":
        other = subjects.composes != name.startswith("G")
        compared = rows | (subjects.decided & other)
    coverage, false_composes, false_imitates = error_rates(subjects, judged, rows)
    return Group(
        by=by,
        name=name,
        subjects=int(members.sum()),
        calls={call: int((judged.call[members] == call).sum()) for call in ("composes", "imitates", "abstains")},
        auroc=auroc_statistic(judged.probability[compared], subjects.composes[compared], weights[:, compared]),
        spearman_partial=spearman_partial(subjects, judged, weights, members),
        coverage=coverage,
        false_composes=false_composes,
        false_imitates=false_imitates,
    )
