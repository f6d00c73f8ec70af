"""Designs, deals, exchanges and rules by hand, and at sizes 0 and 1."""

from dataclasses import replace

import pytest
import torch
from stages import SIZE, Declared, in_blocks
from torch import Generator

from assay.evidence import Interval, Measure
from assay.instruments.recombination.items import changing, dealt, differ, held_out
from assay.instruments.recombination.rates import agreement
from assay.instruments.recombination.rules import Between, certainly, combined_between, resolves, what_breaks
from assay.instruments.recombination.states import PartDesign, combined, design_rows, summed
from assay.objective import NOT_ASKED, Classification, Regression, Sequences, Steps, score_of_answers, scorer
from assay.task import Examples, Part

TASK = Declared()
PARTS = TASK.parts
SEEN = TASK.of(TASK.combinations("seen"))
NOVEL = TASK.of(TASK.combinations("novel"))


def drawn(key: int) -> Generator:
    return Generator().manual_seed(key)


# States


def test_effects_of_additive_states_give_back_every_state():
    vectors = [torch.randn(SIZE, 7, generator=drawn(k), dtype=torch.float64) for k in range(2)]

    def states(examples: Examples) -> torch.Tensor:
        return 3 + vectors[0][examples.parts["i"]] + vectors[1][examples.parts["j"]]

    design, everything = PartDesign.of(PARTS, SEEN), torch.arange(len(SEEN))
    effects = design.weights(everything) @ states(SEEN)
    rows = design_rows(PARTS, NOVEL)
    assert torch.allclose(rows @ effects, states(NOVEL))
    assert bool(design.determined(rows).all())
    assert torch.allclose(combined(rows, effects), rows @ effects)
    assert combined(rows[:0], effects).shape == (0, 7)
    assert torch.equal(combined(0 * rows[:1], effects), torch.zeros(1, 7, dtype=torch.float64))
    order = dealt(SEEN.combination, SEEN.combination * 0, drawn(3))
    group = torch.randint(5, (len(SEEN),), generator=drawn(4)) % 4 + 1  # nothing is in the first of them
    sums = summed(states(SEEN), order, group, 5)
    assert torch.allclose(sums, torch.stack([states(SEEN)[order[group == k]].sum(0) for k in range(5)]))


def test_an_amount_has_one_effect():
    parts = (Part("a", ("absent", "present"), graded=True), Part("b", ("absent", "present"), graded=True))
    amounts = {"a": torch.tensor([0.0, 0.5, 1.0, 0.0]), "b": torch.tensor([0.0, 0.0, 0.5, 1.0])}
    present = {name: (column > 0).long() for name, column in amounts.items()}
    examples = Examples({"x": torch.zeros(4, 1)}, torch.zeros(4), present, torch.arange(4), amounts)
    design = PartDesign.of(parts, examples)
    states = (1 + 2 * amounts["a"] - 3 * amounts["b"])[:, None].double()
    assert torch.allclose((design.weights(torch.arange(4)) @ states)[:, 0], torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64))


def test_values_in_groups_that_are_never_joined_are_not_determined():
    task = Declared(trained=in_blocks())
    design = PartDesign.of(PARTS, task.of(task.combinations("seen")))
    rows = design_rows(PARTS, task.of(task.combinations("novel")))
    assert not bool(design.determined(rows).any())
    within = design_rows(PARTS, task.of(torch.tensor([[0, 1], [7, 8]])))
    assert bool(design.determined(within).all())
    assert not bool(design.determined(within[:1] - rows[:1]).all())
    never = PartDesign.of(PARTS, task.of(task.combinations("seen")[1:2]))
    assert never.determined(within).tolist() == [True, False], "the one that it is fitted on"


def test_a_turned_subspace_keeps_sizes_and_angles_and_the_mean_in_the_span_of_the_states():
    design = PartDesign.of(PARTS, SEEN)
    span = torch.randn(30, 40, generator=drawn(0), dtype=torch.float64)
    states = torch.randn(len(SEEN), 30, generator=drawn(1), dtype=torch.float64) @ span
    effects = design.weights(torch.arange(len(SEEN))) @ states
    mixed = torch.randn(len(SEEN), design.rows.shape[1], generator=drawn(2), dtype=torch.float64)
    mixed = (mixed - mixed.mean(0)).T @ states
    turned = design.turned(effects, mixed, drawn(3))
    rows = design.rows - design.rows.mean(0)
    own, other = rows @ effects, rows @ turned
    assert torch.allclose(own @ own.T, other @ other.T, atol=1e-6)
    assert torch.allclose(design.rows.mean(0) @ effects, design.rows.mean(0) @ turned)
    outside = torch.linalg.svd(span).Vh[30:]
    assert float((turned @ outside.T).abs().max()) < 1e-6
    assert float((own * other).sum() / own.square().sum()) < 0.5, "in other directions"
    narrow = design.turned(effects[:, :1], mixed[:, :1], drawn(3))
    assert narrow.shape == effects[:, :1].shape
    assert torch.equal(design.turned(0 * effects, 0 * mixed, drawn(3)), 0 * effects)


