"""`report.html`: one file without network requests, which is complete without scripts."""

import base64
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from assay.arguments import checked
from assay.audit import Audit
from assay.evidence import DetailTable, Evidence, Measure, Null
from assay.figure import Scatter
from assay.printable import printable
from assay.report import words
from assay.report.access import LEVELS, by_level
from assay.report.canvas import Panel, inline_svg, standalone_svg
from assay.report.definitions import defined
from assay.report.families import MeasureFamily, singles_and_families
from assay.report.figures import panels
from assay.report.first_picture import first_picture
from assay.report.otherwise import otherwise
from assay.report.pictures import DrawnFigure, pictures
from assay.report.pictures.picture import free_name, unit_target
from assay.report.repeat import python_call
from assay.report.schema import FILE_NAME, UNITS_NAME, checksum_of, has_units_beside, report_bytes, units_bytes
from assay.report.tables import as_table
from assay.report.units import MeasureUnits, combination_name, example_anchor, picture_anchor, units_of
from assay.store import write_bytes_atomically
from assay.verdict import answered, next_step

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FOLDER = Path(__file__).parent
MAX_PANELS = 8  # panels shown; the rest is folded
MAX_TABLE_ROWS = 200
ON_FEWER = re.compile(r", on [\d,]+ of [\d,]+ units$")  # at the end of how a null was made; differs between measures


@checked
def write_report(directory: Path | str, audit: Audit) -> Path:
    """Write `report.json` and `units.safetensors`, then `figures/*.svg` and `.pdf` and `report.html` into a directory, which is
    created if needed. An audit that was read from a file lacks the values of nulls per unit: written to its own directory it
    keeps `units.safetensors`; elsewhere copy that file.

    **Returns:** the path of `report.html`.

    Example::

        >>> assay.write_report("again", assay.read_report("report")).name
        'report.html'
    """
    directory = Path(directory)
    (directory / "figures").mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(directory / FILE_NAME, report_bytes(audit))  # results first, before anything is drawn
    if not has_units_beside(directory, audit):
        write_bytes_atomically(directory / UNITS_NAME, units_bytes(audit))
    drawn = drawn_of(audit)
    files: dict[str, Sequence[Panel]] = {}
    for evidence, (measured, of_figures) in zip(audit.evidence, drawn, strict=True):
        of_pictures = ((f"{evidence.instrument}-{_slug(picture.name)}", picture.panels) for picture in of_figures)
        for name, shown in ((evidence.instrument, measured), *of_pictures):
            if shown:
                files[free_name(name, files)] = shown
    for name, shown in files.items():
        standalone_svg(shown, f"{audit.subject.name}: {name}").write(directory / "figures" / name)
    page = directory / "report.html"
    write_bytes_atomically(page, report_html(audit, drawn).encode())
    return page


def drawn_of(audit: Audit) -> list[tuple[list[Panel], list[DrawnFigure]]]:
    """Panels of the measures and pictures of the figures of every instrument."""
    return [(panels(evidence), pictures(evidence)) for evidence in audit.evidence]


def report_html(audit: Audit, drawn: Sequence[tuple[list[Panel], list[DrawnFigure]]] | None = None) -> str:
    """The page as HTML. `drawn`: the result of `drawn_of`, if already computed."""
    instruments, figure = [], 1
    units = units_of(audit.evidence, audit.task, [example.combination for example in audit.examples])
    every = zip(audit.evidence, drawn or drawn_of(audit), units, otherwise(audit.evidence), strict=True)
    for evidence, (measured, of_figures), own, other in every:
        instruments.append(section_of(evidence, measured, figure, pictures=of_figures, units=own, other=other))
        figure += bool(measured) + len(of_figures)
    sizes = [len(part.values) for part in audit.task.parts if part.name in audit.task.combines]
    possible = math.prod(sizes) if sizes else 0
    return render(
        "report.html.j2",
        script=scripts("tables.js", "examples.js"),
        audit=audit,
        examples=_examples(audit),
        instruments=instruments,
        answers=answered(audit.verdict),
        next_step=next_step(audit.verdict),
        first=next((first for item in instruments if (first := _first(item))), None),
        levels=LEVELS,
        checksum=checksum_of(audit),
        python_call=python_call(audit),
        # Some tasks allow fewer combinations than the product, so the bar is drawn only where the counts fit.
        possible=possible if audit.task.num_seen + audit.task.num_novel <= possible < 10**9 else 0,
        sources=sources_of(audit.evidence),
        version=audit.environment.versions.get("assay", ""),
    )


