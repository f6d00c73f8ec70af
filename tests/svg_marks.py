"""The SVG of reports read back: every mark with its place on the plot, its colours by name, its words and its tooltip."""

from dataclasses import dataclass
from xml.etree import ElementTree

from assay.report.canvas import LIGHT, PAGE, width_of

COLOURS = {value: name for palette in (LIGHT, PAGE) for name, value in palette.items()}
LEFT_OF = {"start": 0.0, "middle": 0.5, "end": 1.0}


@dataclass(frozen=True)
class Drawn:
    """One element. Attributes that are numbers are read as such."""

    tag: str
    attributes: dict
    words: str
    description: str

    def __getitem__(self, name):
        return self.attributes.get(name)

    @property
    def pieces(self):
        """Points of every piece of a path."""
        pieces = self["d"].strip("MZ").split("M")
        return [[tuple(map(float, point.split(","))) for point in piece.split("L")] for piece in pieces]

    @property
    def ends(self):
        """From where to where words reach across, at the width that the report reckons with."""
        width = width_of(self.words, self["font-size"] or 11)
        left = self["x"] - LEFT_OF[self["text-anchor"] or "start"] * width
        return left, left + width


def marks(svg, *tags):
    """All marks of these tags, from back to front."""
    found = [
        Drawn(
            tag=element.tag.rpartition("}")[2],
            attributes={name: _read(value) for name, value in element.attrib.items()},
            words=element.text or "",
            description=next((child.text for child in element if child.tag.endswith("title")), ""),
        )
        for element in ElementTree.fromstring(svg).iter()
    ]
    return [mark for mark in found if mark.tag in (tags or ("path", "circle", "rect", "text"))]


def dots(svg):
    """Where the measured values are: middles of the circles that are filled."""
    return [(mark["cx"], mark["cy"]) for mark in marks(svg, "circle") if mark["fill"]]


def lines(svg, colour, thick):
    """Points of every piece of the lines of one colour and thickness."""
    return [
        piece
        for mark in marks(svg, "path")
        if (mark["stroke"], mark["stroke-width"]) == (colour, thick) and not mark["fill"]
        for piece in mark.pieces
    ]


def _read(value):
    try:
        return float(value)
    except ValueError:
        return COLOURS.get(value, value)
