"""The preference grid: its expert by two other routes, its grids and observations by plain loops, its swap, its splits."""

import dataclasses
import itertools
import re
from functools import cache

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.objective import NOT_ASKED, Steps
from assay.task import SwapsParts, VectorSequence
from assay.tasks.grid_expert import (
    DISCOUNT,
    HORIZON,
    action_values,
    best_actions,
    demonstrate,
    entry_values,
    expert_actions,
)
from assay.tasks.grid_world import (
    ACTIONS,
    NUM_CELLS,
    PLACES,
    WALLS,
    Grids,
    States,
    draw_grids,
    observe,
    read_observations,
)
from assay.tasks.preference_grid import PreferenceGrid
from assay.training import train

MAP = """
#######
#  #  #
#  #  #
##   ##
#  #  #
#  #  #
#######""".strip().splitlines()
FREE = [(row, column) for row in range(7) for column in range(7) if MAP[row][column] == " "]
MOVES = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}


def moved(place, left, action, objects):
    """Where a move leads in plain Python, and what it pays; `objects` maps a place to (number, pay)."""
    row, column = place[0] + MOVES[action][0], place[1] + MOVES[action][1]
    place = place if MAP[row][column] == "#" else (row, column)
    number, pay = objects.get(place, (None, 0.0))
    return (place, left - {number}, pay) if number in left else (place, left, 0.0)


def plain_values(objects):
    """Q(place, left, horizon) of every action, by recursion."""

    @cache
    def values(place, left, horizon):
        q = {"nothing": 0.0}
        for action in MOVES:
            there, rest, pay = moved(place, left, action, objects)
            q[action] = pay + (DISCOUNT * max(values(there, rest, horizon - 1).values()) if horizon > 1 else 0.0)
        return q

    return values


def draw(n, generator, *, num_objects=3, num_colours=5):
    grids = draw_grids(n, num_objects=num_objects, num_colours=num_colours, purpose="train", generator=generator)
    return grids, torch.randn(n, num_objects, generator=generator)


def objects_of(grids, pays, row):
    return {FREE[cell]: (k, float(pays[row, k])) for k, cell in enumerate(grids.cells[row].tolist())}


def every_state(n, num_objects):
    agent, left = torch.meshgrid(torch.arange(NUM_CELLS), torch.arange(2**num_objects), indexing="ij")
    return States(agent.flatten().expand(n, -1), left.flatten().expand(n, -1))


# The expert


@pytest.mark.parametrize("horizon", [1, 2, 8])
def test_values_by_a_plain_dynamic_programme(horizon, generator):
    grids, pays = draw(4, generator)
    states = every_state(4, 3)
    entries = entry_values(grids.cells, pays, horizon=horizon)
    q, best = action_values(entries, states), best_actions(entries, states)
    num_ties = 0
    for row in range(4):
        values = plain_values(objects_of(grids, pays, row))
        for step, (cell, left) in enumerate(zip(states.agent[row].tolist(), states.left[row].tolist(), strict=True)):
            known = values(FREE[cell], frozenset(k for k in range(3) if left >> k & 1), horizon)
            assert q[row, step].tolist() == pytest.approx([known[action] for action in ACTIONS], abs=1e-5)
            equally_good = [number for number, action in enumerate(ACTIONS) if known[action] > max(known.values()) - 1e-6]
            assert int(best[row, step]) == equally_good[0], "not the first of the best actions"
            num_ties += len(equally_good) > 1
    assert num_ties > 100


def test_values_by_every_sequence_of_actions(generator):
    grids, pays = draw(3, generator, num_objects=2)
    q = action_values(entry_values(grids.cells, pays.abs(), horizon=5), States(grids.agent[:, None], torch.full((3, 1), 3)))
    for row in range(3):
        objects = objects_of(grids, pays.abs(), row)
        best = dict.fromkeys(MOVES, -float("inf"))
        for sequence in itertools.product(MOVES, repeat=5):
            place, left, collected = FREE[grids.agent[row]], frozenset({0, 1}), 0.0
            for step, action in enumerate(sequence):
                place, left, pay = moved(place, left, action, objects)
                collected += DISCOUNT**step * pay
                best[sequence[0]] = max(best[sequence[0]], collected)  # here it may do nothing
        assert q[row, 0].tolist() == pytest.approx([0.0, *best.values()], abs=1e-5)


