"""What the verdict says of every network of a table when it was not fitted to any like it."""

from typing import Literal, NamedTuple

import numpy as np

from assay.calibration.combiner import Judged
from assay.calibration.fitting import Fits
from assay.calibration.table import FEATURES, Subjects

By = Literal["family", "kind", "architecture"]
PROTOCOLS: tuple[By, ...] = ("family", "kind", "architecture")
INCOMPLETE = "parts are missing inside"
DISAGREE = "fits without one kind of imitation and without another disagree"


class HeldOut(NamedTuple):
    """What is said of every row, and the probabilities `(k, n)` that may be held against each other, each from one set of
    fits and NaN elsewhere. Where a kind is left out these are its own and the composers' by the fits that never saw it; held
    against the composers' mean it would be punished for what the other fits learned from it. `groups` names the `k`."""

    judged: Judged
    groups: tuple[str, ...]
    scores: np.ndarray


def leave_out(subjects: Subjects, by: By, *, fit_sealed: bool = False) -> Judged:
    """Probability, call and reason for every row, from fits that saw nothing of its family, kind or architecture.

    Twins are left out with the network that they were made from, and never fitted to; nor are partial and disputed
    networks, wrong declarations and, unless asked, sealed families.

    A kind that is left out is a kind of imitation: its networks are judged by a fit to all others. All other rows are judged
    once for each such fit, with the row's own family left out of the weights as well, since it holds
    composers that they are among: their probability is the mean, their call that of more than half of the fits.
    Thresholds of those fits did use their probabilities, so the protocol's rate of false "composes" is the one to read.

    **Arguments:** `fit_sealed`: fit to the sealed families too.
    """
    order = np.argsort(subjects.name)  # sums in one order: the order of rows must not matter
    judged = judge_left_out(subjects.take(order), by, Fits(subjects.take(order), fit_sealed=fit_sealed)).judged
    back = np.argsort(order)
    return Judged(*(column[back] for column in judged))


def judge_left_out(subjects: Subjects, by: By, fits: Fits, *, names: tuple[str, ...] = FEATURES) -> HeldOut:
    """`leave_out` for some columns, with fits to the same rows. The whole verdict also asks for missing parts."""
    group = getattr(subjects, by)[subjects.original()]
    if by == "kind":
        held = _leave_kinds_out(subjects, group, fits, names)
    else:
        judged = _nothing(len(subjects))
        for one in np.unique(group):
            rows = group == one
            _fill(judged, rows, fits.combiner(names, fits.known & ~rows).judge(fits.x(names)[rows]))
        held = HeldOut(judged, ("all",), judged.probability[None])
    if names == FEATURES:
        incomplete = (held.judged.call == "composes") & (subjects.missing_parts > 0)
        held.judged.call[incomplete], held.judged.reason[incomplete] = "abstains", INCOMPLETE
    return held


def _leave_kinds_out(subjects: Subjects, kind: np.ndarray, fits: Fits, names: tuple[str, ...]) -> HeldOut:
    x = fits.x(names)
    imitations = np.unique(kind[fits.known & ~subjects.composes])
    rest = ~np.isin(kind, imitations)
    judged, by_kind = _nothing(len(x)), []
    for one in imitations:
        train, some = fits.known & (kind != one), _nothing(len(x))
        _fill(some, kind == one, fits.combiner(names, train).judge(x[kind == one]))
        _fill(judged, kind == one, Judged(*(column[kind == one] for column in some)))
        folds = fits.folds(train)
        for fold in np.unique(folds[rest]):
            rows = rest & (folds == fold)
            _fill(some, rows, fits.combiner(names, train, without=folds == fold).judge(x[rows]))
        by_kind.append(some)
    if by_kind:
        _fill(judged, rest, _majority([Judged(*(column[rest] for column in some)) for some in by_kind]))
    scores = np.array([some.probability for some in by_kind]).reshape(len(by_kind), len(x))
    return HeldOut(judged, tuple(imitations.tolist()), scores)


def _majority(judged: list[Judged]) -> Judged:
    """Mean probability and the call of more than half, over those that give a probability."""
    probabilities, calls = np.stack([one.probability for one in judged]), np.stack([one.call for one in judged])
    num = (~np.isnan(probabilities)).sum(0)
    probability = np.where(num > 0, np.nansum(probabilities, axis=0) / np.maximum(num, 1), np.nan)
    call = np.full(len(probability), "abstains", dtype="<U8")
    for choice in ("composes", "imitates"):
        call[(calls == choice).sum(0) * 2 > num] = choice
    reason = judged[0].reason.copy()
    for row in range(len(reason)):
        given = {one.reason[row] for one in judged}
        reason[row] = "" if call[row] != "abstains" else given.pop() if len(given) == 1 else DISAGREE
    return Judged(probability, call, reason)


def _nothing(num: int) -> Judged:
    reason = np.full(num, "no other networks to judge by", dtype=object)
    return Judged(np.full(num, np.nan), np.full(num, "abstains", dtype="<U8"), reason)


def _fill(judged: Judged, rows: np.ndarray, some: Judged) -> None:
    for column, values in zip(judged, some, strict=True):
        column[rows] = values