# Draws


def test_held_out_combinations_leave_every_value_among_the_others():
    rows = TASK.combinations("seen")
    out = held_out(rows, 60, drawn(0))
    assert 40 < int(out.sum()) <= 60
    assert all(set(column[~out].tolist()) == set(column.tolist()) for column in rows.T)
    assert int(held_out(rows, 0, drawn(0)).sum()) == 0
    assert held_out(rows[:0], 5, drawn(0)).tolist() == []
    assert held_out(rows[:1], 5, drawn(0)).tolist() == [False]


def test_a_deal_keeps_kinds_and_moves_whole_combinations():
    ids = torch.tensor([3, 3, 5, 5, 7, 7, 9, 9])
    kinds = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])
    order = dealt(ids, kinds, drawn(1))
    assert order.tolist()[6:] == [6, 7]
    assert sorted(order.tolist()) == list(range(8))
    assert all(int(ids[order[k]]) == int(ids[order[k + 1]]) for k in (0, 2, 4))
    uneven = dealt(torch.tensor([0, 1, 1, 1]), torch.zeros(4, dtype=torch.int64), drawn(0))
    assert set(uneven.tolist()) <= {0, 1, 2, 3}
    for size in (0, 1):
        assert dealt(torch.arange(size), torch.zeros(size, dtype=torch.int64), drawn(0)).tolist() == list(range(size))


def items_with(targets: torch.Tensor):
    from assay.instruments.recombination.items import CombinationItems

    count, none = len(targets), torch.zeros(len(targets), dtype=torch.int64)
    return CombinationItems(torch.zeros(count, 1), targets, torch.arange(count), none, none == 0, none - 1, none, none)


@pytest.mark.parametrize(("ones", "twos", "kept"), [(6, 0, 0), (6, 2, 4), (2, 2, 4), (0, 0, 0), (1, 0, 0), (1, 1, 2)])
def test_no_target_is_that_of_more_than_half_of_the_exchanges(ones, twos, kept):
    targets = torch.tensor([1] * ones + [2] * twos, dtype=torch.int64)
    fitted = SEEN.take((SEEN.targets == 0).nonzero()[:1, 0])  # whose target is neither
    rows = changing(items_with(targets), fitted, Classification(3), drawn(0))
    assert len(rows) == kept
    assert int((targets[rows] == 1).sum()) == kept / 2
    same = torch.zeros(4, dtype=torch.int64)
    assert len(changing(items_with(same), fitted, Classification(3), drawn(0))) == 0, "an exchange that changes no answer"


def test_which_targets_differ():
    assert differ(Classification(3), torch.tensor([0, 1]), torch.tensor([0, 2])).tolist() == [False, True]
    assert differ(Regression(1, 1.0), torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.5]])).tolist() == [False, True]


# Answers


def test_two_outputs_agree_where_an_answer_is_asked_for():
    a, b = torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 1]])
    assert agreement(Classification(3), a[0], b[0], torch.tensor([2, 2, 2])).tolist() == [1.0, 1.0, 0.0]
    assert agreement(Sequences(3), a, b, torch.tensor([[1, 2, 0]])).tolist() == [1.0], "the last is not asked"
    assert agreement(Sequences(3), a, b, torch.tensor([[1, 2, 2]])).tolist() == [0.0], "and the first answers agree on no token"
    assert agreement(Steps(3), a, b, torch.tensor([[0, 0, 0]])).tolist() == pytest.approx([2 / 3])
    assert agreement(Steps(3), a, b, torch.tensor([[0, 0, -1]])).tolist() == [1.0]
    assert agreement(Steps(3, whole=True), a, b, torch.tensor([[0, 0, 0]])).tolist() == [0.0]
    halfway = agreement(Regression(2, 1.0), torch.tensor([[0.0, 0.5]]), torch.zeros(1, 2), torch.ones(1, 2))
    assert halfway.tolist() == [0.75]
    assert agreement(Classification(3), a[0, :0], b[0, :0], torch.zeros(0, dtype=torch.int64)).tolist() == []


