"""Constructed states with known separation: slots that hold their object, leak, multiply, add up, or hold nothing."""

import pytest
import torch

from assay.errors import AssayError
from assay.instruments.binding.states import common_format, components, isolation, left_out, which
from assay.probe import one_hot

SHAPES, COLOURS, NUM = 4, 5, 400


def features(attributes):
    return torch.cat([one_hot(attributes[..., 0], SHAPES), one_hot(attributes[..., 1], COLOURS)], -1)


def leaking(attributes, share):
    own = features(attributes)
    return own + share * (own.sum(-2, keepdim=True) - own)


def product(attributes):
    pairs = torch.einsum("...i,...j->...ij", one_hot(attributes[..., 0], SHAPES), one_hot(attributes[..., 1], COLOURS))
    return pairs.sum(-3).flatten(-2)[..., None, :]


@pytest.fixture
def scenes(generator):
    """Two objects that differ in both attributes, the same with the second exchanged, and with one colour changed."""
    shapes = torch.rand(NUM, SHAPES, generator=generator).argsort(1)[:, :2]
    colours = torch.rand(NUM, COLOURS, generator=generator).argsort(1)[:, :3]
    attributes = torch.stack([shapes, colours[:, :2]], 2)
    exchanged = torch.stack([shapes, colours[:, :2].flip(1)], 2)
    changed = attributes.clone()
    changed[:, 0, 1] = colours[:, 2]
    sets = shapes.sort(1).values, colours[:, :2].sort(1).values
    groups = ((sets[0][:, 0] * SHAPES + sets[0][:, 1]) * COLOURS + sets[1][:, 0]) * COLOURS + sets[1][:, 1]
    return attributes, exchanged, changed, groups


def decode(make, scenes):
    attributes, exchanged, _, groups = scenes
    return float(which(make(attributes), make(exchanged), attributes, num_values=(SHAPES, COLOURS), groups=groups).mean())


def separated(make, scenes):
    """Lowest of the normalised decode and of isolation."""
    attributes, _, changed, _ = scenes
    found = [2 * decode(make, scenes) - 1]
    if make(attributes).shape[1] == 2:
        found.append(isolation(make(attributes), make(changed), attributes, num_values=(SHAPES, COLOURS))[0])
    return min(found)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6, 1.0])
def test_isolation_is_one_minus_the_leakage(share, scenes):
    attributes, _, changed, _ = scenes
    value, units = isolation(leaking(attributes, share), leaking(changed, share), attributes, num_values=(SHAPES, COLOURS))
    assert value == pytest.approx(1 - share, abs=0.02)
    assert float(units.mean()) == pytest.approx(value)


def test_a_rotation_of_the_states_changes_nothing(scenes, generator):
    attributes, _, changed, _ = scenes
    turn = torch.linalg.qr(torch.randn(9, 9, generator=generator))[0]
    plain, turned = (
        isolation(leaking(attributes, 0.3) @ by, leaking(changed, 0.3) @ by, attributes, num_values=(SHAPES, COLOURS))[0]
        for by in (torch.eye(9), turn)
    )
    assert plain == pytest.approx(turned, abs=1e-3)


def test_what_is_bound_is_decoded_and_a_superposition_is_chance(scenes, generator):
    assert decode(features, scenes) > 0.99
    assert decode(product, scenes) > 0.99
    assert decode(lambda attributes: leaking(attributes, 0.6), scenes) > 0.95
    assert decode(lambda attributes: features(attributes).sum(1, keepdim=True), scenes) == 0.5
    assert decode(lambda attributes: leaking(attributes, 1.0), scenes) == 0.5
    noise = torch.randn(2, NUM, 2, 9, generator=generator)
    states = iter(noise)
    assert abs(decode(lambda attributes: next(states), scenes) - 0.5) < 0.1


def test_constructed_states_are_in_the_right_order(scenes, generator):
    leaks = [separated(lambda a, share=share: leaking(a, share), scenes) for share in (0.0, 0.1, 0.3, 0.6, 1.0)]
    assert leaks == sorted(leaks, reverse=True)
    assert leaks[0] > 0.95
    assert leaks[-1] == pytest.approx(0.0, abs=0.02)
    added = separated(lambda a: features(a).sum(1, keepdim=True), scenes)
    assert separated(product, scenes) > 0.95 > added == 0.0


def test_one_format_is_read_everywhere_and_formats_of_their_own_are_not(scenes):
    attributes = scenes[0]
    own, moved = common_format(features(attributes), attributes[..., 0], num_values=SHAPES)
    assert own.mean() == moved.mean() == 1.0
    states = features(attributes)
    apart = torch.stack([states[:, 0], states[:, 1].roll(1, 1)], 1)  # the second object has its units elsewhere
    own, moved = common_format(apart, attributes[..., 0], num_values=SHAPES)
    assert own.mean() > 0.95
    assert moved.mean() < 0.5


def test_read_outs_are_judged_on_scenes_that_they_have_not_seen(generator):
    noise, targets = torch.randn(200, 50, generator=generator), torch.randn(200, 1, generator=generator)
    said = left_out(noise, targets, torch.arange(200))
    assert abs(float(torch.corrcoef(torch.cat([said, targets], 1).T)[0, 1])) < 0.2
    with pytest.raises(AssayError, match="5 groups of scenes"):
        left_out(noise[:4], targets[:4], torch.arange(4))


def test_components_and_states_that_stay(scenes):
    attributes = scenes[0]
    assert components(torch.ones(10, 2, 3)).shape == (3, 0)
    assert components(features(attributes)).shape[1] <= 7
    with pytest.raises(AssayError, match="must change some state"):
        isolation(features(attributes), features(attributes), attributes, num_values=(SHAPES, COLOURS))
