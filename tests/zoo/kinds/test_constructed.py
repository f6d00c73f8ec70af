"""Networks built in two stages."""

import dataclasses

import pytest
import torch
from orders_for_tests import TwoSums, accuracy, of_task, order
from torch.nn import functional as F

from assay.errors import AssayError
from assay.zoo.kinds.constructed import constructed
from assay.zoo.kinds.joined import _first_mlp, _joined, _second_mlp, joined_mlps
from assay.zoo.kinds.staged import build_staged, staged
from assay.zoo.kinds.stages import first_of_each, stages_of
from assay.zoo.kinds.tables import everything, trained

pytestmark = pytest.mark.slow


def two_sums(**options):
    return of_task(TwoSums(coverage=0.6), steps=300, **options)


def test_each_stage_is_trained_on_every_value_once():
    stages = stages_of(order())
    assert stages.derived == ("z",)
    assert len(stages.first(0).targets) == 5 * 5  # i, x
    assert len(stages.second().targets) == 5 * 5  # z, j
    assert stages.first(0).inputs["x"].sum(1).tolist() == [2.0] * 25
    assert stages.second().inputs["x"].sum(1).tolist() == [2.0] * 25


def test_stages_of_two_derived_parts():
    stages = stages_of(two_sums())
    assert stages.derived == ("ab", "cd")
    assert len(stages.through) == 0
    assert [len(stages.first(k).targets) for k in range(2)] == [9, 9]
    assert len(stages.second().targets) == 9


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
@pytest.mark.parametrize("made", [order, two_sums])
def test_the_joined_network_is_one_stage_after_the_other(made, depth):
    stages = stages_of(made(sizes={"depth": depth}))
    firsts, second = [_first_mlp(stages, k) for k in range(len(stages.derived))], _second_mlp(stages)
    model = _joined(stages, firsts, second)
    with torch.no_grad():
        told = [first(stages.coded[:, read]) for first, read in zip(firsts, stages.read, strict=True)]
        expected = second(torch.cat([*told, stages.coded[:, stages.through]], 1))
        torch.testing.assert_close(model(stages.tuples.inputs["tokens"]), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["mlp", "transformer"])
@pytest.mark.parametrize("made", [order, lambda name: two_sums(name=name)])
def test_it_is_right_on_every_novel_tuple(made, name):
    one = dataclasses.replace(made(name), config=order(steps=250).config)
    (model,) = constructed([one])
    assert accuracy(model, one) == (1.0, 1.0)


def test_no_combination_is_needed_before_dressing():
    made = [order(seed=seed, coverage=0.2, steps=300) for seed in range(2)]
    for model, one in zip(joined_mlps([stages_of(one) for one in made]), made, strict=True):
        assert accuracy(model, one) == (1.0, 1.0)


def test_a_dressed_mlp_is_a_plain_network_without_zeros():
    made = order(steps=30)
    (model,) = constructed([made])
    made.initial().load_state_dict(model.state_dict())  # strict
    assert all(bool(layer.weight.all()) for layer in model.layers if hasattr(layer, "weight"))


def test_a_staged_network_hands_on_what_the_first_module_tells():
    made = order("transformer")
    stages = stages_of(made)
    model, tokens = build_staged(stages), trained(made).inputs["tokens"]
    with torch.no_grad():
        told = model.tell[0](tokens[:, [0, 2]]).softmax(1)
        kept = F.one_hot(tokens[:, 1], made.task.input_spec.vocab)[:, 5:10]
        torch.testing.assert_close(model(tokens), model.answer(torch.cat([told, kept.float()], 1)))


def test_a_cue_is_not_read():
    made = order(cue="free", steps=300)
    (model,) = joined_mlps([stages_of(made)])
    tokens = everything(made).inputs["tokens"]
    other = tokens.clone()
    other[:, -1] = tokens[:, -1].flip(0)
    assert torch.equal(model(tokens), model(other))


def test_orders_of_several_architectures_keep_their_order():
    made = [order("transformer", steps=2), order(steps=2)]
    built, joined = constructed(made)
    assert type(built).__name__ == "Staged"
    assert type(joined).__name__ == "TokenMLP"
    assert staged([]) == joined_mlps([]) == []


def test_what_cannot_be_built_is_refused():
    with pytest.raises(AssayError, match="derived part"):
        constructed([order(targets="table")])
    with pytest.raises(AssayError, match="at least two hidden layers"):
        constructed([order(sizes={"depth": 1})])
    with pytest.raises(AssayError, match="choose a greater width"):
        constructed([order(sizes={"width": 5})])


def test_the_first_of_each_is_a_row_of_every_kind():
    rows = torch.tensor([[1], [0], [1], [2], [0]])
    assert rows[first_of_each(rows)].tolist() == [[0], [1], [2]]
    assert first_of_each(rows[:0]).shape == (0,)
