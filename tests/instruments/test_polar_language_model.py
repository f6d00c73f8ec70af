"""A language model that learned to agree uses the axis of a relation that says the number, and not that of one that does not.

It is the model that `python experiments/agreeing_verbs.py` trains in half a minute, kept in `agreeing_model`.
"""

import importlib
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Generator, Tensor

from assay.encoding import HuggingFaceEncoder, encode
from assay.evidence import Measure
from assay.graph import relations_of
from assay.instrument.run import measure_of
from assay.instruments.polar import instrument
from assay.instruments.polar.behaviour import AXES, LOST, agreement, lost_without, relation_basis
from assay.instruments.polar.fit import unfitted
from assay.instruments.polar.targets import Sample, sample_of
from assay.models import load_subject
from assay.subject import Subject
from assay.tasks.treebank import Treebank

pytestmark = pytest.mark.slow

KEPT = Path(__file__).parent / "agreeing_model"
EXPERIMENTS = Path(__file__).parents[2] / "experiments"


class Models(NamedTuple):
    script: Any
    trained: HuggingFaceEncoder
    untrained: HuggingFaceEncoder


@pytest.fixture(scope="module")
def models() -> Models:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXPERIMENTS))
        script = importlib.import_module("agreeing_verbs")
        subject = load_subject(str(KEPT), task=Treebank(name="en_nested"))
        trained = HuggingFaceEncoder.of(subject)
        return Models(script, trained, trained.on(Subject(script.untrained(trained.tokenizer, seed=1))))


def sample_after_the_first_block(encoder: HuggingFaceEncoder, task: Treebank) -> Sample:
    graphs = task.graphs("train", 250, generator=Generator().manual_seed(0))
    return sample_of(encode(encoder, graphs), graphs, relations_of(graphs)).at([encoder.layers.index("1")])


def lost(encoder: HuggingFaceEncoder, sample: Sample, basis: Tensor) -> Measure:
    """What agreement loses without a subspace after the first block."""
    draws = Generator().manual_seed(0)
    behaviour = agreement(
        Subject(encoder.module), Treebank(name="en_nested"), encoder, encoder.site("1"), num=120, generator=draws
    )
    values = lost_without(behaviour, AXES, [basis], sample, repeats=10, generator=draws)
    return measure_of(LOST["agreement", AXES], values)


def axis(sample: Sample, plus: str, minus: str = "") -> Tensor:
    """The mean edge of one relation, or how those of two differ, at length 1: `(width, 1)`."""
    edges = dict(zip(sample.relations, unfitted(sample, None, generator=Generator()).prototypes[0], strict=True))
    direction = edges[plus] - edges[minus] if minus else edges[plus]
    return (direction / direction.norm())[:, None]


def test_one_axis_is_used_where_the_relation_says_the_number_and_not_where_it_does_not(models):
    number = sample_after_the_first_block(models.trained, models.script.Numbered(name="en_nested"))
    plain = sample_after_the_first_block(models.trained, Treebank(name="en_nested"))
    used = lost(models.trained, number, axis(number, "nsubj-many", "nsubj-one"))
    unused = lost(models.trained, plain, axis(plain, "nsubj"))
    assert used.ceiling == unused.ceiling == 1
    assert used.value > 0.3  # half is lost by guessing
    for null in used.nulls:  # random axes, and the one along which states vary most
        assert max(null.values) < 0.1
        assert null.p < 0.1
    assert unused.value < 0.1


def test_all_axes_together_are_used(models):
    plain = sample_after_the_first_block(models.trained, Treebank(name="en_nested"))
    basis = relation_basis(plain)
    assert basis.shape == (64, len(plain.relations))
    assert torch.allclose(basis.mT @ basis, torch.eye(len(plain.relations)), atol=1e-5)
    found = lost(models.trained, plain, basis)
    assert found.value > 0.1
    assert max(null.mean for null in found.nulls if null.name == "random subspaces") < 0.05


def test_what_is_trained_and_kept_can_be_loaded(models, tmp_path):
    model, tokenizer = models.script.train(steps=2, batch=2, num_sentences=200)
    models.script.keep(model, tokenizer, tmp_path)
    again = HuggingFaceEncoder.of(load_subject(str(tmp_path), task=Treebank(name="en_nested")))
    assert again.tokenizer.get_vocab() == tokenizer.get_vocab()
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.module.state_dict()[name])


def test_a_model_that_learned_nothing_loses_nothing(models):
    number = sample_after_the_first_block(models.untrained, models.script.Numbered(name="en_nested"))
    found = lost(models.untrained, number, axis(number, "nsubj-many", "nsubj-one"))
    assert abs(found.ceiling - 0.5) < 0.15
    assert abs(found.value) < 0.15


def test_the_trees_are_the_same_and_relations_alone_say_the_number(models):
    plain, number = (
        task.graphs("dev", 40, generator=Generator().manual_seed(0))
        for task in (Treebank(name="en_nested"), models.script.Numbered(name="en_nested"))
    )
    assert {name for graph in number for name in graph.relations if "nsubj" in name} == {"nsubj-one", "nsubj-many"}
    for one, other in zip(plain, number, strict=True):
        assert one.words == other.words
        assert [edge[:2] for edge in one.edges] == [edge[:2] for edge in other.edges]
        assert [name.partition("-")[0] for name in other.relations] == list(one.relations)
        for head, node, name in other.edges:
            if name.startswith("nsubj"):
                # Plural nouns end in s, singular verbs do.
                assert other.words[node].endswith("s") == (name == "nsubj-many") != other.words[head].endswith("s")


def test_the_example_keeps_both_models_and_tells_what_each_uses(models, monkeypatch, tmp_path, capsys):
    """With the kept model in the place of one that is trained, and few texts: what the script says, line by line."""
    small = instrument.PolarBudget(train=60, dev=20, test=60, epochs=2, seeds=1, copies=2, repeats=1, removals=3)
    monkeypatch.setitem(instrument.BUDGETS, "quick", small)
    monkeypatch.setattr(models.script, "train", lambda: (models.trained.module, models.trained.tokenizer))
    models.script.main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"trained", "untrained"}
    said = capsys.readouterr().out.splitlines()
    heads = [line.partition(":")[0] for line in said if not line.startswith(" ")]
    assert heads == [f"{who}, relations {which}" for which in ("plain", "with number") for who in ("trained", "untrained")]
    rows = {
        (head, of): re.fullmatch(r"  agreement lost without the .*: (\S+) \(random subspaces (\S+), .*", line).groups()
        for head, lines in zip(heads, (said[k + 1 : k + 3] for k in range(0, len(said), 3)), strict=True)
        for of, line in zip(("polar subspace", "relation axes"), lines, strict=True)
    }
    lost, random = map(float, rows["trained, relations with number", "relation axes"])
    assert lost > 0.1 > 0.05 > abs(random)
    lost, random = map(float, rows["untrained, relations with number", "relation axes"])
    assert abs(lost - random) < 0.2
