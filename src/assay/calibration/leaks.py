"""Whether the recipe of a network alone tells its class: then a zoo measures how its networks were made, not what they do."""

from dataclasses import dataclass

import numpy as np

from assay.calibration.metrics import Statistic, auroc_statistic
from assay.calibration.table import Subjects
from assay.stats import MIN_UNITS

MOST = 0.65  # AUROC above which a family is flagged
_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Leak:
    """How well the recipe tells composers of one family from imitators, and whether that is too well."""

    family: str
    auroc: Statistic
    flagged: bool


def recipe_leaks(subjects: Subjects, weights: np.ndarray) -> tuple[Leak, ...]:
    """A plain logistic regression on the recipe columns for each family, scored on networks that it was not fitted to.

    Cross-validated over task instances where there are enough of them, else over networks. Columns that a family lacks
    altogether are left out; where one is missing for some networks, they take its mean.

    **Arguments:** `weights`: the resamples of all rows, `(b, n)`.
    """
    leaks = []
    for family in np.unique(subjects.family[subjects.decided]):
        rows = np.flatnonzero(subjects.decided & (subjects.family == family))
        composes = subjects.composes[rows]
        score = _out_of_fold(_recipe(subjects, rows), composes, subjects.task[rows])
        if score is None:
            statistic = Statistic(value=None, units=len(rows), note="no recipe columns, or too few networks of a class")
        else:
            statistic = auroc_statistic(score, composes, weights[:, rows])
        flagged = statistic.value is not None and statistic.value > MOST
        leaks.append(Leak(family=str(family), auroc=statistic, flagged=flagged))
    return tuple(leaks)


def _recipe(subjects: Subjects, rows: np.ndarray) -> np.ndarray:
    columns = [column[rows] for column in subjects.recipe.values()]
    columns = [np.where(np.isnan(column), np.nanmean(column), column) for column in columns if not np.isnan(column).all()]
    return np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0))


def _out_of_fold(x: np.ndarray, composes: np.ndarray, task: np.ndarray) -> np.ndarray | None:
    if not x.shape[1] or min(composes.sum(), (~composes).sum()) < MIN_UNITS:
        return None
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes_of = [len(np.unique(composes[task == one])) for one in np.unique(task)]
    by_task = sum(count == 2 for count in classes_of) >= _FOLDS  # else a fold might lack a class
    folds = list(
        (StratifiedGroupKFold(_FOLDS) if by_task else StratifiedKFold(_FOLDS)).split(x, composes, task if by_task else None)
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    return cross_val_predict(model, x, composes, cv=folds, method="decision_function")
