"""Networks whose way of combining is known: what the curves, the rules and the numbers say of them."""

import copy
import dataclasses
from collections import Counter

import pytest
import torch
from stages import (
    SIZE,
    Declared,
    Pairs,
    Stages,
    by_pair,
    composer,
    in_blocks,
    is_trained,
    memoriser,
    misread,
    one_layer,
    pair_code,
    reading,
    sums,
)
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.evidence import Evidence
from assay.instrument import Random, Readings, run
from assay.instruments.recombination import Recombination
from assay.instruments.recombination.curves import curves
from assay.instruments.recombination.drawn import StateRecipe
from assay.instruments.recombination.instrument import BUDGETS
from assay.instruments.recombination.items import HELD
from assay.instruments.recombination.patched import NETWORK, RANDOM, SCRAMBLED, Variant
from assay.instruments.recombination.rules import resolves
from assay.objective import Regression
from assay.subject import Subject

pytestmark = pytest.mark.slow

TASK = Declared()
SUM = {"form": "sum"}


def of(subject: Subject, task: Pairs = TASK, **sizes: int) -> Evidence:
    usual = {"examples": 400, "scrambled": 1, "turned": 1} | sizes
    quick = dataclasses.replace(BUDGETS["quick"], **usual)
    return run(Recombination(budgets={"quick": quick}), subject, task, effort="quick")


def alone(subject: Subject, task: Pairs = TASK, **sizes: int) -> tuple[dict[str, float], dict[str, object]]:
    """Of the network without copies and nulls: the values that it has, and what is said of it."""
    quick = dataclasses.replace(BUDGETS["quick"], examples=400, scrambled=0, turned=0, **sizes)
    instrument, rng = Recombination(), Random(0, "test")
    data = instrument.data(subject, task, quick, rng)
    own = instrument.read(subject, data, rng.within("network"))
    found = {f"{one.metric} {sorted(one.about.items())}": one.mean for one in own.values if not one.reason}
    return found, dict(instrument.explain(data, Readings(own, (), {}), ()).settings)


def value(evidence: Evidence, key: str, **about: str) -> float | None:
    return evidence.measure(key, **(about or SUM)).value


def test_a_composer_is_right_on_states_put_together_up_to_the_call_that_combines():
    evidence = of(composer())
    for key in ("seen_from_state", "seen_as_state", "novel_from_state", "novel_as_state", "novel_both"):
        for about in (SUM, {"form": "shift"}, {"part": "i"}, {"part": "j"}):
            assert evidence.measure(key, **about).value == 1.0
    settings = evidence.settings
    assert (settings["headline_depth"], settings["breaks"]) == (1, "nothing found")
    assert (settings["combined_from"], settings["combined_to"]) == ("1 layers.1", "2 layers.2")
    assert settings["combining_calls"] == "relu#2"
    assert (settings["first_cut"], settings["most_at_such_cuts"]) == ("1 layers.1", 1.0)
    assert evidence.measure("novel_from_first_state", form="sum").value == 1.0
    answers = TASK.examples("novel", 10**4, generator=Generator().manual_seed(0))
    by_combination = dict(zip(answers.combination.tolist(), answers.targets.tolist(), strict=True))
    commonest = max(Counter(by_combination.values()).values()) / len(by_combination)
    assert settings["one_answer_to_all"] == pytest.approx(commonest, abs=0.03)
    assert [m.key for m in evidence.findings()].count("novel_from_state") == 4
    assert "3.3" in evidence.measure("novel_from_state", **SUM).note, "how small a failure would have been seen"
    nulls = evidence.measure("novel_from_state", **SUM).nulls
    assert {null.name for null in nulls} == {"untrained copies", "scrambled declaration", "random subspace"}
    assert all(null.mean < 0.35 for null in nulls)
    assert all(null.units is not None and null.units.shape[1] == 47 for null in nulls), "values of combinations are kept"


def test_an_affine_image_of_the_input_is_constructed_novel_input_and_never_the_headline():
    evidence = of(composer())
    measure = evidence.measure("novel_constructed_input")
    assert (measure.value, measure.about["cut"], measure.headline) == (1.0, "0 layers.0", False)
    assert "behaviour" in measure.note
    for subject in (one_layer(), pair_code()):
        evidence = of(subject)
        assert evidence.settings["headline_depth"] is None
        assert evidence.settings["breaks"] == "not resolved"
        assert evidence.summary.startswith("Not resolved")
        assert all(m.value is None and m.note.startswith("not resolved") for m in evidence.measures if "cut" not in m.about)
        assert not evidence.findings()
        assert value(evidence, "novel_constructed_input") == 1.0


