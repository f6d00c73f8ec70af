"""Building: every kind of one small instance, stored whole, made again to the same bytes, and read back."""

from collections.abc import Collection
from pathlib import Path

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.stats import keyed_generator
from zoo.build import Record, Zoo, build, main, table, task_for
from zoo.declared import WronglyDeclared
from zoo.manifest import Crossed, Instance, Member, manifest
from zoo.truth import Score, label_of, right_of

INSTANCE = Instance.model_validate(
    {
        "name": "tiny",
        "number": 1,
        "family": "phrases",
        "seed": 3,
        "steps": 20,
        "encoder": {"architecture": "mlp", "width": 8, "steps": 20, "batch": 32, "rate": 1e-2},
    }
)
SIGNS = INSTANCE.model_copy(update={"name": "tiny-signs", "interface": "signs"})
CROSSED = Crossed(widths=(12,), scales=(1.0,), steps=(1.0,))
HEADS = ("composer", "imitator", "composer-told", "memoriser-low", "partial-stopped")
FIRST = {recipe.kind: recipe for recipe in reversed(manifest().recipes)}
EACH = {name for recipe in FIRST.values() for name in (recipe.name, *recipe.of)} | {"way-in-low", "composer-low", "blank-front"}
"""A recipe of every kind, what it changes, and some of low coverage."""


def members(instance: Instance = INSTANCE, names: Collection[str] = EACH) -> tuple[Member, ...]:
    return tuple(
        Member(instance, recipe, place, CROSSED) for place, recipe in enumerate(manifest().recipes) if recipe.name in names
    )


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Every kind in a few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.ways_in.STEPS", 5)
        patch.setattr("zoo.ways_in.ATTACK_STEPS", 5)
        patch.setattr("zoo.lessons.LONGER", 20)
        patch.setattr("zoo.build.manifest", lambda: Declared())
        yield


class Declared:
    """A manifest of the tiny instances."""

    def members(self, *names: str) -> tuple[Member, ...]:
        return tuple(member for one in (INSTANCE, SIGNS) if one.name in names for member in members(one))

    def small_slice(self) -> tuple[Member, ...]:
        return members(names=HEADS[:1])


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Zoo:
    return build(tmp_path_factory.mktemp("zoo"), members())


def files(zoo: Zoo) -> dict[str, bytes]:
    """Weights, and what the records say beside the time it took."""
    found = {path.name: path.read_bytes() for path in sorted(zoo.folder.rglob("*.safetensors"))}
    for path in sorted(zoo.folder.rglob("*.json")):
        record = Record.model_validate_json(path.read_text())
        found[path.name] = record.model_copy(update={"cpu_seconds": 0.0}).model_dump_json().encode()
    return found


def test_every_kind_is_among_them():
    assert {member.recipe.kind for member in members()} == {recipe.kind for recipe in manifest().recipes}


def test_every_kind_is_made_and_answers_again_what_its_record_says(zoo: Zoo):
    for member in members():
        subject, truth = zoo.load(member), zoo.record(member).truth
        task = INSTANCE.task(member.recipe.coverage)
        hits = right_of(subject.module, task, keyed_generator(INSTANCE.seed, f"truth {member.recipe.coverage}"))
        assert all(bool(hits[place]) == right for place, right in truth.right.items())
        assert truth.outside.total == len(truth.right) >= 30
        assert truth.synonyms == 0
        assert truth.task == task.address


def test_what_was_made_wrong_is_counted_apart(zoo: Zoo):
    for member in members():
        truth = zoo.record(member).truth
        wrong = member.recipe.kind in ("way-in", "retaught", "combining", "interchange", "front")
        assert (truth.taught_wrongly is not None) == wrong
        if truth.taught_wrongly is not None:
            assert truth.taught_wrongly == pytest.approx(member.share, abs=0.01)


def test_a_refactor_has_no_head_and_others_name_the_call_that_combines(zoo: Zoo):
    named = {member.recipe.kind: zoo.record(member).truth.combining for member in members()}
    assert named["refactor"] == ""
    assert named["trained"] == "head.layers.1"
    assert named["front"] == "network.head.layers.1"
    assert named["inert"] == "head.head.layers.1"


def test_what_is_planted_inside_is_on_record(zoo: Zoo):
    for member in members():
        truth, kind = zoo.record(member).truth, member.recipe.kind
        assert truth.ignored == (("second",) if kind == "blind" else ())
        assert truth.copied_by == ("second" if kind == "copies" else "")
        assert bool(truth.broken) == (truth.taught_wrongly is not None)
        assert truth.broken in dict(zoo.load(member).module.named_modules())


