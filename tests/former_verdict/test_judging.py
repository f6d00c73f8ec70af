"""The verdict: gates, the inside, behaviour beside it, and what is said when they disagree."""

from dataclasses import replace

import pytest

from assay.calibration import Thresholds
from assay.evidence import Evidence, Null
from assay.former_verdict import calibration as calibrations
from assay.former_verdict import judge
from assay.stats import mean_interval


@pytest.fixture
def no_calibration(monkeypatch):
    monkeypatch.setattr(calibrations, "shipped", lambda: None)


@pytest.mark.parametrize(
    ("seen", "novel", "answer", "headline"),
    [
        (1.0, 0.97, "yes", "recombines"),
        (1.0, 0.10, "no", "does not recombine"),
        (1.0, 0.70, "not resolved", "not resolved"),
        (1.0, 0.91, "not resolved", "not resolved"),  # the interval reaches below .9
        (1.0, 0.49, "not resolved", "not resolved"),  # the interval reaches above .5
        (1.0, None, "not resolved", "not resolved"),
        (0.60, 0.60, "not resolved", "unlearned"),
    ],
)
def test_rules_on_behaviour(plant, calibration, seen, novel, answer, headline):
    verdict = judge([plant.behaviour(seen, novel)], calibration=calibration)
    assert verdict.recombines.answer == verdict.measured.answer == answer
    assert verdict.headline == headline
    assert verdict.inside.answer == "not resolved"


def test_a_null_that_scores_as_well_resolves_nothing(plant, calibration):
    verdict = judge([plant.behaviour(1.0, 0.97, p=0.4)], calibration=calibration)
    assert verdict.recombines.answer == "not resolved"
    assert "this is no finding" in verdict.sentence


def test_a_novel_score_is_a_finding_among_all_that_were_tested(plant, calibration):
    """A p of .04 is one alone, and none beside thirty numbers of another instrument that found nothing."""
    alone = [plant.behaviour(1.0, 0.97, p=0.04)]
    crowd = tuple(plant.score(f"other {k}", 0.5, p=0.9) for k in range(30))
    among = [*alone, Evidence(instrument="decodability", question="?", summary="", measures=crowd)]
    assert judge(alone, calibration=calibration).recombines.answer == "yes"
    assert judge(among, calibration=calibration).recombines.answer == "not resolved"


def of_units(plant, units, **changes) -> Evidence:
    """A novel score made of these scores of combinations."""
    interval = mean_interval(units, bounds=(0.0, 1.0))
    novel = replace(plant.score("novel score", 0.5, level=2), value=sum(units) / len(units), interval=interval, repeats=units)
    return Evidence(
        instrument="systematicity",
        question="?",
        summary="",
        measures=(plant.score("seen score", 1.0), replace(novel, units=len(units), **changes)),
    )


def test_five_that_all_fail_are_not_said_to_work_in_part(plant, calibration):
    """Their interval reaches above .5, so that they resolve nothing; but none of them works."""
    sentence = judge([of_units(plant, (0.0,) * 5)], calibration=calibration).sentence
    assert "some novel combinations work" not in sentence
    assert "which is not resolved: 0 of 5 keep 90% of it and 5 at most 50%" in sentence


def test_how_many_combinations_keep_the_score_is_counted(plant, calibration):
    verdict = judge([of_units(plant, (1.0,) * 20 + (0.7,) * 5 + (0.0,) * 15)], calibration=calibration)
    assert "20 of 40 keep 90% of it and 15 at most 50%" in verdict.sentence
    assert verdict.headline == "not resolved"


@pytest.mark.parametrize("units", [(0.0,) * 40, (1.0,) * 20 + (0.0,) * 40])
def test_a_null_that_scores_as_well_is_named(plant, calibration, units):
    nulls = tuple(Null(name=name, how="made up", values=(mean,), p=0.5) for name, mean in (("look-up", 0.501), ("other", 0.2)))
    assert "no more than look-up (0.501)" in judge([of_units(plant, units, nulls=nulls)], calibration=calibration).sentence


def test_no_outcome_is_named_where_only_the_second_question_has_an_answer(plant, calibration):
    """Else a network of which no novel combination is known would be called genuine or partial, for being tidy."""
    for evidence in ([plant.tidiness(0.8)], [plant.tidiness(0.2)], [plant.behaviour(1.0, 0.7), plant.tidiness(0.8)]):
        assert judge(evidence, calibration=calibration).headline == "not resolved"


@pytest.mark.parametrize("novel", [0.97, 0.1])
def test_outcomes_that_nothing_measured_leaves_open_are_not_named(plant, calibration, novel):
    answer = {0.97: "recombines", 0.1: "does not recombine"}[novel]
    for second in ([], [Evidence(instrument="organisation", question="?", summary="", not_enough="no activations")]):
        assert judge([plant.behaviour(1.0, novel), *second], calibration=calibration).headline == answer
    measured = judge([plant.behaviour(1.0, novel), plant.tidiness(0.5, half=0.3)], calibration=calibration)
    assert measured.headline == {0.97: "genuine or fractured", 0.1: "partial or imitation"}[novel]