def test_the_best_plan_collects_exactly_what_was_predicted(generator):
    grids, pays = draw(60, generator, num_objects=4)
    predicted = action_values(entry_values(grids.cells, pays), States(grids.agent[:, None], torch.full((60, 1), 15))).amax(-1)
    for row in range(60):
        one, pay = Grids(*(column[[row]] for column in grids)), pays[[row]]
        objects = objects_of(grids, pays, row)
        place, left, collected = FREE[grids.agent[row]], frozenset(range(4)), 0.0
        for step in range(HORIZON):
            state = States(torch.tensor([[FREE.index(place)]]), torch.tensor([[sum(1 << k for k in left)]]))
            action = ACTIONS[best_actions(entry_values(one.cells, pay, horizon=HORIZON - step), state)]
            if action == "nothing":
                break
            place, left, gain = moved(place, left, action, objects)
            collected += DISCOUNT**step * gain
        assert collected == pytest.approx(float(predicted[row]), abs=1e-5)


def test_demonstrations_replayed(generator):
    """States follow from the actions; the episode ends when nothing is done; what ends has collected what was predicted."""
    grids, pays = draw(300, generator, num_objects=4)  # more than one chunk
    states, actions, asked = demonstrate(grids, pays)
    assert torch.equal(actions, expert_actions(grids, pays, states))
    start = action_values(entry_values(grids.cells, pays), States(grids.agent[:, None], torch.full((300, 1), 15)))
    lengths = set()
    for row in range(300):
        objects, ended, collected = objects_of(grids, pays, row), False, 0.0
        place, left = FREE[grids.agent[row]], frozenset(range(4))
        for step in range(HORIZON):
            assert bool(asked[row, step]) is not ended
            assert FREE[states.agent[row, step]] == place
            assert int(states.left[row, step]) == sum(1 << k for k in left)
            action = ACTIONS[actions[row, step]]
            ended = ended or action == "nothing"
            if not ended:
                place, left, gain = moved(place, left, action, objects)
                collected += DISCOUNT**step * gain
        lengths.add(int(asked[row].sum()))
        assert not ended or collected > float(start[row].amax()) - 1e-5
    assert lengths == set(range(1, HORIZON + 1))


def test_a_mirrored_grid_has_mirrored_values(generator):
    grids, pays = draw(20, generator)
    mirror = torch.tensor([FREE.index((row, 6 - column)) for row, column in FREE])
    states = every_state(20, 3)
    q = action_values(entry_values(grids.cells, pays), states)
    mirrored = action_values(entry_values(mirror[grids.cells], pays), States(mirror[states.agent], states.left))
    assert torch.equal(mirrored, q[..., [0, 1, 4, 3, 2]])


def test_the_order_of_objects_and_the_other_episodes_change_nothing(generator):
    grids, pays = draw(20, generator)
    expected = demonstrate(grids, pays).actions
    order = [2, 0, 1]
    assert torch.equal(demonstrate(Grids(grids.agent, grids.cells[:, order], grids.colours), pays[:, order]).actions, expected)
    alone = [demonstrate(Grids(*(column[[row]] for column in grids)), pays[[row]]).actions for row in range(20)]
    assert torch.equal(torch.cat(alone), expected)


# Grids and observations


