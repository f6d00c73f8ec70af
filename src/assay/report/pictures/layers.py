"""One measure after another from layer to layer, beside every null."""

from collections.abc import Mapping, Sequence

from assay.evidence import Table
from assay.report.canvas import Panel
from assay.report.families import grouped
from assay.report.pictures.curves import DASHES, Line, Spot, curve_panel, in_order
from assay.report.pictures.picture import Cell, Picture, as_number, rows_of

NEEDED = ("measure", "value", "low", "high")


def layer_picture(table: Table) -> Picture | None:
    """A panel for each measure.

    Drawn are tables whose first column is a layer and that have the columns measure, value, low and high. Every further column
    that holds numbers is a null.
    """
    rows = rows_of(table, NEEDED)
    panels = _of_measures(table, rows) if rows and table.columns[0] not in NEEDED else []
    if not panels:
        return None
    caption = "Each dot is a measured value at one layer, the bar through it its interval where there is one. "
    caption += "Grey lines are nulls, each named at its end." if any(has for _, has in panels) else "This table has no null."
    return Picture(table.name, caption, tuple(panel for panel, _ in panels))


def _of_measures(table: Table, rows: Sequence[Mapping[str, Cell]]) -> list[tuple[Panel, bool]]:
    """Of every measure its panel, and whether it has a null."""
    layer = table.columns[0]
    names = [name for name in table.columns[1:] if name not in NEEDED]
    panels = []
    for measure, members in grouped(rows, lambda row: str(row["measure"])).items():
        layers = [row[layer] for row in members]
        spots = _spots(layers, *([row[name] for row in members] for name in ("value", "low", "high")))
        nulls = {name: [row[name] for row in members] for name in names}
        if spots or any(_spots(layers, column) for column in nulls.values()):
            panels.append(_panel(measure, layers, spots, nulls))
    return panels


def _panel(
    measure: str, layers: Sequence[Cell], spots: tuple[Spot, ...], nulls: Mapping[str, Sequence[Cell]]
) -> tuple[Panel, bool]:
    lines = [Line("measured", spots)]
    for k, (name, column) in enumerate(nulls.items()):
        # One pattern after the other, so that lines can be followed where they cross.
        lines.append(Line(name, _spots(layers, column), is_null=True, dash=DASHES[k % len(DASHES)]))
    has_null = any(line.spots for line in lines[1:])
    return curve_panel(measure, "", in_order("layer", layers), [line for line in lines if line.spots]), has_null


def _spots(
    layers: Sequence[Cell], values: Sequence[Cell], lows: Sequence[Cell] = (), highs: Sequence[Cell] = ()
) -> tuple[Spot, ...]:
    """Those of the layers that have a value."""
    found = []
    for k, layer in enumerate(layers):
        value = as_number(values[k])
        low, high = (as_number(ends[k]) if ends else None for ends in (lows, highs))
        if value is not None:
            found.append(Spot(layer, value, None if low is None or high is None else (low, high)))
    return tuple(found)