def test_evidence_that_holds_no_effect_is_not_called_none(plant, calibration):
    measured = plant.within()
    bare = replace(measured, measures=tuple(plant.score(f"other {k}", 0.5) for k in range(4)))
    sentence = judge([bare, plant.tidiness(0.8)], calibration=calibration).sentence
    assert "no evidence was measured" not in sentence
    assert "none of the effects that a network is judged by could be measured inside" in sentence


def test_a_failed_integrity_check_stands_in_the_first_sentence_and_nothing_is_judged(plant, calibration):
    evidence = [plant.composer(), plant.tidiness(0.8), plant.behaviour(1.0, 0.97)]
    assert judge(evidence, calibration=calibration).headline == "genuine"
    verdict = judge(evidence, unreliable="the outputs are drawn at random", calibration=calibration)
    assert verdict.sentence == "No verdict, since the integrity check failed: the outputs are drawn at random."
    assert verdict.headline == "not resolved"
    assert {axis.answer for axis in (verdict.recombines, verdict.organised, verdict.measured, verdict.inside)} == {
        "not resolved"
    }
    assert verdict.inside.probability is None


def test_an_audit_can_say_that_a_network_is_unlearned_where_no_evidence_does(plant, calibration):
    verdict = judge([plant.composer()], unlearned="it scores 0.2", hint="Its order is another", calibration=calibration)
    assert verdict.headline == "unlearned"
    assert verdict.sentence == ("Unlearned: it scores 0.2, so nothing can be said about composition. Its order is another.")


def test_nothing_measured_is_not_resolved(calibration):
    verdict = judge([], calibration=calibration)
    assert verdict.headline == "not resolved"
    for reason in ("novel combinations were not tested", "recombination gave no evidence", "organisation gave no evidence"):
        assert reason in verdict.sentence


@pytest.mark.parametrize("instrument", ["systematicity", "recombination", "organisation"])
def test_not_enough_evidence_gives_its_reason(calibration, instrument):
    few = Evidence(instrument=instrument, question="?", summary="", not_enough="only 3 trained combinations")
    verdict = judge([few], calibration=calibration)
    assert "only 3 trained combinations" in verdict.sentence
    assert verdict.headline == "not resolved"


def test_decodability_alone_resolves_nothing(plant, calibration):
    measures = (plant.score("decodability gain", 0.9, 0.01),)
    probe = Evidence(instrument="decodability", question="?", summary="", measures=measures)
    assert judge([probe], calibration=calibration).headline == "not resolved"
    behaviour = plant.behaviour(1.0, 0.1)
    assert judge([behaviour, probe], calibration=calibration) == judge([behaviour], calibration=calibration)


def test_unlearned_says_so_and_asks_nothing_else(plant, calibration):
    verdict = judge([plant.behaviour(0.949, 0.1), plant.composer(), plant.tidiness(0.8)], calibration=calibration)
    assert verdict.sentence.startswith("Unlearned: the score on trained combinations is 0.949")
    assert verdict.inside.probability is None
    assert verdict.possible == ("unlearned",)
    assert judge([plant.behaviour(0.95, 0.1)], calibration=calibration).possible != ("unlearned",)


def test_without_behaviour_the_score_on_trained_combinations_gates(plant, calibration):
    evidence = plant.composer()
    poor = replace(evidence, measures=(*evidence.measures, plant.score("score on trained combinations", 0.6)))
    assert judge([poor], calibration=calibration).possible == ("unlearned",)
    assert judge([poor, plant.behaviour(1.0, 1.0)], calibration=calibration).possible != ("unlearned",)


def test_the_inside_answers_where_nothing_novel_was_tested(plant, calibration):
    good, bad = (judge([found], calibration=calibration) for found in (plant.composer(), plant.imitator()))
    assert (good.recombines.answer, bad.recombines.answer) == ("yes", "no")
    assert good.inside.probability > 0.9 > 0.1 > bad.inside.probability
    assert good.inside.interval.low <= good.inside.probability <= good.inside.interval.high
    assert min(good.inside.stability, bad.inside.stability) >= 0.95
    assert good.headline == "recombines"  # organisation was not measured, so no outcome is named
    assert (good.missing_parts, bad.missing_parts) == ((), ("i", "j"))
    assert bad.headline == "imitation"  # none of its parts is there
    assert "left out" in good.inside.error_rates
    assert "from trained inputs alone" in good.sentence


@pytest.mark.parametrize(
    ("novel", "answer"),
    [(0.97, "yes"), (0.1, "not resolved"), (0.70, "not resolved"), (0.91, "yes"), (None, "yes")],
)
def test_what_was_measured_beside_an_inside_that_composes(plant, calibration, novel, answer):
    """It decides where it is resolved; where it rules the inside's answer out, neither holds."""
    verdict = judge([plant.behaviour(1.0, novel), plant.composer()], calibration=calibration)
    assert verdict.inside.answer == "yes"
    assert verdict.recombines.answer == answer
    assert ("disputed" in verdict.sentence) == (answer == "not resolved")
    if answer == "not resolved":
        assert verdict.headline == "not resolved"
        assert verdict.measured.because in verdict.sentence
        assert verdict.inside.because in verdict.sentence


