"""What every registered instrument must pass. None is named here: a new one is tested as soon as it is registered."""

import copy
import dataclasses
import functools

import pytest
import torch
from tasks_for_conformance import Few, Reordered, Scrambled, ShuffledTargets, small_task
from torch import Generator, nn

from assay.evidence import FINDING_LEVEL, Evidence
from assay.instrument import Instrument, missing_abilities
from assay.instruments import all_instruments
from assay.models import build
from assay.subject import Subject
from assay.task import Task
from assay.training import TrainingConfig, fit_many

NUM_SUBJECTS = 20
instruments = pytest.mark.parametrize("instrument", all_instruments(), ids=lambda instrument: instrument.name)
tasks = pytest.mark.parametrize("task", [small_task(), Scrambled(small_task())], ids=["readable input", "scrambled input"])


def untrained(task: Task, seed: int = 0) -> Subject:
    def fresh(generator: Generator) -> nn.Module:
        return build("mlp", task, generator=generator, width=32)

    return Subject(fresh(Generator().manual_seed(seed)), name=f"untrained {seed}", fresh=fresh)


def trained(task: Task, num: int = 1) -> list[Subject]:
    subjects = [untrained(task, seed) for seed in range(num)]
    configs = [TrainingConfig(steps=300, batch_size=128, learning_rate=1e-2, seed=seed) for seed in range(num)]
    fit_many([subject.module for subject in subjects], task, configs=configs, strategy="rule")
    return subjects


def measure(instrument: Instrument, subject: Subject, task: Task, seed: int = 0) -> Evidence:
    missing = missing_abilities(instrument, task)
    if missing:
        pytest.skip(f"this task lacks {missing}")
    return instrument.measure(subject, task, effort="quick", generator=Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def learned() -> Subject:
    return trained(small_task())[0]


@instruments
def test_same_seed_same_evidence(instrument, learned):
    assert measure(instrument, learned, small_task()) == measure(instrument, learned, small_task())


@instruments
def test_other_seed_other_nulls(instrument, learned):
    """The generator is really used: nulls that are the same under every seed would not be drawn at all."""
    first, second = (measure(instrument, learned, small_task(), seed) for seed in (0, 1))
    assert [m.nulls for m in first.measures] != [m.nulls for m in second.measures]


@instruments
def test_subject_is_left_as_it_was(instrument, learned):
    sample = small_task().examples("seen", 64, generator=Generator().manual_seed(0)).inputs
    weights = {name: value.clone() for name, value in learned.weights().items()}
    outputs = learned(sample)
    state = torch.get_rng_state()
    measure(instrument, learned, small_task())
    assert all(torch.equal(weights[name], value) for name, value in learned.weights().items())
    assert torch.equal(outputs, learned(sample))
    assert torch.equal(state, torch.get_rng_state()), "the global generator was used"
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in learned.module.modules())


@instruments
def test_order_of_examples_does_not_matter(instrument, learned):
    assert measure(instrument, learned, Reordered(small_task())) == measure(instrument, learned, small_task())


@instruments
def test_order_of_hidden_units_does_not_matter(instrument, learned):
    permuted = copy.deepcopy(learned.module)
    with torch.no_grad():
        for before, after in ((0, 2), (2, 4)):
            order = torch.randperm(32, generator=Generator().manual_seed(before))
            first, second = permuted.layers[before], permuted.layers[after]
            first.weight.copy_(first.weight[order])
            first.bias.copy_(first.bias[order])
            second.weight.copy_(second.weight[:, order])
    subject = Subject(permuted, name=learned.name, fresh=learned.fresh)
    for one, other in zip(
        measure(instrument, learned, small_task()).measures, measure(instrument, subject, small_task()).measures, strict=True
    ):
        assert one.label == other.label
        assert one.value == pytest.approx(other.value, abs=0.02), one.label


@instruments
@tasks
def test_untrained_subjects_give_no_findings(instrument, task):
    assert share_of_findings(instrument, task, [untrained(task, seed) for seed in range(NUM_SUBJECTS)]) <= FINDING_LEVEL


@instruments
@tasks
def test_subjects_trained_on_shuffled_labels_give_no_findings(instrument, task):
    assert share_of_findings(instrument, task, memorisers(task)) <= FINDING_LEVEL


@functools.cache
def memorisers(task: Task) -> list[Subject]:
    return trained(ShuffledTargets(task), NUM_SUBJECTS)


@tasks
def test_memorisers_did_memorise(task):
    """Or the test above would be the one on untrained networks again."""
    wrong = ShuffledTargets(task)
    examples = wrong.examples("train", 200, generator=Generator().manual_seed(0))
    scores = [float(wrong.score(subject(examples.inputs), examples).mean()) for subject in memorisers(task)]
    assert min(scores) > 0.9


def share_of_findings(instrument: Instrument, task: Task, subjects: list[Subject]) -> float:
    evidence = [measure(instrument, subject, task, seed) for seed, subject in enumerate(subjects)]
    asked = sum(m.headline and m.value is not None for item in evidence for m in item.measures)
    assert asked >= NUM_SUBJECTS, "nothing was asked, so nothing was tested"
    return sum(len(item.findings()) for item in evidence) / asked


@instruments
@pytest.mark.parametrize("seen", [0, 1])
@pytest.mark.parametrize("novel", [0, 1])
def test_too_few_combinations_are_not_enough_data(instrument, learned, seen, novel):
    evidence = measure(instrument, learned, Few(small_task(), seen=seen, novel=novel))
    assert evidence.not_enough
    assert not evidence.findings()
    assert all(m.value is None for m in evidence.measures)


@instruments
@pytest.mark.parametrize("novel", [0, 1])
def test_too_few_novel_combinations_give_no_novel_number(instrument, learned, novel):
    evidence = measure(instrument, learned, Few(small_task(), seen=22, novel=novel))
    assert not evidence.not_enough
    assert all(m.value is None for m in evidence.measures if "novel" in m.name)


@instruments
def test_every_measure_stands_beside_null_and_interval(instrument, learned):
    evidence = measure(instrument, learned, small_task())
    assert evidence.measures
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
            assert null.p is None or 0 <= null.p <= 1


@instruments
def test_untrained_copies_are_at_least_five(instrument, learned):
    evidence = measure(instrument, learned, small_task())
    counts = [len(null.values) for m in evidence.measures for null in m.nulls if null.name == "untrained copies"]
    assert all(count >= 5 for count in counts)


@instruments
def test_describes_itself(instrument):
    assert instrument.question.endswith("?")
    assert instrument.source.url.startswith("https://")
    assert instrument.source.key in instrument.source.bibtex
    assert dataclasses.is_dataclass(instrument.source)
