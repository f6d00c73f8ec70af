"""What every registered instrument must pass. None is named here, and none is passed over: a new one is tested as soon as it is
registered, on the first case whose task has what it needs."""

import pytest
import torch
from cases import INSTRUMENTS, Case, case_of, measure, measured
from torch import Generator

from assay.evidence import Evidence
from assay.instrument import Instrument, missing_abilities
from assay.instruments import all_instruments
from assay.references import cited
from assay.subject import Subject

pytestmark = pytest.mark.slow

FEW_SUBJECTS = 2  # experiments/false_findings.py takes more, and states the rates
instruments = pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)


def test_every_registered_instrument_is_checked():
    assert [instrument.name for instrument in INSTRUMENTS] == [instrument.name for instrument in all_instruments()]
    assert not any(missing_abilities(instrument, case_of(instrument).task) for instrument in INSTRUMENTS)


@instruments
def test_same_seed_same_evidence(instrument):
    case = case_of(instrument)
    assert measure(instrument, case.learned(), case.task) == measured(instrument)


@instruments
def test_other_seed_other_nulls(instrument):
    """The generator is really used: nulls that are the same under every seed would not be drawn at all."""
    case = case_of(instrument)
    other = measure(instrument, case.learned(), case.task, seed=1)
    assert [m.nulls for m in other.measures] != [m.nulls for m in measured(instrument).measures]


@instruments
def test_subject_is_left_as_it_was(instrument):
    case = case_of(instrument)
    learned = case.learned()
    sample = case.task.examples("seen", 64, generator=Generator().manual_seed(0)).inputs
    weights = {name: value.clone() for name, value in learned.weights().items()}
    outputs = learned(sample)
    state, training = torch.get_rng_state(), learned.module.training
    measure(instrument, learned, case.task)
    assert all(torch.equal(weights[name], value) for name, value in learned.weights().items())
    assert torch.equal(outputs, learned(sample))
    assert torch.equal(state, torch.get_rng_state()), "the global generator was used"
    assert learned.module.training == training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in learned.module.modules())


@instruments
def test_order_of_examples_does_not_matter(instrument):
    case = case_of(instrument)
    assert measure(instrument, case.learned(), case.reordered) == measured(instrument)


@instruments
def test_order_of_hidden_units_does_not_matter(instrument):
    case = case_of(instrument)
    learned = case.learned()
    subject = Subject(case.permuted(learned.module), name=learned.name, fresh=learned.fresh)
    ours, theirs = measured(instrument).measures, measure(instrument, subject, case.task).measures
    for one, other in zip(ours, theirs, strict=True):
        assert one.label == other.label
        if case.descends and one.value is not None:
            assert max(one.interval.low, other.interval.low) <= min(one.interval.high, other.interval.high), one.label
        else:
            assert one.value == pytest.approx(other.value, abs=0.02), one.label


@instruments
def test_untrained_subjects_give_no_findings(instrument):
    case = case_of(instrument)
    for task in case.hard.values():
        subjects = [case.untrained(task, seed) for seed in range(FEW_SUBJECTS)]
        assert not findings_of(instrument, case, subjects, task)


@instruments
def test_subjects_trained_on_wrong_labels_give_no_findings(instrument):
    case = case_of(instrument)
    for task in case.hard.values():
        assert not findings_of(instrument, case, case.memorisers(task, FEW_SUBJECTS), task)


def findings_of(instrument: Instrument, case: Case, subjects: list[Subject], task) -> list[str]:
    """The findings, each of which is a false one. An instrument may refuse a network that cannot do the task."""
    evidence = [measure(instrument, subject, task, seed) for seed, subject in enumerate(subjects)]
    assert all(item.not_enough or answered(item) for item in evidence), "nothing was asked, so nothing was tested"
    return [m.label for item in evidence for m in item.findings()]


def answered(evidence: Evidence) -> bool:
    return any(m.headline and m.value is not None for m in evidence.measures)


@instruments
@pytest.mark.parametrize("seen", [0, 1])
@pytest.mark.parametrize("novel", [0, 1])
def test_too_little_is_not_enough_data(instrument, seen, novel):
    case = case_of(instrument)
    evidence = measure(instrument, case.learned(), case.few(seen, novel))
    assert evidence.not_enough
    assert not evidence.findings()
    assert all(m.value is None for m in evidence.measures)


@instruments
@pytest.mark.parametrize("novel", [0, 1])
def test_too_few_novel_combinations_give_no_novel_number(instrument, novel):
    case = case_of(instrument)
    evidence = measure(instrument, case.learned(), case.few(22, novel))
    assert not evidence.not_enough
    assert all(m.value is None for m in evidence.measures if "novel" in m.name)


@instruments
def test_every_measure_stands_beside_null_and_interval(instrument):
    evidence = measured(instrument)
    assert answered(evidence)
    for m in evidence.measures:
        assert m.units == len(m.repeats) or not m.repeats
        if m.value is None:
            assert m.note
            continue
        assert m.interval is not None
        assert m.interval.low <= m.value <= m.interval.high
        assert m.nulls
        for null in m.nulls:
            assert null.values
            assert null.p is None or 0 < null.p <= 1


@instruments
def test_untrained_copies_are_at_least_five(instrument):
    """At every effort, and in what was measured."""
    counts = [len(n.values) for m in measured(instrument).measures for n in m.nulls if n.name == "untrained copies"]
    assert counts
    assert min(counts) >= 5
    (registered,) = (other for other in all_instruments() if other.name == instrument.name)
    for budget in registered.budgets.values():
        assert max(getattr(budget, "copies", 0), getattr(budget, "untrained", 0)) >= 5


@instruments
def test_what_needs_novel_inputs_or_labels_is_left_out_below(instrument):
    """A number says which access it needs, and none is kept below it."""
    evidence = measured(instrument)
    for level in (0, 1, 2):
        kept = evidence.at_level(level)
        assert all(item.level <= level for item in (*kept.measures, *kept.figures))
    assert evidence.at_level(2) == evidence


@instruments
def test_describes_itself(instrument):
    assert instrument.question.endswith("?")
    sources = cited(instrument.cites)
    assert sources
    assert all(source.url.startswith("https://") and source.key in source.bibtex for source in sources)
