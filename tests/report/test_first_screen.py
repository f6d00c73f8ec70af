"""The first screen: three answers that are never merged, each with what it rests on."""

import re
from dataclasses import replace
from html import unescape

import pytest

from assay.evidence import Evidence
from assay.figure import Curve, Line, Plot, Stretch
from assay.report.access import LEVELS, by_level
from assay.report.first_picture import first_picture
from assay.report.page import report_html
from assay.report.summary import summary_text
from assay.verdict import answered, judge, next_step
from assay.verdict.answers import QUESTIONS, Novel
from assay.verdict.words import UNSEEN, power


def words_of(html):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<(style|script).*?</(style|script)>|<[^>]+>", " ", html, flags=re.DOTALL)))


def in_order(text, *words):
    places = [text.index(word) for word in words]
    assert places == sorted(places), words


@pytest.fixture
def estimated(examples):
    """From trained inputs alone."""
    return examples.audit([examples.recombination()], level=0)


def test_the_three_answers_stand_one_after_the_other_before_everything_else(examples):
    audit = examples.audit([examples.systematicity(), examples.recombination(e=1.0)])
    for text in (words_of(report_html(audit)), " ".join(summary_text(audit).split())):
        in_order(text, QUESTIONS[0], "Works on novel combinations, measured", QUESTIONS[1], "nothing was found to break")
        in_order(text, QUESTIONS[1], QUESTIONS[2], "Not resolved")
    text = words_of(report_html(audit))
    in_order(text, QUESTIONS[2], "What the network should do")
    for one in answered(audit.verdict):
        for told in (one.because, *one.after):
            assert told[1:] in text


def test_what_works_stands_beside_its_best_null_and_words_of_the_first_screen_are_explained(examples):
    text = words_of(report_html(examples.audit([examples.systematicity(), examples.recombination(e=1.0)])))
    first = text[: text.index(QUESTIONS[1])]
    assert re.search(r"score \d.*\[.*\], above the best null \(.* 0?\.\d+\); trained ones score .*\.", first)
    assert "1-coverage" in text[text.index("The words") :]


def test_an_estimate_says_first_what_it_cannot_see_and_then_what_it_assumes(estimated):
    for text in (words_of(report_html(estimated)), " ".join(summary_text(estimated).split())):
        in_order(text, UNSEEN, "Expected to work on novel combinations, estimated", "This assumes that novel inputs reach")


def test_what_was_measured_needs_no_such_warning(examples):
    audit = examples.audit([examples.systematicity(), examples.recombination()])
    assert UNSEEN not in report_html(audit)
    assert UNSEEN not in summary_text(audit)


def test_the_smallest_difference_and_how_many_more_would_halve_it(estimated):
    novel = estimated.verdict.novel
    told = f"A difference of {novel.detectable:.3f} from a fixed value, such as the best null, would be detected with power .8"
    assert told in words_of(report_html(estimated))
    assert novel.more > 0


def test_where_all_combinations_agree_it_is_a_share_of_failures():
    right = Novel(because="", basis="measured", value=1.0, combinations=51, detectable=0.0311, more=51)
    share = "a failure on a share of 0.0311 of {}all novel combinations would show at least once on these 51 with power .8"
    assert power(right) == f"{share.format('')}; 51 more would halve that"
    assert share.format("the composed states of ") in power(replace(right, basis="estimated"))
    assert power(replace(right, value=0.0)) == "", "all of them failed"
    assert power(replace(right, value=0.0, more=153)).startswith("a difference of 0.0311"), (
        "a lower bound of states that differ"
    )
    assert power(replace(right, detectable=None)) == ""


def test_where_the_parts_are_combined_and_each_part(estimated):
    text = words_of(report_html(estimated))
    between = "The parts are combined between cut 2 (layers.0) and cut 3 (layers.1)"
    in_order(text, between, "Operations between the two cuts: relu#2.")
    assert 'Part "i" can be exchanged alone from cut 0 (embed) on.' in text
    assert 'Part "j" cannot be exchanged alone.' in text


def test_the_call_that_combines_is_named_where_the_picture_is_pointed_at(estimated):
    html = report_html(estimated)
    assert "<title>parts are combined here, by relu#2</title>" in html
    assert "<title>C, 2 layers.0: 1.00; next: relu#2</title>" in html
    for place in ("0 embed", "2 layers.0", "3 layers.1"):
        assert f">{place}</text>" in html


def test_an_unlearned_network_is_asked_nothing(examples):
    audit = examples.audit([examples.systematicity()], unlearned="it scores 0.1")
    assert answered(audit.verdict) == ()
    text = words_of(report_html(audit))
    assert audit.verdict.sentence in text
    assert not any(question in text for question in QUESTIONS)
    assert audit.verdict.sentence in " ".join(summary_text(audit).split())


def test_what_is_not_resolved_is_among_what_was_not_tested(examples):
    text = words_of(report_html(examples.audit([])))
    gaps = text[text.index("What was not tested") :]
    assert all(question in gaps for question in QUESTIONS)
    gaps = words_of(report_html(examples.audit([examples.systematicity()])))
    assert QUESTIONS[0] not in gaps[gaps.index("A verdict covers") :]


@pytest.mark.parametrize("c", [1.0, 0.0])
def test_the_sentence_has_the_three_answers_apart(examples, c):
    breaks = "nothing found" if c else "the combining"
    sentence = judge([examples.systematicity(), examples.recombination(c, breaks=breaks)]).sentence
    in_order(sentence, "This network works on novel combinations", "The parts are combined", "one thing inside is not resolved")
    assert sentence.count("This network") == 1


