"""The first screen: both ways of asking, what each rests on, missing parts, error rates, and which access a number needs."""

from dataclasses import replace

import pytest

from assay.evidence import Interval
from assay.former_verdict import Axis, Inside, Verdict
from assay.report.first_screen import LEVELS, RESTS_ON, by_level, ways
from assay.report.page import report_html
from assay.report.summary import summary_text

INSIDE = Inside(
    answer="yes",
    because="from trained inputs alone, the probability that it composes is 0.97 [0.91, 0.99]",
    call="composes",
    probability=0.9712,
    interval=Interval(low=0.9134, high=0.9911, level=0.95, method="made up"),
    stability=1.0,
    features={"recombination": 0.934, "additivity": -0.2, "collapse": None, "homomorphism": 0.5},
    error_rates="Of 180 networks with a known answer, 2.0% of imitators were called composing",
)
MEASURED = Axis(answer="no", because="novel combinations score 0.200")


@pytest.fixture
def judged(examples):
    verdict = Verdict(
        recombines=Axis(answer="not resolved", because="disputed: the two disagree"),
        organised=Axis(answer="yes", because="its organisation scores 0.90"),
        inside=INSIDE,
        measured=MEASURED,
        missing_parts=("i", "j"),
        possible=("genuine", "partial"),
        sentence="It is disputed.",
    )
    return examples.audit(verdict=verdict)


def test_both_ways_stand_beside_each_other(judged):
    first, second = ways(judged)
    assert (first.access, second.access) == (LEVELS[0], LEVELS[2])
    assert (first.axis, second.axis, first.gauge, second.gauge) == (INSIDE, MEASURED, INSIDE, None)
    assert [told for _, told, _ in first.rests_on] == ["0.93", "\N{MINUS SIGN}0.20", "not measured", "0.50"]
    assert [words for _, _, words in first.rests_on] == list(RESTS_ON.values())


def test_the_page_tells_them(judged):
    html = report_html(judged)
    for words in (*RESTS_ON.values(), "Asked of the inside", "Asked of novel combinations", "Parts missing inside:</b> i, j."):
        assert words in html
    assert "From trained inputs alone, the probability that it composes is 0.97 [0.91, 0.99]." in html
    assert "Novel combinations score 0.200." in html
    assert f"{INSIDE.error_rates}." in html
    assert 'style="left:91.34%;width:7.7' in html
    assert html.index("Asked of the inside") < html.index("What the network should do")
    assert "level 2: from novel inputs with their labels" in html


def test_an_unlearned_network_is_asked_nothing(judged):
    audit = replace(judged, verdict=replace(judged.verdict, possible=("unlearned",)))
    assert ways(audit) == ()
    assert "asked in two ways" not in report_html(audit)


def test_without_a_probability_there_is_no_gauge(judged):
    inside = Inside(answer="not resolved", because="no calibration ships with this version")
    html = report_html(replace(judged, verdict=replace(judged.verdict, inside=inside)))
    assert "No calibration ships with this version." in html
    assert 'class="gauge"' not in html


def test_numbers_are_told_by_the_access_that_they_need(examples):
    seen, novel = (examples.measure(name, 0.5, nulls=[examples.null("n", 0.1)]) for name in ("seen", "novel"))
    novel = replace(novel, level=2)
    blocks = by_level([novel, seen])
    assert blocks == [(f"{LEVELS[0]} (access level 0)", [seen]), (f"{LEVELS[2]} (access level 2)", [novel])]
    assert by_level([]) == []
    evidence = replace(examples.systematicity(), measures=(novel, seen))
    html = report_html(examples.audit([evidence]))
    order = [html.index(words) for words in (blocks[0][0], '"row">seen<', blocks[1][0], '"row">novel<')]
    assert order == sorted(order)


def test_the_summary_tells_the_inside_that_the_sentence_left_out(judged):
    text = " ".join(summary_text(judged).split())
    assert "From trained inputs alone, the probability that it composes is 0.97" in text
    assert f"{INSIDE.error_rates}." in text
    told = replace(judged.verdict, sentence=f"This network: {INSIDE.because}.")
    assert " ".join(summary_text(replace(judged, verdict=told)).split()).count(INSIDE.because[6:]) == 1
