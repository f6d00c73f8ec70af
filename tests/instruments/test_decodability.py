"""Planted activations: a part that training made readable, one that was readable all along, one that never was."""

import pytest
import torch
from tasks_for_conformance import Scrambled
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.evidence import Evidence
from assay.instruments.decodability import Decodability
from assay.instruments.decodability.crossfit import CrossFit, combination_folds, example_folds
from assay.instruments.decodability.readouts import readouts
from assay.models import build
from assay.subject import Subject
from assay.task import Task
from assay.tasks.hyperteacher import Hyperteacher
from assay.tasks.modular import Modular

MODULAR = Modular(p=5, num_first=6, num_second=6, coverage=0.6)
SCRAMBLED = Scrambled(MODULAR)


class Reveals(nn.Module):
    """Recognises its input and writes the value of i into a hidden layer, once it is `trained`."""

    def __init__(self, *, trained: bool):
        super().__init__()
        everything = SCRAMBLED.examples("seen", 10**6, generator=Generator().manual_seed(0))
        more = SCRAMBLED.examples("novel", 10**6, generator=Generator().manual_seed(0))
        self.register_buffer("rows", torch.cat([everything.inputs["x"], more.inputs["x"]]))
        self.register_buffer("values", torch.cat([everything.parts["i"], more.parts["i"]]))
        self.trained = trained
        self.hidden = nn.Identity()
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        values = self.values[torch.cdist(x, self.rows).argmin(1)]
        if not self.trained:
            values = (x[:, 0] * 1000).long() % 6
        return self.head(self.hidden(nn.functional.one_hot(values, 6).float()))


def measured(subject: Subject, task: Task, **options) -> Evidence:
    return Decodability(**options).measure(subject, task, effort="quick", generator=Generator().manual_seed(0))


def test_what_training_made_readable_is_found():
    subject = Subject(Reveals(trained=True), fresh=lambda generator: Reveals(trained=False))
    evidence = measured(subject, SCRAMBLED)
    assert evidence.measure("decodability gain", part="i").value > 0.4
    assert [m.about["part"] for m in evidence.findings()] == ["i"]
    assert evidence.measure("decodability by site", part="i", site="hidden:in").value == 1.0
    assert evidence.measure("decodability on novel combinations", part="i").value == 1.0


def test_what_the_input_gives_away_is_no_finding():
    model = build("mlp", MODULAR, generator=Generator().manual_seed(0), width=32)
    evidence = measured(Subject(model), MODULAR)
    assert evidence.findings() == ()
    assert evidence.summary.startswith("Nothing was learned from decodability")
    for part in "ijx":
        assert evidence.measure("decodability gain", part=part).value == pytest.approx(0, abs=1e-6)


def test_gain_is_nothing_on_untrained_networks_in_19_of_20():
    inside = 0
    for seed in range(20):
        model = build("mlp", SCRAMBLED, generator=Generator().manual_seed(seed), width=32)
        evidence = Decodability().measure(Subject(model), SCRAMBLED, effort="quick", generator=Generator().manual_seed(seed))
        gains = [m for m in evidence.measures if m.name == "decodability gain"]
        inside += all(m.interval.low <= 0 <= m.interval.high for m in gains)
    assert inside >= 19


def test_graded_parts_are_read_as_presence_and_amount():
    task = Hyperteacher(num_modules=6, max_active=3)
    model = build("mlp", task, generator=Generator().manual_seed(0), width=16)
    evidence = measured(Subject(model), task)
    kinds = {(m.about["part"], m.about["readout"]) for m in evidence.measures if m.name == "decodability gain"}
    names = [part.name for part in task.parts]
    assert kinds == {(name, kind) for name in names for kind in ("presence", "amount given present")}


def test_identity_encoded_amounts_are_in_the_input():
    """Research note 2b: R2 1.000 from the input alone, so that hidden decodability says nothing."""
    task = Hyperteacher(num_modules=6, max_active=3)
    model = build("mlp", task, generator=Generator().manual_seed(0), width=16)
    gain = measured(Subject(model), task).measure("decodability gain", readout="amount given present")
    encoded = next(null for null in gain.nulls if null.name == "encoded input")
    assert gain.value == pytest.approx(encoded.values[0], abs=0.02)
    assert gain.interval.low <= 0.02


def test_folds_keep_combinations_apart(generator):
    combination = torch.arange(12).repeat_interleave(4)
    apart, spread = combination_folds(combination, generator), example_folds(combination)
    for value in range(12):
        assert len(apart[combination == value].unique()) == 1
        assert len(spread[combination == value].unique()) == 4


def test_a_value_that_occurs_in_one_fold_only_is_left_out(generator):
    examples = MODULAR.examples("seen", 10**6, generator=generator).in_canonical_order()
    readout = readouts(MODULAR, examples)[0]
    folds = (examples.parts["i"] != 0).long()  # value 0 is alone in its fold
    scores = CrossFit(torch.randn(len(examples), 4, generator=generator), folds).scores(readout, readout.labels[:, None])
    assert scores[examples.parts["i"] == 0].isnan().all()


def test_shuffled_labels_stay_constant_within_their_unit(generator):
    examples = MODULAR.examples("seen", 10**6, generator=generator).in_canonical_order()
    for readout in readouts(MODULAR, examples):
        mixed = readout.shuffled(3, generator)
        for unit in readout.units.unique()[:10]:
            assert (mixed[readout.units == unit] == mixed[readout.units == unit][0]).all()
        assert not torch.equal(mixed[:, 0], readout.labels)
        assert torch.equal(mixed[:, 0].unique(return_counts=True)[0], readout.labels.unique(return_counts=True)[0]), (
            "the same values are dealt"
        )


def test_sites_can_be_chosen_and_a_miss_lists_them():
    model = build("mlp", MODULAR, generator=Generator().manual_seed(0), width=16)
    evidence = measured(Subject(model), MODULAR, sites=["layers.1"])
    assert {m.about["site"] for m in evidence.measures if m.name == "decodability by site"} == {"layers.1:out"}
    with pytest.raises(AssayError, match=r"layers\.0:out"):
        measured(Subject(model), MODULAR, sites=["layer.1"])
