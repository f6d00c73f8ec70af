"""Figures of measures, the same for every instrument. A value is a dot on its interval, with every null beside it.

An *overview* panel has a block for each measure: the value, then one line for each null with a tick for every repeat. A
*family* panel shows one measure on many objects (sites, part values): one line each, with a mark for each null.
"""

from collections.abc import Iterator, Mapping, Sequence

from assay.evidence import CHANCE, UNIT, Evidence, Measure
from assay.report.axis_canvas import SHAPES, AxisCanvas, Span, span_of
from assay.report.canvas import Panel
from assay.report.families import MeasureFamily, grouped, singles_and_families
from assay.report.words import capitalised, mean_of, value_and_interval

MAX_ROWS = 24  # lines of one family panel; a longer family continues in the next
MAX_BLOCKS = 5  # lines of one overview panel: panels of equal height fill two columns


def panels(evidence: Evidence) -> list[Panel]:
    """Panels of all measures of one instrument: overviews by unit first, then families; none where nothing was measured."""
    alone, families = singles_and_families(evidence.measures)
    by_unit = grouped(alone, lambda measure: measure.unit)
    return [
        *(panel for measures in by_unit.values() if _any_drawn(measures) for panel in _overviews(measures, evidence)),
        *(panel for family in families if _any_drawn(family.measures) for panel in _family(family, evidence)),
    ]


def comparison_panels(measures: Sequence[tuple[str, Sequence[tuple[str, Measure]]]]) -> list[Panel]:
    """One panel for every measure, with one line for every network.

    **Arguments:** `measures`: label, and pairs of network name and measure, at least one. A measure for which no network had
    enough data has no panel.
    """
    panels = []
    for label, rows in measures:
        if not _any_drawn([measure for _, measure in rows]):
            continue
        span, unit = span_of(measure for _, measure in rows), rows[0][1].unit
        panels.append(_rows(label, "", rows, span, unit=unit))
    return panels


def _any_drawn(measures: Sequence[Measure]) -> bool:
    """Whether there is a value or a null to draw."""
    return any(measure.value is not None or any(null.values for null in measure.nulls) for measure in measures)


def _overviews(measures: Sequence[Measure], evidence: Evidence) -> Iterator[Panel]:
    """Panels of the measures of one unit, on one scale."""
    span = span_of(measures)
    parts = [measures[start : start + MAX_BLOCKS] for start in range(0, len(measures), MAX_BLOCKS)]
    for index, part in enumerate(parts):
        yield _overview(part, span, evidence, subtitle=f"{index + 1} of {len(parts)}" if len(parts) > 1 else "")


def _overview(measures: Sequence[Measure], span: Span, evidence: Evidence, *, subtitle: str) -> Panel:
    sheet = AxisCanvas(span)
    for index, measure in enumerate(measures):
        sheet.down(22 if index else 8)
        sheet.heading(measure.label, value_and_interval(measure))
        sheet.down(16)
        sheet.value(measure, _description_of(measure))
        for null in measure.nulls:
            if null.values:
                sheet.down(18)
                sheet.repeats(null.values, null.name)
    return _finished(sheet, capitalised(measures[0].unit), subtitle, measures, evidence, unit="")


def _family(family: MeasureFamily, evidence: Evidence) -> Iterator[Panel]:
    key, unit = family.key_and_unit
    span = span_of(measure for measure in evidence.measures if (measure.key, measure.unit) == (key, unit))
    parts = [family.rows[start : start + MAX_ROWS] for start in range(0, len(family.rows), MAX_ROWS)]
    for index, part in enumerate(parts):
        more = f" ({index + 1} of {len(parts)})" if len(parts) > 1 else ""
        yield _rows(family.title, family.subtitle + more, part, span, unit=unit, evidence=evidence)


def _rows(
    title: str,
    subtitle: str,
    rows: Sequence[tuple[str, Measure]],
    span: Span,
    *,
    unit: str,
    evidence: Evidence | None = None,
) -> Panel:
    """One line for each measure, on one axis, below the legend of the nulls."""
    names = list(dict.fromkeys(null.name for _, measure in rows for null in measure.nulls if null.values))
    shapes = {name: SHAPES[index % len(SHAPES)] for index, name in enumerate(names)}
    sheet = AxisCanvas(span)
    sheet.down(8)
    if shapes:
        sheet.key(shapes)
        sheet.down(26)
    for index, (label, measure) in enumerate(rows):
        sheet.down(19 if index else 0)
        sheet.heading(label, value_and_interval(measure), weight="normal")
        sheet.down(13)
        sheet.value(measure, f"{label}: {_description_of(measure)}")
        if any(null.values for null in measure.nulls):
            sheet.down(8)  # drawn below the value, which would hide an equal null
        for null in measure.nulls:
            if null.values:
                sheet.null(null.values, shapes[null.name])
    measures = [measure for _, measure in rows]
    return _finished(sheet, title, subtitle, measures, evidence, unit="" if unit == title else unit)


def _finished(
    sheet: AxisCanvas, title: str, subtitle: str, measures: Sequence[Measure], evidence: Evidence | None, *, unit: str
) -> Panel:
    sheet.down(12)
    settings: Mapping[str, object] = evidence.settings if evidence else {}
    chance = settings.get(CHANCE)
    # Chance is drawn only in the unit for which the instrument declares it.
    has_chance = isinstance(chance, float) and settings.get(UNIT) == measures[0].unit and sheet.chance(chance)
    description = "; ".join(_description_of(measure) for measure in measures)
    sheet.axis(unit)
    return sheet.panel(title, subtitle, f"{title} {subtitle}".strip() + f". {description}.", has_chance=has_chance)


def _description_of(measure: Measure) -> str:
    """`novel score 0.946 [0.926, 0.966]; shuffled targets 0.0909`."""
    nulls = [f"{null.name} {mean_of(null)}" for null in measure.nulls if null.values]
    return f"{measure.label} {value_and_interval(measure)}" + (f" (nulls: {', '.join(nulls)})" if nulls else "")