def test_grids_have_distinct_free_cells_and_even_colours(generator):
    assert [tuple(map(int, divmod(place, 7))) for place in PLACES.tolist()] == FREE
    assert WALLS.tolist() == [[sign == "#" for sign in row] for row in MAP]
    grids, _ = draw(4000, generator, num_objects=4)
    occupied = torch.cat([grids.agent[:, None], grids.cells], 1)
    assert all(len(set(row)) == 5 for row in occupied.tolist())
    for column in occupied.T:
        assert column.bincount(minlength=NUM_CELLS).min() > 4000 / NUM_CELLS * 0.7
    assert (grids.colours.flatten().bincount() / 16000 - 0.2).abs().max() < 0.02


def test_observations_by_plain_loops_and_back(generator):
    grids, pays = draw(30, generator)
    states = demonstrate(grids, pays).states
    x = observe(grids, states, num_colours=5)
    torch.testing.assert_close(x.square().mean(-1), torch.ones(30, HORIZON))
    for row, step in itertools.product(range(30), range(HORIZON)):
        shown = torch.zeros(7, 7, 7)
        for place in itertools.product(range(7), range(7)):
            shown[*place, 6] = MAP[place[0]][place[1]] == "#"
        shown[*FREE[states.agent[row, step]], 5] = 1
        for k in range(3):
            if int(states.left[row, step]) >> k & 1:
                shown[*FREE[grids.cells[row, k]], grids.colours[row, k]] = 1
        assert torch.equal(x[row, step] != 0, shown.flatten() != 0)
    order = grids.cells.argsort(1)
    back, there = read_observations(x, num_objects=3, num_colours=5)
    assert torch.equal(back.agent, grids.agent)
    assert torch.equal(back.cells, grids.cells.gather(1, order))
    assert torch.equal(back.colours, grids.colours.gather(1, order))
    assert torch.equal(there.agent, states.agent)
    assert torch.equal(observe(back, there, num_colours=5), x)


# The task


def latents(examples, task):
    return torch.stack([examples.amounts[name] for name in task.combines], 1)


def plain_targets(task, examples, z, row):
    """What the expert does at each observation of one row, read and solved in plain Python."""
    observations = examples.inputs["x"][row, :, -49 * (task.num_colours + 2) :].view(HORIZON, 7, 7, -1)
    pays = z[row].double() @ task._basis.double()
    shown = [[(place, int(o[place[0], place[1], : task.num_colours].argmax())) for place in FREE
              if o[place[0], place[1], : task.num_colours].any()] for o in observations]  # fmt: skip
    objects = {place: (number, float(pays[colour])) for number, (place, colour) in enumerate(shown[0])}
    values, targets = plain_values(objects), []
    for step in range(HORIZON):
        (place,) = (place for place in FREE if observations[step][place[0], place[1], -2] != 0)
        q = values(place, frozenset(objects[there][0] for there, _ in shown[step]), HORIZON)
        best = next(number for number, action in enumerate(ACTIONS) if q[action] > max(q.values()) - 1e-6)
        targets.append(best if int(examples.targets[row, step]) != NOT_ASKED else NOT_ASKED)
    return targets


@pytest.mark.parametrize("split", ["train", "seen", "novel"])
@pytest.mark.parametrize("encoding", ["identity", "tokens", "zigzag"])
def test_targets_belong_to_what_is_seen_and_to_z(split, encoding, generator):
    task = PreferenceGrid(encoding=encoding, num_objects=3)
    examples = task.examples(split, 12, generator=generator)
    spec = task.input_spec
    assert isinstance(spec, VectorSequence)
    assert examples.inputs["x"].shape == (12, spec.length, spec.num_features)
    assert examples.inputs["x"].dtype == torch.float32
    for row in range(12):
        assert examples.targets[row].tolist() == plain_targets(task, examples, latents(examples, task), row)
    told = examples.inputs["x"][:, :, : (16 if encoding == "tokens" else 8)]
    assert torch.equal(told, told[:, :1].expand_as(told))
    if encoding == "identity":
        assert torch.equal(told[:, 0], latents(examples, task))


