"""`assay sweep` end to end on tiny networks, its dry run, and its mistakes."""

import json
import re
from pathlib import Path

import pytest

from assay.cli import main

TINY = ["--set", "steps=3", "--set", "batch_size=16", "--instrument", "systematicity", "--jobs", "1", "--quiet"]
SWEEP = ["sweep", "modular:p=5,num_first=5,num_second=5", "--over", "coverage=0.4,0.6", "--over", "width=4,8"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_sweep_prints_its_page_and_goes_on(capsys):
    assert main([*SWEEP, "--seeds", "2", "--out", "out", *TINY]) == 0
    assert capsys.readouterr().out == "out/sweep.html\n"
    assert {path.name for path in Path("out").iterdir()} == {
        "figures", "results.json", "results.csv", "runs", "sweep.html", "sweep.json",
    }  # fmt: skip
    assert len(list(Path("out/runs").iterdir())) == 8
    first = sorted(Path("out/runs").glob("*/weights.safetensors"))[0].stat().st_mtime_ns
    assert main([*SWEEP, "--seeds", "3", "--out", "out", *TINY, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["num_networks"] == 12
    assert found["plan"]["over"] == {"coverage": ["0.4", "0.6"], "width": ["4", "8"]}
    assert sorted(Path("out/runs").glob("*/weights.safetensors"))[0].stat().st_mtime_ns == first


def test_a_cell_can_be_audited_and_compared_like_any_run(capsys):
    assert main([*SWEEP, "--seeds", "1", "--out", "out", *TINY]) == 0
    cells = sorted(map(str, Path("out/runs").iterdir()))
    assert main(["compare", *cells[:2], "--out", "both", "--quiet"]) == 0
    assert main(["audit", cells[0], "--instrument", "systematicity", "--effort", "quick", "--out", "one", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "both/comparison.html"


def test_a_dry_run_names_the_cells_and_the_time_and_writes_nothing(capsys):
    assert main([*SWEEP, "--seeds", "2", "--refine", "5", "--out", "out", *TINY[:-1], "--dry-run"]) == 0
    written = capsys.readouterr()
    assert len(written.out.splitlines()) == 8
    assert "coverage=0.4,width=4,seed=0" in written.out.splitlines()
    assert re.fullmatch(
        r"8 networks and up to 5 more chosen by refinement: about \d+ s in 1 process .*\(\d+ s of CPU time.*\)\.\n", written.err
    )
    assert not Path("out").exists()


def test_a_dry_run_leaves_out_what_is_finished(capsys):
    assert main([*SWEEP, "--seeds", "1", "--out", "out", *TINY]) == 0
    capsys.readouterr()
    assert main([*SWEEP, "--seeds", "2", "--out", "out", *TINY, "--dry-run"]) == 0
    assert [line[-1] for line in capsys.readouterr().out.splitlines()] == ["1"] * 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sweep", "modular", "--out", "out"], ["at least one axis", "--over NAME=VALUE"]),
        (["sweep", "modular", "--over", "coverage=", "--out", "out"], ["NAME=VALUE,VALUE", "a grid without cells"]),
        (["sweep", "modular", "--over", "width=4", "--over", "width=8", "--out", "out"], ["every axis may be given once"]),
        (["sweep", "modular", "--over", "width=4", "--seeds", "0", "--out", "out"], ["at least one seed", "Given: 0"]),
        (["sweep", "modular", "--over", "widht=4", "--out", "out"], ["Given: widht", "Did you mean width?"]),
        (["sweep", "modular", "--over", "coverage=0.01", "--out", "out"], ["leave one combination out", "(at coverage=0.01)"]),
        (["sweep", "modular", "--over", "width=4", "--set", "steps", "--out", "out"], ["the form NAME=VALUE", "steps"]),
        (["sweep", "modular", "--over", "width=4", "--instrument", "xray", "--out", "out"], ["Given: xray", "systematicity"]),
        (
            ["sweep", "hyperteacher", "--over", "supports=random,two_halves", "--set", "num_train=3", "--out", "out"],
            ["Given: num_train=3", "nearest", "(at supports=random)"],
        ),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(capsys, words, told):
    assert main(words) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("assay: ")
    for part in told:
        assert part in written.err
    assert not Path("out").exists()


def test_networks_that_could_not_be_finished_end_in_one_message(capsys):
    words = ["--over", "learning_rate=0.001,1e30", "--set", "clip=1e30", "--set", "warmup=0", "--seeds", "1", "--out", "out"]
    assert main(["sweep", "modular:p=5,num_first=5,num_second=5", *words, *TINY]) == 2
    written = capsys.readouterr()
    assert "every network of a sweep must be finished. Given: 1 unfinished" in written.err
    assert "learning_rate=1e30,seed=0: the training loss and its gradient must stay finite" in written.err
    assert Path("out/sweep.html").exists()
