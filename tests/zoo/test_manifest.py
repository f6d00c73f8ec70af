"""What the manifest declares: names, counts, and that how a network was made does not tell what it is."""

import hashlib
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from torch import Generator

from assay.errors import AssayError
from zoo.families import FAMILIES, SEALED
from zoo.manifest import Kind, Meant, Member, manifest, named
from zoo.skeletons import skeleton

MEMBERS = manifest().members()
BY_NAME = {member.name: member for member in MEMBERS}


BEFORE = 21  # instances that stood in the manifest when others were added


def test_what_stood_in_the_manifest_keeps_its_bytes():
    """Hashes of everything that weights follow from."""
    digests = "".join(member.sha256 for member in MEMBERS if member.instance.number < BEFORE)
    found = hashlib.sha256(digests.encode()).hexdigest()
    assert found == "f09549239158a56d88662e80f647487e16c828366e90b51c54ade96046b54337"


def test_special_recipes_make_networks_of_those_instances_alone_that_name_them():
    special = {recipe.name for recipe in manifest().recipes if recipe.special}
    assert special
    for member in MEMBERS:
        assert member.recipe.name not in special or member.recipe.name in member.instance.only
    for instance in manifest().instances:
        made = {member.recipe.name for member in MEMBERS if member.instance.name == instance.name}
        assert made == set(instance.only) or not instance.only
        assert instance.only or made == {one.name for one in manifest().recipes} - special - set(instance.without)


def test_initial_scale_alone_differs_from_the_pair():
    for member in MEMBERS:
        if member.recipe.name in ("composer-small", "composer-large", "imitator-small", "imitator-large"):
            pair = named(MEMBERS, member.name.rpartition("-")[0])
            assert (member.width, member.steps, member.decay) == (pair.width, pair.steps, pair.decay)
            assert member.recipe.start == pair.recipe.start
            assert member.scale not in manifest().crossed.scales


def test_every_kind_that_a_zoo_needs_is_there():
    meant = Counter(member.recipe.meant for member in MEMBERS)
    assert set(meant) == set(get_args(Meant))
    kinds = Counter(member.recipe.kind for member in MEMBERS if not member.sealed and not member.behavioural)
    assert set(kinds) == set(get_args(Kind))
    assert min(kinds.values()) >= 3


def test_there_are_enough_networks_with_names_of_their_own():
    assert len(MEMBERS) >= 400
    assert len({member.name for member in MEMBERS}) == len(MEMBERS)
    assert len({member.sha256 for member in MEMBERS}) == len(MEMBERS)


def test_entangled_families_are_the_majority_and_every_family_has_members():
    assert {member.instance.family for member in MEMBERS} == set(FAMILIES)
    assert sum(member.behavioural for member in MEMBERS) <= len(MEMBERS) / 4
    assert {member.instance.encoder.architecture for member in MEMBERS} == {"mlp", "cnn", "gru", "transformer"}


def test_a_quarter_or_more_is_meant_to_lie_between():
    """Partial ones, and those contradicted on a part of the novel inputs."""
    between = [one for one in MEMBERS if one.recipe.meant == "partial" or 0.05 < one.share < 1]
    assert len(between) >= len(MEMBERS) / 4


def test_every_share_is_contradicted_on_both_ways():
    for kinds in ({"way-in", "retaught"}, {"combining"}):
        assert {member.share for member in MEMBERS if member.recipe.kind in kinds} >= {0.05, 0.25, 0.5, 1.0}


def test_a_pair_differs_in_weight_decay_alone():
    for member in MEMBERS:
        if member.recipe.name == "imitator":
            other = named(MEMBERS, member.name.removesuffix("imitator") + "composer")
            assert (member.width, member.scale, member.steps) == (other.width, other.scale, other.steps)
            assert member.recipe.start == other.recipe.start
            assert member.recipe.coverage == other.recipe.coverage
            assert member.decay < other.decay


@pytest.mark.parametrize("number", ["decay", "width", "scale", "steps", "coverage"])
def test_no_number_of_the_recipe_belongs_to_composers_or_imitators_alone(number):
    """Of networks whose heads are trained for themselves."""
    own = [member for member in MEMBERS if not member.of and member.recipe.meant in ("composer", "imitator")]
    values = Counter((member.recipe.meant, str(getattr(member, number, member.recipe.coverage))) for member in own)
    common = [{value for meant, value in values if meant == wanted} for wanted in ("composer", "imitator")]
    shared = sum(values[meant, value] for meant, value in values if value in common[0] & common[1])
    assert shared >= 0.7 * len(own)


@pytest.mark.parametrize("number", ["decay", "width", "scale", "steps", "coverage"])
def test_no_number_alone_tells_what_is_meant(number):
    """The area under its curve, composers against imitators: over all entangled families, and in each."""
    families = sorted({member.instance.family for member in MEMBERS if not member.sealed and not member.behavioural})
    for names in (families, *([name] for name in families)):
        values = {
            meant: [_number(one, number) for one in MEMBERS if one.instance.family in names and one.recipe.meant == meant]
            for meant in ("composer", "imitator")
        }
        above = [(a > b) + (a == b) / 2 for a in values["composer"] for b in values["imitator"]]
        assert 0.35 <= sum(above) / len(above) <= 0.65, (names, number)


def _number(member: Member, number: str) -> float:
    """Of the head that it has."""
    source = BY_NAME[f"{member.instance.name}-{member.of}"] if member.of else member
    if number == "coverage":
        return member.instance.coverage[("high", "low").index(member.recipe.coverage)]
    return source.decay / member.instance.decay if number == "decay" else float(getattr(source, number))


def test_what_a_network_is_made_of_comes_before_it_and_has_its_coverage():
    known: dict[str, str] = {}
    for member in MEMBERS:
        if member.of:
            assert known[f"{member.instance.name}-{member.of}"] == member.recipe.coverage
        known[member.name] = member.recipe.coverage


def test_the_slice_is_small_and_open():
    chosen = manifest().small_slice()
    assert 1 <= len(chosen) <= 12
    assert not any(member.sealed for member in chosen)
    assert len({member.instance.family for member in chosen if not member.behavioural}) >= 2
    assert len({member.instance.encoder.architecture for member in chosen}) >= 2
    assert all(not member.of or f"{member.instance.name}-{member.of}" in {one.name for one in chosen} for member in chosen)


def test_the_sealed_family_is_marked():
    assert {member.instance.family for member in MEMBERS if member.sealed} == set(SEALED)


def test_a_changed_recipe_is_another_member():
    member = MEMBERS[0]
    assert replace(member, recipe=member.recipe.model_copy(update={"decay": (0.5,)})).sha256 != member.sha256


@pytest.mark.parametrize("name", ["phrases-transformer", "sounds-cnn-signs", "sounds-gru", "scenes-cnn", "pictures-cnn-32"])
def test_members_can_be_set_up_untrained(name):
    of_instance = manifest().members(name)
    task = of_instance[0].instance.task("high")
    inputs = task.shown(task.values[:2], generator=Generator().manual_seed(0))
    for wanted in ("composer", "inert", "twin", "supervised", "aided"):
        member = named(of_instance, f"{name}-{wanted}")
        original = named(of_instance, f"{name}-{member.of}") if member.of else None
        assert skeleton(member, original)(inputs).shape == (2, *task.answers.shape[1:], task.num_answers)


def test_the_zoo_is_not_in_the_wheel():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["src/assay"]


def test_what_is_not_there_is_refused():
    with pytest.raises(AssayError, match="no such instance"):
        manifest().members("nowhere")
    with pytest.raises(AssayError, match="no such member"):
        named(MEMBERS, "nobody")
