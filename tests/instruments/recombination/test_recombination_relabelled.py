"""Networks trained alike on random labels stand beside the network where the effort allows, and else it is said why not."""

import dataclasses

import pytest
from stages import Declared, composer

from assay.instrument import Random, Readings, run
from assay.instruments.recombination import Recombination
from assay.instruments.recombination.instrument import BUDGETS
from assay.instruments.recombination.words import RELABELLED
from assay.store import Training
from assay.subject import Subject

SETTINGS = {"steps": 60, "batch_size": 96, "learning_rate": 1e-2, "seed": 0}


def measured(training: Training | None, **changes: float):
    subject: Subject = composer()
    subject.training = training
    sizes = {"examples": 400, "combinations": 60, "cuts": 4, "scrambled": 1, "turned": 1, **changes}
    budget = dataclasses.replace(BUDGETS["quick"], **sizes)
    return run(Recombination(budgets={"quick": budget}), subject, Declared(), effort="quick", seed=0)


def test_one_that_learned_random_labels_has_nothing_to_combine():
    evidence = measured(Training(SETTINGS, 5.0), relabelled=2, relabelled_seconds=10.0)
    nulls = [null for null in evidence.measure("novel_from_state", form="sum").nulls if null.name.startswith(RELABELLED)]
    assert [null.name for null in nulls] == [f"{RELABELLED} 1", f"{RELABELLED} 2"]
    assert evidence.measure("novel_from_state", form="sum").value == 1.0
    assert all(null.mean < 0.4 for null in nulls)
    assert nulls[0].values != nulls[1].values, "another seed each"
    assert not any(RELABELLED in told for told in evidence.not_tested)


@pytest.mark.parametrize(
    ("training", "changes", "why"),
    [
        (Training(SETTINGS, 5.0), {}, "this effort trains none"),
        (None, {"relabelled": 1, "relabelled_seconds": 10.0}, "how the network was trained is not known"),
        (
            Training(SETTINGS, 2_000.0),
            {"relabelled": 1, "relabelled_seconds": 10.0},
            "training took 2,000 s of CPU time, and this effort allows 10",
        ),
    ],
)
def test_where_none_is_trained_it_says_why(training, changes, why):
    budget = dataclasses.replace(BUDGETS["quick"], examples=400, **changes)
    subject = composer()
    subject.training = training
    instrument, rng = Recombination(), Random(0, "test")
    data = instrument.data(subject, Declared(), budget, rng)
    assert data.not_trained_alike == why
    own = instrument.read(subject, data, rng)
    assert instrument.references(subject, Declared(), data, own, rng) == {}
    said = instrument.explain(data, Readings(own, (), {}), ()).not_tested
    assert [told for told in said if RELABELLED in told] == [f"Networks {RELABELLED}: {why}."]
