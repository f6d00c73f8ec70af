"""Problems, paths and scores of single networks."""

import copy
import dataclasses

import pytest
import torch
from signs import Signs, apart
from torch import Generator

from assay.instrument import Random
from assay.instruments.subnetworks.path import fit_path, judged
from assay.instruments.subnetworks.problems import MaskBudget, MaskedModel, constant_score, draw_problems
from assay.masks import units_of
from assay.objective import Classification
from assay.stats import MIN_UNITS

BUDGET = MaskBudget(training=300, judging=150, penalties=(0.1, 1.0), steps=(60, 30), seeds=1, nonsense=1, draws=1)


def drawn(task):
    return draw_problems(task, units=units_of(apart()), budget=BUDGET, rng=Random(0, "problems"))


@pytest.fixture(scope="module")
def problems():
    return drawn(Signs())


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
    model = MaskedModel(apart(), problems)
    assert not model.unsolved(0.9)
    assert "1.1 is needed" in model.unsolved(1.1)


def test_order_of_hidden_units_does_not_matter(problems):
    def walked(module):
        return fit_path(MaskedModel(module, problems), "first", generator=Generator().manual_seed(0))

    permuted = copy.deepcopy(apart())
    order = torch.randperm(48, generator=Generator().manual_seed(1))
    with torch.no_grad():
        permuted.encoder[0].weight.copy_(permuted.encoder[0].weight[order])
        permuted.encoder[0].bias.copy_(permuted.encoder[0].bias[order])
        permuted.encoder[2].weight.copy_(permuted.encoder[2].weight[:, order])
    for one, other in zip(walked(apart()).points, walked(permuted).points, strict=True):
        assert one.density == pytest.approx(other.density, abs=0.05)
        assert one.accuracy == pytest.approx(other.accuracy, abs=0.02)
        assert one.without.necessity == pytest.approx(other.without.necessity, abs=0.05)


def test_one_path_of_nonsense_is_judged_as_that_of_either_part(problems):
    """Of the other part a mask has the opposite score, so that one path serves both."""
    model = MaskedModel(apart(), problems)
    path = fit_path(model, "first", generator=Generator().manual_seed(0), nonsense=0)
    for one in path.points:
        other = judged(model, "second", one.mask, problems.nonsense[0][1], penalty=one.penalty)
        assert one.accuracy == other.accuracy
        assert one.validation == -other.validation
        assert one.without.necessity == -other.without.necessity
        assert one.without.raw == -other.without.raw
    assert [point.penalty for point in path.points] == [0.1, 1.0]


def test_combinations_are_the_units_unless_there_are_too_few(problems):
    model, examples = MaskedModel(apart(), problems), problems.both
    assert len(model.score(model.weights, examples).units) == len(examples.combination.unique())
    few = dataclasses.replace(examples, combination=examples.combination % (MIN_UNITS - 1))
    assert len(model.score(model.weights, few).units) == len(examples)


def test_chance_is_what_a_constant_answer_scores_where_the_objective_has_none(problems):
    class WithoutChance(Classification):
        chance = 0.0

    shares = problems.both.targets.bincount() / len(problems.both)
    assert constant_score(WithoutChance(4), problems.both) == pytest.approx(float(shares.max()))
    assert constant_score(Classification(4), problems.both) == 0.25


class Backwards(Signs):
    """The same problems, the last first."""

    def _posed(self, *arguments):
        examples = super()._posed(*arguments)
        return examples.take(torch.arange(len(examples)).flip(0))


def test_no_problem_depends_on_the_order_in_which_the_task_draws(problems):
    ours, theirs = problems, drawn(Backwards())
    compared = 0
    for use in ("training", "checking", "choosing", "testing", "reading"):
        for part in ours.parts:
            compared += _same(getattr(ours, use)[part], getattr(theirs, use)[part])
    compared += _same(ours.both, theirs.both)
    for one, other in zip(ours.nonsense, theirs.nonsense, strict=True):
        compared += sum(map(_same, one, other))
    assert compared == 5 * 2 + 1 + 2 * BUDGET.nonsense


def _same(ours, theirs) -> bool:
    return torch.equal(ours.inputs["items"], theirs.inputs["items"]) and torch.equal(ours.targets, theirs.targets)
