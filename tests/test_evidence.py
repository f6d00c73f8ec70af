from dataclasses import replace

import numpy as np
import pytest

from assay.errors import AssayError
from assay.evidence import DetailTable, Evidence, Interval, Measure, Null, findings


def measure(name: str, ps: list[float | None], *, headline: bool = True, value: float | None = 0.5) -> Measure:
    nulls = tuple(Null(name=f"null {k}", how="made up", values=(0.0, 0.2), p=p) for k, p in enumerate(ps))
    interval = Interval(low=0.4, high=0.6, level=0.95, method="made up")
    return Measure(
        key=name.replace(",", "").replace("-", " ").replace(" ", "_"),
        name=name,
        about={"part": "i"},
        value=value,
        unit="accuracy",
        direction="higher",
        interval=interval if value is not None else None,
        nulls=nulls,
        units=10,
        unit_of="combination",
        headline=headline,
        level=0,
    )


def evidence(*measures: Measure) -> Evidence:
    return Evidence(instrument="made up", question="Is it?", summary="It is.", measures=measures)


def test_a_finding_beats_every_null():
    assert [m.name for m in evidence(measure("both", [0.001, 0.002]), measure("one", [0.001, 0.6])).findings()] == ["both"]


def test_a_null_that_cannot_say_makes_no_finding():
    assert evidence(measure("unknown", [0.001, None])).findings() == ()


def test_only_headlines_can_be_findings():
    assert evidence(measure("detail", [0.001], headline=False)).findings() == ()


def test_findings_are_corrected_for_their_number():
    """p = .04 alone is a finding; beside nineteen measures without effect it is not."""
    crowd = [measure(f"m{k}", [0.5]) for k in range(19)]
    assert len(evidence(measure("lone", [0.04])).findings()) == 1
    assert evidence(measure("lone", [0.04]), *crowd).findings() == ()


def test_false_discovery_is_controlled_over_all_instruments_of_an_audit():
    first, others = evidence(measure("lone", [0.04])), [evidence(measure(f"other {k}", [0.9])) for k in range(3)]
    assert len(first.findings()) == 1
    assert findings([first, *others]) == ()
    strong = evidence(measure("strong", [0.001]))
    assert [m.name for m in findings([first, strong, *others])] == ["strong"]
    assert findings([]) == ()


@pytest.mark.parametrize("p", [0.0, -0.1, 1.1, float("nan")])
def test_no_p_is_0_or_beyond_1(p):
    with pytest.raises(AssertionError, match="p must lie above 0"):
        Null(name="copies", how="made up", values=(0.0,), p=p)


@pytest.mark.slow
def test_findings_under_the_null_are_rare():
    """Evidence whose ps are uniform, thousands of times: in at most 5 % of the audits is anything found."""
    rng = np.random.default_rng(0)
    found = 0
    for ps in rng.uniform(size=(4_000, 4, 5)):
        found += bool(findings([evidence(*(measure(f"m{k}", [p]) for k, p in enumerate(row.tolist()))) for row in ps]))
    assert 0.043 <= found / 4_000 <= 0.057


def test_not_enough_data_is_no_finding():
    assert evidence(measure("few", [], value=None)).findings() == ()


def nulled(*nulls: Null, direction: str = "higher") -> Measure:
    return replace(measure("m", [0.01]), nulls=nulls, direction=direction)


def test_the_best_null_is_the_hardest_to_beat_in_the_direction_of_the_measure():
    low, high = Null(name="low", how="drawn", values=(0.1,)), Null(name="high", how="drawn", values=(0.5, 0.7))
    assert nulled(low, high).best_null is high
    assert nulled(low, high, direction="lower").best_null is low
    assert nulled(replace(high, values=()), low).best_null is low
    assert replace(measure("m", [], value=None), nulls=()).best_null is None


def test_what_need_not_be_beaten_is_the_best_null_only_where_nothing_else_is():
    copies, twin = Null(name="copies", how="drawn", values=(0.1,)), Null(name="twin", how="given", values=(0.9,), counts=False)
    assert nulled(twin, copies).best_null is copies
    assert nulled(twin).best_null is twin


def test_a_number_without_null_or_interval_is_refused():
    with pytest.raises(AssertionError, match="null and its interval"):
        measure("bare", [])


def test_a_missing_measure_lists_what_there_is():
    item = evidence(measure("novel score", [0.1]))
    assert item.measure("novel_score", part="i").name == "novel score"
    with pytest.raises(AssayError, match="novel_score"):
        item.measure("novel_score", part="j")


def test_what_needs_more_access_is_left_out_and_so_are_the_words_that_may_speak_of_it():
    first, second = measure("seen", [0.1]), replace(measure("novel", [0.1]), level=2)
    tables = (
        DetailTable(name="t", columns=(), rows=(), level=0),
        DetailTable(name="of novel ones", columns=(), rows=(), level=1),
    )
    whole = replace(evidence(first, second), figures=tables, summary="novel ones work", warnings=("some do not",))
    assert whole.at_level(2) is whole
    low = whole.at_level(0)
    assert (low.measures, low.figures, low.summary, low.warnings) == ((first,), tables[:1], "What access level 0 allows.", ())
    assert low.at_level(0) is low
    assert whole.at_level(1).figures == tables


def test_the_summary_stays_where_nothing_that_needs_more_access_has_a_value():
    first, second = measure("seen", [0.1]), replace(measure("novel", [0.1]), level=2, value=None, interval=None, nulls=())
    whole = replace(evidence(first, second), summary="trained ones work", warnings=("few",))
    low = whole.at_level(1)
    assert (low.measures, low.summary, low.warnings) == ((first,), "trained ones work", ("few",))


def test_what_was_given_stays_where_a_measure_rests_on_it():
    """By the ids of a measure, else by place; the inputs of novel units go with the measures that need them."""
    first = replace(measure("seen", [0.1]), unit_of="text", repeats=(0.1, 0.2), unit_ids=(7, 3))
    second = replace(measure("novel", [0.1]), unit_of="text", repeats=(0.1, 0.2), unit_ids=(7, 5), level=2)
    third = replace(measure("places", [0.1]), unit_of="word", repeats=(0.1, 0.2))
    texts = {number: f"text {number}" for number in (3, 5, 7)}
    whole = replace(evidence(first, second, third), inputs={"text": texts, "word": {0: "a", 1: "b", 2: "c"}})
    assert whole.at_level(2).inputs == whole.inputs
    assert whole.at_level(0).inputs == {"text": {3: "text 3", 7: "text 7"}, "word": {0: "a", 1: "b"}}
    alone = replace(whole, measures=(first, replace(second, value=None, interval=None, nulls=())))
    assert alone.at_level(1).inputs["text"].keys() == {3, 7}