def _first(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """The picture of the first screen, from the section that holds its numbers."""
    found = first_picture(item["evidence"])
    if found is None:
        return None
    return {"svg": _markup(found.panel, item["places"]), "caption": found.caption, "anchor": item["anchor"]}


def render(template: str, *, script: str | None = None, **content: object) -> str:
    """A packaged template, filled in and escaped. `script`: the only script that the page's policy allows; by default that of
    tables."""
    from markupsafe import Markup

    script = scripts("tables.js") if script is None else script
    return (
        environment()
        .get_template(template)
        .render(
            css=Markup((FOLDER / "style.css").read_text()),
            script=Markup(script),
            digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            **content,
        )
    )


def scripts(*names: str) -> str:
    """Packaged scripts, concatenated."""
    return "\n".join((FOLDER / name).read_text() for name in names)


def environment() -> "Environment":
    """Jinja environment of the packaged templates, with filters that format numbers."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters |= words.FILTERS
    return made


def _shown(value: object) -> object:
    """A value for a template, with control characters escaped; markup is left unchanged."""
    from markupsafe import Markup

    return printable(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value


def panel_data(drawn: Sequence[Panel], anchors: Mapping[str, str] = MappingProxyType({})) -> list[dict[str, object]]:
    """Panels as data for the templates. `anchors`: anchors on the page of link targets, by name."""
    return [{"title": panel.title, "subtitle": panel.subtitle, "svg": _markup(panel, anchors)} for panel in drawn]


def _markup(panel: Panel, anchors: Mapping[str, str]) -> "Markup":
    from markupsafe import Markup

    return Markup(inline_svg(panel, anchors))


def _examples(audit: Audit) -> dict[str, Any]:
    """Stored examples as data for the template, with the columns that are not empty."""
    names = list(dict.fromkeys(name for example in audit.examples for name in example.inputs))
    rows = [(example_anchor(one.combination), combination_name(audit.task, one.combination), one) for one in audit.examples]
    return {
        "rows": rows,
        "inputs": names,
        "image": any(one.image for one in audit.examples),
        "target": any(one.target for one in audit.examples),
        "answer": any(one.answer for one in audit.examples),
        "score": any(one.score is not None for one in audit.examples),
    }


def level_of(measures: Sequence[Measure]) -> str:
    """`95 %`, or every level that occurs."""
    levels = sorted({measure.interval.level for measure in measures if measure.interval})
    return " or ".join(f"{100 * level:g} %" for level in levels) or "confidence"


def section_of(
    evidence: Evidence,
    drawn: Sequence[Panel],
    figure: int,
    *,
    pictures: Sequence[DrawnFigure] = (),
    levels: bool = True,
    units: Sequence[MeasureUnits | None] = (),
    other: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Data for the template macro `instrument`. `figure`: number of its first figure; `levels`: whether to show access levels
    and the command for the method page, as for an audit; `other`: sentences of `assay.report.otherwise`."""
    alone, families = singles_and_families(evidence.measures)
    in_families = [measure for family in families for measure in family.measures]
    shown = [one for one in units if one]
    places = {one.measure.label: one.anchor for one in shown}
    ready = panel_data(drawn, places)
    anchor = f"instrument-{_slug(evidence.instrument)}"
    rows = _rows_of_points(evidence, anchor)
    # A point of a plane links to its row in the table that its figure names, or else to the figure's numbers.
    of_points = {
        figure.name: rows[figure.name] | rows.get(figure.rows, {}) for figure in evidence.figures if isinstance(figure, Scatter)
    }
    # A point of a curve links to the units behind it, and a node of a graph to the row of its example.
    of_units = places | {
        unit_target(one.measure.label, row.id): one.row_anchor(k) for one in shown for k, row in enumerate(one.rows, 1)
    }
    # A row of a table links to the fold of the first picture with a choice of that name.
    anchors: dict[str, str] = {}
    for k, picture in enumerate(pictures):
        for j, choice in enumerate(picture.choices):
            anchors.setdefault(choice, f"figure-{figure + k}-{j + 1}")
    return {
        "evidence": evidence,
        "anchor": anchor,
        "places": places,
        "figure": figure + len(pictures),
        "panels": ready[:MAX_PANELS],
        "more_panels": ready[MAX_PANELS:],
        "pictures": [_picture(one, figure + k, of_points.get(one.name, of_units)) for k, one in enumerate(pictures)],
        "level": level_of(evidence.measures),
        "ticks": any(measure.nulls for measure in alone),
        "marks": any(measure.nulls for measure in in_families),
        "chance": any(panel.has_chance for panel in drawn),
        "alone": by_level(alone) if levels else [("", alone)] if alone else [],
        "families": [_family(family, levels=levels) for family in families],
        "num_in_families": len(in_families),
        "objects": " and ".join(dict.fromkeys(key for measure in in_families for key in measure.about)),
        "nulls": [*dict.fromkeys((one.name, ON_FEWER.sub("", one.how)) for item in evidence.measures for one in item.nulls)],
        "definitions": defined(evidence.measures),
        "method": f"assay instruments {evidence.instrument}" if levels else "",
        "otherwise": other,
        "notes": [(measure.label, measure.note) for measure in evidence.measures if measure.note and measure.value is not None],
        "images": [
            (key, [(picture_anchor(evidence, key, unit), f"{key} {unit + 1}", image) for unit, image in images.items()])
            for key, images in evidence.images.items()
            if images
        ],
        "units": [(one, one.plot and _markup(one.plot, one.row_anchors)) for one in shown],
        "anchors": {id(one.measure): one.anchor for one in shown},
        "tables": [_table(table, anchors, rows.get(table.name, {})) for table in map(as_table, evidence.figures)],
    }


def _rows_of_points(evidence: Evidence, anchor: str) -> dict[str, dict[str, str]]:
    """Anchors of the table rows to which points of scatters link, by name of the table and first cell of the row."""
    points: dict[str, set[str]] = {}
    for figure in evidence.figures:
        if isinstance(figure, Scatter):
            for name in {figure.name, figure.rows}:
                points.setdefault(name, set()).update(point.name for point in figure.points)
    return {
        figure.name: {
            str(row[0]): f"{anchor}-row-{place + 1}-{k + 1}"
            for k, row in reversed([*enumerate(as_table(figure).rows[:MAX_TABLE_ROWS])])  # the first of equal rows
            if str(row[0]) in points[figure.name]
        }
        for place, figure in enumerate(evidence.figures)
        if figure.name in points
    }


def _picture(picture: DrawnFigure, figure: int, anchors: Mapping[str, str]) -> dict[str, Any]:
    ready = panel_data(picture.panels, anchors)
    own = [f"figure-{figure}-{k + 1}" for k in range(len(picture.choices))]
    choices = list(zip(picture.choices, ready, own, strict=True)) if picture.choices else []
    return {
        "picture": picture,
        "figure": figure,
        "choices": choices,
        "panels": [] if choices else ready[:MAX_PANELS],
        "more_panels": [] if choices else ready[MAX_PANELS:],
    }


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")


def _family(family: MeasureFamily, *, levels: bool) -> dict[str, Any]:
    names = list(dict.fromkeys(null.name for measure in family.measures for null in measure.nulls))

    def nulls(measure: Measure) -> list[Null | None]:
        return [next((null for null in measure.nulls if null.name == name), None) for name in names]

    rows = [{"label": label, "measure": measure, "nulls": nulls(measure)} for label, measure in family.rows]
    access = f"access level {max(measure.level for measure in family.measures)}" if levels else ""
    return {"family": family, "unit": family.key_and_unit[1], "access": access, "nulls": names, "rows": rows}


def _table(table: DetailTable, anchors: Mapping[str, str], own: Mapping[str, str]) -> dict[str, Any]:
    """Data of a table: right-aligned numbers, with a light bar where the column is a scale from zero. `anchors`: link targets
    of its rows; `own`: anchors of the rows that are link targets, by first cell."""
    columns = list(zip(*table.rows, strict=True)) if table.rows else [() for _ in table.columns]
    wordy = [any(cell and isinstance(cell, str) for cell in column) for column in columns]
    tops = [_top(column) for column in columns]
    rows = [
        [
            {
                "text": words.NOT_ENOUGH if cell is None else cell if isinstance(cell, str) else words.number(cell),
                "missing": cell is None,
                "words": is_words,
                "share": round(100 * cell / top, 1) if top and isinstance(cell, (int, float)) else None,
            }
            for cell, is_words, top in zip(row, wordy, tops, strict=True)
        ]
        for row in table.rows[:MAX_TABLE_ROWS]
    ]
    free = dict(own)
    return {
        "name": table.name,
        "columns": [{"name": name, "words": is_words} for name, is_words in zip(table.columns, wordy, strict=True)],
        "rows": list(
            zip(
                rows,
                [anchors.get(name, "") for name in table.leads_to] or [""] * len(rows),
                [free.pop(str(row[0]), "") if row else "" for row in table.rows],
                strict=False,
            )
        ),
        "note": table.note,
        "left_out": max(0, len(table.rows) - MAX_TABLE_ROWS),
    }


def _top(column: Sequence[object]) -> float | None:
    """Value of a full bar; None for a column without bars."""
    numbers = [cell for cell in column if isinstance(cell, (int, float))]
    if len(numbers) < 3 or any(isinstance(cell, str) for cell in column) or min(numbers) < 0 or max(numbers) <= 0:
        return None
    return 1.0 if max(numbers) <= 1 and any(isinstance(cell, float) for cell in numbers) else float(max(numbers))


def sources_of(evidence: Sequence[Evidence]) -> list[tuple[object, list[str]]]:
    """Every source once, with the instruments that cite it."""
    found: dict[str, tuple[object, list[str]]] = {}
    for item in evidence:
        for source in item.sources:
            found.setdefault(source.key, (source, []))[1].append(item.instrument)
    return list(found.values())
