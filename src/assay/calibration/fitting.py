"""Fits a combiner to the known networks of a table, each part of it once however many protocols ask for it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from assay.calibration.combiner import Combiner, Line
from assay.calibration.logistic import Logistic, fit_monotone, fit_platt, in_standard_units
from assay.calibration.table import BASELINE, FEATURES, Subjects
from assay.calibration.thresholds import choose_thresholds
from assay.stats import MIN_UNITS

SEALED = ("trees",)  # families that no fit and no table of error rates sees before they are opened
MOST_FOLDS = 5  # of task instances, where there is only one family


def fit_combiner(subjects: Subjects, *, fit_sealed: bool = False) -> Combiner:
    """The combiner of all decided networks of a table, whatever the order of its rows.

    Every set of features is fitted to the networks that have all of it, with at least `MIN_UNITS` of both classes. The
    probabilities and the thresholds of a set come from predictions for each family by a fit that left the family out
    (for parts of the task instances where there is one family only), so that they hold for families not seen.

    **Arguments:** `fit_sealed`: fit to the sealed families too.
    """
    fits = Fits(subjects.take(np.argsort(subjects.name)), fit_sealed=fit_sealed)
    return fits.combiner(FEATURES, fits.known)


class Fits:
    """The fits to a table's rows, kept: leaving out one family and then another trains on the same rows as the other way
    round, and the verdict without one feature is among the sets of the whole.

    **Attributes:** `known`: the rows that may be fitted to; `family`, `task`: of the original, for a twin.
    """

    def __init__(self, subjects: Subjects, *, fit_sealed: bool = False):
        original = subjects.original()
        self.family, self.task = subjects.family[original], subjects.task[original]
        self.known = subjects.decided & (fit_sealed | ~np.isin(subjects.family, SEALED))
        self._composes = subjects.composes
        baselines = {BASELINE + name: column for name, column in subjects.baselines.items()}
        self._columns = dict(subjects.features) | baselines
        self._logistics: dict[tuple[tuple[str, ...], bytes], Logistic | None] = {}
        self._lines: dict[tuple[tuple[str, ...], bytes], Line | None] = {}

    def x(self, names: Sequence[str]) -> Float[np.ndarray, "n k"]:
        """Features or baselines (by their name on disk) as columns."""
        return np.stack([self._columns[name] for name in names], axis=1)

    def folds(self, train: Bool[np.ndarray, " n"]) -> np.ndarray:
        """For every row of the table what is left out together with it when fitting to `train`."""
        if len(np.unique(self.family[train])) > 1:
            return self.family
        return np.unique(self.task, return_inverse=True)[1] % MOST_FOLDS

    def combiner(
        self, names: tuple[str, ...], train: Bool[np.ndarray, " n"], *, without: Bool[np.ndarray, " n"] | None = None
    ) -> Combiner:
        """The combiner of some columns from some rows.

        **Arguments:** `without`: rows whose share in the weights is left out; probabilities and thresholds stay those of
        `train`, which left every row out when it was their turn.
        """
        sets = [some for size in range(1, len(names) + 1) for some in combinations(names, size)]
        lines = [line for line in (self._line(some, train) for some in sets) if line is not None]
        if without is not None:
            train = train & ~without
            models = [(line, self._logistic(line.features, train)) for line in lines]
            lines = [_with_weights(line, model) for line, model in models if model is not None]
        there = {name: column[train & ~np.isnan(column)] for name, column in self._columns.items() if name in names}
        return Combiner(
            features=names,
            lines=tuple(lines),
            low={name: float(column.min()) for name, column in there.items() if len(column)},
            high={name: float(column.max()) for name, column in there.items() if len(column)},
        )

    def _line(self, names: tuple[str, ...], train: np.ndarray) -> Line | None:
        key = (names, train.tobytes())
        if key not in self._lines:
            self._lines[key] = self._calibrated(names, train)
        return self._lines[key]

    def _calibrated(self, names: tuple[str, ...], train: np.ndarray) -> Line | None:
        from scipy.special import expit

        whole = self._logistic(names, train)
        if whole is None:
            return None
        x, folds = self.x(names), self.folds(train)
        logits = np.full(len(x), np.nan)
        for fold in np.unique(folds[train]):
            held = train & (folds == fold)
            model = self._logistic(names, train & ~held)
            if model is not None:
                logits[held] = model.logit(x[held])
        rows = ~np.isnan(logits)
        composes = self._composes[rows]
        if min(composes.sum(), (~composes).sum()) < MIN_UNITS:
            return None
        slope, offset = fit_platt(logits[rows], composes)
        thresholds = choose_thresholds(expit(slope * logits[rows] + offset), composes, self.family[rows])
        blank = Line(features=names, weights=(), intercept=0.0, slope=slope, offset=offset, thresholds=thresholds)
        return _with_weights(blank, whole)

    def _logistic(self, names: tuple[str, ...], train: np.ndarray) -> Logistic | None:
        key = (names, train.tobytes())
        if key not in self._logistics:
            x = self.x(names)
            rows = train & ~np.isnan(x).any(1)
            composes = self._composes[rows]
            enough = min(composes.sum(), (~composes).sum()) >= MIN_UNITS
            model = fit_monotone(x[rows], composes) if enough else None
            self._logistics[key] = model and in_standard_units(model, x[rows], composes)
        return self._logistics[key]


def _with_weights(line: Line, model: Logistic) -> Line:
    return replace(line, weights=tuple(model.weights.tolist()), intercept=model.intercept)