@pytest.mark.parametrize("part", ["m0", "m5"])
def test_swap_gives_the_actions_of_the_new_preference(part, generator):
    task = PreferenceGrid(num_objects=3, encoding="interval_shuffle")
    assert isinstance(task, SwapsParts)
    base, source = (task.examples("seen", 300, generator=generator) for _ in range(2))
    swapped = task.swap(base, source, part)
    z = latents(base, task).clone()
    z[:, int(part[1])] = source.amounts[part]
    for row in range(30):
        assert swapped.targets[row].tolist() == plain_targets(task, base, z, row)
    assert torch.equal(swapped.parts[part], source.parts[part])
    assert torch.equal(swapped.combination, task.combination_id(swapped.parts))
    changed = base.amounts[part] != source.amounts[part]
    differs = (swapped.targets != base.targets).any(1)
    assert differs[changed].float().mean() > 0.2
    assert not differs[~changed].any()
    with pytest.raises(AssayError, match="no such part"):
        task.swap(base, source, "m8")


def test_colours_relabelled_with_the_basis_change_no_action(generator):
    task = PreferenceGrid()
    base = task.examples("train", 200, generator=generator)
    order = torch.randperm(16, generator=generator)
    relabelled = dataclasses.replace(task)
    object.__setattr__(relabelled, "_basis", task._basis[:, order])
    x = base.inputs["x"].clone()
    channels = x[..., 8:].view(200, HORIZON, 49, 18)
    channels[..., :16] = channels[..., order]
    again = relabelled.swap(dataclasses.replace(base, inputs={"x": x}), base, "m0")
    assert torch.equal(again.targets, base.targets)


@pytest.mark.parametrize("split", ["train", "seen", "novel"])
@pytest.mark.parametrize("n", [0, 1, 17])
def test_any_number_of_episodes(split, n, generator):
    task = PreferenceGrid(num_objects=1)
    examples = task.examples(split, n, generator=generator)
    assert examples.inputs["x"].shape == (n, HORIZON, task.input_spec.num_features)
    assert examples.targets.shape == task.swap(examples, examples, "m1").targets.shape == (n, HORIZON)
    assert (examples.targets[:, 0] != NOT_ASKED).all()


@pytest.mark.parametrize("split", ["train", "seen", "novel"])
def test_parts_amounts_and_combinations_agree(split, generator):
    task = PreferenceGrid(num_modules=6, max_active=2, num_objects=2, num_colours=4)
    num = len(task.combinations(split))
    examples = task.examples(split, 20 * num, generator=generator)
    z = latents(examples, task)
    parts = torch.stack([examples.parts[name] for name in task.combines], 1)
    assert torch.equal(parts, (z != 0).long())
    assert set(z.unique().tolist()) == set(torch.tensor([0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]).tolist())
    assert {tuple(row) for row in parts.tolist()} == {tuple(row) for row in task.combinations(split).tolist()}
    counts = examples.combination.unique(return_counts=True)[1]
    assert split == "train" or counts.tolist() == [20] * num
    assert all(part.graded for part in task.parts)


@pytest.mark.parametrize("weights", ["discrete", "khot"])
def test_no_row_is_trained_and_scored(weights, tmp_path, monkeypatch):
    """The rows that a run draws, by the seeds that it uses, where grids are so few that chance would repeat them."""
    drawn: dict[str, list[torch.Tensor]] = {}
    draw_examples = PreferenceGrid.examples

    def recorded(task, split, n, *, generator):
        examples = draw_examples(task, split, n, generator=generator)
        drawn.setdefault(split, []).append(examples.inputs["x"][:, 0])
        return examples

    monkeypatch.setattr(PreferenceGrid, "examples", recorded)
    address = f"preference_grid:num_modules=4,max_active=2,num_colours=2,num_objects=1,weights={weights}"
    train(address, "mlp", options={"width": 4}, config={"steps": 16, "batch_size": 512, "seed": 0}, out=tmp_path)
    grids = {split: {row.numpy().tobytes() for row in torch.cat(parts)[:, 4:]} for split, parts in drawn.items()}
    assert {split: sum(map(len, parts)) for split, parts in drawn.items()} == {"train": 8192, "seen": 8192, "novel": 8192}
    assert not grids["train"] & (grids["seen"] | grids["novel"])
    assert len(grids["train"] | grids["seen"]) == 19 * 18 * 2, "every grid there is"
    assert 0.4 < len(grids["train"]) / (19 * 18 * 2) < 0.6