@pytest.mark.parametrize("objective", [Classification(4), Sequences(4), Steps(4), Steps(4, whole=True)])
def test_answers_score_what_outputs_score_of_which_they_are_the_most_likely_classes(objective):
    shape = (50,) if isinstance(objective, Classification) else (50, 3)
    outputs = torch.randn(*shape, 4, generator=drawn(0))
    left_out = NOT_ASKED if isinstance(objective, Steps) else 0
    targets = torch.randint(4, shape, generator=drawn(1))
    targets = torch.where(torch.rand(shape, generator=drawn(2)) < 0.6, outputs.argmax(-1), targets)
    if len(shape) > 1:
        targets[torch.arange(50), torch.randint(3, (50,), generator=drawn(3))] = left_out
    scores = objective.score(outputs, targets)
    assert 0 < float(scores.mean()) < 1
    assert torch.equal(score_of_answers(objective, outputs.argmax(-1), targets), scores)
    assert torch.equal(scorer(objective, outputs)(targets), scores)
    assert scorer(objective, outputs[:0])(targets[:0]).tolist() == []


def test_an_objective_of_another_kind_is_asked_for_the_score_of_perfect_outputs():
    halved = torch.tensor([0.5])
    assert score_of_answers(Regression(1, 1.0), halved[:, None], torch.ones(1, 1)).tolist() == [0.75]
    assert scorer(Regression(1, 1.0), halved[:, None])(torch.ones(1, 1)).tolist() == [0.75]


# Rules


def test_a_cut_resolves_by_the_lower_bound_of_its_rate():
    assert not resolves(torch.ones(35, dtype=torch.float64)), "35 of 35 are at least .9 by chance"
    assert resolves(torch.ones(36, dtype=torch.float64))
    assert not resolves(torch.tensor([1.0] * 36 + [0.0] * 4, dtype=torch.float64))
    for nothing in (None, torch.zeros(0, dtype=torch.float64), torch.ones(1, dtype=torch.float64)):
        assert not resolves(nothing)


@pytest.mark.parametrize(
    ("cs", "between"),
    [
        ((1.0, 1.0, 0.1), Between(1, 2)),
        ((1.0, 0.95, 0.5, 0.2), Between(1, 3)),
        ((0.1, 1.0, 0.5, 0.1), Between(1, 3)),
        ((1.0, 1.0), None),
        ((0.5, 0.1), None),
        ((1.0, 0.25), None),
        ((1.0, None, 0.1), Between(0, 2)),
        ((), None),
    ],
)
def test_where_parts_are_combined(cs, between):
    assert combined_between(range(len(cs)), cs, chance=0.1) == between


@pytest.mark.parametrize(
    ("c", "e", "said"),
    [
        (0.89, 1.0, "the combining"),
        (0.0, None, "the combining"),
        (0.9, 0.89, "the way in"),
        (1.0, 1.0, "nothing found"),
        (1.0, None, "not resolved"),
        (None, 0.0, "not resolved"),
    ],
)
def test_what_breaks(c, e, said):
    assert what_breaks(c, e) == said


@pytest.mark.parametrize(
    ("breaks", "c", "e", "most", "said"),
    [
        ("the combining", (0.1, 0.8), None, 0.8, "the combining"),
        ("the combining", (0.1, 0.95), None, 0.8, "not resolved"),
        ("the combining", (0.1, 0.8), None, 0.95, "not resolved"),
        ("the way in", (0.85, 1.0), (0.5, 0.8), 1.0, "the way in"),
        ("the way in", (0.75, 1.0), (0.5, 0.8), 1.0, "not resolved"),
        ("the way in", (0.95, 1.0), None, 1.0, "not resolved"),
        ("nothing found", (0.9, 1.0), (0.9, 1.0), 1.0, "nothing found"),
        ("nothing found", (0.83, 0.96), (0.85, 0.97), 1.0, "not resolved"),
        ("nothing found", None, (0.9, 1.0), 1.0, "not resolved"),
        ("not resolved", None, None, 0.0, "not resolved"),
    ],
)
def test_it_is_certain_only_where_the_whole_intervals_say_so(breaks, c, e, most, said):
    measures = [_of_sum(key, *ends) for key, ends in (("novel_from_state", c), ("novel_as_state", e)) if ends]
    assert certainly(breaks, measures, most=most) == said
    assert certainly(breaks, [replace(one, about={"form": "shift"}) for one in measures], most=most) == "not resolved"


def _of_sum(key: str, low: float, high: float) -> Measure:
    return Measure(
        key=key,
        name=key,
        about={"form": "sum"},
        value=(low + high) / 2,
        unit="accuracy",
        direction="neither",
        interval=Interval(low=low, high=high, level=0.95, method="planted"),
        nulls=(),
        units=30,
        unit_of="combination",
        level=0,
    )
