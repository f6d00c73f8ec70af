"""The public checks: a whole instrument in a file of its own passes them, and every fault that they are for fails them."""

import copy
import dataclasses
import importlib.util
from pathlib import Path

import pytest
import torch

from assay.conformance import CHECKS, check_instrument, pairs
from assay.errors import AssayError
from assay.instrument import NotEnough, Reading, Values
from assay.subject import Subject

pytestmark = pytest.mark.slow

_PATH = Path(__file__).parents[2] / "examples" / "silhouette.py"
_SPEC = importlib.util.spec_from_file_location("silhouette_example", _PATH)
example = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(example)
QUICK = {"quick": dataclasses.replace(example.Silhouette.budgets["quick"], permutations=19)}


FEW = {"quick": dataclasses.replace(QUICK["quick"], copies=2)}


class Small(example.Silhouette):
    budgets = QUICK


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_worked_example_passes(check):
    check(Small(), pairs())


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


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (LeavesHooks, "hooks were left"),
        (ChangesWeights, "must leave the network's weights as they are"),  # the frame itself says so
        (LeavesGradients, "its gradients changed"),
        (DependsOnTheOrder, "the order of examples"),
        (DependsOnTheUnits, "the order of hidden units"),
        (SearchesLessInCopies, "no findings"),
        (NeverSaysNotEnough, "not enough"),
        (FewCopies, "at least five: there are 2"),
        (HasNoQuestion, "its question is none"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_fault_is_found(broken, named):
    learned = pairs().learned()
    own = Subject(copy.deepcopy(learned.module), name=learned.name, fresh=learned.fresh)  # which a fault may spoil
    with pytest.raises((AssertionError, AssayError), match=named):
        check_instrument(broken(), dataclasses.replace(pairs(), learned=lambda: own))
