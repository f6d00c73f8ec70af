"""Three answers from planted evidence."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from assay.evidence import Evidence, Measure, Null
from assay.failed import Failed
from assay.stats import mean_interval
from assay.verdict import answered, judge
from assay.verdict.answers import QUESTIONS


def share(key: str, right: int, of: int, *, null: float = 0.05, level=0, form: str = "", p: float = 0.001) -> Measure:
    """A rate over combinations of which so many are right."""
    units = (1.0,) * right + (0.0,) * (of - right)
    return Measure(
        key=key,
        name=key.replace("_", " "),
        value=right / of,
        unit="accuracy",
        direction="higher",
        interval=mean_interval(units, bounds=(0.0, 1.0)),
        nulls=(Null(name="untrained copies", how="made up", values=(null, null), p=p),),
        units=of,
        unit_of="combination",
        repeats=units,
        about={"form": form, "cut": "layers.2"} if form else {},
        headline=True,
        level=level,
    )


def behaviour(novel: Measure | None, *, seen: int = 100) -> Evidence:
    measures = (share("seen_score", seen, 100), *([novel] if novel else []))
    settings = {"novel score": "novel combinations outside 1-coverage"}
    return Evidence(instrument="systematicity", question="?", summary="", measures=measures, settings=settings)


def inside(c: Measure | None, e: Measure | None = None, *, breaks: str = "nothing found") -> Evidence:
    """As the instrument gives it; without a cut where C is None."""
    settings = {
        "headline_cut": "layers.2" if c else None,
        "combined_from": "layers.2",
        "combined_to": "layers.3",
        "combining_calls": "layers.2.relu#1",
        "breaks": breaks if c else "not resolved",
        "carried_z": "layers.1",
    }
    measures = tuple(measure for measure in (c, e) if measure)
    summary = "At layers.2: told." if c else "Not resolved: no cut."
    return Evidence(instrument="recombination", question="?", summary=summary, measures=measures, settings=settings)


def c_of(right: int, of: int = 100) -> Measure:
    return share("novel_from_state", right, of, form="sum")


def e_of(right: int, of: int = 100) -> Measure:
    return share("novel_as_state", right, of, form="sum", level=1)


@pytest.mark.parametrize(
    ("right", "answer"),
    [
        (100, "works"),
        (99, "works"),
        (90, "not resolved"),
        (60, "works in part"),
        (25, "works in part"),
        (5, "does not work"),
        (0, "does not work"),
    ],
)
def test_what_was_measured_is_called_by_its_whole_interval(right, answer):
    verdict = judge([behaviour(share("novel_score", right, 100, level=2))])
    assert (verdict.novel.answer, verdict.novel.basis) == (answer, "measured")
    assert verdict.novel.value == right / 100
    assert "outside 1-coverage" in verdict.sentence


def test_few_combinations_resolve_less():
    few = judge([behaviour(share("novel_score", 8, 8, level=2))]).novel
    assert few.answer == "not resolved"  # eight right of eight have a lower bound of .63
    assert few.detectable == pytest.approx(1 - 0.2 ** (1 / 8))
    assert few.more == 8


@pytest.mark.parametrize(
    ("right", "null", "answer"), [(32, 0.94, "not resolved"), (31, 0.94, "not resolved"), (100, 0.85, "works")]
)
def test_beside_a_null_that_scores_as_well_nothing_is_resolved(right, null, answer):
    of = max(32, right)
    assert judge([behaviour(share("novel_score", right, of, level=2, null=null))]).novel.answer == answer


@pytest.mark.parametrize("e", [None, e_of(100)])
def test_an_estimate_must_beat_one_answer_to_all(e):
    at = inside(c_of(100), e)
    for score, answer in ((0.2, "works"), (1.0, "not resolved")):
        assert judge([replace(at, settings={**at.settings, "one_answer_to_all": score})]).novel.answer == answer


@pytest.mark.parametrize(
    ("c", "e", "breaks", "answer"),
    [
        (88, 88, "the combining", "not resolved"),
        (60, 60, "the combining", "the combining"),
        (100, 88, "the way in", "not resolved"),
        (100, 40, "the way in", "the way in"),
        (92, 100, "nothing found", "not resolved"),
        (100, 100, "nothing found", "nothing found"),
    ],
)
def test_what_breaks_is_said_where_the_whole_intervals_say_so(c, e, breaks, answer):
    assert judge([inside(c_of(c), e_of(e), breaks=breaks)]).combining.answer == answer


def test_the_reason_is_that_of_the_measurement_where_nothing_could_be_estimated():
    few = Evidence(instrument="systematicity", question="?", summary="", not_enough="0 novel combinations outside 1-coverage")
    assert judge([few, inside(None)]).novel.because == "0 novel combinations outside 1-coverage"


def test_a_score_that_is_no_finding_resolves_nothing():
    verdict = judge([behaviour(share("novel_score", 100, 100, level=2, p=0.4))])
    assert verdict.novel.answer == "not resolved"
    assert "no finding" in verdict.novel.because


def test_a_finding_is_one_over_the_whole_audit():
    """Alone it is a finding at .04; among twenty that found nothing it is none."""
    one = behaviour(share("novel_score", 100, 100, level=2, p=0.04))
    nothing = tuple(replace(share("las", 5, 100, p=0.9), about={"k": str(k)}) for k in range(20))
    many = Evidence(instrument="polar", question="?", summary="", measures=nothing)
    assert judge([one]).novel.answer == "works"
    assert judge([one, many]).novel.answer == "not resolved"


def test_from_trained_inputs_alone_it_is_expected_and_the_assumption_is_told():
    verdict = judge([inside(c_of(100))])
    assert (verdict.novel.answer, verdict.novel.basis) == ("works", "estimated")
    assert verdict.headline == "expected to work on novel combinations"
    assert "novel inputs reach their composed states at this cut, which was not tested" in verdict.sentence
    assert "intercepted" in verdict.sentence


@pytest.mark.parametrize(
    ("right", "first", "answer"),
    [
        (100, 100, "works"),
        (100, 50, "works in part"),
        (100, 2, "does not work"),
        (12, 99, "works"),
        (100, 90, "not resolved"),
    ],
)
def test_an_estimate_is_that_of_the_first_cut_that_holds_the_parts(right, first, answer):
    """Behind a fault in the way in states are answered as if it were not there; before it they are not."""
    at = inside(c_of(right))
    early = share("novel_from_first_state", first, 100, form="sum")
    given = replace(at, measures=(*at.measures, early), settings={**at.settings, "first_cut": "layers.0"})
    novel = judge([given]).novel
    assert (novel.answer, novel.value) == (answer, first / 100)
    assert "at cut layers.0, the first additive cut" in novel.because
    with_inputs = replace(given, measures=(*given.measures, e_of(100)))
    assert judge([with_inputs]).novel == judge([inside(c_of(right), e_of(100))]).novel, "the bounds hold at any cut"


@pytest.mark.parametrize(("most", "answer"), [(0.2, "the combining"), (0.95, "not resolved")])
def test_the_combining_breaks_only_where_it_does_at_every_cut_that_would_do(most, answer):
    at = inside(c_of(12), e_of(12), breaks="the combining")
    settings = {**at.settings, "most_at_such_cuts": most}
    assert judge([replace(at, settings=settings)]).combining.answer == answer


@pytest.mark.parametrize(
    ("c", "e", "answer"),
    [(92, 50, "the way in"), (92, 80, "not resolved"), (92, 85, "not resolved"), (100, 85, "not resolved")],
)
def test_the_way_in_breaks_where_inputs_certainly_get_less_far_than_states(c, e, answer):
    assert judge([inside(c_of(c), e_of(e), breaks="the way in")]).combining.answer == answer


def test_a_fault_in_the_way_in_is_told_although_an_earlier_cut_has_it_behind_itself():
    at = inside(c_of(100), e_of(20), breaks="the way in")
    early = share("novel_from_first_state", 20, 100, form="sum")
    assert judge([replace(at, measures=(*at.measures, early))]).combining.answer == "the way in"


@pytest.mark.parametrize("right", [0, 5])
def test_a_memorised_combining_is_not_expected_to_work(right):
    verdict = judge([inside(c_of(right), breaks="the combining")])
    assert verdict.headline == "not expected to work on novel combinations"
    assert verdict.combining.answer == "the combining"
    assert "what breaks is the combining" in verdict.sentence


@pytest.mark.parametrize(("same", "answer"), [(50, "works in part"), (20, "works in part"), (1, "does not work")])
def test_novel_inputs_that_do_not_get_there_undo_the_estimate(same, answer):
    """With C 1.00 at most E of them are right: where that is no more than the null, nothing works."""
    verdict = judge([inside(c_of(100), e_of(same), breaks="the way in")])
    assert verdict.novel.answer == answer
    assert verdict.novel.assumption == ""
    assert "can be right" in verdict.novel.because
    assert verdict.combining.answer == "the way in"


def test_novel_inputs_that_get_there_confirm_it():
    novel = judge([inside(c_of(100), e_of(99))]).novel
    assert (novel.answer, novel.basis, novel.assumption) == ("works", "estimated", "")


def test_what_was_measured_goes_before_the_estimate_and_both_are_told():
    """A network that was taught wrong answers on novel inputs alone: inside it looks like one that works."""
    verdict = judge([behaviour(share("novel_score", 0, 100, level=2)), inside(c_of(100))])
    assert (verdict.novel.answer, verdict.novel.basis) == ("does not work", "measured")
    assert verdict.estimate is not None
    assert verdict.estimate.answer == "works"
    assert "Estimated from inside" in verdict.sentence


def test_no_cut_to_look_at_is_not_resolved_and_never_does_not_work():
    verdict = judge([inside(None)])
    assert verdict.headline == "not resolved"
    assert verdict.combining.answer == "not resolved"
    assert "no cut" in verdict.sentence


def in_contexts(same: Measure | None, other: Measure) -> Evidence:
    item = inside(c_of(100))
    return replace(item, measures=(*item.measures, *filter(None, (same, other))))


def exchanged(right: int, where: str, of: int = 100) -> Measure:
    about = {"part": "i", "context": "j", "effect from": where}
    return replace(share("seen_from_effect_in_context", right, of), about=about)


@pytest.mark.parametrize(
    ("same", "other", "answer"),
    [(100, 50, "copies by context"), (100, 0, "copies by context"), (100, 85, "not resolved"), (80, 0, "not resolved")],
)
def test_copies_are_found_where_an_effect_works_in_its_own_context_and_not_in_others(same, other, answer):
    sharing = judge([in_contexts(exchanged(same, "the same context"), exchanged(other, "other contexts"))]).sharing
    assert sharing.answer == answer
    assert 'if "i" is exchanged by an effect measured beside other values of "j"' in sharing.because


def test_that_each_part_is_one_thing_is_never_said():
    assert judge([inside(c_of(100))]).sharing.answer == "not resolved"
    both = exchanged(100, "the same context"), exchanged(100, "other contexts")
    found = judge([in_contexts(*both)]).sharing
    assert (found.answer, "no copies by context were found" in found.because) == ("not resolved", True)
    alone = judge([in_contexts(None, exchanged(0, "other contexts"))]).sharing
    assert alone.answer == "not resolved", "without its own context an effect may be told from too few examples"


@pytest.mark.parametrize("evidence", [[], [behaviour(None)], [Evidence(instrument="polar", question="?", summary="")]])
def test_nothing_measured_is_not_resolved(evidence: Sequence[Evidence]):
    verdict = judge(evidence)
    assert verdict.headline == "not resolved"
    assert verdict.novel.basis == "nothing"


def test_unlearned_and_unreliable_networks_are_not_judged():
    everything = [behaviour(share("novel_score", 100, 100, level=2)), inside(c_of(100))]
    unlearned = judge(everything, unlearned="it scores .2 on trained combinations", hint="Declare the order of classes")
    assert unlearned.headline == "unlearned"
    assert unlearned.sentence.endswith("Declare the order of classes.")
    unreliable = judge(everything, unreliable="two passes differ")
    assert unreliable.headline == "no verdict"
    assert unreliable.novel.answer == "not resolved"
    assert unreliable.sentence.startswith("No verdict, since the integrity check failed: two passes differ")


def test_parts_and_calls_are_told():
    verdict = judge([inside(c_of(100))])
    assert verdict.combining.carried == {"z": "layers.1"}
    assert verdict.combining.between == ("layers.2", "layers.3")
    assert "layers.2.relu#1" in verdict.sentence


def paired(c: Sequence[float], e: Sequence[float]):
    """C and E of the same combinations, one by one."""
    ids = tuple(range(len(c)))
    measures = []
    for key, units, level in (("novel_from_state", c, 0), ("novel_as_state", e, 1)):
        made = share(key, round(sum(units)), len(units), level=level, form="sum")
        interval = mean_interval(units, bounds=(0.0, 1.0))
        measures.append(replace(made, repeats=tuple(units), unit_ids=ids, interval=interval, value=sum(units) / len(units)))
    return measures


def test_the_bounds_of_what_can_be_right_are_taken_combination_by_combination():
    """Half are right from their state and half are answered alike: none can be right where these are other halves."""
    apart = judge([inside(*paired([1.0] * 50 + [0.0] * 50, [0.0] * 50 + [1.0] * 50), breaks="the combining")]).novel
    assert (apart.answer, apart.value) == ("does not work", 0.0)
    together = judge([inside(*paired([1.0] * 50 + [0.0] * 50, [1.0] * 100), breaks="the combining")]).novel
    assert (together.answer, together.value) == ("works in part", 0.5)


def test_where_neither_agrees_nothing_is_known():
    """Wrong from their state and answered otherwise: such inputs may be right."""
    novel = judge([inside(*paired([0.0] * 100, [0.0] * 100), breaks="the combining")]).novel
    assert novel.answer == "not resolved"
    assert "so that a share of 0 to 1.00 of the novel combinations can be right" in novel.because


def test_of_real_numbers_no_bound_follows():
    c, e = paired([1.0] * 100, [0.5] * 100)
    item = inside(c, e, breaks="the way in")
    real = replace(item, settings={**item.settings, "one_best": False})
    assert judge([real]).novel.answer == "not resolved"


def test_what_breaks_is_told_from_numbers_of_the_access_level_alone():
    """What is said of the way in needs novel inputs, though the settings of an evidence hold it."""
    item = inside(c_of(100), e_of(20), breaks="the way in")
    assert judge([item.at_level(1)]).combining.answer == "the way in"
    assert judge([item.at_level(0)]).combining.answer == "not resolved"
    assert judge([item.at_level(0)]).novel.assumption
    memorised = inside(c_of(0), e_of(99), breaks="the combining")
    assert judge([memorised.at_level(0)]).combining.answer == "the combining"


def test_answers_stand_apart_and_none_merges_two():
    told = answered(judge([behaviour(share("novel_score", 100, 100, level=2)), inside(c_of(100), e_of(99))]))
    assert [one.question for one in told] == list(QUESTIONS)
    assert [one.answer for one in told] == [
        "works on novel combinations, measured",
        "the parts are combined between cut layers.2 and cut layers.3; nothing was found to break",
        "not resolved",
    ]
    assert [one.resolved for one in told] == [True, True, False]


@pytest.mark.parametrize(("breaks", "c"), [("the combining", 12), ("the way in", 100)])
def test_where_novel_combinations_work_nothing_is_said_to_break(breaks, c):
    """A recurrent network that is right on all of them was seen with C .12 at its headline cut."""
    cell = [behaviour(share("novel_score", 100, 100, level=2)), inside(c_of(c), e_of(12), breaks=breaks)]
    verdict = judge(cell)
    assert (verdict.novel.answer, verdict.combining.answer) == ("works", "not resolved")
    assert "are not sums of effects of their parts" in verdict.combining.because
    assert judge(cell[1:]).combining.answer == breaks


def test_an_instrument_that_broke_off_is_no_instrument_that_was_not_run():
    """Whichever it is, the sentence names it with its reason, once."""
    failed = [Failed(instrument="recombination", reason="a cut is lost."), Failed(instrument="choir", reason="KeyError: 'x'")]
    verdict = judge([behaviour(share("novel_score", 100, 100, level=2))], failed=failed)
    assert verdict.novel.answer == "works"
    assert verdict.combining.because == "recombination failed: a cut is lost"
    assert "not run" not in verdict.sentence
    assert verdict.sentence.count("recombination failed: a cut is lost") == 1
    assert verdict.sentence.endswith(" Choir failed: KeyError: 'x'.")
    alone = judge([], failed=[Failed(instrument="systematicity", reason="no")])
    assert alone.novel.because == "systematicity failed: no"
    assert (
        "whether this network works on novel combinations is not resolved: systematicity failed: no" in alone.sentence.lower()
    )
    beside = judge([inside(c_of(100))], failed=[Failed(instrument="systematicity", reason="no")])
    assert beside.novel.basis == "estimated"
    assert beside.sentence.endswith("Systematicity failed: no.")
