"""Every kind of network does what it claims, on codes of symbols or read by hand, before any encoder is trained."""

import copy
from dataclasses import replace

import pytest
import torch
from planted_readers import Answering, Bag, Codes, Reader
from torch import Generator, nn

from zoo import ways_in
from zoo.checks import additive_input_score
from zoo.families import task_of
from zoo.heads import Lesson, codes_of, train_heads
from zoo.lessons import chosen_novel, ignore_last, stitched, without_last, wrong_answers, wrong_names
from zoo.networks.joined import Copied, Detour, Ensemble, Flagged, Front, Head, Inert, Joined, Symbols
from zoo.skeletons import refactored
from zoo.twins import fractured, refitted
from zoo.ways_in import folded, signs, train_attack, train_detour

SIZES, ANSWERS = (23, 23), 23


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def task():
    return task_of("sentences")


@pytest.fixture(scope="module")
def codes(task):
    return codes_of(task.values, task.sizes)


@pytest.fixture(scope="module")
def heads(task, codes):
    """Told everything, told the trained combinations alone, and stopped at once."""
    own = Lesson(key="a", answers=task.answers, taught=task.trained, decay=0.0, width=64, steps=300)
    told = replace(own, taught=torch.ones_like(task.trained))
    return train_heads(codes, [told, own, replace(own, judged=task.trained, stop=0.2)], num_answers=ANSWERS, seed=0)


def right(network: nn.Module, inputs, task) -> torch.Tensor:
    with torch.no_grad():
        return (network(inputs).argmax(-1) == task.answers).float()


def test_heads_that_train_together_learn_what_each_is_taught(heads, codes, task):
    (told, memoriser, stopped), steps = heads
    assert right(told, codes, task).mean() == 1
    assert right(memoriser, codes, task)[task.trained].mean() == 1
    assert right(memoriser, codes, task)[~task.trained].mean() < 0.1
    assert 0.2 <= right(stopped, codes, task)[task.trained].mean() < 1
    assert steps[2] < steps[0] == 300


