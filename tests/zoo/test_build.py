"""A zoo is built once, goes on after a kill, and never reads what was altered."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from members_for_tests import GENUINE, SMALL, member, twin
from torch import Generator

from assay.errors import AssayError
from assay.tasks import load_task
from assay.zoo.build import Zoo, build
from assay.zoo.recipe import Member


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Zoo:
    return build(tmp_path_factory.mktemp("zoo"), SMALL)


def outputs(zoo: Zoo, one: Member):
    subject = zoo.load(one)
    assert subject is not None
    return subject(load_task(one.task).examples("seen", 100, generator=Generator().manual_seed(0)).inputs)


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (folder / "members").iterdir()}


def test_every_member_can_be_run(zoo: Zoo):
    for one in SMALL:
        assert outputs(zoo, one).shape == (75 if "cue" not in one.task else len(outputs(zoo, one)), 5)


def test_a_twin_computes_what_its_original_does_and_is_larger(zoo: Zoo):
    torch.testing.assert_close(outputs(zoo, SMALL[4]), outputs(zoo, GENUINE), atol=1e-4, rtol=1e-4)
    sizes = [zoo.load(one).num_weights() for one in (SMALL[4], GENUINE)]
    assert sizes[0] > sizes[1]


def test_a_wrong_declaration_is_the_same_network(zoo: Zoo):
    assert torch.equal(outputs(zoo, SMALL[5]), outputs(zoo, GENUINE))


def test_what_is_there_is_left_alone(zoo: Zoo):
    before = files(zoo.folder)
    build(zoo.folder, SMALL)
    assert files(zoo.folder) == before


def test_the_same_recipe_gives_the_same_bits(zoo: Zoo, tmp_path: Path):
    again = build(tmp_path, SMALL[:2])
    assert all(again.record(one).weights_sha256 == zoo.record(one).weights_sha256 for one in SMALL[:2])


def test_a_group_that_was_half_stored_ends_with_the_same_bits(tmp_path: Path):
    """Networks that train together share their rounding: what is missing is made in the company that it had."""
    alike = [member(f"number {seed}", "G2-trained", coverage=round(0.5 + seed / 100, 2)) for seed in range(8)]
    zoo = build(tmp_path, alike)
    before = {one.name: zoo.record(one).weights_sha256 for one in alike}
    kept = files(tmp_path)["number 0.json"]
    (tmp_path / "members" / "number 7.json").unlink()  # as when it was killed before the last file
    build(tmp_path, alike)
    assert {one.name: zoo.record(one).weights_sha256 for one in alike} == before
    assert files(tmp_path)["number 0.json"] == kept


def test_a_member_of_another_recipe_is_made_again(tmp_path: Path):
    first = build(tmp_path, [GENUINE]).record(GENUINE)
    other = replace(GENUINE, training=(*GENUINE.training[:-1], ("seed", 1)))
    assert not Zoo(tmp_path).has(other)
    assert build(tmp_path, [other]).record(other).weights_sha256 != first.weights_sha256
    with pytest.raises(AssayError, match="genuine is missing"):
        Zoo(tmp_path).record(GENUINE)


def test_a_missing_member_is_named(tmp_path: Path):
    with pytest.raises(AssayError, match="genuine is missing"):
        Zoo(tmp_path).load(GENUINE)


@pytest.mark.parametrize("damage", [lambda data: data[:-7], lambda data: data[:-1] + bytes([data[-1] ^ 1])])
def test_an_altered_member_is_named(tmp_path: Path, damage):
    zoo = build(tmp_path, [GENUINE])
    path = tmp_path / "members" / "genuine.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(AssayError, match=r"genuine\.safetensors, which is truncated or altered"):
        zoo.load(GENUINE)


def test_a_damaged_record_is_named(tmp_path: Path):
    build(tmp_path, [GENUINE])
    (tmp_path / "members" / "genuine.json").write_text("{")
    with pytest.raises(AssayError, match=r"genuine\.json"):
        build(tmp_path, [GENUINE])


def test_a_twin_without_its_original_is_refused(tmp_path: Path):
    with pytest.raises(AssayError, match="together with its original"):
        build(tmp_path, [twin(GENUINE)])


def test_a_network_whose_training_diverged_is_told_and_the_others_are_made(tmp_path: Path):
    lost = member("lost", "G2-trained", training=(*GENUINE.training[:2], ("learning_rate", 1e30), ("seed", 0)))
    zoo = build(tmp_path, [lost, GENUINE])
    assert zoo.load(lost) is None
    assert zoo.load(GENUINE) is not None


def test_no_members(tmp_path: Path):
    assert list((build(tmp_path, []).folder / "members").iterdir()) == []


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from assay.zoo.build import build
from members_for_tests import SMALL, member
if __name__ == "__main__":
    many = [member(f"number {seed}", "G2-trained", coverage=round(0.5 + seed / 100, 2)) for seed in range(30)]
    slow = member("slow", "I1-memoriser", steps=100_000)
    build(Path(sys.argv[1]), [*many, slow])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_it_goes_on_after_a_kill(tmp_path: Path):
    """What was finished stays, to the byte; what was being trained leaves nothing behind that counts."""
    script, folder = tmp_path / "killed.py", tmp_path / "zoo"
    script.write_text(KILLED)
    running = subprocess.Popen([sys.executable, str(script), str(folder), str(Path(__file__).parent)])
    many = [member(f"number {seed}", "G2-trained", coverage=round(0.5 + seed / 100, 2)) for seed in range(30)]
    deadline = time.monotonic() + 120
    while not Zoo(folder).has(many[7]) and time.monotonic() < deadline and running.poll() is None:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    before = {name: kept for name, kept in files(folder).items() if name.endswith(".json")}
    assert before
    assert "slow.json" not in before
    zoo = build(folder, many)
    after = files(folder)
    assert {name: after[name] for name in before} == before
    assert all(zoo.load(one) is not None for one in many)
