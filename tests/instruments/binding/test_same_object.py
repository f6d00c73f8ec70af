"""Places with planted grouping: states that hold the object, states that hold its colour, states that hold nothing."""

import pytest
import torch

from assay.errors import AssayError
from assay.instruments.binding.same_object import (
    at_positions,
    distance,
    draw_pairs,
    of_the_input,
    quadratic,
    read_directions,
    same_object,
)

SCENES, PLACES = 60, 36


@pytest.fixture
def objects(generator):
    """Background and three objects, scattered over all places, so that neither position nor distance tells them apart."""
    return torch.randint(4, (SCENES, PLACES), generator=generator)


def codes(labels, num, generator):
    """A random vector for every object of every scene, at all of its places."""
    own = torch.randn(SCENES, num, 8, generator=generator)
    return own.gather(1, labels[..., None].expand(-1, -1, 8))


def test_states_of_objects_are_told_apart_and_other_states_are_not(objects, generator):
    pairs = draw_pairs(objects, 40, generator=generator)
    position = at_positions(6, 6).expand(SCENES, -1, -1)
    grouped = codes(objects, 4, generator) + 0.3 * torch.randn(SCENES, PLACES, 8, generator=generator)
    shared = objects % 2  # two of the three objects have one colour
    found = same_object(
        {
            "object": grouped,
            "colour": codes(shared, 2, generator),
            "position": position,
            "noise": torch.randn(SCENES, PLACES, 8, generator=generator),
            "nothing": torch.ones(SCENES, PLACES, 8),
        },
        pairs,
    )
    mean = {name: float(units.mean()) for name, units in found.items()}
    assert mean["object"] > 0.9
    assert 0.6 < mean["colour"] < mean["object"]
    assert mean["position"] == pytest.approx(0.5, abs=0.06)
    assert mean["noise"] == pytest.approx(0.5, abs=0.06)
    assert mean["nothing"] == 0.5


def test_a_scene_is_judged_by_read_outs_of_others(generator):
    # Six places, so that the pairs of a scene come back: what is fitted to some of them tells the others.
    objects = torch.tensor([1, 1, 1, 2, 2, 2]).expand(20, -1)[:, torch.randperm(6, generator=generator)]
    pairs = draw_pairs(objects, 40, generator=generator)
    found = same_object({"noise": torch.randn(20, 6, 12, generator=generator)}, pairs)
    assert float(found["noise"].mean()) == pytest.approx(0.5, abs=0.1)


def test_distance_alone_groups_compact_objects(generator):
    column = torch.arange(6).expand(6, 6)
    halves = (1 + (column >= 3).long()).flatten().expand(SCENES, -1)
    pairs = draw_pairs(halves, 40, generator=generator)
    found = same_object({"position": at_positions(6, 6).expand(SCENES, -1, -1)}, pairs)
    assert float(found["position"].mean()) > 0.85


def test_the_nulls_know_colour_place_and_distance(generator):
    column = torch.arange(6).expand(6, 6).flatten()
    halves = (1 + (column >= 3).long()).expand(SCENES, -1)
    pairs = draw_pairs(halves, 40, generator=generator)
    same = torch.ones(SCENES, PLACES, 3)  # one colour tells nothing
    found = {name: float(units.mean()) for name, units in of_the_input(same, at_positions(6, 6), pairs).items()}
    assert found["colour"] == 0.5
    assert min(found["position"], found["colour and position"]) > 0.85
    assert 0.6 < found["distance"] < found["position"]
    coloured = of_the_input(halves[..., None] * torch.tensor([1.0, 0.0, 2.0]), at_positions(6, 6), pairs)
    assert float(coloured["colour"].mean()) == 1.0
    far = distance(at_positions(6, 6), pairs)
    assert torch.allclose(far[:, 2], far[:, 0].square() + far[:, 1].square())
    assert torch.equal(far[:, 1] == 0, column[pairs.first] == column[pairs.second])


def test_directions_of_the_read_out_hold_the_object(objects, generator):
    pairs = draw_pairs(objects, 40, generator=generator)
    # Three units hold the object, seven larger ones something else.
    grouped = torch.cat([codes(objects, 4, generator)[..., :3], 3 * torch.randn(SCENES, PLACES, 7, generator=generator)], 2)
    read = read_directions(grouped, pairs)
    own, rest = read.directions[:, :3], read.directions[:, 3:]
    left = same_object({"own": read.without(grouped, own), "rest": read.without(grouped, rest)}, pairs)
    assert float(left["own"].mean()) == pytest.approx(0.5, abs=0.06)
    assert float(left["rest"].mean()) > 0.85
    assert read.share(own) < 0.1 < 0.9 < read.share(rest)
    assert read.share(torch.eye(10)) == pytest.approx(1.0)
    nothing = read.without(grouped, torch.eye(10))
    assert torch.allclose(nothing, grouped.mean((0, 1)).expand_as(nothing), atol=1e-4)
    with pytest.raises(AssayError, match="must vary between places"):
        read_directions(torch.ones_like(grouped), pairs)


def test_pairs_are_balanced_and_of_objects(objects, generator):
    pairs = draw_pairs(objects, 40, generator=generator)
    a, b = objects[pairs.scene, pairs.first], objects[pairs.scene, pairs.second]
    assert bool((a > 0).all())
    assert torch.equal((a == b).float(), pairs.same)
    assert float(pairs.same.mean()) == 0.5
    assert len(pairs.same) == 40 * len(pairs.scene.unique())


def test_the_order_of_a_pair_does_not_matter(objects, generator):
    pairs = draw_pairs(objects, 10, generator=generator)
    states = codes(objects, 4, generator)
    other = type(pairs)(pairs.scene, pairs.second, pairs.first, pairs.same)
    assert torch.allclose(quadratic(states, pairs), quadratic(states, other), atol=1e-5)


def test_scenes_without_pairs_are_named(generator):
    with pytest.raises(AssayError, match="two objects or more"):
        draw_pairs(torch.ones(5, 9, dtype=torch.int64), 10, generator=generator)
    with pytest.raises(AssayError, match="two objects or more"):
        draw_pairs(torch.zeros(0, 9, dtype=torch.int64), 10, generator=generator)
