"""Measuring: one reading serves every access level, records are kept, and baselines are what their definitions say."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from planted_readers import Reader
from planted_records import composer
from torch import nn

from assay.errors import AssayError
from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments.recombination import Recombination
from assay.stats import keyed_generator
from assay.store import write_tensors
from assay.subject import Subject
from assay.verdict import judge
from assay.views import TrainedOnly
from zoo import measure as measuring
from zoo.baselines import decodability, effective, penultimate
from zoo.blind import blind_spots
from zoo.build import Record, Zoo, task_for
from zoo.families.sentences import SymbolSentences
from zoo.manifest import manifest
from zoo.measure import C, E, measure, measured, measured_of, measured_path

pytestmark = pytest.mark.slow
MEMBER = next(one for one in manifest().members("sentences-mlp") if one.recipe.name == "composer")


class Softmaxed(nn.Module):
    """A network made by hand whose names pass a softmax, so that there is a cut between encoder and answers."""

    def __init__(self, task: SymbolSentences, memorises: bool = False):
        super().__init__()
        self.reader = Reader(task)
        pairs = nn.functional.one_hot(task.values[:, 0], task.sizes[0]), nn.functional.one_hot(task.values[:, 1], task.sizes[1])
        answers = task.answers.clone()
        if memorises:
            answers[~task.trained] = (answers[~task.trained] + 1) % task.num_answers
        self.pairs = nn.Linear(sum(task.sizes), len(task.values))
        self.answers = nn.Linear(len(task.values), task.num_answers, bias=False)
        with torch.no_grad():
            self.pairs.weight.copy_(torch.cat(pairs, 1).float())
            self.pairs.bias.fill_(-1.5)
            self.answers.weight.copy_(nn.functional.one_hot(answers, task.num_answers).float().T)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        names = self.reader(x).unflatten(1, (2, -1)).softmax(-1).flatten(1)
        return self.answers(self.pairs(names).relu())


class Plain(nn.Module):
    """One hidden layer of four units with random weights, or with none that reach them."""

    def __init__(self, task: SymbolSentences, *, scale: float = 1.0):
        super().__init__()
        example = task.examples("seen", 1, generator=keyed_generator(0, "few")).inputs["x"]
        self.first, self.second = nn.Linear(example.numel(), 4), nn.Linear(4, task.num_answers)
        with torch.no_grad():
            self.first.weight.mul_(scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x.flatten(1)).relu())


@dataclass(frozen=True)
class Planted(Zoo):
    """A folder of the zoo with one network."""

    folder: Path = Path()
    module: nn.Module = field(default_factory=nn.Identity)
    weights: str = "first"

    def has(self, member) -> bool:
        return True

    def record(self, member) -> Record:
        truth = composer(member.name).truth.model_copy(update={"recipe": {"coverage": 0.7, "norm": 1.0}})
        return Record(recipe_sha256=member.sha256, weights_sha256=self.weights, cpu_seconds=1.0, truth=truth)

    def load(self, member) -> Subject:
        return Subject(self.module, name=member.name)


@pytest.fixture(scope="module")
def task() -> SymbolSentences:
    found = task_for(MEMBER)
    assert isinstance(found, SymbolSentences)
    return found


@pytest.fixture(scope="module")
def composing(task):
    return measured(Planted(module=Softmaxed(task)), MEMBER)


@pytest.fixture(scope="module")
def memorising(task):
    return measured(Planted(module=Softmaxed(task, memorises=True)), MEMBER)


def test_a_composer_is_judged_at_every_level(composing):
    assert composing.at_headline(C) == composing.at_headline(E) == 1.0
    assert composing.headline is not None
    assert [composing.verdicts[level].novel for level in (0, 1, 2)] == ["works"] * 3
    assert [composing.verdicts[level].basis for level in (0, 1, 2)] == ["estimated", "estimated", "measured"]
    assert [composing.verdicts[level].breaks for level in (0, 1, 2)] == ["not resolved", "nothing found", "nothing found"]
    assert composing.combined is not None
    assert composing.combined[1] - composing.combined[0] == 1
    assert composing.baselines["decodability"] == 1.0
    assert composing.value("novel_score", kind="outside") is None
    nulls = composing.value(C).nulls
    assert set(nulls) >= {"untrained copies", "scrambled declaration", "random subspace"}
    assert not composing.failed
    assert not composing.unlearned


def test_a_memoriser_breaks_in_the_combining_at_level_0_too(memorising):
    assert (memorising.at_headline(C), memorising.at_headline(E)) == (0.0, 1.0)
    assert [memorising.verdicts[level].breaks for level in (0, 1, 2)] == ["the combining"] * 3
    assert [memorising.verdicts[level].novel for level in (0, 1, 2)] == ["does not work"] * 3


def test_level_0_has_the_numbers_of_a_run_without_novel_inputs(task):
    subject = Subject(Softmaxed(task, memorises=True))
    whole = run(Recombination(), subject, task, effort="quick", seed=0)
    apart = run(Recombination(), subject, TrainedOnly(task), effort="quick", seed=0)
    assert isinstance(whole, Evidence)
    assert isinstance(apart, Evidence)
    seen = whole.at_level(0)
    assert judge([seen]).combining.answer == judge([apart]).combining.answer == "the combining"
    assert judge([seen]).novel == judge([apart]).novel
    assert seen.settings["headline_cut"] == apart.settings["headline_cut"]

    def numbers(evidence: Evidence) -> dict:
        return {
            (one.key, *sorted(one.about.items())): (one.value, one.interval, [null.values for null in one.nulls])
            for one in evidence.measures
            if one.level == 0 and one.value is not None
        }

    assert numbers(seen) == numbers(apart)
    assert all(one.level == 0 for one in seen.measures)


def test_an_unlearned_network_is_told_so(task):
    found = measured(Planted(module=Plain(task)), MEMBER)
    assert "below 0.95" in found.unlearned
    assert found.headline is None
    assert found.at_headline(C) is None
    assert all(one.novel == "not resolved" for one in found.verdicts.values())


def test_records_are_made_once_and_anew_for_other_weights(tmp_path, monkeypatch):
    made = []

    def quick(zoo, member):
        made.append(member.name)
        truth = composer(member.name)
        record = zoo.record(member)
        return truth.model_copy(update={"recipe_sha256": member.sha256, "weights_sha256": record.weights_sha256})

    monkeypatch.setattr(measuring, "measured", quick)
    zoo, told = Planted(), []
    assert measure(zoo, tmp_path, [MEMBER], progress=told.append) == 1.0
    assert measure(zoo, tmp_path, [MEMBER]) == 0.0
    assert made == [MEMBER.name]
    assert told == [f"1 of 1: {MEMBER.name} in 1.0 CPU s"]
    assert measured_of(tmp_path, MEMBER).name == MEMBER.name
    measure(Planted(weights="other"), tmp_path, [MEMBER])
    assert len(made) == 2
    monkeypatch.setattr(measuring, "EDITION", measuring.EDITION + 1)
    assert measured_of(tmp_path, MEMBER) is None
    measured_path(tmp_path, MEMBER.name).write_text("{")
    with pytest.raises(AssayError, match=MEMBER.name):
        measure(zoo, tmp_path, [MEMBER])


# Baselines


def test_what_is_not_there_is_not_decoded(task, composing):
    """Units that no input reaches; that of a composer names both symbols."""
    network = Subject(Plain(task, scale=0.0))
    assert decodability(network, task, depth=1, seed=0) < 0.2
    assert decodability(Subject(Softmaxed(task)), task, depth=composing.headline, seed=0) == 1.0


def test_the_penultimate_layer_is_what_the_last_linear_map_reads(task):
    inputs = task.examples("seen", 5, generator=keyed_generator(0, "few")).inputs
    network = Subject(Softmaxed(task))
    states = penultimate(network, inputs)
    assert states.shape == (5, len(task.values))
    assert torch.equal(network.module.answers(states), network(inputs))
    assert penultimate(Subject(Reader(task)), inputs) is None


def test_points_have_no_dimension_of_their_own_and_wide_classes_have():
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(6, 20, generator=generator, dtype=torch.float64) * 5
    classes = torch.arange(6).repeat_interleave(10)
    found = []
    for spread in (0.01, 2.0):
        states = centres[classes] + spread * torch.randn(60, 20, generator=generator, dtype=torch.float64)
        found.append(effective(states, classes, torch.Generator().manual_seed(1)))
    narrow, wide = found
    assert 0 < narrow["Psi_eff"] <= 1.0 + 1e-6
    assert 0 < wide["Psi_eff"] <= 1.0 + 1e-6
    assert narrow["D_eff"] < wide["D_eff"], "the anchors of classes that are points hardly move"
    assert effective(centres, torch.arange(6), generator) == {}, "one example of each class is no manifold"


def test_planted_blind_spots_are_counted(monkeypatch):
    monkeypatch.setattr("zoo.blind.SIZES", (8,))
    monkeypatch.setattr("zoo.blind.STEPS", 120)
    found = blind_spots(2)
    assert len(found.carried) + found.untold == 2
    assert all(one == "not found" for one in found.carried)


def test_weights_are_read_from_the_folder_that_was_built(tmp_path):
    """A real folder, of which the record is missing."""
    (tmp_path / "members").mkdir()
    write_tensors(tmp_path / "members" / f"{MEMBER.name}.safetensors", {"a": torch.zeros(1)})
    assert measure(Zoo(tmp_path), tmp_path / "out", [MEMBER]) == 0.0
    assert not list((tmp_path / "out" / "measured").iterdir())
