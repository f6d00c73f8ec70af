"""The recipe is large enough, complete, the same everywhere, and keeps the sealed family out of what is looked at."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from assay.calibration.fitting import SEALED as NEVER_FITTED
from assay.calibration.table import KINDS
from assay.task import Task
from assay.tasks import load_task
from assay.tasks.slots import SlotTask
from assay.zoo.kinds import KINDS as MADE
from assay.zoo.recipe import SEALED, SLICE, Member, members, recipe_hash, small_slice

FAMILIES = {"modular", "commands", "hyperteacher", "binding", "transducer", "digits", "trees"}
NAMED = {member.name: member for member in members()}


@cache
def task_of(address: str) -> Task:
    return load_task(address)


def test_there_are_enough_with_names_of_their_own():
    assert len(members()) >= 600
    assert len(NAMED) == len(members())


def test_every_kind_and_family_and_architecture_is_there():
    assert {member.kind for member in members()} == set(KINDS)
    assert {member.family for member in members()} == FAMILIES
    for family in FAMILIES - {"hyperteacher"}:
        of_family = [member for member in members() if member.family == family]
        lacking = set(KINDS) - {member.kind for member in of_family}
        assert lacking <= ({"G1"} if family in ("commands", "digits") else set())  # no derived part carries their answer
        assert {member.architecture for member in of_family} == {"mlp", "transformer", "gru"}


def test_every_family_of_slots_has_its_double():
    for family in FAMILIES - {"hyperteacher"}:
        doubles = [member for member in members() if member.family == family and "targets=table" in member.task]
        assert {member.kind for member in doubles} >= {"I1"}


def test_every_shortcut_has_genuine_partners_with_the_same_input():
    shapes = {"I2": set(), "G2": set()}
    for member in members():
        if member.kind in shapes and "cue=" in member.task:
            shapes[member.kind].add((member.architecture, str(task_of(member.task).input_spec)))
    assert shapes["I2"] == shapes["G2"]


def test_every_task_exists_and_is_of_its_family():
    for member in members():
        assert member.task.partition(":")[0] == member.family
        task = task_of(member.task)
        assert len(task.combinations("seen"))
        assert len(task.combinations("novel"))
        assert not member.declared or isinstance(task, SlotTask)


def test_everything_is_made_by_a_known_kind_and_rests_on_members():
    known = {kind.name for kind in MADE}
    for member in members():
        if member.twin_of:
            original = NAMED[member.twin_of]
            assert not original.twin_of
            assert (member.task, member.sizes, member.training) == (original.task, original.sizes, original.training)
            assert member.kind == "W" or member.kind == {"G": "T1", "I": "T2"}[original.kind[0]]
        else:
            assert member.how in known
            assert member.how.startswith(member.kind)
        assert bool(member.declared) == (member.kind == "W")


@pytest.mark.parametrize("setting", ["weight_decay", "init_scale", "width"])
def test_settings_do_not_tell_the_class(setting: str):
    """In every family each value of the setting belongs to the same share of both classes, to a network more or less."""
    for family in FAMILIES - {"hyperteacher"}:
        for architecture in ("mlp", "transformer", "gru"):
            counts = {"G": Counter(), "I": Counter()}
            for member in members():
                alike = member.family == family and member.architecture == architecture and not member.twin_of
                if alike and member.kind[0] in counts:
                    counts[member.kind[0]][dict((*member.sizes, *member.training))[setting]] += 1
            for counted in counts.values():
                assert len(counted) == 2
                assert abs(min(counted.values()) - max(counted.values())) <= 2


def test_the_hash_is_the_same_in_another_process_and_differs_for_another_recipe():
    code = "from assay.zoo.recipe import recipe_hash; print(recipe_hash())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == recipe_hash() == recipe_hash(members())
    assert recipe_hash([replace(members()[0], name="other"), *members()[1:]]) != recipe_hash()


def test_the_slice_is_small_and_open_and_has_every_kind_and_family():
    chosen = small_slice()
    assert len(chosen) == SLICE
    assert {member.kind for member in chosen} == set(KINDS)
    assert {member.family for member in chosen} == FAMILIES - set(SEALED)
    names = {member.name for member in chosen}
    assert all(not member.twin_of or member.twin_of in names for member in chosen)
    assert sum(member.architecture == "mlp" for member in chosen) > SLICE / 2


def test_what_the_recipe_seals_is_never_fitted():
    assert SEALED == NEVER_FITTED


def test_a_slice_of_none_and_of_one():
    assert small_slice(0) == ()
    one = small_slice(1)
    assert len(one) == 1
    assert isinstance(one[0], Member)
