"""Drawing surface of figures: a canvas collects marks in pixels, and a panel of marks is written as SVG.

A mark names its colours (`ink`, `value`), and a palette defines them. So the same marks can be inlined in a page, with its
light or dark colours, or written to a file with light colours.
"""

import math
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path
from types import MappingProxyType
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring

from assay.printable import printable
from assay.report.pdf import pdf_of
from assay.store import write_bytes_atomically

WIDTH, MARGIN = 312, 8  # width of the plot, and margin at either side
FULL = WIDTH + 2 * MARGIN  # fits a phone of 360 pixels
EDGE = 2  # space above and below the plot
GAP = 32  # space between the panels of a file
CHARACTER = 6.0  # mean width of a character of 11 pixels, in the widest of the usual fonts
FONT = "Helvetica Neue, Helvetica, Arial, sans-serif"

PAPER, INK, MUTED, FAINT, VALUE, NULL = "paper", "ink", "muted", "faint", "value", "null"
FAULT, CARRIED, RESTORED = "fault", "carried", "restored"
SERIES = (VALUE, "orange", "purple", "teal", "rose")  # colours of the lines in one plot, distinguishable for the colour-blind
LIGHT = {
    PAPER: "#fffffe", INK: "#1d2126", MUTED: "#59616b", FAINT: "#e3e5e8", VALUE: "#12598c", NULL: "#a5abb3",
    FAULT: "#b3372b", CARRIED: "#c98a1b", RESTORED: "#3d7f4f",
    "orange": "#b45f06", "purple": "#6f3f98", "teal": "#1b7a68", "rose": "#a63d70",
}  # fmt: skip
PAGE = {colour: f"var(--{colour})" for colour in LIGHT}  # set by the style sheet for light, dark and print

_TALL = math.sqrt(3) / 2
_OUTLINES = {  # coordinates of a shape of width 2 around its centre
    "diamond": ((-1, 0), (0, -1), (1, 0), (0, 1)),
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "triangle-up": ((0, -_TALL), (-1, _TALL), (1, _TALL)),
    "triangle-down": ((0, _TALL), (-1, -_TALL), (1, -_TALL)),
    "triangle-left": ((-_TALL, 0), (_TALL, -1), (_TALL, 1)),
    "triangle-right": ((_TALL, 0), (-_TALL, -1), (-_TALL, 1)),
    "cross": tuple(
        (x * a - y * b, y * a + x * b)  # one arm, rotated to four sides
        for a, b in ((1, 0), (0, 1), (-1, 0), (0, -1))
        for x, y in ((0.4, -0.4), (1, -0.4), (1, 0.4))
    ),
}
_ANCHORS = {"left": ("start", 0.0), "center": ("middle", 0.5), "right": ("end", 1.0)}  # and share of the width before it

Pixels = float | int
Point = tuple[Pixels, Pixels]


@dataclass(frozen=True)
class Mark:
    """An SVG element: tag, attributes (colours by name), text, tooltip (`description`), and the name of its link target on a
    page."""

    tag: str
    attributes: Mapping[str, str | Pixels]
    words: str = ""
    description: str = ""
    leads_to: str = ""


@dataclass(frozen=True)
class Panel:
    """One small figure, 328 pixels wide.

    **Attributes:**

    - `title`, `subtitle`: headings, which are not among the marks.
    - `description`: the figure as text, for screen readers.
    - `height`: of the plot, in pixels.
    - `marks`, `texts`: the drawing, from back to front; `halo`: whether texts are outlined against the lines that they cross.
    - `has_chance`: whether the chance score is drawn.
    """

    title: str
    subtitle: str
    description: str
    height: Pixels
    marks: tuple[Mark, ...]
    texts: tuple[Mark, ...]
    halo: bool = True
    has_chance: bool = False


class Svg(str):
    """Text of an SVG file, which a notebook shows as a figure.

    Example::

        >>> from pathlib import Path
        >>> from assay.report import figures_of
        >>> figure = figures_of(assay.read_report("report").evidence[0])["measures"]
        >>> written = Path("measures.svg").write_text(figure)
        >>> figure.pdf()[:5]
        b'%PDF-'
    """

    def _repr_svg_(self) -> str:
        return str(self)

    def pdf(self) -> bytes:
        """The figure as a PDF file."""
        return pdf_of(fromstring(self))

    def write(self, path: Path) -> None:
        """Write the figure as `.svg` and `.pdf`; `path` has no suffix."""
        write_bytes_atomically(path.with_name(f"{path.name}.svg"), self.encode())
        write_bytes_atomically(path.with_name(f"{path.name}.pdf"), self.pdf())


