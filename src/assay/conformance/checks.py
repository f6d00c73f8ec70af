"""The checks. Each takes an instrument and a case, and raises an `AssertionError` naming the fault."""

import functools
from collections.abc import Callable

import torch
from torch import Generator

from assay.attributes import copied
from assay.conformance.case import Case, pairs
from assay.display import plural
from assay.evidence import UNTRAINED, Evidence
from assay.instrument import Instrument, missing_abilities, run
from assay.references import cited
from assay.subject import Subject
from assay.task import Task

FEW_SUBJECTS = 1  # experiments/false_findings.py takes more, and reports rates


def check_instrument(instrument: Instrument, case: Case | None = None) -> None:
    """Run every check with the quick budget of the instrument: about fifteen readings.

    **Arguments:** `case`: task and networks; pairs of values and an MLP by default.

    **Raises:** `AssertionError` naming the first check that fails.

    Example::

        >>> from assay.conformance import check_instrument
        >>> check_instrument(assay.load_instrument("systematicity"))  # an AssertionError would name the check
    """
    case = case or pairs()
    for check in CHECKS:
        try:
            check(instrument, case)
        except AssertionError as error:
            name = check.__name__.removeprefix("check_").replace("_", " ")
            raise AssertionError(f"{instrument.name}, {name}: {error}") from error


def measure(instrument: Instrument, subject: Subject, task: Task, seed: int = 0) -> Evidence:
    """Evidence with the quick budget."""
    return run(instrument, subject, task, effort="quick", seed=seed)


@functools.cache
def measured(instrument: Instrument, case: Case) -> Evidence:
    """Evidence for the learned network with seed 0, computed once."""
    return measure(instrument, case.learned(), case.task)


def check_the_task_has_what_it_needs(instrument: Instrument, case: Case) -> None:
    missing = missing_abilities(instrument, case.task)
    assert not missing, f"the case lacks {', '.join(ability.__name__ for ability in missing)}"


def check_it_describes_itself(instrument: Instrument, case: Case) -> None:
    assert instrument.question.endswith("?"), "its question must end in a question mark"
    assert cited(instrument.cites), "it cites no work"
    keys = [metric.key for metric in instrument.metrics]
    assert len(keys) == len(set(keys)), "two metrics have one key"
    assert {measure.key for measure in measured(instrument, case).measures} <= set(keys)


def check_same_seed_same_evidence(instrument: Instrument, case: Case) -> None:
    assert _measured_on_a_copy(instrument, case)[0] == measured(instrument, case), "it differs"


def check_another_seed_draws_other_nulls(instrument: Instrument, case: Case) -> None:
    """Nulls that are equal under two seeds would not be random."""
    other = measure(instrument, case.learned(), case.task, seed=1)
    own = measured(instrument, case)
    assert [m.nulls for m in other.measures] != [m.nulls for m in own.measures], "they are the same"


def check_the_subject_is_left_as_it_was(instrument: Instrument, case: Case) -> None:
    faults = _measured_on_a_copy(instrument, case)[1]
    assert not faults, ", ".join(faults)


@functools.cache
def _measured_on_a_copy(instrument: Instrument, case: Case) -> tuple[Evidence, list[str]]:
    """Evidence for a new copy of the network, and the side effects of the reading."""
    given = case.learned()
    learned = Subject(copied(given.module), name=given.name, fresh=given.fresh)
    learned.module.requires_grad_(True).zero_grad()
    sample = case.task.examples("seen", 64, generator=Generator().manual_seed(0)).inputs
    weights = {name: value.clone() for name, value in learned.weights().items()}
    outputs = learned(sample)
    state, training = torch.get_rng_state(), learned.module.training
    evidence = measure(instrument, learned, case.task)
    modules = list(learned.module.modules())
    faults = {
        "its weights changed": not all(torch.equal(weights[name], value) for name, value in learned.weights().items()),
        "its outputs changed": not torch.equal(outputs, learned(sample)),
        "the global generator was used": not torch.equal(state, torch.get_rng_state()),
        "it was put into another mode": learned.module.training != training,
        "its gradients changed": any(not one.requires_grad or one.grad is not None for one in learned.module.parameters()),
        "hooks were left": any(module._forward_hooks or module._forward_pre_hooks for module in modules),
    }
    return evidence, [fault for fault, there in faults.items() if there]


def check_the_order_of_examples_does_not_matter(instrument: Instrument, case: Case) -> None:
    assert measure(instrument, case.learned(), case.reordered) == measured(instrument, case), "it does"


def check_the_order_of_hidden_units_does_not_matter(instrument: Instrument, case: Case) -> None:
    learned = case.learned()
    subject = Subject(case.permuted(learned.module), name=learned.name, fresh=learned.fresh)
    ours, theirs = measured(instrument, case).measures, measure(instrument, subject, case.task).measures
    for one, other in zip(ours, theirs, strict=True):
        assert one.label == other.label
        if one.value is None or other.value is None:
            assert one.value == other.value, f"{one.label}: {one.value} and {other.value}"
        elif case.descends:
            assert one.interval is not None
            assert other.interval is not None
            apart = max(one.interval.low, other.interval.low) - min(one.interval.high, other.interval.high)
            assert apart <= 0, f"{one.label}: intervals are {apart} apart"
        else:
            assert abs(one.value - other.value) <= 0.02, f"{one.label}: {one.value} and {other.value}"


