"""Kinds that plain training makes, and the tables that they are trained on."""

import pytest
import torch
from orders_for_tests import accuracy, order

from assay.errors import AssayError
from assay.zoo.kinds.plain import _contradicting, contradicted, plainly_trained, shortcut
from assay.zoo.kinds.tables import CUES, everything, novel, slots_of, trained, values_of


def test_everything_is_every_tuple_once():
    made = order()
    tuples = values_of(everything(made), slots_of(made.task))
    assert len(tuples) == len(tuples.unique(dim=0)) == 5**3
    assert len(trained(made)) == 0.4 * 5**3


def test_where_the_cue_is_random_tuples_are_shown_with_several():
    assert len(trained(order(cue="free"))) == CUES * len(trained(order()))
    assert len(trained(order(cue="answer"))) == len(trained(order()))
    assert len(novel(order(cue="answer"))) == CUES * len(novel(order()))


@pytest.mark.parametrize("cue", ["none", "free"])
def test_the_answers_of_a_contradicted_network_are_wrong_on_novel_tuples_whatever_the_cue(cue):
    made = order(cue=cue)
    data, tuples = _contradicting(made), everything(made)
    known = len(trained(made))
    assert torch.equal(data.inputs["tokens"], tuples.inputs["tokens"])
    assert torch.equal(data.targets[:known], tuples.targets[:known])
    assert (data.targets[known:] != tuples.targets[known:]).all()
    told = torch.cat([values_of(tuples, slots_of(made.task)), data.targets[:, None]], 1)
    assert len(told.unique(dim=0)) == 5**3


def test_a_contradicted_network_learns_both():
    made = [order(seed=seed, coverage=0.8) for seed in range(2)]
    for model, one in zip(contradicted(made), made, strict=True):
        assert accuracy(model, one) == (1.0, 0.0)


def test_coverage_decides_between_a_memoriser_and_a_rule():
    few, many = order(coverage=0.3), order(coverage=0.9, p=11, num_first=12, num_second=12, synonyms=True, steps=1000)
    memoriser, genuine = plainly_trained([few, many])
    assert accuracy(memoriser, few)[0] == accuracy(genuine, many)[0] == 1.0
    assert accuracy(memoriser, few)[1] < 0.5
    assert accuracy(genuine, many)[1] > 0.9


def test_a_shortcut_follows_the_cue_also_where_it_misleads():
    made = order(coverage=0.8, cue="answer", steps=300)
    (model,) = shortcut([made])
    seen, new = accuracy(model, made)
    others = novel(made)
    cue = others.inputs["tokens"][:, -1] - (made.task.input_spec.vocab - 5)
    with torch.no_grad():
        assert float((model(**others.inputs).argmax(1) == cue).float().mean()) > 0.9
    assert seen == 1.0
    assert new < 0.5


def test_a_shortcut_needs_its_cue():
    with pytest.raises(AssayError, match="cue that shows the answer"):
        shortcut([order(cue="free")])
