"""The public checks: a whole instrument in a file of its own passes them, and every fault that they are for fails them."""

import copy
import dataclasses
import importlib.util
from pathlib import Path

import pytest
import torch

from assay.conformance import CHECKS, check_instrument, checks, pairs
from assay.errors import AssayError
from assay.instrument import NotEnough, Reading, Values
from assay.subject import Subject

pytestmark = pytest.mark.slow

_PATH = Path(__file__).parents[2] / "examples" / "plugin" / "silhouette.py"
_SPEC = importlib.util.spec_from_file_location("silhouette_example", _PATH)
example = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(example)
QUICK = {"quick": dataclasses.replace(example.Silhouette.budgets["quick"], permutations=19)}


FEW = {"quick": dataclasses.replace(QUICK["quick"], copies=2)}


class Small(example.Silhouette):
    budgets = QUICK


SMALL = Small()  # so that one reading serves several checks


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_worked_example_passes(check):
    check(SMALL, pairs())


def test_the_worked_example_is_short():
    assert len(_PATH.read_text().splitlines()) <= 80


class LeavesHooks(Small):
    def read(self, network, data, rng):
        network.module.register_forward_hook(lambda *_: None)
        return super().read(network, data, rng)


class ChangesWeights(Small):
    def read(self, network, data, rng):
        with torch.no_grad():
            next(network.module.parameters()).add_(1.0)
        return super().read(network, data, rng)


class LeavesGradients(Small):
    def read(self, network, data, rng):
        for weight in network.module.parameters():
            weight.grad = torch.zeros_like(weight)
        return super().read(network, data, rng)


class DependsOnTheOrder(Small):
    def data(self, subject, task, budget, rng):
        drawn = super().data(subject, task, budget, rng)
        examples = task.examples("seen", budget.examples, generator=rng("examples"))
        return dataclasses.replace(drawn, examples=examples, parts={name: examples.parts[name] for name in drawn.parts})

    def read(self, network, data, rng):
        reading = super().read(network, data, rng)
        first = float(data.examples.combination[0])
        return reading._replace(values=[dataclasses.replace(one, note=f"{first}") for one in reading.values])


class DependsOnTheUnits(Small):
    """Reads one unit by its place, as no instrument may."""

    def read(self, network, data, rng):
        states = network.read(data.examples.inputs, [data.site])[data.site]
        reading = super().read(network, data, rng)
        return reading._replace(
            values=[dataclasses.replace(v, units=torch.full_like(v.units, states[0, 0].tanh())) for v in reading.values]
        )


class SearchesLessInCopies(Small):
    """Its copies score nothing, so that every network has something."""

    def read_copy(self, network, data, own, rng):
        reading = self.read(network, data, rng)
        noise = torch.randn(1, generator=rng("noise")) * 1e-3
        return reading._replace(
            values=[dataclasses.replace(v, units=v.units * 0 - 0.9 + noise) for v in reading.values], kept=None
        )


class NeverSaysNotEnough(Small):
    def data(self, subject, task, budget, rng):
        try:
            return super().data(subject, task, budget, rng)
        except NotEnough:
            return None

    def read(self, network, data, rng):
        return super().read(network, data, rng) if data else _empty()

    def controls(self, data, rng):
        return super().controls(data, rng) if data else {}


def _empty():
    return Reading([Values(metric="silhouette", units=torch.zeros(0))])


class FewCopies(Small):
    budgets = FEW


class HasNoQuestion(Small):
    question = "Clusters."


class LeavesAnInputOut(Small):
    unit = "combination"

    def explain(self, data, readings, measures):
        ids = sorted({k for one in measures for k in one.unit_ids})
        return super().explain(data, readings, measures)._replace(inputs={self.unit: dict.fromkeys(ids[1:], "given")})


class HasInputsOfNothing(LeavesAnInputOut):
    unit = "sentence"


@pytest.mark.parametrize(
    ("broken", "check", "named"),
    [
        (LeavesHooks, "the_subject_is_left_as_it_was", "hooks were left"),
        (ChangesWeights, "it_describes_itself", "must leave the network's weights as they are"),  # the frame itself says so
        (LeavesGradients, "the_subject_is_left_as_it_was", "its gradients changed"),
        (DependsOnTheOrder, "the_order_of_examples_does_not_matter", "it does"),
        (DependsOnTheUnits, "the_order_of_hidden_units_does_not_matter", "silhouette"),
        (SearchesLessInCopies, "untrained_networks_give_no_findings", "silhouette"),
        (NeverSaysNotEnough, "too_little_is_not_enough_data", "are enough for it"),
        (FewCopies, "untrained_copies_are_at_least_five", "there are 2"),
        (HasNoQuestion, "it_describes_itself", "its question must end in a question mark"),
        (LeavesAnInputOut, "inputs_are_given_of_all_units_or_of_none", "no input of combination"),
        (HasInputsOfNothing, "inputs_are_given_of_all_units_or_of_none", "inputs of sentences, which no measure"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_fault_is_found_by_the_check_that_is_for_it(broken, check, named):
    learned = pairs().learned()
    own = Subject(copy.deepcopy(learned.module), name=learned.name, fresh=learned.fresh)  # which a fault may spoil
    case = dataclasses.replace(pairs(), learned=lambda: own)
    with pytest.raises((AssertionError, AssayError), match=named):
        {one.__name__.removeprefix("check_"): one for one in CHECKS}[check](broken(), case)


def test_all_checks_are_made_in_turn_and_the_first_that_fails_is_named(monkeypatch):
    made = []

    def check_nothing(instrument, case):
        made.append((instrument, case))

    def check_that_it_is_good(instrument, case):
        raise AssertionError("it is not")

    monkeypatch.setattr(checks, "CHECKS", (check_nothing, check_nothing))
    check_instrument(SMALL)
    assert made == [(SMALL, pairs())] * 2
    monkeypatch.setattr(checks, "CHECKS", (check_nothing, check_that_it_is_good, check_nothing))
    with pytest.raises(AssertionError, match=r"^silhouette, that it is good: it is not$"):
        check_instrument(SMALL, pairs())
    assert len(made) == 3


def test_the_checks_that_are_made_are_the_public_ones():
    with pytest.raises(AssertionError, match="silhouette, it describes itself: its question must end in a question mark"):
        check_instrument(HasNoQuestion())