def test_splits_share_no_combination_and_the_kind_of_supports_changes_no_preference():
    task, other = PreferenceGrid(), PreferenceGrid(supports="two_halves", hotness="7-12-8", novel_hotness=3)
    trained = {tuple(row) for row in task.combinations("train").tolist()}
    assert torch.equal(task.combinations("train"), task.combinations("seen"))
    assert not trained & {tuple(row) for row in task.combinations("novel").tolist()}
    assert torch.equal(task._basis, other._basis)
    assert other.combinations("train").sum(1).bincount().tolist() == [0, 7, 12, 8]
    assert PreferenceGrid(seed=5) == PreferenceGrid(seed=5) != PreferenceGrid(seed=6)
    assert not torch.equal(PreferenceGrid(seed=6)._basis, task._basis)


def test_one_seed_one_draw():
    first, second = (PreferenceGrid().examples("train", 40, generator=Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first.inputs["x"], second.inputs["x"])
    assert torch.equal(first.targets, second.targets)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_objects": 0}, "num_objects must be a whole number from 1 to 8. Given: 0"),
        ({"num_objects": 9}, "num_objects must be a whole number from 1 to 8. Given: 9"),
        ({"num_colours": 1}, "num_colours must be a whole number from 2 to 256. Given: 1"),
        ({"encoding": "fewshot"}, "encoding must be a function of z; pairs (x, y) of a teacher do not exist here"),
        ({"supports": "two_halves", "held_out": 0.5}, "two_halves fixes the novel supports"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(AssayError, match=re.escape(message)):
        PreferenceGrid(**options)


# The objective


def test_steps_by_hand():
    targets = torch.tensor([[1, 2, 0], [3, NOT_ASKED, NOT_ASKED], [1, 2, NOT_ASKED]])
    answers = torch.tensor([[1, 2, 3], [3, 0, 4], [0, 0, 0]])
    outputs = torch.nn.functional.one_hot(answers, 5).float()
    assert Steps(5).score(outputs, targets).tolist() == pytest.approx([2 / 3, 1.0, 0.0])
    assert Steps(5, whole=True).score(outputs, targets).tolist() == [0.0, 1.0, 0.0]
    asked = targets != NOT_ASKED
    by_hand = -outputs.log_softmax(-1)[asked].gather(1, targets[asked][:, None]).mean()
    torch.testing.assert_close(Steps(5).loss(outputs, targets), by_hand)
    for whole in (False, True):
        objective = Steps(5, whole=whole)
        assert objective.score(objective.ideal(targets), targets).tolist() == [1.0, 1.0, 1.0]
        assert objective.width() == 5
        assert objective.score(outputs[:0], targets[:0]).shape == (0,)
        with pytest.raises(AssayError, match=r"must have shape \(3, 3, 5\).*Given: \(3, 3, 4\)"):
            objective.score(outputs[..., :4], targets)


def test_what_is_scored_is_chosen(generator):
    action, episode = PreferenceGrid(), PreferenceGrid(scored="episode")
    examples = action.examples("seen", 50, generator=generator)
    outputs = action.objective.ideal(examples.targets)
    outputs[:, 0] = 0.0
    outputs[:, 0, 0] = 1.0  # does nothing at first
    asked = (examples.targets != NOT_ASKED).sum(1)
    right = examples.targets[:, 0] == 0
    torch.testing.assert_close(action.score(outputs, examples), torch.where(right, 1.0, 1 - 1 / asked))
    assert torch.equal(episode.score(outputs, examples), right.float())
    assert torch.equal(action.loss(outputs, examples), episode.loss(outputs, examples))