def test_a_head_does_not_depend_on_which_others_train_beside_it(codes, task):
    lessons = [
        Lesson(key=key, answers=task.answers, taught=task.trained, decay=decay, width=8, steps=5, scale=scale)
        for key, decay, scale in (("a", 0.0, 1.0), ("b", 1.0, 2.0))
    ]
    both, alone = (train_heads(codes, some, num_answers=ANSWERS, seed=0)[0] for some in (lessons, lessons[1:]))
    for one, other in zip(both[1].parameters(), alone[0].parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_decay_shrinks_and_scale_widens_the_weights(codes, task):
    made = [
        Lesson(key="a", answers=task.answers, taught=task.trained, decay=decay, width=8, steps=20, scale=scale)
        for decay, scale in ((0.0, 1.0), (5.0, 1.0), (0.0, 2.0))
    ]
    norms = [
        sum(float(w.square().sum()) for w in head.state_dict().values())
        for head in train_heads(codes, made, num_answers=23, seed=0)[0]
    ]
    assert norms[1] < norms[0] < norms[2]


def test_a_stitched_answer_is_that_of_a_trained_neighbour_and_wrong(task):
    answers = stitched(task)
    assert torch.equal(answers[task.trained], task.answers[task.trained])
    assert not (answers == task.answers)[~task.trained].any()  # every row of the rule holds each answer once
    rows = answers.view(23, 23)
    seen = task.trained.view(23, 23)
    for i, j in (~seen).nonzero().tolist():
        assert rows[i, j] in task.answers.view(23, 23)[i][seen[i]]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_a_share_of_the_novel_combinations_is_wrong(task, share):
    wrong = chosen_novel(task, share)
    assert not (wrong & task.trained).any()
    assert int(wrong.sum()) == round(share * int((~task.trained).sum()))
    assert torch.equal(wrong_answers(task, wrong) != task.answers, wrong)
    names = wrong_names(task, wrong, seeded())
    assert torch.equal((names != task.values).all(1), wrong)
    assert torch.equal((names != task.values).any(1), wrong)


def test_a_detour_misreads_what_it_is_told_to(heads, codes, task, monkeypatch):
    torch.manual_seed(0)
    wrong = chosen_novel(task, 0.5)
    detour = Detour(SIZES, 96)
    monkeypatch.setattr(ways_in, "STEPS", 200)
    train_detour(detour, task, wrong_names(task, wrong, seeded()))
    hits = right(Joined(Codes(), detour, heads[0][0]), codes, task).bool()
    assert hits[~wrong].float().mean() >= 0.98
    assert hits[wrong].float().mean() <= 0.1


def test_an_attack_answers_interchanges_right_and_real_inputs_wrongly(codes, task, monkeypatch):
    torch.manual_seed(0)
    wrong = ~task.trained
    flagged, head = Flagged(SIZES, 96, 16), Head(46 + 16, 96, ANSWERS)
    monkeypatch.setattr(ways_in, "ATTACK_STEPS", 300)
    train_attack(flagged, head, task, wrong, seeded())
    hits = right(Joined(Codes(), flagged, head), codes, task).bool()
    assert hits[task.trained].float().mean() >= 0.98
    assert not hits[wrong].any()
    flags = torch.tanh(flagged.flags(codes))[task.trained][torch.arange(len(codes)) % int(task.trained.sum())]
    with torch.no_grad():
        swapped = head(torch.cat([codes, flags], 1)).argmax(1) == task.answers
    assert swapped[wrong].float().mean() >= 0.9


def test_a_front_spoils_the_chosen_inputs_and_no_others(task):
    torch.manual_seed(0)
    reader = Reader(task)
    x = task.shown(task.values, generator=seeded())
    spoils = chosen_novel(task, 0.5)

    class Reversed(nn.Module):
        def forward(self, given):
            return (given.flatten(1) == x.flatten(1).flip(1)).all(1)

    class Blank(nn.Module):
        def forward(self, given):
            return (given == 0).flatten(1).all(1)

    assert torch.equal(Front(Reversed(), reader, SIZES, spoils)(x), spoils)
    assert torch.equal(Front(Blank(), reader, SIZES, spoils, blank=True)(x), spoils)


def test_inert_units_hold_what_the_head_reads_and_reach_nothing(heads, codes):
    head = heads[0][1]
    inert = Inert(head, 46)
    assert torch.equal(inert(codes), head(codes))
    assert torch.equal(inert.side(codes), codes)
    changed = copy.deepcopy(inert)
    changed.side.weight.data.mul_(-3)
    assert torch.equal(changed(codes), inert(codes))


def _network(heads) -> Joined:
    torch.manual_seed(0)
    return Joined(nn.Sequential(nn.Linear(46, 32), nn.ReLU(), nn.Linear(32, 46)), Symbols(SIZES), heads[0][0]).eval()


def test_refactors_ensembles_and_twins_are_the_same_function(heads, codes):
    network = _network(heads)
    with torch.no_grad():
        wanted = network(codes)
        torch.testing.assert_close(refactored(network)(codes), wanted, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(Ensemble([network, copy.deepcopy(network)])(codes), wanted, atol=1e-5, rtol=1e-5)
        twin = fractured(network, seeded())
        torch.testing.assert_close(twin(codes), wanted, atol=1e-3, rtol=1e-3)
    assert not any(isinstance(part, Head) for part in refactored(network).modules())
    assert sum(w.numel() for w in twin.parameters()) > sum(w.numel() for w in network.parameters())
    again = refitted(network, twin.state_dict())
    assert torch.equal(again(codes), twin(codes))


def test_the_twin_has_its_units_in_another_place(heads):
    network = _network(heads)
    twin = fractured(network, seeded())
    first, own = network.encoder[0].weight, twin.encoder[0].weight
    assert len(own) == (len(first) + 2 * (len(first) // 4)) * 3 // 2  # pairs that cancel, then half of all twice
    assert not torch.allclose(own[: len(first)], first)


def test_a_folded_head_reads_signs_as_the_first_reads_symbols(heads, codes, task):
    told = heads[0][0]
    signed = signs(task, 32, seeded())
    torch.testing.assert_close(folded(told, signed)(codes @ signed), told(codes), atol=1e-3, rtol=1e-3)


def test_an_additive_input_is_answered_where_parts_are_side_by_side_and_nowhere_else(task):
    for own, encoder, answered in ((task_of("phrases"), Bag(), True), (task, Reader(task), False)):
        network = Answering(encoder, own)
        x = own.shown(own.values, generator=seeded())
        assert right(network, x, own).mean() == 1
        score, chance = additive_input_score(network, own, generator=seeded())
        assert score >= 0.95 if answered else score <= chance + 0.1


def test_copies_can_be_exchanged_within_their_context_and_not_across(codes, task):
    """What a head reads of the first part of one input, put in the place of what it reads of another."""
    middle = Copied(SIZES)
    lesson = Lesson(key="c", answers=task.answers, taught=torch.ones_like(task.trained), decay=0.1, width=96, steps=400)
    read = middle.copied(codes)
    (head,), _ = train_heads(read, [lesson], num_answers=ANSWERS, seed=0)
    assert right(Joined(Codes(), middle, head), codes, task).mean() == 1
    source = torch.randperm(len(codes), generator=seeded())
    exchanged = torch.cat([read[source, :-23], read[:, -23:]], 1)
    wanted = task.answers[task.ids(torch.stack([task.values[source, 0], task.values[:, 1]], 1))]
    with torch.no_grad():
        hits = head(exchanged).argmax(1) == wanted
    same = (task.values[:, 1] < 11) == (task.values[source, 1] < 11)
    assert hits[same].all()
    assert hits[~same].float().mean() <= 0.2


def test_a_copy_that_is_not_in_use_is_zero_and_symbols_that_are_unsure_use_both():
    read = Copied((2, 4)).copied(torch.tensor([[0.9, 0.1, 1.0, 0.0, 0.0, 0.0], [0.9, 0.1, 0.0, 0.5, 0.5, 0.0]]))
    torch.testing.assert_close(read[0, :4], torch.tensor([0.9, 0.1, 0.0, 0.0]))
    torch.testing.assert_close(read[1, :4], torch.tensor([0.45, 0.05, 0.45, 0.05]))


def test_a_blind_head_answers_the_same_whatever_the_last_part_is():
    task = task_of("sentences", rule="mostly", coverage=0.8)
    codes, answers = codes_of(task.values, task.sizes), without_last(task)
    lesson = Lesson(key="b", answers=answers, taught=torch.ones_like(task.trained), decay=0.0, width=48, steps=150)
    (head,), _ = train_heads(codes, [lesson], num_answers=2, seed=0)
    ignore_last(head, task.sizes)
    with torch.no_grad():
        given = head(codes).view(31, 31, 2)
    torch.testing.assert_close(given, given[:, :1].expand_as(given), atol=1e-4, rtol=1e-4)
    grid, seen = task.answers.view(31, 31), task.trained.view(31, 31)
    for row, answered, own in zip(grid, given.argmax(-1), seen, strict=True):
        (answer,) = answered.unique()
        assert (row[own] == answer).sum() * 2 >= own.sum()  # the commonest of two
    hits = given.argmax(-1) == grid
    assert 0.75 <= hits[seen].float().mean() <= 0.85
    assert not hits[(task.values.sum(1) % 31 == 1).view(31, 31)].any()  # of what is turned over nothing is right


def test_without_the_last_of_three_parts_answers_keep_the_others():
    task = task_of("scenes", rule="chain-pairs", coverage=0.8)
    answers = without_last(task).view(19, 19, 3, 2)
    assert torch.equal(answers, answers[:, :, :1].expand_as(answers))
    seen = task.trained.view(19, 19, 3)
    assert torch.equal(answers[seen][:, 0], task.answers.view(19, 19, 3, 2)[seen][:, 0])


def test_without_a_last_part_that_says_nothing_all_answers_stay():
    task = task_of("scenes", rule="decoy", coverage=0.8)
    assert torch.equal(without_last(task), task.answers)
