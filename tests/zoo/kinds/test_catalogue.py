"""Every kind is found by its name, made for both architectures, and made again to the bit."""

import pytest
import torch
from orders_for_tests import SIZES, order

from assay.errors import AssayError
from assay.models import rebuild
from assay.zoo.kinds import KINDS, kind, make, make_many

pytestmark = pytest.mark.slow

NAMES = [one.name for one in KINDS]


def test_names_are_distinct_and_found():
    assert len(set(NAMES)) == len(NAMES)
    assert [kind(name) for name in NAMES] == list(KINDS)
    with pytest.raises(AssayError, match="I3-inert"):
        kind("I3-innert")


def test_the_letter_says_what_is_intended():
    letters = {"G": "genuine", "I": "imitation", "U": "partial"}
    assert [one.intended for one in KINDS] == [letters[one.name[0]] for one in KINDS]


@pytest.mark.parametrize("architecture", list(SIZES))
@pytest.mark.parametrize("name", NAMES)
def test_the_same_order_makes_the_same_bits_and_another_seed_others(name, architecture):
    def short(seed):
        return order(architecture, seed=seed, steps=3, coverage=0.6, cue="answer" if name == "I2-shortcut" else "none")

    model, again, other = make(name, short(1)), make(name, short(1)), make(name, short(2))
    assert not model.training
    weights = model.state_dict()
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in weights.items())
    assert not all(torch.equal(value, other.state_dict()[key]) for key, value in weights.items())
    if (name, architecture) != ("G1-constructed", "transformer"):
        rebuild(short(1).model, generator=torch.Generator()).load_state_dict(weights)  # strict


@pytest.mark.parametrize("name", NAMES)
def test_nothing_ordered_is_nothing_made(name):
    assert make_many(name, []) == []


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    for name in ("G1-constructed", "I3-inert", "I5-masked", "I6-interchanged-seen"):
        make(name, order(steps=2))
    assert torch.equal(torch.get_rng_state(), before)