def test_a_blind_network_answers_the_same_for_any_last_part(zoo: Zoo):
    """To the rounding of a sum of probabilities."""
    (member,) = members(names=("blind",))
    module, task = zoo.load(member).module, INSTANCE.task("high")
    read = module.interface(module.encoder(task.shown(task.values[:3], generator=Generator().manual_seed(0))))
    other = torch.cat([read[:, :23], read[:, 23:].roll(5, 1)], 1)
    torch.testing.assert_close(module.head(other), module.head(read), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(module.head(read.roll(5, 1)), module.head(read), atol=1e-2)


def test_the_same_function_has_the_same_answers(zoo: Zoo):
    x = INSTANCE.task("high").shown(INSTANCE.task("high").values[:40], generator=Generator().manual_seed(0))
    loaded = {member.recipe.name: zoo.load(member) for member in members()}
    for member in members():
        if member.recipe.kind in ("ensemble", "refactor", "twin", "misdeclared", "inert"):
            wanted = loaded[member.of]({"x": x})
            torch.testing.assert_close(loaded[member.recipe.name]({"x": x}), wanted, atol=1e-4, rtol=1e-4)


def test_a_stop_leaves_what_is_whole_and_the_same_bytes_come_out(tmp_path: Path):
    """Records that are missing are made again, and what is there is left alone."""
    some = members(names=(*HEADS, "front", "way-in", "combining", "copies", "twin", "tuned"))
    whole, again = build(tmp_path / "whole", some), build(tmp_path / "stopped", some)
    for name in ("composer", "front"):
        (again.folder / "members" / f"tiny-{name}.json").unlink()
    kept = again.folder / "members" / "tiny-imitator.safetensors"
    before = kept.stat().st_mtime_ns
    assert not again.has(some[0])
    build(again.folder, some)
    assert files(again) == files(whole)
    assert kept.stat().st_mtime_ns == before


def test_a_member_of_another_recipe_is_made_again(tmp_path: Path):
    some = members(names=HEADS)
    zoo = build(tmp_path, some)
    changed = [Member(INSTANCE, some[0].recipe.model_copy(update={"decay": (0.7,)}), 0, CROSSED), *some[1:]]
    assert not zoo.has(changed[0])
    with pytest.raises(AssayError, match="must be there"):
        zoo.record(changed[0])
    build(tmp_path, changed)
    assert zoo.has(changed[0])


def test_signs_stand_between_encoder_and_head(tmp_path: Path):
    zoo = build(tmp_path, members(SIGNS, names=HEADS))
    subject = zoo.load(members(SIGNS, names=HEADS)[0])
    assert isinstance(subject.module.interface, torch.nn.Tanh)


def test_altered_weights_are_named(tmp_path: Path):
    some = members(names=HEADS)
    zoo = build(tmp_path, some)
    path = tmp_path / "members" / "tiny-composer.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(AssayError):
        zoo.load(some[0])


def test_a_wrong_declaration_loses_nothing_and_swaps_consistently(zoo: Zoo):
    (member,) = members(names=("misdeclared",))
    task = task_for(member)
    assert isinstance(task, WronglyDeclared)
    own = INSTANCE.task("high")
    told, meant = (one.examples("seen", 50, generator=Generator().manual_seed(1)) for one in (task, own))
    assert torch.equal(told.inputs["x"], meant.inputs["x"])
    assert not torch.equal(told.parts["second"], meant.parts["second"])
    assert len(task.combinations("seen").unique(dim=0)) == len(own.combinations("seen"))
    swapped = task.swap(told, told.take(torch.arange(49, -1, -1)), "first")
    same = task.swap(told, told, "first")
    assert torch.equal(same.targets, told.targets)
    assert torch.equal(swapped.combination, task.combination_id(swapped.parts))


def test_the_table_counts_what_is_there(zoo: Zoo):
    told = table(zoo, members())
    assert "tiny-composer " in told
    assert f"{len(members())} networks" in told
    assert "0 networks" in table(Zoo(zoo.folder), [])


def test_the_table_says_nothing_of_a_sealed_family(tmp_path: Path):
    sealed = INSTANCE.model_copy(update={"name": "tiny-sealed", "family": "strokes"})
    some = members(sealed, names=HEADS[:1])
    told = table(build(tmp_path, some), some)
    assert "strokes" not in told
    assert "tiny-sealed" not in told
    assert "1 networks, 1 of them sealed" in told


def test_no_members(tmp_path: Path):
    assert build(tmp_path, []).folder == tmp_path


def test_the_command_builds_and_prints(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["build", "--out", str(tmp_path), "--slice"])
    main()
    assert "tiny-composer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seen", "right", "total", "label"),
    [
        (100, 159, 159, "composes"),
        (100, 150, 159, "partial"),
        (100, 0, 159, "imitates"),
        (100, 79, 159, "partial"),
        (94, 159, 159, "not learned"),
        (100, 29, 29, "not enough data"),
        (100, 0, 0, "not enough data"),
    ],
)
def test_the_label_follows_from_the_bounds(seen, right, total, label):
    scores = [Score.of(torch.arange(number) < hits) for hits, number in ((seen, 100), (right, total))]
    assert label_of(*scores) == label


@pytest.mark.parametrize(("right", "total", "low", "high"), [(0, 10, 0.0, 0.308), (10, 10, 0.692, 1.0), (5, 10, 0.187, 0.813)])
def test_intervals_are_exact(right, total, low, high):
    score = Score.of(torch.arange(total) < right)
    assert (score.low, score.high) == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))
