"""Results of a sweep, as evidence, a JSON file and a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from assay.display import counted
from assay.evidence import DetailTable, Evidence, Measure
from assay.references import cited
from assay.report.canvas import standalone_svg
from assay.report.figures import panels
from assay.report.page import level_of, panel_data, render, section_of, sources_of
from assay.report.words import capitalised, few, value_and_interval
from assay.stats import MIN_NETWORKS
from assay.store import write_bytes_atomically, write_json
from assay.sweep.cell_group import Failure
from assay.sweep.curves import slices
from assay.sweep.directory import SweepDirectory
from assay.sweep.figures import curve_panels, phase_panels
from assay.sweep.logistic import HALF_WAY, LogisticFit, fit_logistic
from assay.sweep.plan import SweepPlan
from assay.sweep.points import PointSummary, summarised
from assay.sweep.power_law import fit_power_law
from assay.sweep.rows import NOVEL, SEEN, Row

if TYPE_CHECKING:
    from assay.sweep.run import Sweep

PAGE, RESULTS = "sweep.html", "results.json"
MOST_FAILED = 10  # failed instruments shown, of those in every `cell.json`


class SweepResults(BaseModel):
    """Content of `results.json`: the plan, the results, and the unfinished cells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    plan: SweepPlan
    versions: dict[str, str]
    evidence: Evidence
    num_networks: int
    failures: tuple[Failure, ...]


def write_sweep(result: "Sweep") -> Path:
    """Write `results.json`, `sweep.html` and `figures/*.svg` into the sweep's folder.

    **Returns:** the path of the page.

    Example::

        >>> plan = assay.SweepPlan(
        ...     task="modular-addition:p=7", over={"coverage": ("0.5",)}, seeds=1, settings={"steps": "5"},
        ...     instruments=("systematicity",),
        ... )
        >>> assay.write_sweep(assay.sweep(plan, out="sweep", progress=None)).name
        'sweep.html'
    """
    plan, rows = result.plan, result.rows
    points = summarised(plan.grid, rows, success=plan.success)
    fits = [fit_logistic(one, success=plan.success, rng=np.random.default_rng(0)) for one in slices(plan.grid, rows)]
    evidence = evidence_of(plan, rows, points, fits)
    record = SweepDirectory(result.path).record()
    write_json(
        result.path / RESULTS,
        SweepResults(plan=plan, versions=record.versions, evidence=evidence, num_networks=len(rows), failures=result.failures),
    )
    drawn = {
        "phase": phase_panels(plan.grid, points) if rows else [],
        "curves": curve_panels(plan.grid, fits, success=plan.success),
        "measures": panels(evidence),
    }
    (result.path / "figures").mkdir(exist_ok=True)
    for name, figure in drawn.items():
        if figure:
            standalone_svg(figure, f"Sweep of {plan.task}: {name}").write(result.path / "figures" / name)
    html = render(
        "sweep.html.j2",
        title=f"How {_joined(list(plan.over))} decide{'s' if len(plan.over) == 1 else ''}",
        lead=_lead(plan, points),
        plan=plan,
        rows=rows,
        failures=result.failures,
        phase=panel_data(drawn["phase"]),
        curves=panel_data(drawn["curves"]),
        item=section_of(evidence, drawn["measures"], 3, levels=False),
        version=record.versions["assay"],
        level=level_of(evidence.measures),
        least=MIN_NETWORKS,
        refined=sum(row.round > 0 for row in rows),
        train_seconds=sum(row.train_seconds for row in rows),
        audit_seconds=sum(row.audit_seconds for row in rows),
        versions=record.versions,
        sources=sources_of([evidence]),
    )
    page = result.path / PAGE
    write_bytes_atomically(page, html.encode())
    return page


