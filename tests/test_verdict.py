import pytest

from assay.evidence import Evidence, Interval, Measure, Null
from assay.verdict import judge


def score(name: str, value: float | None, half: float, p: float = 0.001) -> Measure:
    if value is None:
        return Measure(
            name=name, value=None, unit="accuracy", direction="higher", interval=None, nulls=(), units=2, unit_of="combination",
            headline=True, note="not enough data: 2 combinations",
        )  # fmt: skip
    return Measure(
        name=name,
        value=value,
        unit="accuracy",
        direction="higher",
        interval=Interval(low=value - half, high=min(1.0, value + half), level=0.95, method="made up"),
        nulls=(Null(name="shuffled targets", how="made up", values=(0.1,), p=p),),
        units=30,
        unit_of="combination",
        headline=True,
    )


def behaviour(seen: float, novel: float | None, *, half: float = 0.02, p: float = 0.001) -> Evidence:
    measures = (score("seen score", seen, half), score("novel score", novel, half, p))
    return Evidence(instrument="systematicity", question="?", summary="", measures=measures)


@pytest.mark.parametrize(
    ("seen", "novel", "answer", "headline"),
    [
        (1.0, 0.97, "yes", "genuine or fractured"),
        (1.0, 0.10, "no", "partial or imitation"),
        (1.0, 0.70, "not resolved", "not resolved"),
        (1.0, 0.91, "not resolved", "not resolved"),  # the interval reaches below .9
        (1.0, 0.49, "not resolved", "not resolved"),  # the interval reaches above .5
        (1.0, None, "not resolved", "not resolved"),
        (0.60, 0.60, "not resolved", "unlearned"),
    ],
)
def test_rules_on_behaviour(seen, novel, answer, headline):
    verdict = judge([behaviour(seen, novel)])
    assert verdict.recombines.answer == answer
    assert verdict.headline == headline


def test_a_null_that_scores_as_well_resolves_nothing():
    verdict = judge([behaviour(1.0, 0.97, p=0.4)])
    assert verdict.recombines.answer == "not resolved"
    assert "null scores as well" in verdict.sentence


def test_nothing_measured_is_not_resolved():
    verdict = judge([])
    assert verdict.headline == "not resolved"
    assert "systematicity was not run" in verdict.sentence


def test_not_enough_evidence_gives_its_reason():
    verdict = judge([Evidence(instrument="systematicity", question="?", summary="", not_enough="only 3 trained combinations")])
    assert "only 3 trained combinations" in verdict.sentence


def test_decodability_alone_resolves_nothing():
    probe = Evidence(instrument="decodability", question="?", summary="", measures=(score("decodability gain", 0.9, 0.01),))
    assert judge([probe]).headline == "not resolved"
    assert judge([behaviour(1.0, 0.1), probe]) == judge([behaviour(1.0, 0.1)])


def test_unlearned_says_so():
    assert judge([behaviour(0.6, 0.1)]).sentence.startswith("Unlearned")
