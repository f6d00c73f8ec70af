"""Every figure of the verdict on a zoo, from its evidence table alone."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Generator

from assay.calibration.breakdown import Group, error_rates, groups, spearman_partial
from assay.calibration.combiner import Judged
from assay.calibration.error_rates import ErrorRow, table_of_error_rates
from assay.calibration.fitting import SEALED, Fits
from assay.calibration.leaks import Leak, recipe_leaks
from assay.calibration.metrics import (
    Statistic,
    auroc_statistic,
    briers,
    calibration_errors,
    log_scores,
    percentiles,
    resamples,
    share,
    skills,
)
from assay.calibration.protocol import judge_left_out
from assay.calibration.table import Subjects


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How good the verdict is where the answer is known.

    **Attributes:**

    - `figures`: by name, with every family left out in turn; see `score`.
    - `groups`: the same by family, kind and architecture.
    - `error_rates`: protocols by lines of evidence and baselines.
    - `leaks`: whether the recipe alone tells the classes of a family.
    - `sealed`: networks of sealed families that were left out of everything.
    """

    figures: Mapping[str, Statistic]
    groups: tuple[Group, ...]
    error_rates: tuple[ErrorRow, ...]
    leaks: tuple[Leak, ...]
    sealed: int

    def baselines(self) -> tuple[ErrorRow, ...]:
        """The baselines' lines with every family left out in turn, the strongest first."""
        rows = [row for row in self.error_rates if row.protocol == "family" and row.role == "baseline"]
        return tuple(sorted(rows, key=lambda row: -(row.raw_auroc_either_sign or 0)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: each figure as a number or None, `intervals` with what belongs to each, and the tables."""
        plain = {key: json.loads(TypeAdapter(type(value)).dump_json(value)) for key, value in self.figures.items()}
        rates = {f"{key}_upper": _upper(self.figures[key]) for key in ("false_composes", "false_imitates")}

        def rows(items: tuple[Any, ...]) -> list[dict[str, Any]]:
            return [json.loads(TypeAdapter(type(item)).dump_json(item)) for item in items]

        every = rows(self.groups)
        return (
            {key: value["value"] for key, value in plain.items()}
            | rates
            | {
                "subjects": sum(group.subjects for group in self.groups if group.by == "family"),
                "sealed": self.sealed,
                "intervals": plain,
                "baselines": {row["line"]: row for row in rows(self.baselines())},
                "families": {row["name"]: row for row in every if row["by"] == "family"},
                "kinds": {row["name"]: row for row in every if row["by"] == "kind"},
                "architectures": {row["name"]: row for row in every if row["by"] == "architecture"},
                "error_rates": rows(self.error_rates),
                "leaks": rows(self.leaks),
            }
        )


def score(subjects: Subjects, *, generator: Generator, open_sealed: bool = False) -> Scores:
    """All figures of a table, whatever the order of its rows: nothing is fitted to what it is scored on.

    Figures, each with its family left out of the fit: `auroc_pooled`, `auroc_worst_family` and `auroc_worst_kind` (of
    imitation) tell composers from imitators; `spearman_partial`; `calibration_error`, `brier`, `log_score` and `skill` of the
    probabilities; `coverage`, `false_composes` and `false_imitates` of the calls, shares of decided networks, abstentions among
    them; `twin_flips`, twins called anything else than their original, and `twin_reversals`, composing for imitating or the
    other way round; `wrong_declaration`, such networks that are called composing; `auroc_organised`, composers against
    their fractured twins on the second axis.

    **Arguments:** `open_sealed`: score the sealed families too, by fits to the others; no fit is to them either way.
    """
    sealed = np.isin(subjects.family, SEALED) & (not open_sealed)
    subjects = subjects.take(~sealed)
    subjects = subjects.take(np.argsort(subjects.name))
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    original = subjects.original()
    weights = resamples(subjects.family[original], subjects.task[original], rng)
    fits = Fits(subjects)
    judged = judge_left_out(subjects, "family", fits).judged
    every = groups(subjects, judged, weights)
    return Scores(
        figures=_figures(subjects, judged, weights, every),
        groups=every,
        error_rates=table_of_error_rates(subjects, fits, weights),
        leaks=recipe_leaks(subjects, weights),
        sealed=int(sealed.sum()),
    )


def _figures(subjects: Subjects, judged: Judged, weights: np.ndarray, every: tuple[Group, ...]) -> dict[str, Statistic]:
    decided, composes = subjects.decided, subjects.composes
    coverage, false_composes, false_imitates = error_rates(subjects, judged, decided)
    wrong = subjects.kind == "W"
    return {
        "auroc_pooled": auroc_statistic(judged.probability[decided], composes[decided], weights[:, decided]),
        "auroc_worst_family": _worst([group for group in every if group.by == "family"]),
        "auroc_worst_kind": _worst([group for group in every if group.by == "kind" and group.name.startswith("I")]),
        "spearman_partial": spearman_partial(subjects, judged, weights, np.ones(len(subjects), dtype=bool)),
        "coverage": coverage,
        "false_composes": false_composes,
        "false_imitates": false_imitates,
        "wrong_declaration": share(int((judged.call[wrong] == "composes").sum()), int(wrong.sum())),
        "auroc_organised": _organised(subjects, weights),
        **_twins(subjects, judged),
        **_probabilities(judged.probability[decided], composes[decided], weights[:, decided]),
    }


def _probabilities(probability: np.ndarray, composes: np.ndarray, weights: np.ndarray) -> dict[str, Statistic]:
    """How true the probabilities are. Resamples of the calibration error lie above it by their own noise, so its interval
    leans upward."""
    there = ~np.isnan(probability)
    probability, composes, weights = probability[there], composes[there], weights[:, there]
    names = ("calibration_error", "brier", "log_score", "skill")
    if composes.all() or not composes.any():
        return {name: Statistic(value=None, units=len(composes), note="networks of one class only") for name in names}
    statistics = {}
    for name, function in zip(names, (calibration_errors, briers, log_scores, skills), strict=True):
        value = float(function(probability, composes, np.ones((1, len(composes))))[0])
        interval = percentiles(function(probability, composes, weights), value)
        statistics[name] = Statistic(value=value, interval=interval, units=len(composes))
    return statistics


def _worst(some: list[Group]) -> Statistic:
    """The least AUROC of the groups that have one. Its interval is the group's own: that it was the least is not in it."""
    resolved = [group for group in some if group.auroc.value is not None]
    if not resolved:
        return Statistic(value=None, note="no group has enough networks of both classes")
    worst = min(resolved, key=lambda group: group.auroc.value if group.auroc.value is not None else math.inf)
    missing = [group.name for group in some if group.auroc.value is None]
    note = worst.name + (f"; not enough networks in {', '.join(missing)}" if missing else "")
    return Statistic(value=worst.auroc.value, interval=worst.auroc.interval, units=worst.auroc.units, note=note)


def _twins(subjects: Subjects, judged: Judged) -> dict[str, Statistic]:
    original = subjects.original()
    twins = original != np.arange(len(original))
    ours, theirs = judged.call[twins], judged.call[original[twins]]
    changed = ours != theirs
    opposed = changed & (ours != "abstains") & (theirs != "abstains")
    return {
        "twin_flips": share(int(changed.sum()), len(ours)),
        "twin_reversals": share(int(opposed.sum()), len(ours)),
    }


def _organised(subjects: Subjects, weights: np.ndarray) -> Statistic:
    fractured = (subjects.kind == "T1") & (subjects.twin_of != "")
    tidy = np.zeros(len(subjects), dtype=bool)
    tidy[subjects.original()[fractured]] = True
    rows = (fractured | tidy) & ~(fractured & tidy)
    return auroc_statistic(subjects.organisation[rows], tidy[rows], weights[:, rows])


def _upper(statistic: Statistic) -> float | None:
    return statistic.interval.high if statistic.interval else None
