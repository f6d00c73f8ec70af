"""The picture of the first screen: where the parts are combined, for a reader who has seen no curve of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from assay.evidence import Evidence
from assay.figure import Curve
from assay.report.canvas import Panel
from assay.report.pictures.curve import curve_picture

LINES = ("Cs", "C")
OF_INPUTS = "E"
CAPTION = (
    "Horizontal: cuts. Vertical: composed states (sums of effects of parts) answered right, rescaled to chance 0, with "
    "intervals. Cs: trained, C: novel; grey: nulls. Shaded: parts are combined."
)
CONCLUSIONS: Mapping[object, str] = {
    "the combining": "C lies below Cs: the combining breaks.",
    "the way in": f"{OF_INPUTS}, novel inputs answered like these states, lies below C: the way in breaks.",
    "nothing found": "C stays with Cs: nothing breaks.",
}
OPEN = "The combining breaks where C is far below Cs."


@dataclass(frozen=True)
class FirstPicture:
    """The panel, and what its axes, lines, bars and shading are, and what follows."""

    panel: Panel
    caption: str


def first_picture(evidence: Evidence) -> FirstPicture | None:
    """The curves of composed states, trained and novel, beside their nulls; None of evidence without them."""
    curve = next((figure for figure in evidence.figures if isinstance(figure, Curve)), None)
    if evidence.instrument != "recombination" or curve is None or not curve.plots:
        return None
    breaks = evidence.settings.get("breaks")
    names = (*LINES, OF_INPUTS) if breaks == "the way in" else LINES
    plot = curve.plots[0]
    kept = tuple(line for line in plot.lines if line.null or line.name in names)
    drawn = curve_picture(replace(curve, plots=(replace(plot, lines=kept),)))
    return FirstPicture(drawn.panels[0], f"{CAPTION} {CONCLUSIONS.get(breaks, OPEN)}") if drawn else None