def test_a_memorised_combining_and_a_broken_way_in_are_told_apart():
    evidence = of(memoriser(TASK))
    assert [value(evidence, key) for key in ("seen_from_state", "novel_from_state", "novel_as_state")] == [1.0, 0.0, 1.0]
    assert evidence.settings["breaks"] == "the combining"
    evidence = of(misread(TASK))
    assert [value(evidence, key) for key in ("seen_from_state", "novel_from_state", "novel_as_state")] == [1.0, 1.0, 0.0]
    assert value(evidence, "novel_both") == 0.0
    assert evidence.settings["breaks"] == "the way in"
    assert evidence.settings["headline_depth"] == 2
    assert evidence.summary.startswith("At cut 2 (layers.2), "), "what breaks is named with its cut"


# Other ways to write one function


class Functional(nn.Module):
    """The same with functions of bare parameters."""

    def __init__(self, stages: Stages):
        super().__init__()
        self.weights = nn.ParameterList(layer.weight.detach().clone() for layer in stages.layers)
        self.biases = nn.ParameterList(layer.bias.detach().clone() for layer in stages.layers)

    def forward(self, x: Tensor) -> Tensor:
        for weight, bias in zip(list(self.weights)[:-1], list(self.biases)[:-1], strict=True):
            x = F.relu(x @ weight.T + bias)
        return x @ self.weights[-1].T + self.biases[-1]


class Modules(nn.Module):
    """The same with a module for every step."""

    def __init__(self, stages: Stages):
        super().__init__()
        layers = [copy.deepcopy(layer) for layer in stages.layers]
        self.steps = nn.Sequential(*(step for layer in layers[:-1] for step in (layer, nn.ReLU())), layers[-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.steps(x)


class Ensemble(nn.Module):
    """The mean of two copies."""

    def __init__(self, stages: Stages):
        super().__init__()
        self.one, self.other = copy.deepcopy(stages), copy.deepcopy(stages)

    def forward(self, x: Tensor) -> Tensor:
        return (self.one(x) + self.other(x)) / 2


KNOWN = [composer(), memoriser(TASK), misread(TASK)]
SAID = ("headline_depth", "breaks")


@pytest.mark.parametrize("network", KNOWN, ids=lambda network: network.name)
def test_spelling_changes_no_value(network):
    own, said = alone(network)
    assert len(own) == 5 * 4 + 2 + 1 + 1
    for spelled in (Functional, Modules, Ensemble):
        other, said_of_other = alone(Subject(spelled(network.module)))
        assert other == pytest.approx(own, abs=1e-4)
        assert [said[key] for key in SAID] == [said_of_other[key] for key in SAID]


class InPlace(Modules):
    """The same, whose activations overwrite what they are given."""

    def __init__(self, stages: Stages):
        super().__init__(stages)
        for step in self.steps:
            step.inplace = True


def test_working_in_place_changes_no_byte_of_the_evidence():
    assert of(Subject(InPlace(composer().module))) == of(Subject(Modules(composer().module)))


@torch.no_grad()
def rescaled(stages: Stages) -> Stages:
    """Units in other units: a positive factor for each, taken back behind the ReLU."""
    stages, generator = copy.deepcopy(stages), torch.Generator().manual_seed(0)
    for first, second in zip(stages.layers[:-1], list(stages.layers)[1:], strict=True):
        factor = torch.exp(torch.randn(len(first.weight), generator=generator))
        first.weight *= factor[:, None]
        first.bias *= factor
        second.weight /= factor
    return stages


@torch.no_grad()
def duplicated(stages: Stages) -> Stages:
    """Every hidden unit twice, each with half of the weight."""
    weights = [(layer.weight, layer.bias) for layer in stages.layers]
    found = [weights[0]]
    for weight, bias in weights[1:]:
        before, offset = found[-1]
        found[-1] = before.repeat(2, 1), offset.repeat(2)
        found.append((weight.repeat(1, 2) / 2, bias))
    return Stages(*found)


@torch.no_grad()
def permuted(stages: Stages) -> Stages:
    """Hidden units in another order."""
    stages, generator = copy.deepcopy(stages), torch.Generator().manual_seed(0)
    for first, second in zip(stages.layers[:-1], list(stages.layers)[1:], strict=True):
        order = torch.randperm(len(first.weight), generator=generator)
        first.weight.copy_(first.weight[order])
        first.bias.copy_(first.bias[order])
        second.weight.copy_(second.weight[:, order])
    return stages


@pytest.mark.parametrize("network", KNOWN, ids=lambda network: network.name)
def test_a_function_preserving_twin_does_not_change_the_call(network):
    own = alone(network)
    for twin in (rescaled, duplicated, permuted):
        assert alone(Subject(twin(network.module))) == own


# Declarations and designs


class Dealt(Declared):
    """Parts dealt anew to all pairs: as many labels, no meaning; inputs and answers are as they were."""

    def of(self, rows: Tensor):
        order = torch.randperm(SIZE**2, generator=torch.Generator().manual_seed(5))
        inputs = F.one_hot(torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE)), SIZE).flatten(1).float()
        examples = super().of(rows)
        shown = order[examples.combination]
        return dataclasses.replace(examples, inputs={"x": inputs[shown]}, targets=sums()[shown])


