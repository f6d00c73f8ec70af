"""Pictures of figures: each type is drawn by one function."""

from assay.evidence import Evidence
from assay.figure import ComputationGraphs, Curve, DetailTable, Figure, ImageGrid, Matrix, RelationGraphs, Scatter
from assay.report.canvas import Svg, standalone_svg
from assay.report.figures import panels
from assay.report.pictures.curve import curve_picture
from assay.report.pictures.graphs import graphs_picture
from assay.report.pictures.images import images_picture
from assay.report.pictures.matrix import matrix_picture
from assay.report.pictures.picture import DrawnFigure as DrawnFigure
from assay.report.pictures.picture import free_name
from assay.report.pictures.scatter import scatter_picture
from assay.report.pictures.steps import steps_picture


def pictures(evidence: Evidence) -> list[DrawnFigure]:
    """The pictures of all figures that have one, in their order."""
    return [picture for figure in evidence.figures if (picture := picture_of(figure))]


def picture_of(figure: Figure) -> DrawnFigure | None:
    """The picture of one figure; None of a table, which the report gives in numbers only, and where nothing can be drawn."""
    match figure:
        case Curve():
            return curve_picture(figure)
        case Scatter():
            return scatter_picture(figure)
        case RelationGraphs():
            return graphs_picture(figure)
        case Matrix():
            return matrix_picture(figure)
        case ComputationGraphs():
            return steps_picture(figure)
        case ImageGrid():
            return images_picture(figure)
        case DetailTable():
            return None


def figures_of(evidence: Evidence) -> dict[str, Svg]:
    """What is drawn of one instrument: under `measures` all its measures beside their nulls, with their intervals, and every
    figure that has a picture under its name; further ones of one name are numbered, as in `Curve-2`.

    Example::

        >>> from assay.report import figures_of
        >>> figures = figures_of(assay.read_report("report").evidence[0])
        >>> list(figures)  # a notebook shows figures["measures"]
        ['measures']
    """
    drawn = {"measures": panels(evidence)}
    for picture in pictures(evidence):
        drawn[free_name(picture.name, drawn)] = list(picture.panels)
    return {name: standalone_svg(shown, name) for name, shown in drawn.items() if shown}
