"""Rows of the table of a sweep: the numbers of each finished cell's audit by name."""

import csv
import io
import statistics
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from assay.display import brief
from assay.evidence import Evidence, Measure
from assay.printable import storable
from assay.store import write_bytes_atomically
from assay.sweep.cell_group import Outcome

SEEN, NOVEL = "seen_score", "novel_score"


class Row(BaseModel):
    """Content of `cell.json`, and one row of the table.

    **Attributes:**

    - `name`, `point`, `seed`: of the cell.
    - `round`: 0 for a declared cell, else the round of refinement that chose it.
    - `values`: every headline measure by name, averaged over the objects it was measured on; for a single object also its
      interval over combinations, `_low` and `_high`; and the mean of each null, `_null_...`. None without enough data.
    - `verdict`: the headline of the audit; `works`, `breaks`: its first two answers; `basis`: whether the first is measured or
      estimated.
    - `failed`: failed instruments, each with its reason.
    - `train_seconds`, `audit_seconds`: CPU time; that of training is a cell's share of its group.
    """

    __repr__ = brief

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    point: dict[str, str]
    seed: int
    round: int
    task: str
    model: str
    num_weights: int
    steps: int
    num_seen: int
    num_novel: int
    unit: str
    chance: float
    values: dict[str, float | None]
    verdict: str
    works: str
    basis: str
    breaks: str
    failed: dict[str, str] = {}
    train_seconds: float
    audit_seconds: float
    weights_sha256: str

    def result(self) -> dict[str, object]:
        """All fields but the seconds: equal for the same plan on machines of one kind."""
        return self.model_dump(exclude={"train_seconds", "audit_seconds"})


def row_of(outcome: Outcome, point: dict[str, str], *, round: int) -> Row:
    """The row of a finished cell."""
    audit = outcome.audit
    return Row(
        name=outcome.name,
        point=point,
        seed=outcome.record.seed,
        round=round,
        task=outcome.record.task,
        model=outcome.record.model,
        num_weights=audit.subject.num_weights,
        steps=int(outcome.record.training["steps"]),
        num_seen=audit.task.num_seen,
        num_novel=audit.task.num_novel,
        unit=audit.task.unit,
        chance=audit.task.chance,
        values=values_of(audit.evidence),
        verdict=audit.verdict.headline,
        works=audit.verdict.novel.answer,
        basis=audit.verdict.novel.basis,
        breaks=audit.verdict.combining.answer,
        failed={fault.instrument: fault.reason for fault in audit.failed},
        train_seconds=outcome.record.cpu_seconds,
        audit_seconds=outcome.audit_seconds,
        weights_sha256=audit.subject.weights_sha256,
    )


def values_of(evidences: Iterable[Evidence]) -> dict[str, float | None]:
    """Headline measures by key, with intervals and nulls; see `Row.values`."""
    by_key: dict[str, list[Measure]] = {}
    for evidence in evidences:
        for measure in evidence.measures:
            if measure.headline:
                by_key.setdefault(measure.key, []).append(measure)
    values: dict[str, float | None] = {}
    for name, measures in by_key.items():
        values[name] = _mean(measure.value for measure in measures)
        if len(measures) == 1:
            interval = measures[0].interval
            values |= {f"{name}_low": interval.low if interval else None, f"{name}_high": interval.high if interval else None}
        for null in dict.fromkeys(null.name for measure in measures for null in measure.nulls):
            means = [n.mean for measure in measures for n in measure.nulls if n.name == null and n.values]
            values[f"{name}_null_{_column(null)}"] = _mean(means)
    return values


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _column(name: str) -> str:
    return "_".join(name.replace("-", " ").split())


def numbers_of(texts: Iterable[str]) -> list[float] | None:
    """Values of an axis as numbers; None where one is not a number."""
    try:
        return [float(text) for text in texts]
    except ValueError:
        return None


def table_of(rows: Iterable[Row]) -> dict[str, list[object]]:
    """Columns of the rows: axes as `axis_NAME`, then what the cell is, then every value by name, None where a row has none."""
    rows = list(rows)
    columns: dict[str, list[object]] = {}
    for name in rows[0].point if rows else ():
        texts = [row.point[name] for row in rows]
        columns[f"axis_{name}"] = list(numbers_of(texts) or texts)
    for name in Row.model_fields:
        if name not in ("point", "values", "failed"):
            columns[name] = [getattr(row, name) for row in rows]
    for name in dict.fromkeys(name for row in rows for name in row.values):
        columns[name] = [row.values.get(name) for row in rows]
    return columns


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """The table as CSV: numbers as exactly as they are held, an empty cell for None."""
    columns = table_of(rows)
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(zip(*columns.values(), strict=True))
    write_bytes_atomically(path, storable(text.getvalue()).encode())
