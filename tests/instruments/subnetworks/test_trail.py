"""Problems, paths and scores of single networks."""

import copy
import dataclasses

import pytest
import torch
from signs import Signs, apart
from torch import Generator

from assay.instruments.subnetworks.problems import Network, constant_score, draw_problems, fails_gate
from assay.instruments.subnetworks.trail import follow, follow_nonsense
from assay.masks import SearchConfig, units_of
from assay.objective import Classification
from assay.stats import MIN_UNITS


@pytest.fixture(scope="module")
def problems():
    return draw_problems(Signs(), num_training=300, num_judging=150, num_nonsense=1, generator=Generator().manual_seed(0))


def test_no_item_that_judges_has_trained_a_mask(problems):
    def items(examples) -> set:
        return {tuple(item) for item in examples.inputs["items"].flatten(0, 1).tolist()}

    used = set.union(
        *(items(one) for group in (problems.training, problems.checking, problems.choosing) for one in group.values())
    )
    judging = set.union(items(problems.both), *(items(one) for one in (*problems.testing.values(), *problems.reading.values())))
    assert used
    assert judging
    assert not used & judging


def test_the_gate_names_what_is_not_solved(problems):
    network = Network(apart(), Signs.objective)
    assert not fails_gate(network, problems, 0.9)
    assert "1.1 is needed" in fails_gate(network, problems, 1.1)


def test_order_of_hidden_units_does_not_matter(problems):
    def walked(module):
        network = Network(module, Signs.objective)
        config = SearchConfig(steps=60, later_steps=30)
        return follow(
            network,
            units_of(module),
            problems,
            "first",
            prices=[0.1, 1.0],
            config=config,
            generator=Generator().manual_seed(0),
        )

    permuted = copy.deepcopy(apart())
    order = torch.randperm(48, generator=Generator().manual_seed(1))
    with torch.no_grad():
        permuted.encoder[0].weight.copy_(permuted.encoder[0].weight[order])
        permuted.encoder[0].bias.copy_(permuted.encoder[0].bias[order])
        permuted.encoder[2].weight.copy_(permuted.encoder[2].weight[:, order])
    for one, other in zip(walked(apart()).points, walked(permuted).points, strict=True):
        assert one.density == pytest.approx(other.density, abs=0.05)
        assert one.accuracy == pytest.approx(other.accuracy, abs=0.02)
        assert one.without.removed == pytest.approx(other.without.removed, abs=0.05)


def test_one_path_of_nonsense_is_judged_as_that_of_either_part(problems):
    module, config = apart(), SearchConfig(steps=20, later_steps=10)
    network = Network(module, Signs.objective)
    args = (network, units_of(module), problems, 0)
    trails = follow_nonsense(*args, prices=[0.1, 1.0], config=config, generator=Generator().manual_seed(0))
    first, second = (trails[part].points for part in Signs.combines)
    for one, other in zip(first, second, strict=True):
        assert one.price == other.price
        assert one.accuracy == other.accuracy
        assert one.without.raw == -other.without.raw
    assert [point.price for point in first] == [0.1, 1.0]


def test_combinations_are_the_units_unless_there_are_too_few(problems):
    network, examples = Network(apart(), Signs.objective), problems.both
    assert len(network.score(network.weights, examples).units) == len(examples.combination.unique())
    few = dataclasses.replace(examples, combination=examples.combination % (MIN_UNITS - 1))
    assert len(network.score(network.weights, few).units) == len(examples)


def test_chance_is_what_a_constant_answer_scores_where_the_objective_has_none(problems):
    class WithoutChance(Classification):
        chance = 0.0

    shares = problems.both.targets.bincount() / len(problems.both)
    assert constant_score(WithoutChance(4), problems.both) == pytest.approx(float(shares.max()))
    assert constant_score(Classification(4), problems.both) == 0.25
