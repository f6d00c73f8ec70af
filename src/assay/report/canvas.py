"""A canvas to draw a panel on where both directions mean something: marks in pixels, turned into one altair chart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assay.report.figures import Panel
from assay.report.sheet import FAINT, INK, PAPER, VALUE, WIDTH

if TYPE_CHECKING:
    import altair as alt


Pixels = float | int


class Canvas:
    """Collects marks; x runs from 0 to `WIDTH` to the right, y from 0 to `height` down."""

    def __init__(self, height: Pixels):
        self.height = height
        self._fills: list[dict[str, Any]] = []
        self._frames: list[dict[str, Any]] = []
        self._rules: list[dict[str, Any]] = []
        self._lines: list[list[dict[str, Any]]] = []
        self._dots: list[dict[str, Any]] = []
        self._texts: list[dict[str, Any]] = []

    def fill(self, x: Pixels, y: Pixels, width: Pixels, height: Pixels, *, share: float, told: str) -> None:
        """A rectangle, the darker the larger the share."""
        self._fills.append({**_box(x, y, width, height), "share": min(max(share, 0.0), 1.0), "told": told})

    def frame(self, x: Pixels, y: Pixels, width: Pixels, height: Pixels) -> None:
        """The outline of a rectangle."""
        self._frames.append(_box(x, y, width, height))

    def rule(
        self, x: Pixels, y: Pixels, x2: Pixels, y2: Pixels, *, colour: str = FAINT, thick: Pixels = 1, dash: bool = False
    ) -> None:
        """A straight line."""
        kind = (colour, thick, dash)
        self._rules.append({"x": x, "y": y, "x2": x2, "y2": y2, "kind": kind})

    def line(
        self,
        points: Sequence[tuple[Pixels, Pixels]],
        *,
        colour: str = VALUE,
        thick: Pixels = 1.5,
        dash: tuple[int, int] = (1, 0),
        told: str = "",
    ) -> None:
        """A line through points; `dash`: pixels drawn and left out in turn."""
        kind, line = (colour, thick, dash, bool(told)), len(self._lines)
        self._lines.append([{"x": x, "y": y, "line": line, "told": told, "kind": kind} for x, y in points])

    def dot(self, x: Pixels, y: Pixels, told: str, *, size: Pixels = 56, colour: str = VALUE, shape: str = "circle") -> None:
        """A measured value, or a small sign without words."""
        self._dots.append({"x": x, "y": y, "told": told, "kind": (size, colour, shape, bool(told))})

    def text(
        self,
        words: str,
        x: Pixels,
        y: Pixels,
        *,
        align: str = "left",
        colour: str = INK,
        weight: str = "normal",
        size: int = 11,
    ) -> None:
        """Words, centred upon y."""
        self._texts.append({"x": x, "y": y, "words": words, "kind": (align, colour, weight, size)})

    def panel(self, title: str, subtitle: str, told: str) -> Panel:
        """What was drawn."""
        return Panel(title=title, subtitle=subtitle, told=told, chart=self._chart(), axis_titled=False, has_chance=False)

    def _chart(self) -> "alt.LayerChart":
        import altair as alt

        x_scale = alt.Scale(domain=[0, WIDTH], nice=False, zero=False)
        y_scale = alt.Scale(domain=[0, self.height], range=[0, self.height], nice=False, zero=False)
        x, y = alt.X("x:Q", scale=x_scale, axis=None), alt.Y("y:Q", scale=y_scale, axis=None)

        def layer(rows: list[dict[str, Any]]) -> alt.Chart:
            plain = [{key: value for key, value in row.items() if key != "kind"} for row in rows]
            return alt.Chart(alt.InlineData(values=tuple(plain)))

        # The frame comes first and always, so that an empty canvas still has its size.
        layers = [layer([{"x": 0, "y": 0}]).mark_point(opacity=0, size=0, stroke=PAPER, aria=False).encode(x, y)]
        if self._fills:
            mark = layer(self._fills).mark_rect(fill=VALUE, stroke=None)
            opacity = alt.FillOpacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 1]), legend=None)
            layers.append(mark.encode(x, y, x2="x2:Q", y2="y2:Q", fillOpacity=opacity, description="told:N"))
        if self._frames:
            mark = layer(self._frames).mark_rect(fillOpacity=0, stroke=INK, strokeWidth=1.5, aria=False)
            layers.append(mark.encode(x, y, x2="x2:Q", y2="y2:Q"))
        for kind in dict.fromkeys(rule["kind"] for rule in self._rules):
            colour, thick, dash = kind
            rules = layer([rule for rule in self._rules if rule["kind"] == kind])
            mark = rules.mark_rule(stroke=colour, strokeWidth=thick, strokeDash=[3, 3] if dash else [1, 0], aria=False)
            layers.append(mark.encode(x, y, x2="x2:Q", y2="y2:Q"))
        points: list[dict[str, Any]] = [{**point, "order": order} for line in self._lines for order, point in enumerate(line)]
        for kind in dict.fromkeys(point["kind"] for point in points):
            colour, thick, dash, is_told = kind
            lines = layer([point for point in points if point["kind"] == kind])
            mark = lines.mark_line(stroke=colour, strokeWidth=thick, strokeDash=list(dash), aria=is_told)
            layers.append(mark.encode(x, y, order="order:Q", detail="line:N", **_description(is_told)))
        for kind in dict.fromkeys(dot["kind"] for dot in self._dots):
            size, colour, shape, is_told = kind
            dots = layer([dot for dot in self._dots if dot["kind"] == kind])
            edge = 1 if size > 20 else 0
            mark = dots.mark_point(fill=colour, stroke=PAPER, strokeWidth=edge, size=size, shape=shape, opacity=1, aria=is_told)
            layers.append(mark.encode(x, y, **_description(is_told)))
        for kind in dict.fromkeys(text["kind"] for text in self._texts):
            align, colour, weight, size = kind
            mark = layer([text for text in self._texts if text["kind"] == kind]).mark_text(
                align=align, color=colour, fontWeight=weight, fontSize=size, baseline="middle", aria=False
            )
            layers.append(mark.encode(x, y, text="words:N"))
        return alt.LayerChart(layer=layers, width=WIDTH, height=self.height)


def _description(is_told: bool) -> dict[str, str]:
    return {"description": "told:N"} if is_told else {}


def _box(x: Pixels, y: Pixels, width: Pixels, height: Pixels) -> dict[str, Any]:
    return {"x": x, "y": y, "x2": x + width, "y2": y + height}
