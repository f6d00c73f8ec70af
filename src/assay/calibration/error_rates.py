"""The table of error rates: protocols by the verdict, each feature alone and left out, and each baseline, on the same rows."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from assay.calibration.breakdown import error_rates
from assay.calibration.fitting import Fits
from assay.calibration.metrics import Statistic, auroc, auroc_statistic, percentiles, pooled_auroc_statistic, pooled_aurocs
from assay.calibration.protocol import PROTOCOLS, By, HeldOut, judge_left_out
from assay.calibration.table import BASELINE, FEATURES, Subjects
from assay.stats import MIN_UNITS

Role = Literal["verdict", "alone", "left out", "baseline"]


@dataclass(frozen=True, kw_only=True)
class ErrorRow:
    """One line of the table, over decided networks judged when their like was left out.

    **Attributes:**

    - `protocol`, `role`, `line`: what was left out, and what judged.
    - `auroc`: of the probabilities, fitted like the verdict; "higher composes" is fixed in advance. Where kinds are left out,
      over pairs that the same fits have judged.
    - `worst`, `worst_group`: the least AUROC of one group that was left out, and which it is.
    - `raw_auroc`: of the bare column, without any fit, the same sign; of one column only.
    - `raw_auroc_either_sign`: the same with the better sign, which nobody knows in advance.
    - `gain`: the verdict's AUROC on the same rows minus this one, by paired resamples.
    - `missing`: decided networks without this evidence, left out of every number of this line.
    """

    protocol: By
    role: Role
    line: str
    auroc: Statistic
    worst: float | None
    worst_group: str
    raw_auroc: Statistic | None
    raw_auroc_either_sign: float | None
    gain: Statistic | None
    coverage: Statistic
    false_composes: Statistic
    false_imitates: Statistic
    missing: int


def table_of_error_rates(subjects: Subjects, fits: Fits, weights: np.ndarray) -> tuple[ErrorRow, ...]:
    """Every line for every protocol.

    **Arguments:** `weights`: the resamples of all rows, `(b, n)`.
    """
    lines = _lines(subjects)
    raw = {names[0]: _raw(subjects, fits, names[0], weights) for _, _, names in lines if len(names) == 1}
    rows = []
    for by in PROTOCOLS:
        verdict = judge_left_out(subjects, by, fits)
        for role, line, names in lines:
            held = verdict if role == "verdict" else judge_left_out(subjects, by, fits, names=names)
            row = _row(subjects, held, weights, by, role, line)
            if len(names) == 1:
                column, either = raw[names[0]]
                row = replace(row, raw_auroc=column, raw_auroc_either_sign=either)
            if role != "verdict":
                row = replace(row, gain=_gain(subjects, verdict, held, weights))
            rows.append(row)
    return tuple(rows)


def _lines(subjects: Subjects) -> list[tuple[Role, str, tuple[str, ...]]]:
    """Role, name and columns of every line."""
    return [
        ("verdict", "verdict", FEATURES),
        *(("alone", name, (name,)) for name in FEATURES),
        *(("left out", name, tuple(other for other in FEATURES if other != name)) for name in FEATURES),
        *(("baseline", name, (BASELINE + name,)) for name in subjects.baselines),
    ]


def _row(subjects: Subjects, held: HeldOut, weights: np.ndarray, by: By, role: Role, line: str) -> ErrorRow:
    there = subjects.decided & ~np.isnan(held.judged.probability)
    coverage, false_composes, false_imitates = error_rates(subjects, held.judged, there)
    worst, worst_group = _worst(subjects, held, there, by)
    return ErrorRow(
        protocol=by,
        role=role,
        line=line,
        auroc=pooled_auroc_statistic(held.scores[:, there], subjects.composes[there], weights[:, there]),
        worst=worst,
        worst_group=worst_group,
        raw_auroc=None,
        raw_auroc_either_sign=None,
        gain=None,
        coverage=coverage,
        false_composes=false_composes,
        false_imitates=false_imitates,
        missing=int(subjects.decided.sum() - there.sum()),
    )


def _worst(subjects: Subjects, held: HeldOut, there: np.ndarray, by: By) -> tuple[float | None, str]:
    if by == "kind":
        groups = dict(zip(held.groups, held.scores, strict=True))
    else:
        column, score = getattr(subjects, by), held.scores[0]
        groups = {str(name): np.where(column == name, score, np.nan) for name in np.unique(column[there])}
    values: dict[str, float] = {}
    for name, score in groups.items():
        rows = there & ~np.isnan(score)
        composes = subjects.composes[rows]
        value = auroc(score[rows], composes)
        if value is not None and min(composes.sum(), (~composes).sum()) >= MIN_UNITS:
            values[name] = value
    name = min(values, key=lambda one: values[one], default="")
    return values.get(name), name


def _raw(subjects: Subjects, fits: Fits, name: str, weights: np.ndarray) -> tuple[Statistic, float | None]:
    rows = subjects.decided
    statistic = auroc_statistic(fits.x((name,))[rows, 0], subjects.composes[rows], weights[:, rows])
    value = statistic.value
    return statistic, None if value is None else max(value, 1 - value)


def _gain(subjects: Subjects, verdict: HeldOut, held: HeldOut, weights: np.ndarray) -> Statistic:
    both = ~np.isnan(verdict.scores) & ~np.isnan(held.scores)
    rows = subjects.decided & both.any(0)
    composes = subjects.composes[rows]
    if min(composes.sum(), (~composes).sum()) < MIN_UNITS:
        return Statistic(value=None, units=int(rows.sum()), note="too few networks of a class")
    ours, theirs = (np.where(both, one.scores, np.nan)[:, rows] for one in (verdict, held))
    once, again = np.ones((1, len(composes))), weights[:, rows]
    value, values = (pooled_aurocs(ours, composes, w) - pooled_aurocs(theirs, composes, w) for w in (once, again))
    return Statistic(value=float(value[0]), interval=percentiles(values, float(value[0])), units=len(composes))