def test_an_imitating_inside_and_novel_combinations_that_work_are_disputed(plant, calibration):
    verdict = judge([plant.behaviour(1.0, 0.97), plant.imitator()], calibration=calibration)
    assert (verdict.inside.answer, verdict.measured.answer, verdict.recombines.answer) == ("no", "yes", "not resolved")
    assert "its inside says that they should not" in verdict.sentence


def test_a_part_that_is_missing_makes_it_partial_and_is_named(plant, calibration):
    parts = [plant.exchange(f"part {k}", 1.0) for k in range(9)]
    settings = {f"part part {k}": "combined" for k in range(10)}
    evidence = replace(plant.within(*parts, plant.exchange("part 9", 0.1)), settings=settings)
    verdict = judge([evidence], calibration=calibration)
    assert verdict.inside.call == "composes"
    assert verdict.recombines.answer == "not resolved"
    assert verdict.headline == "partial"
    assert verdict.missing_parts == ("part 9",)
    assert "part 9" in verdict.sentence
    assert judge([evidence, plant.behaviour(1.0, 0.1)], calibration=calibration).headline == "partial"
    assert judge([evidence, plant.behaviour(1.0, 1.0)], calibration=calibration).recombines.answer == "yes"


def with_thresholds(calibration, above: float, below: float):
    thresholds = Thresholds(composes_above=above, imitates_below=below)
    lines = tuple(replace(line, thresholds=thresholds) for line in calibration.combiner.lines)
    return replace(calibration, combiner=replace(calibration.combiner, lines=lines))


def test_between_the_thresholds_it_abstains(plant, calibration):
    inside = judge([plant.composer()], calibration=with_thresholds(calibration, 0.9999, 0.0001)).inside
    assert (inside.answer, inside.call, inside.stability) == ("not resolved", "abstains", 1.0)
    assert "lies between the thresholds" in inside.because


def test_a_call_that_resamples_change_is_not_made(plant, calibration):
    """A threshold just beneath the probability: about half of the resamples lie beneath it too."""
    found = [plant.composer(0.5)]
    probability = judge(found, calibration=calibration).inside.probability
    inside = judge(found, calibration=with_thresholds(calibration, probability - 1e-6, 0.0)).inside
    assert 0.3 < inside.stability < 0.7
    assert (inside.answer, inside.call, inside.probability) == ("not resolved", "abstains", probability)
    assert "of resamples lead to the same call, and 95% are needed" in inside.because
    far = judge(found, calibration=with_thresholds(calibration, inside.interval.low - 0.05, 0.0)).inside
    assert (far.answer, far.call) == ("yes", "composes")


def test_outside_of_what_known_networks_have_there_is_no_call(plant, calibration):
    high = dict.fromkeys(calibration.combiner.high, 0.1) | {"recombination": 0.2}
    narrow = replace(calibration, combiner=replace(calibration.combiner, high=high))
    verdict = judge([plant.composer()], calibration=narrow)
    assert verdict.inside.answer == "not resolved"
    assert "lies outside of what known networks have" in verdict.sentence


def test_missing_evidence_is_missing(plant, calibration):
    lone = replace(plant.composer(), measures=plant.composer().measures[:2])
    verdict = judge([lone], calibration=calibration)
    assert verdict.inside.features["additivity"] is None
    assert verdict.inside.answer == "yes"


@pytest.mark.parametrize(
    ("value", "answer", "headline"), [(0.8, "yes", "genuine"), (0.2, "no", "fractured"), (0.5, "not resolved", None)]
)
def test_the_second_axis(plant, calibration, value, answer, headline):
    verdict = judge([plant.composer(), plant.tidiness(value, half=0.02 if headline else 0.3)], calibration=calibration)
    assert verdict.organised.answer == answer
    assert verdict.headline == (headline or "genuine or fractured")


def test_without_a_calibration_the_inside_is_not_judged_and_behaviour_still_is(plant, no_calibration):
    evidence = [plant.composer(), plant.tidiness(0.8), plant.behaviour(1.0, 0.97)]
    verdict = judge(evidence)
    assert verdict.recombines.answer == "yes"
    assert verdict.inside.because == "no calibration ships with this version"
    assert verdict.inside.features["recombination"] == pytest.approx(0.8 / 0.9)
    assert verdict.organised.answer == "not resolved"


def test_same_evidence_same_verdict_in_any_order(plant, calibration):
    evidence = [plant.composer(), plant.tidiness(0.8), plant.behaviour(1.0, 0.97)]
    assert judge(evidence, calibration=calibration) == judge(evidence[::-1], calibration=calibration)


def test_the_probability_never_falls_when_recombination_rises(plant, calibration):
    insides = [
        judge([plant.within(plant.exchange("i", value / 20))], calibration=calibration).inside.probability
        for value in range(21)
    ]
    assert insides == sorted(insides)
    assert insides[0] < insides[-1]
