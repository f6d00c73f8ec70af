"""Small pictures: every pixel is drawn in its place and colour, segments of one number alike."""

import re

from assay.figure import GridImage, ImageGrid
from assay.report.canvas import FAINT, WIDTH
from assay.report.pictures import picture_of
from assay.report.pictures.images import MOST_PIXELS, MOST_ROWS

RUN = re.compile(r"M(?P<x>[-.\d]+),(?P<y>[-.\d]+)h(?P<wide>[-.\d]+)v(?P<high>[-.\d]+)")


def drawn(*rows):
    return picture_of(ImageGrid(name="Segments", rows=rows, caption="how to read them", level=0))


def area(mark):
    return sum(float(run["wide"]) * float(run["high"]) for run in RUN.finditer(mark.attributes["d"]))


def test_every_pixel_is_drawn_once_in_its_colour():
    colours = GridImage(name="input", pixels=((0xFF0000, 0xFF0000), (0x00FF00, 0xFF0000)))
    (panel,) = drawn((colours,)).panels
    found = {mark.attributes["fill"]: mark for mark in panel.marks}
    assert set(found) == {"#ff0000", "#00ff00"}
    assert abs(area(found["#ff0000"]) - 3 * area(found["#00ff00"])) < 0.1
    first, second = RUN.finditer(found["#ff0000"].attributes["d"])
    assert float(first["wide"]) == 2 * float(second["wide"])
    assert float(second["y"]) > float(first["y"])
    (below,) = RUN.finditer(found["#00ff00"].attributes["d"])
    assert (float(below["x"]), below["y"]) == (0.0, second["y"])


def test_segments_of_one_number_have_one_colour_and_the_background_is_faint():
    one = GridImage(name="objects", pixels=((0, 1, 2),), labels=True)
    other = GridImage(name="network", pixels=((2, 1, 0),), labels=True, note="FG-ARI 0.86")
    (panel,) = drawn((one, other)).panels
    fills = [mark.attributes["fill"] for mark in panel.marks]
    assert fills[0] == FAINT
    assert set(fills[:3]) == set(fills[3:])
    assert len(set(fills)) == 3
    assert "network: FG-ARI 0.86" in panel.description
    assert {text.words for text in panel.texts} >= {"objects", "network", "FG-ARI 0.86"}


def test_pictures_of_every_size_stay_on_the_panel():
    large = GridImage(name="large", pixels=tuple(tuple(range(200)) for _ in range(150)), labels=True)
    for row in ((large,) * 7, (GridImage(name="none", pixels=()),), (GridImage(name="one", pixels=((7,),), labels=True),)):
        (panel,) = drawn(row).panels
        for mark in panel.marks:
            for run in RUN.finditer(mark.attributes["d"]):
                assert 0 <= float(run["x"]) <= float(run["x"]) + float(run["wide"]) <= WIDTH + 0.1
                assert float(run["y"]) + float(run["high"]) <= panel.height
    (panel,) = drawn((large,)).panels
    assert sum(len(RUN.findall(mark.attributes["d"])) for mark in panel.marks) <= MOST_PIXELS**2


def test_rows_are_opened_one_at_a_time_and_no_row_is_no_picture():
    row = (GridImage(name="p", pixels=((1,),), labels=True),)
    assert drawn() is None
    assert drawn(()) is None
    assert drawn(row).choices == ()
    assert drawn(row, row).choices == ("row 1", "row 2")
    many = drawn(*[row] * (MOST_ROWS + 1))
    assert (len(many.panels), many.left_out) == (MOST_ROWS, "1 more row in report.json.")
