"""Two graphs beside one text: every arc is drawn once, agreement is told, and brackets do not run into one another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.figure import Edge, Parse, RelationGraphs
from assay.report.canvas import INK, MUTED, VALUE, inline_svg
from assay.report.pictures import picture_of
from assay.report.pictures.graphs import MAX_TEXTS, MAX_WORDS, nested
from svg_marks import lines, marks


def edges(*triples):
    return tuple(Edge(head=head, dependent=dependent, relation=relation) for head, dependent, relation in triples)


def drawn(words, declared=(), predicted=()):
    text = Parse(name="s", words=tuple(words), declared=edges(*declared), predicted=edges(*predicted))
    return picture_of(RelationGraphs(name="Texts", texts=(text,), caption="c", level=0))


def brackets(svg, colour):
    """From which row to which every bracket of a colour runs, as words from 0."""
    ends = [(piece[0][1], piece[-1][1]) for piece in lines(svg, colour, 1)]
    return [(round((y - 34.5) / 17), round((end - 34.5) / 17)) for y, end in ends]


def test_every_arc_is_a_bracket_of_its_side(pictured):
    (panel,) = picture_of(pictured.sentences(1)).panels
    svg = inline_svg(panel)
    declared = [(head, word) for word, head in enumerate(pictured.HEADS) if head is not None]
    predicted = [(max(0, word - 1) if word in (3, 8) else head, word) for head, word in declared]
    assert sorted(brackets(svg, MUTED)) == sorted(declared)
    assert sorted(brackets(svg, VALUE)) == sorted(arc for arc in predicted if arc in declared)
    assert sorted(brackets(svg, INK)) == sorted(arc for arc in predicted if arc not in declared) == [(2, 3), (7, 8)]
    assert svg.count('stroke-dasharray="3 2"') == 2


def test_what_agrees_is_counted_and_told(pictured):
    picture = picture_of(pictured.sentences(1))
    (panel,) = picture.panels
    assert panel.title == "Sentence 0"
    assert panel.subtitle == "9 of 11 heads right, 8 of them with their relation"
    assert picture.choices == (f"{' '.join(pictured.WORDS)} (9 of 11)",)
    assert "cats: declared nsubj of <b>chased</b>, predicted obl of <b>chased</b>" in panel.description
    assert "the: declared det of cats, predicted det of that" in panel.description


def test_heads_alone_are_counted_where_no_relation_is_predicted():
    picture = drawn("ab", [(0, 1, "obj")], [(0, 1, "")])
    assert picture.panels[0].subtitle == "1 of 1 head right"
    assert "b: declared obj of a, predicted of a" in picture.panels[0].description


def test_a_word_without_a_head_is_a_root_and_other_relations_are_bold():
    (panel,) = drawn("ab", [(0, 1, "obj")], [(1, 0, "x")]).panels
    assert panel.description == "0 of 1 head right, 0 of them with their relation. " + (
        "a: declared root, predicted x of b; b: declared obj of a, predicted root."
    )
    bold = [mark.words for mark in marks(inline_svg(panel), "text") if mark["font-weight"] == "bold"]
    assert bold == ["x", "root"]


def test_a_word_with_two_heads_has_two_brackets_and_is_told_once():
    (panel,) = drawn("abc", [(0, 1, "r"), (0, 2, "r"), (1, 2, "q")], [(0, 1, "r"), (0, 2, "r")]).panels
    svg = inline_svg(panel)
    assert sorted(brackets(svg, MUTED)) == [(0, 1), (0, 2), (1, 2)]
    assert sorted(brackets(svg, VALUE)) == [(0, 1), (0, 2)]
    assert svg.count(">c</text>") == 1
    assert "c: declared r of a and q of b, predicted r of a" in panel.description


def test_no_text_no_word_and_one_word():
    assert picture_of(RelationGraphs(name="Texts", texts=(), caption="c", level=0)) is None
    assert drawn([]) is None
    picture = drawn(["alone"])
    assert picture.panels[0].subtitle == "0 of 0 heads right"
    assert "alone" in inline_svg(picture.panels[0])


def test_what_is_too_much_is_left_out_and_counted(pictured):
    many = picture_of(pictured.sentences(MAX_TEXTS + 2, words=("a", "b", "c")))
    assert len(many.panels) == MAX_TEXTS
    assert many.left_out == "2 more texts in report.json."
    assert drawn(["w"] * (MAX_WORDS + 1)) is None
    assert picture_of(pictured.sentences(1)).left_out == ""


def test_a_long_text_fits_between_the_relations():
    star = [(0, k, "parataxis:emphatic") for k in range(1, MAX_WORDS)]
    svg = inline_svg(drawn(["donaudampfschifffahrt"] * MAX_WORDS, star, star).panels[0])
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
