"""What could not be used is told in the evidence: texts that were refused, relations that training never had."""

import dataclasses

import pytest
from knowing_trees import Trees, subject
from polar_for_tests import RELATIONS, planted

from assay.graph import tree
from assay.instrument import run
from assay.instruments import load_instrument
from assay.instruments.polar.instrument import warnings_of
from assay.instruments.polar.targets import TextStates

pytestmark = pytest.mark.slow


def warnings(test, refused: tuple[str, ...] = ()) -> tuple[str, ...]:
    train = planted(5)
    return warnings_of(TextStates(train, train, test, ("0",), refused))


def test_relations_without_training_texts_are_counted():
    assert warnings(planted(3)) == ()
    foreign = tree("abc", [-1, 0, 0], relation=["root", "vocative", "subject"])
    sample = planted(1, sizes=(3, 3))
    odd = dataclasses.replace(sample, targets=sample.asked_for([foreign]).targets)
    assert sample.relations == RELATIONS
    assert warnings(odd) == ("1 test edges have a relation that occurs in no training text; they count as wrong.",)


def test_texts_that_were_refused_are_counted_and_the_first_are_named():
    (few,) = warnings(planted(1), ("s1: no token for 'x'",))
    assert few == "1 texts were not encoded: s1: no token for 'x'."
    (many,) = warnings(planted(1), tuple(f"s{k}: too long" for k in range(7)))
    assert many.startswith("7 texts were not encoded: s0: too long; s1: ")
    assert many.endswith("s4: too long; and 2 more.")


class Unaligned(Trees):
    """Feeds no position for the last word of all texts but the first `whole`."""

    whole = 0

    def feed(self, graphs):
        fed = super().feed(graphs)
        fed.places[self.whole :, -1] = -1
        return fed


def test_where_too_few_texts_align_the_evidence_says_which_and_why():
    evidence = run(load_instrument("polar"), subject(), Unaligned(20), effort="quick", seed=0)
    assert evidence.not_enough.startswith(
        "0 train texts with edges, and at least 5 are needed; 60 were not encoded, the first "
    )
    assert evidence.not_enough.endswith("train 0: 1 words have no position of their own")


def test_of_one_text_nothing_is_predicted_and_nothing_breaks():
    evidence = run(load_instrument("polar"), subject(), Trees(1), effort="quick", seed=0)
    assert evidence.not_enough == "1 train texts with edges, and at least 5 are needed"
    assert evidence.summary.startswith("Not enough data")