def check_untrained_networks_give_no_findings(instrument: Instrument, case: Case) -> None:
    for name, task in case.hard.items():
        _no_findings(instrument, [case.untrained(task, seed) for seed in range(FEW_SUBJECTS)], name, task)


def check_networks_trained_on_wrong_labels_give_no_findings(instrument: Instrument, case: Case) -> None:
    for name, task in case.hard.items():
        _no_findings(instrument, case.memorisers(task, FEW_SUBJECTS), name, task)


def _no_findings(instrument: Instrument, subjects: list[Subject], name: str, task: Task) -> None:
    """Every finding is a false one. An instrument may refuse a network that has not learned the task."""
    evidence = [measure(instrument, subject, task, seed) for seed, subject in enumerate(subjects)]
    assert all(item.not_enough or _answers(item) for item in evidence), (
        f"{name}: no headline measure has a value, so nothing was tested"
    )
    found = [m.label for item in evidence for m in item.findings()]
    assert not found, f"{name}: {', '.join(found)}"


def _answers(evidence: Evidence) -> bool:
    return any(m.headline and m.value is not None for m in evidence.measures)


def check_too_little_is_not_enough_data(instrument: Instrument, case: Case) -> None:
    for seen in (0, 1):
        for novel in (0, 1):
            evidence = measure(instrument, case.learned(), case.few(seen, novel))
            assert evidence.not_enough, f"{seen} seen and {novel} novel combinations are enough for it"
            assert not evidence.findings()
            assert all(m.value is None for m in evidence.measures)


def check_too_few_novel_combinations_give_no_number(instrument: Instrument, case: Case) -> None:
    for novel in (0, 1):
        evidence = measure(instrument, case.learned(), case.few(22, novel))
        assert not evidence.not_enough, f"trained combinations are enough, but not with {novel} novel ones"
        numbers = [m.label for m in evidence.measures if m.value is not None and "novel" in m.key]
        assert not numbers, f"{novel} novel combinations: {', '.join(numbers)}"


def check_every_number_stands_beside_null_and_interval(instrument: Instrument, case: Case) -> None:
    evidence = measured(instrument, case)
    assert _answers(evidence), "it has no headline value for a network that has learned the task"
    for m in evidence.measures:
        assert m.units == len(m.repeats) or not m.repeats, f"{m.label}: {m.units} units and {len(m.repeats)} values"
        if m.value is None:
            assert m.note, f"{m.label} has neither a value nor a note"
            continue
        assert m.interval is not None, f"{m.label} has no interval"
        assert m.interval.low <= m.value <= m.interval.high, f"{m.label} lies outside its interval"
        assert m.nulls, f"{m.label} has no null"
        for null in m.nulls:
            assert null.values, f"{m.label}: {null.name} is empty"
            assert null.units is None or len(null.units) == len(null.values), f"{m.label}: {null.name}"


def check_inputs_are_given_of_all_units_or_of_none(instrument: Instrument, case: Case) -> None:
    evidence = measured(instrument, case)
    unused = set(evidence.inputs)
    for measure in evidence.measures:
        key, texts = evidence.stored_of("inputs", measure)
        unused.discard(key)
        missing = sorted(set(measure.ids).difference(texts)) if key in evidence.inputs else []
        assert not missing, f"no input of {measure.unit_of} {missing[0]}, on which {measure.label} rests"
    assert not unused, f"there are inputs of {plural(unused.pop())}, which no measure has as units"


def check_untrained_copies_are_at_least_five(instrument: Instrument, case: Case) -> None:
    nulls = [n for m in measured(instrument, case).measures for n in m.nulls if n.name == UNTRAINED]
    assert nulls, "there are none"
    fewest = min(len(null.values) for null in nulls)
    assert fewest >= 5, f"there are {fewest}"


def check_what_needs_more_access_is_left_out_below(instrument: Instrument, case: Case) -> None:
    evidence = measured(instrument, case)
    for level in (0, 1, 2):
        kept = evidence.at_level(level)
        assert all(item.level <= level for item in (*kept.measures, *kept.figures)), f"at level {level}"
    assert evidence.at_level(2) == evidence


CHECKS: tuple[Callable[[Instrument, Case], None], ...] = (
    check_the_task_has_what_it_needs,
    check_it_describes_itself,
    check_same_seed_same_evidence,
    check_another_seed_draws_other_nulls,
    check_the_subject_is_left_as_it_was,
    check_the_order_of_examples_does_not_matter,
    check_the_order_of_hidden_units_does_not_matter,
    check_untrained_networks_give_no_findings,
    check_networks_trained_on_wrong_labels_give_no_findings,
    check_too_little_is_not_enough_data,
    check_too_few_novel_combinations_give_no_number,
    check_every_number_stands_beside_null_and_interval,
    check_inputs_are_given_of_all_units_or_of_none,
    check_untrained_copies_are_at_least_five,
    check_what_needs_more_access_is_left_out_below,
)
"""The checks of `check_instrument`, each called with an instrument and a case, for a test framework.

Example::

    >>> from assay.conformance import CHECKS, pairs
    >>> instrument = assay.load_instrument("systematicity")
    >>> for check in CHECKS[:2]:
    ...     check(instrument, pairs())
"""
