"""The stage of a task, and the places of a network."""

import dataclasses

import pytest
import torch
from orders_for_tests import TwoSums, of_task, order
from torch import nn

from assay.errors import AssayError
from assay.zoo.kinds.places import answering, halfway, readout, shares, stage
from assay.zoo.kinds.tables import everything


def stage_of(made):
    return stage(made.task, everything(made))


def test_the_stage_is_the_intermediate_result_and_what_it_leaves():
    assert stage_of(order()) == ("z", "j")


def test_derived_parts_are_carried_side_by_side_unless_they_swallow_the_combination_or_say_too_little():
    assert stage_of(of_task(TwoSums(coverage=0.6))) == ("ab", "cd")


def test_where_answers_follow_from_no_derived_part_the_stage_is_the_slots():
    assert stage_of(order(targets="table")) == ("i", "j", "x")


def test_a_cue_is_no_part_of_the_stage():
    assert stage_of(order(cue="free")) == ("z", "j")


@pytest.mark.parametrize(("depth", "expected"), [(2, "layers.1"), (3, "layers.3"), (4, "layers.3")])
def test_halfway_in_an_mlp_is_behind_a_non_linearity(depth, expected):
    model = order(sizes={"depth": depth}).initial()
    assert halfway(model) is model.get_submodule(expected)
    assert readout(model) is model.layers[-1]


@pytest.mark.parametrize(("depth", "expected"), [(2, "blocks.0"), (3, "blocks.1")])
def test_halfway_in_a_transformer_is_between_blocks(depth, expected):
    model = order("transformer", sizes={"depth": depth}).initial()
    assert halfway(model) is model.get_submodule(expected)
    assert readout(model) is model.head


@pytest.mark.parametrize("name", ["mlp", "transformer"])
def test_a_shallow_network_has_no_place_halfway(name):
    with pytest.raises(AssayError, match="two hidden layers or blocks"):
        halfway(order(name, sizes={"depth": 1}).initial())


def test_a_network_of_another_kind_is_refused():
    with pytest.raises(AssayError, match="an mlp and a transformer only"):
        halfway(nn.Linear(2, 2))
    with pytest.raises(AssayError, match="answer with a linear layer"):
        readout(nn.ReLU())


def test_shares_take_all_units_once():
    units = [unit for share in shares(3, 8) for unit in range(8)[share]]
    assert units == list(range(8))
    assert shares(1, 1) == [slice(0, 1)]
    with pytest.raises(AssayError, match="a unit of its own"):
        shares(3, 2)


def test_a_sequence_is_answered_from_its_last_state():
    states = torch.arange(12.0).reshape(2, 3, 2)
    assert answering(states).tolist() == [[4.0, 5.0], [10.0, 11.0]]
    assert torch.equal(answering(states[0]), states[0])


def test_draws_of_one_order_do_not_depend_on_each_other():
    made = order()
    first = made.generator("a").initial_seed()
    assert first == made.generator("a").initial_seed()
    assert first != made.generator("b").initial_seed()
    assert first != dataclasses.replace(made, config=dataclasses.replace(made.config, seed=1)).generator("a").initial_seed()
