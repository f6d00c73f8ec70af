"""The check of the small slice finds what it is for."""

import pytest

from assay.evidence import Interval
from assay.verdict import Combining, Novel, Sharing, Verdict
from zoo.judged import faults
from zoo.truth import Truth

INTERVAL = Interval(low=0.0, high=1.0, level=0.95, method="made up")


def verdict(answer, breaks="nothing found", **more):
    novel = Novel(answer=answer, because="", basis="measured", value=0.5, interval=INTERVAL, **more)
    combining, sharing = Combining(answer=breaks, because=""), Sharing(because="")
    return Verdict(novel=novel, estimate=None, combining=combining, sharing=sharing, sentence="")


def truth(label, meant="composer", kind="trained", of=""):
    return Truth.model_construct(label=label, meant=meant, kind=kind, of=of)


@pytest.mark.parametrize(
    ("label", "meant", "full", "inside", "wrong"),
    [
        ("composes", "composer", "works", "works", 0),
        ("composes", "composer", "works", "not resolved", 0),
        ("composes", "composer", "not resolved", "works", 1),
        ("composes", "composer", "works in part", "does not work", 2),
        ("imitates", "imitator", "does not work", "does not work", 0),
        ("imitates", "imitator", "works in part", "works", 1),
        ("imitates", "attack", "does not work", "works", 0),
        ("imitates", "imitator", "works", "not resolved", 1),
        ("partial", "partial", "works in part", "works in part", 0),
        ("partial", "partial", "works", "works", 1),
        ("not enough data", "partial", "not resolved", "works", 0),
    ],
)
def test_an_answer_that_contradicts_the_truth_is_a_fault(label, meant, full, inside, wrong):
    found = list(faults({"a": truth(label, meant)}, {"a": (verdict(full), verdict(inside))}))
    assert len(found) == wrong, found


@pytest.mark.parametrize("kind", ["refactor", "twin"])
def test_one_function_has_one_verdict(kind):
    truths = {"a": truth("partial"), "b": truth("partial", kind=kind, of="a"), "c": truth("partial", kind="stopped", of="a")}
    same = verdict("works in part", "the combining")
    other = verdict("works in part", "the way in")
    assert list(faults(truths, dict.fromkeys(truths, (same, same)))) == []
    for pair in ((other, same), (same, other)):
        (found,) = faults(truths, {"a": (same, same), "b": pair, "c": pair})
        assert found.startswith("b has the function of a")
