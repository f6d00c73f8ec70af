"""Access level 0: read in a process that cannot reach the task, with the same evidence to the bit."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch
from stages import SIZE, Declared, Pairs, composer
from torch import nn

from assay.access import judged_apart
from assay.audit import audit
from assay.instrument import Random, run
from assay.instruments.decodability import Decodability
from assay.instruments.recombination import Recombination
from assay.instruments.recombination.instrument import BUDGETS
from assay.instruments.systematicity import Systematicity
from assay.subject import Subject
from assay.task import SwapsParts
from assay.views import NoNovelInputs, TrainedOnly, Unlabelled

pytestmark = pytest.mark.slow

SMALL = Recombination(budgets={"quick": dataclasses.replace(BUDGETS["quick"], examples=200, scrambled=1, turned=1)})


class Plain(Declared):
    """The same, with the input of `nn.Sequential`."""

    def of(self, rows: torch.Tensor):
        examples = super().of(rows)
        return dataclasses.replace(examples, inputs={"input": examples.inputs["x"]})


TASK = Plain()


def plain() -> Subject:
    """The composer of modules that any process knows."""
    layers = composer().module.layers
    return Subject(nn.Sequential(*(step for layer in layers[:-1] for step in (layer, nn.ReLU())), layers[-1]))


def test_a_task_as_level_0_sees_it_gives_no_novel_input():
    view = TrainedOnly(TASK)
    assert isinstance(view, SwapsParts)
    assert not isinstance(TrainedOnly(Pairs()), SwapsParts)
    assert torch.equal(view.combinations("novel"), TASK.combinations("novel")), "the declaration lists them"
    with pytest.raises(NoNovelInputs):
        view.examples("novel", 1, generator=torch.Generator())
    assert len(view.examples("novel", 0, generator=torch.Generator())) == 0
    assert len(view.examples("seen", 3, generator=torch.Generator())) == 3


def test_what_is_drawn_leads_to_no_task_and_is_the_same_in_another_process():
    subject = plain()
    drawn = pickle.dumps(SMALL.data(subject, TrainedOnly(TASK), SMALL.budgets["quick"], Random(0, SMALL.name)))
    assert b"assay.instruments.recombination.items" in drawn
    assert not [name for name in (b"assay.task\x94", b"assay.tasks", b"Plain") if name in drawn]
    assert b"Plain" in pickle.dumps(TASK)
    here = run(SMALL, subject, TrainedOnly(TASK), effort="quick")
    apart, other = judged_apart([SMALL, Systematicity()], subject, TASK, effort="quick", seed=0)
    assert here == apart
    assert apart.measure("novel_from_state", form="sum").value == 1.0
    assert other is None, "it draws novel inputs"
    assert sum(null.units is not None for one in here.measures for null in one.nulls) >= 12
    for one, same in zip(here.measures, apart.measures, strict=True):
        for null, again in zip(one.nulls, same.nulls, strict=True):
            assert (null.units is None) == (again.units is None)
            assert null.units is None or np.array_equal(null.units, again.units, equal_nan=True)


def test_an_audit_at_level_0_runs_it_and_skips_what_draws_novel_inputs():
    result = audit(plain(), TASK, effort="quick", level=0, instruments=[SMALL, Systematicity()])
    assert [item.instrument for item in result.evidence] == ["recombination"]
    (skipped,) = result.skipped
    assert (skipped.instrument, "level 0" in skipped.reason) == ("systematicity", True)


def test_without_novel_inputs_the_combining_is_read_alike_and_the_way_in_has_no_value():
    task = Declared()
    full, low = (run(SMALL, composer(), one, effort="quick") for one in (task, TrainedOnly(task)))
    for about in ({"form": "sum"}, {"form": "shift"}, {"part": "i"}):
        own, same = (one.measure("novel_from_state", **about) for one in (full, low))
        assert own.value == same.value == 1.0
        for key in ("novel_as_state", "novel_both"):
            measure = low.measure(key, **about)
            assert (measure.value, measure.note) == (None, "novel inputs are drawn at access level 1 or 2")
    assert low.settings["breaks"] == "not resolved"
    assert any("only if novel inputs reach their composed states" in warning for warning in low.warnings)


class Mislabelled(Pairs):
    """Novel combinations have a wrong answer each."""

    def examples(self, split, n, *, generator):
        found = super().examples(split, n, generator=generator)
        return dataclasses.replace(found, targets=(found.targets + 1) % SIZE) if split == "novel" else found


def test_at_level_1_no_instrument_sees_what_novel_inputs_are_answered():
    given = {"effort": "quick", "instruments": [SMALL, Systematicity(), Decodability()]}
    right, wrong = (audit(composer(), task, level=1, **given) for task in (Pairs(), Mislabelled()))
    assert right.evidence == wrong.evidence
    assert right.verdict == wrong.verdict
    assert len(right.evidence) == 3
    own, other = (run(SMALL, composer(), task, effort="quick") for task in (Pairs(), Mislabelled()))
    assert own.settings["breaks"] != other.settings["breaks"], "at level 2 they count"


def test_a_task_as_level_1_sees_it_keeps_its_abilities_and_gives_novel_inputs_without_answers():
    view = Unlabelled(TASK)
    assert isinstance(view, SwapsParts)
    assert not isinstance(Unlabelled(Pairs()), SwapsParts)
    assert (view.level, Unlabelled(TrainedOnly(TASK)).level) == (1, 1)
    own, known = (one.examples("novel", 5, generator=torch.Generator().manual_seed(0)) for one in (view, TASK))
    assert own.targets.tolist() == [-1] * 5
    assert torch.equal(own.inputs["input"], known.inputs["input"])
    seen, also = (one.examples("seen", 5, generator=torch.Generator().manual_seed(0)) for one in (view, TASK))
    assert torch.equal(seen.targets, also.targets)
