"""A write that fails leaves nothing in the way of the same command, and costs nothing that was finished."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("failing_disks.py")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    disk = tmp_path_factory.mktemp("disks") / "disk"
    disk.mkdir()
    apart = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    done = subprocess.run([*apart, sys.executable, str(SCRIPT), str(disk)], capture_output=True, text=True, cwd=disk.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_what_fails_says_so_in_one_message(outcomes: list[dict]):
    failed = [one for one in outcomes if one["first"] != 0]
    met = {(one["command"], one["obstacle"]) for one in failed}
    always = {"no room", "read-only", "no files of 100 bytes"}
    processes = "sweep in processes"
    assert met >= {(one["command"], name) for one in outcomes for name in always if one["command"] != processes}
    assert met >= {(processes, "room for five pages"), (processes, "no files of 2 KiB")}
    for one in failed:
        assert one["first"] == 2, one
        assert one["told"].startswith("assay: files must be readable and writable. Given: "), one
        assert one["told"].count("\n") == 1, one


@pytest.mark.slow
def test_nothing_is_left_in_the_way_and_the_result_is_that_of_an_undisturbed_run(outcomes: list[dict]):
    for one in outcomes:
        assert one["left"] == [], one
        if one["first"]:
            assert one["second"] == 0, one
        assert one["differing"] == [], one