def evidence_of(plan: SweepPlan, rows: Sequence[Row], points: Sequence[PointSummary], fits: Sequence[LogisticFit]) -> Evidence:
    """The sweep as evidence with networks as units: the novel score of every point, and the fits along every axis."""
    laws = [fit_power_law(one.slice, rng=np.random.default_rng(0)) for one in fits]
    measures = [
        *(point.novel for point in points),
        *(measure for fit in fits for measure in fit.measures),
        *(law for law in laws if law is not None),
    ]
    warnings = []
    if any(point.novel.value is None for point in points):
        warnings.append(
            f"Some points have fewer than the {MIN_NETWORKS} networks that an interval needs, or no novel combinations."
        )
    warnings += [f"In {row.name}, {name} failed: {why}" for row in rows for name, why in row.failed.items()][:MOST_FAILED]
    return Evidence(
        instrument="sweep",
        question="Where along these axes do networks begin to compose?",
        summary=_summary(fits),
        measures=tuple(measures),
        figures=(_table(plan, rows),),
        sources=cited(["redhardt2025", *(["bryan2005"] if plan.refine else [])]),
        warnings=tuple(warnings),
        settings={"success": plan.success, "seeds": plan.seeds, "refine": plan.refine},
    )


def _lead(plan: SweepPlan, points: Sequence[PointSummary]) -> str:
    known = [point for point in points if point.novel.value is not None]
    if not known:
        return "Not enough data: no point has enough networks for an interval."
    every = [point for point in known if point.successes == len(point.novel.repeats)]
    none = [point for point in known if not point.successes]
    low, *_, high = sorted(known, key=lambda point: point.novel.value or 0.0) if len(known) > 1 else (known[0], known[0])
    start = (
        f"Of {counted(len(known), 'point')}, every network reaches a novel score of {plan.success:g} at {len(every)} and none "
        f"at {len(none)}."
    )
    if low is high:
        return f"{start} {capitalised(low.text)}: {value_and_interval(low.novel)}."
    apart = low.novel.interval and high.novel.interval and low.novel.interval.high < high.novel.interval.low
    said = "the intervals do not overlap" if apart else "the intervals overlap"
    return (
        f"{start} The scores reach from {value_and_interval(low.novel)} ({low.text}) to {value_and_interval(high.novel)} "
        f"({high.text}); {said}."
    )


def _summary(fits: Sequence[LogisticFit]) -> str:
    """Sentence on the half-way points of the curves, where resolved."""
    if not fits:
        return "No numeric axis has the three values that a curve needs, so only the points are compared."
    halfway = [measure for fit in fits for measure in fit.measures if measure.key == HALF_WAY]
    known = [measure for measure in halfway if measure.value is not None]
    if not known:
        return f"None of {counted(len(halfway), 'curve')} has a resolved half-way point within the values of its axis."
    text = [f"at {measure.about['axis']} {value_and_interval(measure)}{_beside(measure)}" for measure in known]
    come = "comes" if len(known) == 1 else "come"
    return (
        f"{len(known)} of {counted(len(halfway), 'curve')} {come} half way from the best null to a perfect score within "
        f"the values that were run: {few(text, 4)}."
    )


def _beside(measure: Measure) -> str:
    others = ", ".join(f"{name} {value}" for name, value in measure.about.items() if name != "axis")
    return f" ({others})" if others else ""


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _table(plan: SweepPlan, rows: Sequence[Row]) -> DetailTable:
    columns = (*plan.over, "seed", "round", "seen", "novel", "verdict", "what breaks", "weights", "train CPU s")
    return DetailTable(
        name="all networks",
        level=2,
        columns=columns,
        rows=tuple(
            (
                *row.point.values(),
                row.seed,
                row.round,
                row.values.get(SEEN),
                row.values.get(NOVEL),
                row.verdict,
                row.breaks,
                row.num_weights,
                round(row.train_seconds, 2),
            )
            for row in rows
        ),
        note="Round 0 was declared, later ones were chosen by refinement. results.csv holds every column.",
    )
