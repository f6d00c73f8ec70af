"""`assay zoo`: what it lists, what it says of missing and damaged files, and that the sealed family is opened once."""

import json
from pathlib import Path

import pytest
from planted_zoo import planted

from assay.cli.main import main
from assay.zoo.recipe import members, recipe_hash
from assay.zoo.shipped import ship


def done(capsys, *words: str) -> str:
    assert main(["zoo", *words]) == 0
    return capsys.readouterr().out


@pytest.fixture
def shipped(tmp_path: Path) -> str:
    ship(planted(), tmp_path / "shipped")
    return str(tmp_path / "shipped")


def test_the_list_counts_every_member(capsys):
    content = json.loads(done(capsys, "list", "--json"))
    assert content["subjects"] == len(members())
    assert content["recipe_sha256"] == recipe_hash()
    for by in ("families", "kinds", "architectures"):
        assert sum(content[by].values()) == len(members())
    told = done(capsys, "list")
    assert all(family in told for family in content["families"])
    assert str(len(members())) in told


def test_figures_stand_beside_their_targets(capsys, shipped: str):
    told = done(capsys, "score", "--table", shipped)
    assert "AUROC, worst family" in told
    assert "id_loss" in told


def test_the_json_has_every_figure(capsys, shipped: str):
    content = json.loads(done(capsys, "score", "--table", shipped, "--json"))
    wanted = (
        "auroc_pooled auroc_worst_family auroc_worst_kind spearman_partial calibration_error coverage false_composes_upper "
        "false_imitates_upper twin_flips wrong_declaration auroc_organised baselines subjects families kinds targets"
    )
    assert set(wanted.split()) <= set(content)
    assert content["targets"]["auroc_pooled"]["must"] == 0.9


def test_the_sealed_family_is_opened_once(capsys, shipped: str, tmp_path: Path):
    record = tmp_path / "opened.json"
    words = ["score", "--table", shipped, "--sealed", "--record", str(record)]
    assert json.loads(done(capsys, "score", "--table", shipped, "--json"))["sealed"] == 4
    done(capsys, *words)
    written = record.read_bytes()
    content = json.loads(written)
    assert content["sealed"] == 0
    assert content["versions"]["assay"]
    assert content["opened"][:2] == "20"
    assert "trees" in content["families"]
    assert main(["zoo", *words]) == 2
    assert "opened once" in capsys.readouterr().err
    assert record.read_bytes() == written


def test_a_folder_without_a_table(capsys, tmp_path: Path):
    assert main(["zoo", "score", "--table", str(tmp_path)]) == 2
    assert "assay zoo build" in capsys.readouterr().err


def test_a_zoo_without_networks(capsys, tmp_path: Path):
    assert main(["zoo", "calibrate", "--zoo", str(tmp_path), "--out", str(tmp_path / "out"), "--jobs", "1"]) == 2
    assert "is missing from" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