def test_numbers_are_told_by_the_access_that_they_need(examples):
    seen, novel = (examples.measure(name, 0.5, nulls=[examples.null("n", 0.1)]) for name in ("seen", "novel"))
    novel = replace(novel, level=2)
    blocks = by_level([novel, seen])
    assert blocks == [(f"{LEVELS[0]} (access level 0)", [seen]), (f"{LEVELS[2]} (access level 2)", [novel])]
    assert by_level([]) == []
    evidence = replace(examples.systematicity(), measures=(novel, seen))
    html = report_html(examples.audit([evidence]))
    in_order(html, blocks[0][0], '"row">seen<', blocks[1][0], '"row">novel<')


def test_the_curves_stand_on_the_first_screen_where_there_are_any(examples):
    html = report_html(examples.audit([examples.systematicity(), examples.recombination()]))
    in_order(html, QUESTIONS[2], 'aria-label="Where the parts are combined"', "<nav", "What the network should do")
    first, _, rest = html.partition("<nav")
    panel = "<title>C, 2 layers.0: 1.00; next: relu#2</title>"
    assert first.count(panel) == rest.count(panel) == 1
    assert 'href="#instrument-recombination"' in first
    assert 'aria-label="Where the parts are combined"' not in report_html(examples.audit([examples.systematicity()]))


def curves(**changes):
    """Recombination with all lines of its first plot."""
    names = ("Cs", "Es", "C", "E", "A", "random subspace")
    lines = tuple(
        Line(name=name, x=("0 a", "1 b"), y=(1.0, 0.1 * k), low=(0.9, 0.0), high=(1.0, 0.5), null=name not in names[:5])
        for k, name in enumerate(names)
    )
    plot = Plot(title="form sum", lines=lines, stretches=(Stretch(start="0 a", end="1 b", note="combined"),))
    figure = Curve(name="Curves", across="cut", plots=(plot,), caption="All.", level=0)
    return Evidence(instrument="recombination", question="?", summary="", figures=(figure,), settings=changes)


@pytest.mark.parametrize(
    ("breaks", "lines", "concludes"),
    [
        ("the combining", {"Cs", "C", "random subspace"}, "the combining breaks"),
        ("the way in", {"Cs", "C", "E", "random subspace"}, "the way in breaks"),
        ("nothing found", {"Cs", "C", "random subspace"}, "nothing breaks"),
        ("not resolved", {"Cs", "C", "random subspace"}, "is far below"),
        (None, {"Cs", "C", "random subspace"}, "is far below"),
    ],
)
def test_the_caption_says_axes_lines_bars_and_shading_and_what_follows_in_50_words(breaks, lines, concludes):
    found = first_picture(curves(breaks=breaks))
    drawn = {mark.words for mark in found.panel.texts} - {"cut", "0 a", "1 b"}
    assert {name for name in drawn if not name.replace(".", "").isdigit()} == lines
    assert len(found.caption.split()) <= 50
    for word in ("Horizontal", "Vertical", "intervals", "grey", "Shaded", "trained", "novel", concludes):
        assert word in found.caption
    assert ("E," in found.caption) == ("E" in lines)


def test_evidence_without_curves_has_no_first_picture(examples):
    assert first_picture(examples.systematicity()) is None
    assert first_picture(replace(curves(), figures=())) is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"evidence": []}, "What was not tested"),
        ({"evidence": [], "unlearned": "it scores 0.1"}, "train it"),
        ({"evidence": [], "unreliable": "passes differ"}, "repeatable"),
        ({"c": 0.0, "breaks": "the combining"}, "point of C"),
        ({"e": 0.0, "breaks": "the way in"}, "point of E"),
        ({}, "audit at level 2"),
    ],
    ids=range(6),
)
def test_what_to_do_next_is_told_in_at_most_15_words(examples, given, told):
    given = dict(given)
    evidence = given.pop("evidence", None)
    if evidence is None:
        planted = {key: given.pop(key) for key in ("c", "e", "breaks") if key in given}
        evidence = [examples.recombination(**planted)]
    step = next_step(judge(evidence, **given))
    assert told in step
    assert len(step.split()) <= 15


def test_the_next_step_stands_below_the_answers(examples, estimated):
    measured = examples.audit([examples.systematicity(), examples.recombination(e=1.0)])
    for audit in (measured, estimated):
        html = report_html(audit)
        in_order(words_of(html), QUESTIONS[2], f"Next: {next_step(audit.verdict)}.", "What the network should do")
        assert f"Next: {next_step(audit.verdict)}." in " ".join(summary_text(audit).split())
    assert "novel score" in next_step(measured.verdict)


def test_few_combinations_ask_for_more(examples):
    few = replace(judge([examples.systematicity()]).novel, answer="not resolved", more=153)
    step = next_step(replace(judge([]), novel=few))
    assert "153 more novel combinations" in step
    assert len(step.split()) <= 15


def test_where_no_combination_fails_none_is_looked_for(examples):
    measured = judge([examples.systematicity()])
    for value, told in ((1.0, "What was not tested"), (0.9, "combinations that fail")):
        novel = replace(measured.novel, answer="works", value=value)
        assert told in next_step(replace(measured, novel=novel))