def test_labels_without_meaning_have_no_headline_cut():
    evidence = of(composer(), Dealt(share=0.9))
    assert evidence.settings["breaks"] == "not resolved"
    assert evidence.settings["carried_i"] == "not found"


def test_values_that_are_never_joined_are_refused():
    evidence = of(composer(), Declared(trained=in_blocks()))
    assert value(evidence, "seen_from_state") == 1.0, "within a group of values effects add up"
    for key in ("novel_from_state", "novel_as_state", "novel_both"):
        assert value(evidence, key) is None
        assert "not enough data" in evidence.measure(key, **SUM).note


def test_an_ignored_part_is_not_shown_as_carried():
    """Two answers: j matters for one of its values only, and the network knows i alone."""
    grid = torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE))
    task = Declared((grid[:, 0] + (grid[:, 1] == 0)) % 2)
    odd = torch.zeros(2, 2 * SIZE)
    odd[0, 0:SIZE:2], odd[1, 1:SIZE:2] = 1, 1
    none = torch.zeros(2)
    ignoring = Subject(Stages(reading(), (odd, none), (torch.eye(2), none)))
    evidence = of(ignoring, task)
    assert evidence.settings["headline_depth"] == 1
    assert value(evidence, "seen_from_state") > 0.85
    assert value(evidence, "seen_from_state", part="i") > 0.85
    assert value(evidence, "seen_from_state", part="j") < 0.2
    assert evidence.settings["carried_j"] == "not found"
    assert any("j" in warning and "Not found" in warning for warning in evidence.warnings)


def test_where_all_exchanges_lead_to_one_answer_nothing_is_said_of_the_part():
    """j alone decides between two answers, and is 1 in pairs that are never held out."""
    grid = torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE))
    task = Declared((grid[:, 1] > 5).long())
    (pairs, bias), _ = by_pair(sums())
    units = F.one_hot(task.table, 2).float().T, torch.zeros(2)
    evidence = of(Subject(Stages(reading(), (pairs, bias), units)), task)
    assert "exchange with a known answer that differs" in evidence.measure("seen_from_state", part="i").note
    assert value(evidence, "seen_from_state", part="j") == 1.0


class Undeclared(Pairs):
    """A task without executor."""


def test_without_executor_held_out_pairs_stand_in_and_labels_tell_a_memoriser():
    evidence = of(memoriser(TASK), Undeclared())
    measure = evidence.measure("novel_from_state", **SUM)
    assert measure.value is None
    assert "does not say what follows" in measure.note
    assert value(evidence, "seen_from_state") == 1.0
    assert value(evidence, "novel_from_state_by_labels") == 0.0
    assert evidence.settings["breaks"] == "the combining"
    assert any("does not separate a memorised combination function" in warning for warning in evidence.warnings)
    assert of(composer(), Undeclared()).settings["breaks"] == "nothing found"


class Angles(Declared):
    """The same sums, answered as points on a circle, or whatever points are given for all pairs."""

    def __init__(self, points: Tensor | None = None) -> None:
        super().__init__()
        circle = torch.stack([(self.table * 2 * torch.pi / SIZE).cos(), (self.table * 2 * torch.pi / SIZE).sin()], 1)
        self.points = circle if points is None else points

    @property
    def objective(self) -> Regression:
        return Regression(2, variance=1.0)

    def of(self, rows: Tensor):
        examples = super().of(rows)
        return dataclasses.replace(examples, targets=self.points[examples.combination])

    def swap(self, base, source, part):
        swapped = super().swap(base, source, part)
        return swapped._replace(targets=self.points[swapped.combination])