class Canvas:
    """Collection of marks; x runs right from 0 to `WIDTH`, y down from 0 to `height`.

    Later marks cover earlier ones of the same layer. From back to front the layers are `back`, `rules`, `lines` and `dots`.
    """

    def __init__(self, height: Pixels, *, halo: bool = True):
        self.height = height
        self._halo = halo
        self._layers: dict[str, list[Mark]] = {"back": [], "rules": [], "lines": [], "dots": []}
        self._texts: list[Mark] = []

    def fill(
        self, x: Pixels, y: Pixels, width: Pixels, height: Pixels, *, share: float, description: str, leads_to: str = ""
    ) -> None:
        """A filled rectangle, darker for a larger share."""
        opacity = 0.04 + 0.96 * min(max(share, 0.0), 1.0)
        box = {"x": x, "y": y, "width": width, "height": height, "fill": VALUE, "fill-opacity": opacity}
        self._layers["back"].append(Mark("rect", box, description=description, leads_to=leads_to))

    def pixels(self, x: Pixels, y: Pixels, side: Pixels, lines: Sequence[Sequence[str]], *, description: str) -> None:
        """Rows of squares, each with a colour by name or as `#rrggbb`; equal neighbours in a row are drawn as one."""
        outlines: dict[str, list[str]] = {}
        for i, line in enumerate(lines):
            for colour, run in groupby(range(len(line)), key=line.__getitem__):
                j, *more = run
                at, wide, high = f"M{_number(x + side * j)},{_number(y + side * i)}", side * (1 + len(more)), side
                outlines.setdefault(colour, []).append(f"{at}h{_number(wide)}v{_number(high)}h{_number(-wide)}Z")
        for colour, runs in outlines.items():
            drawn = {"d": "".join(runs), "fill": colour, "shape-rendering": "crispEdges"}
            self._layers["back"].append(Mark("path", drawn, description=description))

    def frame(self, x: Pixels, y: Pixels, width: Pixels, height: Pixels) -> None:
        """The outline of a rectangle."""
        box = {"x": x, "y": y, "width": width, "height": height, "stroke": INK, "stroke-width": 1.5}
        self._layers["back"].append(Mark("rect", box))

    def rule(
        self,
        x: Pixels,
        y: Pixels,
        x2: Pixels,
        y2: Pixels,
        *,
        colour: str = FAINT,
        thick: Pixels = 1,
        dash: tuple[int, ...] = (),
        layer: str = "rules",
    ) -> None:
        """A straight line."""
        self.line([(x, y), (x2, y2)], colour=colour, thick=thick, dash=dash, layer=layer)

    def line(
        self,
        *pieces: Sequence[Point],
        colour: str = VALUE,
        thick: Pixels = 1.5,
        dash: tuple[int, ...] = (),
        description: str = "",
        layer: str = "lines",
    ) -> None:
        """A line through points, in one or several pieces; `dash`: lengths in pixels of dashes and gaps."""
        attributes = {"d": "".join(map(_path, pieces)), "stroke": colour, "stroke-width": thick}
        attributes |= {"stroke-dasharray": " ".join(map(str, dash))} if dash else {}
        self._layers[layer].append(Mark("path", attributes, description=description))

    def area(self, outline: Sequence[Point], *, colour: str, description: str = "") -> None:
        """The area inside a closed line, lightly filled."""
        attributes = {"d": _path(outline) + "Z", "fill": colour, "fill-opacity": 0.25}
        self._layers["back"].append(Mark("path", attributes, description=description))

    def dot(
        self,
        x: Pixels,
        y: Pixels,
        description: str = "",
        *,
        size: Pixels = 56,
        colour: str = VALUE,
        shape: str = "circle",
        is_open: bool = False,
        leads_to: str = "",
    ) -> None:
        """A measured value or a small symbol; `size`: area of its bounding square, in square pixels; `leads_to`: as in
        `Mark`."""
        half = math.sqrt(size) / 2
        if shape == "circle":
            tag, attributes = "circle", {"cx": x, "cy": y, "r": half}
        else:
            tag, attributes = "path", {"d": _path([(x + half * a, y + half * b) for a, b in _OUTLINES[shape]]) + "Z"}
        if is_open:
            attributes |= {"stroke": colour, "stroke-width": 1.2}
        else:
            attributes |= {"fill": colour} | ({"stroke": PAPER} if size > 20 else {})
        self._layers["dots"].append(Mark(tag, attributes, description=description, leads_to=leads_to))

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
        """Text, centred vertically on y. Text that would leave the panel is moved, and text that is wider is cut."""
        words = shortened(printable(words), FULL, size)
        anchor, share = _ANCHORS[align]
        width = width_of(words, size)
        left = min(max(x - share * width, -MARGIN), WIDTH + MARGIN - width)
        attributes = {"x": left + share * width, "y": y + 0.3 * size, "fill": colour}
        attributes |= {"text-anchor": anchor} if align != "left" else {}
        attributes |= {"font-weight": weight} if weight != "normal" else {}
        attributes |= {"font-size": size} if size != 11 else {}
        self._texts.append(Mark("text", attributes, words))

    def panel(self, title: str, subtitle: str, description: str, *, has_chance: bool = False) -> Panel:
        """The marks collected so far, as a panel."""
        marks = tuple(mark for layer in self._layers.values() for mark in layer)
        return Panel(title, subtitle, description, self.height, marks, tuple(self._texts), self._halo, has_chance)


