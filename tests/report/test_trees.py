"""Two trees beside one sentence: every arc is drawn once, agreement is told, and brackets do not run into one another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.evidence import Table
from assay.report.canvas import INK, MUTED, VALUE, inline_svg
from assay.report.pictures import picture_of
from assay.report.pictures.trees import MAX_SENTENCES, MAX_WORDS, nested
from svg_marks import lines

COLUMNS = ("sentence", "word", "form", "gold head", "gold relation", "predicted head", "predicted relation")


def drawn(*rows):
    return picture_of(Table(name="Sentences", columns=COLUMNS, rows=rows, level=0))


def brackets(svg, colour):
    """From which row to which every bracket of a colour runs, as words from 0."""
    ends = [(piece[0][1], piece[-1][1]) for piece in lines(svg, colour, 1)]
    return [(round((y - 34.5) / 17), round((end - 34.5) / 17)) for y, end in ends]


def test_every_arc_is_a_bracket_of_its_side(pictured):
    (panel,) = picture_of(pictured.sentences(1)).panels
    svg = inline_svg(panel)
    gold = [(head, word) for word, head in enumerate(pictured.HEADS) if head >= 0]
    predicted = [(max(0, word - 1) if word in (3, 8) else head, word) for head, word in gold]
    assert sorted(brackets(svg, MUTED)) == sorted(gold)
    assert sorted(brackets(svg, VALUE)) == sorted(arc for arc in predicted if arc in gold)
    assert sorted(brackets(svg, INK)) == sorted(arc for arc in predicted if arc not in gold) == [(2, 3), (7, 8)]
    assert svg.count('stroke-dasharray="3 2"') == 2


def test_what_agrees_is_counted_and_told(pictured):
    picture = picture_of(pictured.sentences(1))
    (panel,) = picture.panels
    assert panel.subtitle == "9 of 11 heads right, 8 of them with their relation"
    assert picture.choices == (f"{' '.join(pictured.WORDS)} (9 of 11)",)
    assert "cats: declared nsubj of <b>chased</b>, predicted obl of <b>chased</b>" in panel.told
    assert "the: declared det of cats, predicted det of that" in panel.told


def test_indices_may_start_anywhere_and_a_head_outside_is_a_root():
    plain = drawn(("s", 0, "a", -1, "root", 1, "x"), ("s", 1, "b", 0, "obj", None, "root"))
    moved = drawn(("s", 1, "a", 0, "root", 2, "x"), ("s", 2, "b", 1, "obj", 0, "root"))
    assert inline_svg(plain.panels[0]) == inline_svg(moved.panels[0])
    assert plain.panels[0].told == "0 of 1 head right, 0 of them with their relation. " + (
        "a: declared root, predicted x of b; b: declared obj of a, predicted root."
    )


def test_a_word_with_two_heads_has_two_brackets_and_is_told_once():
    rows = [
        ("s", 0, "a", -1, "root", -1, "root"),
        ("s", 1, "b", 0, "r", 0, "r"),
        ("s", 2, "c", 0, "r", 0, "r"),
        ("s", 2, "c", 1, "q", -1, None),
    ]
    (panel,) = drawn(*rows).panels
    svg = inline_svg(panel)
    assert sorted(brackets(svg, MUTED)) == [(0, 1), (0, 2), (1, 2)]
    assert sorted(brackets(svg, VALUE)) == [(0, 1), (0, 2)]
    assert svg.count(">c</text>") == 1
    assert "c: declared r of a and q of b, predicted r of a" in panel.told


def test_no_row_one_word_and_a_word_that_is_its_own_head():
    assert drawn() is None
    for head in (0, -1, None):
        picture = drawn(("s", 0, "alone", head, None, head, None))
        assert picture.panels[0].subtitle == "0 of 0 heads right, 0 of them with their relation"
        assert "alone" in inline_svg(picture.panels[0])


def test_what_is_too_much_is_left_out_and_counted(pictured):
    many = picture_of(pictured.sentences(MAX_SENTENCES + 2, words=("a", "b", "c")))
    assert len(many.panels) == MAX_SENTENCES
    assert many.left_out == "2 more sentences in report.json."
    long = drawn(*(("s", k, "w", k - 1, "r", k - 1, "r") for k in range(MAX_WORDS + 1)))
    assert long is None
    assert picture_of(pictured.sentences(1)).left_out == ""


def test_a_long_sentence_fits_between_the_relations():
    rows = [
        ("s", k, "donaudampfschifffahrt", 0 if k else -1, "parataxis:emphatic", 0 if k else -1, "r") for k in range(MAX_WORDS)
    ]
    svg = inline_svg(drawn(*rows).panels[0])
    assert len(brackets(svg, MUTED)) == MAX_WORDS - 1
    xs = [x for piece in lines(svg, MUTED, 1) for x, _ in piece]
    assert min(xs) > 40


@pytest.mark.parametrize(
    ("arcs", "levels"),
    [([], []), ([(0, 1)], [1]), ([(0, 1), (2, 3)], [1, 1]), ([(0, 1), (1, 2)], [1, 2]), ([(0, 3), (1, 2)], [2, 1])],
)
def test_levels_of_small_trees(arcs, levels):
    assert nested(arcs) == levels


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda arc: arc[0] != arc[1]), max_size=20, unique=True)
)
def test_brackets_of_one_level_never_meet_and_outer_ones_lie_further_out(arcs):
    levels = nested(arcs)
    spans = [(min(arc), max(arc)) for arc in arcs]
    for a in range(len(arcs)):
        for b in range(a):
            if spans[a][0] <= spans[b][1] and spans[b][0] <= spans[a][1]:
                assert levels[a] != levels[b]
            if spans[a] != spans[b] and spans[a][0] <= spans[b][0] and spans[b][1] <= spans[a][1]:
                assert levels[a] > levels[b]
