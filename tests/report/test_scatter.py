"""Points on a plane: each at its place, named and told."""

import math

import pytest

from assay.bounds import LARGEST
from assay.figure import Point, Scatter
from assay.report.canvas import FAINT, VALUE, inline_svg
from assay.report.pictures import picture_of
from assay.report.pictures.scatter import MIDDLE, MOST_RADIUS, RADIUS
from svg_marks import lines, marks


def plane(*points, arrows=True, sizes="edges"):
    named = tuple(Point(name=name, x=x, y=y, size=size, note=note) for name, x, y, size, note in points)
    return picture_of(Scatter(name="Directions", points=named, caption="c", arrows=arrows, sizes=sizes, level=0))


def placed(picture):
    """Where every point lies, seen from the middle, as (x to the right, y up)."""
    (panel,) = picture.panels
    told = {mark.description.partition(" at ")[0]: mark for mark in marks(inline_svg(panel), "circle")}
    return {name: (mark["cx"] - MIDDLE, panel.height / 2 - mark["cy"]) for name, mark in told.items()}


def radii(picture):
    return {mark.description.partition(" ")[0]: mark["r"] for mark in marks(inline_svg(picture.panels[0]), "circle")}


def test_angles_and_lengths_of_arrows_are_kept(pictured):
    made = pictured.directions(24)
    found = placed(picture_of(made))
    assert len(found) == 24
    for point in made.points:
        right, up = found[point.name]
        assert right == pytest.approx(point.x * RADIUS, abs=0.01)
        assert up == pytest.approx(point.y * RADIUS, abs=0.01)
    assert len(lines(inline_svg(picture_of(made).panels[0]), VALUE, 1)) == 24


def test_the_circle_has_length_one_or_that_of_the_longest():
    short = plane(("a", 0.0, 0.5, 1.0, ""))
    long = plane(("a", 0.0, 4.0, 1.0, ""), ("b", 2.0, 0.0, 1.0, ""))
    assert placed(short)["a"] == (0.0, pytest.approx(RADIUS / 2))
    assert placed(long) == {"a": (0.0, pytest.approx(RADIUS)), "b": (pytest.approx(RADIUS / 2), 0.0)}
    assert [picture.panels[0].subtitle for picture in (short, long)] == [
        "1 point; the circle has length 1",
        "2 points; the circle has length 4",
    ]


def test_turning_the_plane_turns_the_picture(pictured):
    points = pictured.directions(10).points
    before = placed(plane(*((point.name, point.x, point.y, None, "") for point in points)))
    after = placed(plane(*((point.name, -point.y, point.x, None, "") for point in points)))
    for name, (x, y) in before.items():
        assert after[name] == (pytest.approx(-y, abs=0.01), pytest.approx(x, abs=0.01))


def test_points_without_arrows_fill_a_square_around_their_middle():
    picture = plane(("a", 10.0, 1.0, None, ""), ("b", 14.0, 1.0, None, ""), ("c", 12.0, 2.0, None, ""), arrows=False)
    assert placed(picture) == {"a": (-RADIUS, -RADIUS / 4), "b": (RADIUS, -RADIUS / 4), "c": (0.0, RADIUS / 4)}
    (panel,) = picture.panels
    assert panel.subtitle == "3 points; 10 to 14 across, 1 to 2 up"
    assert "a at (10.0, 1.00)" in panel.description
    svg = inline_svg(panel)
    assert lines(svg, VALUE, 1) == []
    square = next(piece for piece in lines(svg, FAINT, 1) if len(piece) == 5)
    assert {round(abs(x - MIDDLE), 1) for x, _ in square} == {RADIUS}
    assert {round(abs(y - panel.height / 2), 1) for _, y in square} == {RADIUS}


def test_every_point_is_named_and_told(pictured):
    made = pictured.directions(24)
    (panel,) = picture_of(made).panels
    for point in made.points:
        assert f"{point.name} at " in panel.description
    (only,) = plane(("nsubj", 0.0, 2.0, 1204.0, "0.91")).panels
    assert "nsubj at 90 degrees, edges 1,204, 0.91" in only.description
    assert all(words in inline_svg(only) for words in (">nsubj<", ">0.91<"))


def test_a_long_note_is_told_but_leaves_the_room_to_the_name():
    (panel,) = plane(("nsubj:pass", 1.0, 0.0, None, "0.91 of its edges")).panels
    assert "nsubj:pass at 0 degrees, 0.91 of its edges" in panel.description
    assert [mark.words for mark in marks(inline_svg(panel), "text")] == ["nsubj:pass"]


def test_a_larger_size_is_a_larger_dot_and_none_is_the_usual_one():
    radius = radii(plane(("few", 1.0, 0.0, 30.0, ""), ("many", 0.0, 1.0, 3000.0, ""), ("none", -1.0, 0.0, None, "")))
    assert radius["many"] > 2 * radius["few"]
    assert radius["few"] < radius["none"] < radius["many"]
    assert radii(plane(("a", 1.0, 0.0, 0.0, ""))) == {"a": radius["none"]}


def test_none_one_at_zero_and_the_largest_numbers():
    assert plane() is None
    for arrows in (True, False):
        assert placed(plane(("nsubj", 0.0, 0.0, 30.0, ""), arrows=arrows)) == {"nsubj": (0.0, 0.0)}
        for end in (LARGEST, 1e-320):
            far = placed(plane(("a", end, end, 1.0, ""), ("b", -end, 0.0, 1.0, ""), arrows=arrows))
            assert all(map(math.isfinite, (*far["a"], *far["b"])))


def test_the_frame_grows_with_the_names_beside_it():
    def square(count):
        points = ((f"w{k}", math.cos(2.4 * k) * k, math.sin(2.4 * k) * k, None, "") for k in range(count))
        (panel,) = plane(*points, arrows=False).panels
        sides = next(piece for piece in lines(inline_svg(panel), FAINT, 1) if len(piece) == 5)
        names = [mark["y"] for mark in marks(inline_svg(panel), "text")]
        return max(y for _, y in sides) - min(y for _, y in sides), max(names) - min(names)

    frame, names = square(32)
    assert names < frame
    few, more, many = (square(count)[0] for count in (4, 32, 80))
    assert (few, many) == (2 * RADIUS, 2 * MOST_RADIUS)
    assert few < more <= many
