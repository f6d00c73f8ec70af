"""Comparison page of several audits: a column for each network, a figure of all, and what the differences mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from assay.arguments import checked
from assay.audit import Audit
from assay.cards import SubjectCard
from assay.display import counted
from assay.errors import AssayError
from assay.evidence import Measure
from assay.report.canvas import Panel, Svg, standalone_svg
from assay.report.definitions import defined
from assay.report.figures import comparison_panels
from assay.report.meaning import comparable, meaning
from assay.report.page import level_of, panel_data, render
from assay.report.paired import Difference, differences, headlines
from assay.store import write_bytes_atomically, write_json
from assay.verdict import Verdict, answered
from assay.verdict.answers import QUESTIONS

MAX_AUDITS = 50
MANY = 4  # number of networks from which there is a table with a row for each; from twice as many on columns are folded
MAX_PANELS = 8


class Column(BaseModel):
    """One network of a comparison: its identity, verdict and headline measures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: SubjectCard
    task: str
    seed: int
    effort: str
    verdict: Verdict
    measures: tuple[Measure, ...]


class ComparisonFile(BaseModel):
    """Content of `comparison.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[4] = 4
    title: str
    intro: str
    meaning: str
    subjects: tuple[Column, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class _Row:
    """One measure across the networks; None where a network lacks it."""

    label: str
    unit: str
    measures: tuple[Measure | None, ...]


@checked
def write_comparison(directory: Path | str, audits: Sequence[Audit], *, title: str = "", intro: str = "") -> Path:
    """Write `comparison.html`, `comparison.json`, `figures/comparison.svg` and `.pdf`.

    **Arguments:**

    - `audits`: 1 to 50, in the order of the columns. With four or more, the page also has a sortable table, a row for each.
    - `title`, `intro`: of the page; `intro` is a paragraph of plain text on where the networks come from.

    **Returns:** the path of `comparison.html`.

    Example::

        >>> audit = assay.read_report("report")
        >>> assay.write_comparison("both", [audit, audit], title="One network twice").name
        'comparison.html'
    """
    if not 1 <= len(audits) <= MAX_AUDITS:
        raise AssayError(f"a comparison takes 1 to {MAX_AUDITS} audits", given=len(audits), next_step="compare fewer at a time")
    title = title or f"{counted(len(audits), 'network')}, side by side"
    directory = Path(directory)
    (directory / "figures").mkdir(parents=True, exist_ok=True)
    columns = tuple(
        Column(
            subject=audit.subject,
            task=audit.task.address,
            seed=audit.seed,
            effort=audit.effort,
            verdict=audit.verdict,
            measures=tuple(headlines(audit).values()),
        )
        for audit in audits
    )
    found = differences(audits)
    content = ComparisonFile(title=title, intro=intro, meaning=meaning(audits), subjects=columns, differences=found)
    write_json(directory / "comparison.json", content)
    drawn = _panels(audits)
    if drawn:
        standalone_svg(drawn, title).write(directory / "figures" / "comparison")
    page = directory / "comparison.html"
    write_bytes_atomically(page, comparison_html(audits, drawn, found, title=title, intro=intro).encode())
    return page


def comparison_figure(audits: Sequence[Audit]) -> Svg:
    """The headline measures of all networks, with intervals and nulls.

    Example::

        >>> from assay.report import comparison_figure
        >>> audit = assay.read_report("report")
        >>> comparison_figure([audit, audit])[:4]
        '<svg'
    """
    return standalone_svg(_panels(audits), "comparison")


def comparison_html(
    audits: Sequence[Audit], drawn: Sequence[Panel], found: Sequence[Difference], *, title: str, intro: str
) -> str:
    """The page, with its panels and differences."""
    rows = _rows(audits)
    tasks = list(dict.fromkeys(audit.task.address for audit in audits))
    return render(
        "comparison.html.j2",
        audits=audits,
        names=_names(audits),
        tasks=tasks,
        comparable=comparable(audits),
        title=title,
        intro=intro,
        meaning=meaning(audits),
        rows=rows,
        questions=QUESTIONS,
        differences=found,
        partly=[row for row in rows if None in row.measures],
        panels=panel_data(drawn),
        definitions=defined(measure for row in rows for measure in row.measures if measure),
        level=level_of([measure for row in rows for measure in row.measures if measure]),
        answers=[answered(audit.verdict) for audit in audits],
        has_rows=len(audits) >= MANY,
        folded=len(audits) >= 2 * MANY,
        version=audits[0].environment.versions.get("assay", ""),
    )


def _names(audits: Sequence[Audit]) -> list[str]:
    """Names of the networks, with duplicates numbered."""
    plain = [audit.subject.name for audit in audits]
    return [
        name if plain.count(name) == 1 else f"{name} ({plain[: index + 1].count(name)})" for index, name in enumerate(plain)
    ]


def _rows(audits: Sequence[Audit]) -> list[_Row]:
    """Headline measures in order of appearance, matched by key, `about` and unit, under the label of the first."""
    held = [headlines(audit) for audit in audits]
    first = {key: measure for measures in reversed(held) for key, measure in measures.items()}
    order = dict.fromkeys(key for measures in held for key in measures)
    return [_Row(first[key].label, first[key].unit, tuple(measures.get(key) for measures in held)) for key in order]


def _panels(audits: Sequence[Audit]) -> list[Panel]:
    """Panels of the measures that at least two networks share (all, for a single network), most shared first."""
    names = _names(audits)
    shared = [row for row in _rows(audits) if sum(map(bool, row.measures)) >= min(2, len(audits))]
    shared.sort(key=lambda row: row.measures.count(None))
    telling = [row for row in shared if not _is_alike(row)] or shared
    return comparison_panels([(row.label, _present(names, row)) for row in telling[:MAX_PANELS]])


def _is_alike(row: _Row) -> bool:
    """Whether every network has the same value, which the table shows well enough."""
    return len({measure.value for measure in row.measures if measure}) == 1 and len(row.measures) > 1


def _present(names: Sequence[str], row: _Row) -> list[tuple[str, Measure]]:
    return [(name, measure) for name, measure in zip(names, row.measures, strict=True) if measure]