def test_real_numbers_are_rated_by_the_score_of_the_task():
    task = Angles()
    pairs, _ = by_pair(sums())
    evidence = of(Subject(Stages(reading(), pairs, (task.points.T, torch.zeros(2)))), task)
    assert value(evidence, "novel_from_state") == pytest.approx(1.0, abs=1e-4)
    assert value(evidence, "novel_both") == pytest.approx(1.0, abs=1e-4)
    half = torch.where(is_trained(task)[:, None], task.points, task.points / 2)
    evidence = of(Subject(Stages(reading(), pairs, (half.T, torch.zeros(2)))), task)
    assert value(evidence, "novel_from_state") == pytest.approx(0.75, abs=1e-4), "1 - (1/2)^2 / 1"
    assert value(evidence, "novel_as_state") == pytest.approx(1.0, abs=1e-4)
    assert evidence.measure("novel_from_state", **SUM).unit.startswith("R2")


def test_answers_of_a_linear_teacher_are_combined_by_no_call():
    """Each part adds a vector to the answer: sums are right up to the output. Without a ReLU there is no cut inside."""
    added = torch.randn(2, 2 * SIZE, generator=Generator().manual_seed(0)), torch.zeros(2)
    task = Angles(F.one_hot(torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE)), SIZE).flatten(1).float() @ added[0].T)
    found, settings = alone(Subject(Stages(reading(), reading(), added)), task)
    for key in ("seen_from_state", "seen_as_state", "novel_from_state"):
        assert found[f"{key} [('form', 'sum')]"] == pytest.approx(1.0, abs=1e-4)
    assert settings["headline_depth"] == 1
    assert settings["breaks"] == "not resolved", "all rates are 1, and no measure has an interval that confirms it"
    assert settings["combined_from"] is None, "Cs is right at the output as well"
    found, settings = alone(Subject(Stages(added)), task)
    assert settings["headline_depth"] is None
    assert "no cut lies inside the network" in str(settings["no_headline_cut"])
    assert found["novel_constructed_input [('form', 'sum')]"] == pytest.approx(1.0, abs=1e-4), "behaviour"


def test_nulls_that_are_dropped_early_choose_no_other_cut(monkeypatch):
    """More right answers never take away a bound of .9, and so the cuts are those of a search on all held-out pairs."""
    for number in (6, 34, 35, 60, 257):
        found = [resolves((torch.arange(number) < right).float()) for right in range(number + 1)]
        assert found == sorted(found)
    chosen = []
    for pilot in (StateRecipe.pilot, property(lambda one: one.items.kinds == HELD)):
        monkeypatch.setattr(StateRecipe, "pilot", pilot)
        rng = Random(0, "test")
        data = Recombination().data(composer(), TASK, dataclasses.replace(BUDGETS["quick"], examples=300, contexts=0), rng)
        variants = [Variant(SCRAMBLED), Variant(RANDOM)]
        own = curves(composer(), data, rng, variants=variants)
        copy = curves(memoriser(TASK), data, rng, variants=(), like=own)
        chosen.append((own.headline, copy.headline))
    assert chosen[0] == chosen[1]
    assert chosen[0][1] == {(NETWORK, 0): 1}, "a copy that passes, and is searched as copies are"


def test_states_too_wide_to_be_held_at_once_give_the_same_values():
    network = memoriser(TASK)
    wide = of(network, held_numbers=24 * 40, copies=2)
    usual = of(network, copies=2)
    for one, other in zip(wide.measures, usual.measures, strict=True):
        assert one.value == other.value
        for null, same in zip(one.nulls, other.nulls, strict=True):
            # A sum of pieces may differ in its last bit, and one of 40 answers to states without meaning hang on it.
            assert null.values == pytest.approx(same.values, abs=1 / 40 + 1e-9)


def test_a_fault_in_the_way_in_is_seen_from_the_first_cut_that_holds_the_parts_and_not_from_the_last():
    copied = torch.eye(2 * SIZE), torch.zeros(2 * SIZE)
    layers = [(layer.weight.detach(), layer.bias.detach()) for layer in misread(TASK).module.layers]
    evidence = of(Subject(Stages(copied, *layers)))
    assert (evidence.settings["headline_depth"], evidence.settings["first_cut"]) == (3, "1 layers.1")
    assert value(evidence, "novel_from_state") == 1.0
    assert value(evidence, "novel_from_first_state") == 0.0 == value(evidence, "novel_as_state")
