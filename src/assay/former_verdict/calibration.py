"""The calibration that the verdict reads: a fit to networks with a known answer, and how often it is wrong on such networks."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from assay.bounds import is_file, read_json_value
from assay.calibration import FEATURES, Combiner, Subjects, fit_combiner, leave_out
from assay.calibration.breakdown import error_rates
from assay.calibration.fitting import SEALED
from assay.calibration.metrics import Statistic
from assay.calibration.thresholds import choose_thresholds
from assay.errors import AssayError
from assay.store import faults_of, write_bytes_atomically

FILE = Path(__file__).with_name("calibration.json")
NONE_SHIPS = "no calibration ships with this version"


@dataclass(frozen=True, kw_only=True)
class OrganisedThresholds:
    """A score of organisation strictly above `tidy_above` is tidy, strictly below `fractured_below` is fractured. 1 and 0 call
    nothing."""

    tidy_above: float
    fractured_below: float


@dataclass(frozen=True, kw_only=True)
class ErrorRates:
    """Of networks with a known answer, each judged by fits that had seen nothing of its family.

    **Attributes:**

    - `families`: how many there were.
    - `coverage`: share of all that were called anything.
    - `false_composes`, `false_imitates`: shares of imitators called composing, and of composers called imitating.
    """

    families: int
    coverage: Statistic
    false_composes: Statistic
    false_imitates: Statistic

    def told(self) -> str:
        """In words; empty where there were no such networks."""
        if self.false_composes.value is None or self.false_imitates.value is None or self.coverage.value is None:
            return ""
        return (
            f"Of {self.coverage.units} networks with a known answer, of {self.families} families and each judged with its own "
            f"left out, {_percent(self.false_composes)} of those that imitate were called composing, "
            f"{_percent(self.false_imitates)} of those that compose were called imitating, and "
            f"{1 - self.coverage.value:.0%} were not called"
        )


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """**Attributes:**

    - `recipe_sha256`, `table_sha256`: of the recipe that the known networks were made by, and of the table of what was
      measured on them.
    - `combiner`: from features to a probability and a call.
    - `organised`: the thresholds of the second axis.
    - `error_rates`: of the first.
    """

    schema_version: Literal[1] = 1
    recipe_sha256: str
    table_sha256: str
    combiner: Combiner
    organised: OrganisedThresholds
    error_rates: ErrorRates

    def write(self, path: Path | str) -> None:
        """As JSON. The same calibration gives the same bytes."""
        plain = TypeAdapter(Calibration).dump_python(self, mode="json")
        content = json.dumps(plain, indent=1, sort_keys=True, allow_nan=False)
        write_bytes_atomically(Path(path), f"{content}\n".encode())

    @staticmethod
    def read(path: Path | str) -> "Calibration":
        """What `write` wrote.

        **Raises:** `AssayError` naming the file when it is missing, truncated, altered so that it does not hang together, or
        of another version.
        """
        path, again = Path(path), "restore the file, or calibrate again"
        if not is_file(path):
            raise AssayError("a calibration is a JSON file", given=f"no {path}", next_step=again)
        content = read_json_value(path, next_step=again)
        try:
            calibration = TypeAdapter(Calibration).validate_json(json.dumps(content))
        except ValidationError as error:
            raise AssayError(f"{path} must fit the schema of calibrations", given=faults_of(error), next_step=again) from error
        Combiner.from_dict(content["combiner"])  # refuses lines that do not hang together
        rates = calibration.error_rates
        if any(rate.value is not None and rate.interval is None for rate in (rates.false_composes, rates.false_imitates)):
            raise AssayError(f"{path} must give every error rate with its interval", given="one without", next_step=again)
        if calibration.combiner.features != FEATURES:
            rule = f"{path} must be a calibration of the features that this version measures"
            raise AssayError(rule, given=", ".join(calibration.combiner.features), choices=FEATURES, next_step=again)
        return calibration


def calibrate(subjects: Subjects, *, recipe_sha256: str, table_sha256: str) -> Calibration:
    """The calibration of a table of known networks. Sealed families are in no fit, no threshold and no rate."""
    subjects = subjects.take(~np.isin(subjects.family, SEALED))
    known = subjects.decided
    coverage, false_composes, false_imitates = error_rates(subjects, leave_out(subjects, "family"), known)
    return Calibration(
        recipe_sha256=recipe_sha256,
        table_sha256=table_sha256,
        combiner=fit_combiner(subjects),
        organised=organised_thresholds(subjects),
        error_rates=ErrorRates(
            families=len(np.unique(subjects.family[known])),
            coverage=coverage,
            false_composes=false_composes,
            false_imitates=false_imitates,
        ),
    )


def organised_thresholds(subjects: Subjects) -> OrganisedThresholds:
    """From fractured twins (kind T1) and the networks that they were made from, by the rule of `choose_thresholds`: at most
    5 % of the one kind are called the other."""
    original, there = subjects.original(), ~np.isnan(subjects.organisation)
    fractured = (subjects.kind == "T1") & (original != np.arange(len(original)))
    tidy = np.isin(np.arange(len(original)), original[fractured]) & ~fractured
    rows = (fractured | tidy) & there
    found = choose_thresholds(subjects.organisation[rows], tidy[rows], subjects.family[original][rows])
    return OrganisedThresholds(tidy_above=found.composes_above, fractured_below=found.imitates_below)


@cache
def shipped() -> Calibration | None:
    """The calibration of this version; None without one."""
    return Calibration.read(FILE) if FILE.is_file() else None


def _percent(share: Statistic) -> str:
    assert share.value is not None
    assert share.interval is not None
    return f"{share.value:.1%} (at most {share.interval.high:.1%})"