def width_of(words: str, size: Pixels = 11) -> float:
    """Approximate width of a text in pixels; a full-width character counts as two."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in words)
    return CHARACTER * size / 11 * (len(words) + wide)


def shortened(words: str, pixels: Pixels, size: Pixels = 11) -> str:
    """A text, cut to a width in pixels, to two characters at the least."""
    if width_of(words, size) <= pixels:
        return words
    ends = accumulate(width_of(letter, size) for letter in words)
    return words[: max(2, sum(end <= pixels - width_of("x", size) for end in ends))] + "\N{HORIZONTAL ELLIPSIS}"


def inline_svg(panel: Panel, anchors: Mapping[str, str] = MappingProxyType({})) -> str:
    """A panel as inline SVG of a page, with the page's colours and tooltips on marks.

    **Arguments:** `anchors`: anchors on the page of the targets to which marks link, by name.
    """
    root = _root(FULL, panel.height + 2 * EDGE, panel.description)
    root.append(_drawn(panel, PAGE, MARGIN, EDGE, anchors))
    if root.find(".//a") is not None:
        root.set("role", "group")  # links inside role="img" would be unreachable
    return tostring(root, encoding="unicode")


def standalone_svg(panels: Sequence[Panel], title: str) -> Svg:
    """Panels as an SVG file, in two columns, with light colours."""
    placed, foot = [], GAP / 4
    for row in (panels[start : start + 2] for start in range(0, len(panels), 2)):
        heads = [_head(panel) for panel in row]
        top = foot + max(head.height for head in heads) + GAP / 4
        for column, (panel, head) in enumerate(zip(row, heads, strict=True)):
            x = MARGIN + column * (FULL + GAP)
            placed += [_drawn(head, LIGHT, x, foot), _drawn(panel, LIGHT, x, top)]
        foot = top + max(panel.height for panel in row) + GAP
    root = _root(2 * FULL + GAP if len(panels) > 1 else FULL, foot, " ".join(panel.description for panel in panels))
    root.attrib |= {"xmlns": "http://www.w3.org/2000/svg", "font-family": FONT}
    SubElement(root, "title").text = printable(title)
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": LIGHT[PAPER]})
    root.extend(placed)
    return Svg(tostring(root, encoding="unicode"))


def _root(width: Pixels, height: Pixels, description: str) -> Element:
    size = {"width": _number(width), "height": _number(height), "viewBox": f"0 0 {_number(width)} {_number(height)}"}
    return Element("svg", {"role": "img", "aria-label": printable(description), **size})


def _head(panel: Panel) -> Panel:
    """Title and subtitle as a panel of marks, wrapped to its width."""
    canvas = Canvas(0)
    for words, size, weight, colour in ((panel.title, 13, "bold", INK), (panel.subtitle, 11, "normal", MUTED)):
        for line in textwrap.wrap(printable(words), int(WIDTH / width_of("x", size))):
            canvas.text(line, 0, canvas.height + size / 2 + 2, size=size, weight=weight, colour=colour)
            canvas.height += size + 4
    return canvas.panel("", "", "")


def _drawn(
    panel: Panel, palette: Mapping[str, str], x: Pixels, y: Pixels, anchors: Mapping[str, str] = MappingProxyType({})
) -> Element:
    """The marks of a panel in the colours of a palette, with the upper left corner of the plot at (x, y)."""
    group = Element("g", {"fill": "none", "transform": f"translate({_number(x)} {_number(y)})"})
    for mark in panel.marks:
        element = _element(mark, palette)
        if mark.leads_to in anchors:
            link = Element("a", {"href": f"#{anchors[mark.leads_to]}", "aria-label": printable(mark.description)})
            link.append(element)
            element = link
        group.append(element)
    halo = {"stroke": PAPER, "stroke-width": 3, "stroke-linejoin": "round", "paint-order": "stroke"} if panel.halo else {}
    texts = _element(Mark("g", {"font-size": 11, **halo}), palette)
    texts.extend(_element(mark, palette) for mark in panel.texts)
    group.append(texts)
    return group


def _element(mark: Mark, palette: Mapping[str, str]) -> Element:
    attributes = {
        name: palette.get(value, value) if isinstance(value, str) else _number(value) for name, value in mark.attributes.items()
    }
    element = Element(mark.tag, attributes)
    element.text = mark.words or None
    if mark.description:
        SubElement(element, "title").text = printable(mark.description)
    return element


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: Pixels) -> str:
    """A number rounded to hundredths of a pixel, without negative zero."""
    return f"{round(value, 2) + 0.0:g}"
