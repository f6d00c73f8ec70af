"""Figures of a study: score against evaluations, a table of all methods on one budget, the selected coefficients."""

import numpy as np

from assay.figure import Curve, DetailTable, Line, Plot
from assay.stats import network_interval
from assay.swarm.study import Study


def curve_of(study: Study) -> Curve:
    """Test score against evaluations, with the interval over seeds."""
    lines = []
    for engine, values in study.curves.items():
        ends = [network_interval(column.tolist(), bounds=(0.0, 1.0)) for column in values.T]
        lines.append(
            Line(
                name=engine,
                x=study.points,
                y=tuple(values.mean(0).tolist()),
                low=tuple(None if one is None else one.low for one in ends),
                high=tuple(None if one is None else one.high for one in ends),
                null=engine == "random steps",
            )
        )
    caption = (
        f"Mean test score over {study.plan.seeds} searches of the candidate that is best on validation so far, with the 95 % "
        "interval over searches. All evaluations count, including those before a restart."
    )
    plot = Plot(title="Score against evaluations", subtitle="test score", lines=tuple(lines))
    return Curve(name="Score against evaluations", across="evaluations", plots=(plot,), caption=caption, level=2)


def table_of(study: Study) -> DetailTable:
    """Table of every method on one budget."""
    rows: list[tuple[str | float | None, ...]] = []
    for (kind, engine), scores in study.tested.items():
        ends = network_interval(scores.mean(1).tolist(), bounds=(0.0, 1.0))
        named = engine if kind == "own" else f"{engine}, {KINDS[kind]}"
        spent = float(np.mean([trace.spent for trace in study.traces[kind, engine]]))
        low, high = (ends.low, ends.high) if ends else (None, None)
        rows.append((named, float(scores.mean()), low, high, spent, len(scores)))
    for merge in study.merges:
        rows.append((merge.name, float(study.merged[merge.name].mean()), None, None, merge.evaluations, 1))
    rows.append(("base", float(study.base.mean()), None, None, 0.0, 1))
    return DetailTable(
        name="Methods on one budget",
        columns=("method", "test score", "low", "high", "evaluations", "searches"),
        rows=tuple(rows),
        note="Low and high are the ends of the 95 % interval over searches. A merge is one, so it has none.",
        level=2,
    )


KINDS = {"noise": "noise experts", "renamed": "renamed answers", "beyond": "with random directions"}


def coefficients_of(study: Study) -> DetailTable:
    """The selected candidates of the judged engine."""
    mine = study.traces["own", study.plan.engines[0]]
    return DetailTable(
        name="Selected coefficients",
        columns=("seed", *study.names, "sum"),
        rows=tuple((t.seed, *(float(c) for c in t.best), float(t.best.sum())) for t in mine),
        note="Each row is the best candidate of one search.",
        level=2,
    )
