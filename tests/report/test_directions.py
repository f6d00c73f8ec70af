"""The plane of relations: every direction at its angle."""

import pytest

from assay.evidence import Table
from assay.report.canvas import inline_svg
from assay.report.pictures import picture_of
from assay.report.pictures.directions import MIDDLE, RADIUS
from svg_marks import marks


def plane(*rows, columns=("relation", "x", "y", "edges", "accuracy")):
    return picture_of(Table(name="Relation directions", columns=columns, rows=tuple(rows), level=0))


def placed(picture):
    """Where every relation lies, seen from the middle, as (x to the right, y up)."""
    (panel,) = picture.panels
    told = {mark.told.partition(" at ")[0]: mark for mark in marks(inline_svg(panel), "circle")}
    return {name: (mark["cx"] - MIDDLE, panel.height / 2 - mark["cy"]) for name, mark in told.items()}


def test_angles_and_lengths_are_kept(pictured):
    made = pictured.directions(24)
    found = placed(picture_of(made))
    assert len(found) == 24
    for name, x, y, *_ in made.rows:
        right, up = found[name]
        assert right == pytest.approx(x * RADIUS, abs=0.01)
        assert up == pytest.approx(y * RADIUS, abs=0.01)


def test_the_circle_has_length_one_or_that_of_the_longest():
    short, long = plane(("a", 0.0, 0.5, 1, None)), plane(("a", 0.0, 4.0, 1, None), ("b", 2.0, 0.0, 1, None))
    assert placed(short)["a"] == (0.0, pytest.approx(RADIUS / 2))
    assert placed(long) == {"a": (0.0, pytest.approx(RADIUS)), "b": (pytest.approx(RADIUS / 2), 0.0)}
    assert ("length 1;" in short.caption, "length 4;" in long.caption) == (True, True)


def test_turning_the_plane_turns_the_picture(pictured):
    rows = pictured.directions(10).rows
    before = placed(plane(*rows))
    after = placed(plane(*((name, -y, x, *more) for name, x, y, *more in rows)))
    for name, (x, y) in before.items():
        assert after[name] == (pytest.approx(-y, abs=0.01), pytest.approx(x, abs=0.01))


def test_every_relation_is_named_and_told(pictured):
    made = pictured.directions(24)
    (panel,) = picture_of(made).panels
    for name, *_ in made.rows:
        assert f"{name} at " in panel.told
    (only,) = plane(("nsubj", 0.0, 2.0, 1204, 0.91)).panels
    assert "nsubj at 90 degrees, 1,204 edges, accuracy 0.910" in only.told
    assert all(words in inline_svg(only) for words in (">nsubj<", ">0.91<"))


def test_more_edges_are_a_larger_dot():
    picture = plane(("few", 1.0, 0.0, 30, 0.5), ("many", 0.0, 1.0, 3000, 0.5))
    radius = {mark.told.partition(" ")[0]: mark["r"] for mark in marks(inline_svg(picture.panels[0]), "circle")}
    assert radius["many"] > 2 * radius["few"]


def test_neither_edges_nor_accuracy_are_needed():
    picture = plane(("nsubj", 1.0, 0.5), ("obj", -1.0, 0.5), columns=("relation", "x", "y"))
    assert set(placed(picture)) == {"nsubj", "obj"}
    assert "accuracy" not in picture.caption


def test_none_a_zero_and_what_has_no_direction():
    assert plane() is None
    assert plane(("nsubj", None, None, 3, None)) is None
    assert placed(plane(("nsubj", 0.0, 0.0, 30, 0.5))) == {"nsubj": (0.0, 0.0)}
    picture = plane(("nsubj", 1.0, 0.0, 30, None), ("rare", None, None, 0, None))
    assert picture.left_out == "1 relation without a direction."
