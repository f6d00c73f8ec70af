"""What is measured on a member is complete, measured once, and its truth comes from behaviour and construction together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from members_for_tests import member, misdeclared, twin

from assay.calibration import FEATURES
from assay.errors import AssayError
from assay.zoo.build import build
from assay.zoo.evidence import Measured, gather, table
from assay.zoo.recipe import Member
from assay.zoo.truth import KindScore, Truth, label, label_by_kind

LEARNABLE = {
    "family": "transducer",
    "task": "transducer:length=5,synonyms=true,coverage=0.7",
    "sizes": (("width", 96), ("depth", 2), ("init_scale", 1.0)),
}
COMPOSER = member("composer", "G2-trained", steps=1000, **LEARNABLE)
MEMORISER = member("memoriser", "I1-contradicted", steps=1000, **LEARNABLE)
UNLEARNED = member("unlearned", "G2-trained", steps=1)
MEMBERS = (COMPOSER, MEMORISER, UNLEARNED, twin(COMPOSER), misdeclared(COMPOSER, "entangled:s2"))
BASELINES = {
    "id_accuracy",
    "id_loss",
    "confidence",
    "calibration",
    "sharpness",
    "sharpness_adaptive",
    "weight_norm",
    "decodability",
    "decodability_gain",
    "topographic_similarity",
    "tree_reconstruction",
    "effective_dimension",
    "recombination_seen",
    "recombination_euclidean",
    "alignment_search",
    "coverage_known",
}


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("zoo")
    build(path, MEMBERS)
    gather(path, MEMBERS)
    return path


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (folder / "evidence").iterdir()}


def test_a_row_for_everyone_who_learned_the_task(folder: Path):
    subjects = table(folder, MEMBERS)
    assert subjects.name.tolist() == ["composer", "memoriser", "composer-twin", "composer-entangled:s2"]
    assert subjects.label.tolist() == ["composes", "imitates", "composes", "partial"]
    assert subjects.twin_of.tolist() == ["", "", "composer", ""]
    assert subjects.decided.tolist() == [True, True, False, False]
    assert set(subjects.features) == set(FEATURES)
    assert set(subjects.baselines) >= BASELINES
    assert len(subjects.recipe) >= 4


def test_transplants_tell_the_composer_from_the_memoriser_and_from_a_wrong_declaration(folder: Path):
    effect = dict(zip((subjects := table(folder, MEMBERS)).name.tolist(), subjects.features["recombination"], strict=True))
    assert effect["composer"] > 0.8
    assert effect["memoriser"] < 0.4
    assert effect["composer-entangled:s2"] < effect["composer"] / 2  # four of its five parts are what they were
    assert effect["composer-twin"] == pytest.approx(effect["composer"], abs=0.05)


def test_signs_are_those_of_the_literature(folder: Path):
    baselines = table(folder, MEMBERS).baselines
    for name in ("id_loss", "weight_norm", "effective_dimension", "calibration"):
        assert (baselines[name] <= 0).all()
    assert (baselines["id_accuracy"] > 0.95).all()
    assert baselines["coverage_known"] == pytest.approx(np.full(4, 0.7))
    assert (baselines["tree_reconstruction"] <= 1 + 1e-6).all()


def test_what_is_measured_is_not_measured_again(folder: Path):
    before = files(folder)
    gather(folder, MEMBERS)
    assert files(folder) == before


def test_a_network_that_was_made_again_is_measured_again(folder: Path, tmp_path: Path):
    first = replace(UNLEARNED, name="changing")
    build(tmp_path, [first])
    gather(tmp_path, [first])
    before = files(tmp_path)
    second = replace(first, training=(*first.training[:-1], ("seed", 1)))
    build(tmp_path, [second])
    with pytest.raises(AssayError, match="changing without evidence"):
        table(tmp_path, [second])
    gather(tmp_path, [second])
    assert files(tmp_path) != before


def test_the_truth_is_told_for_every_kind_of_novel_combination(folder: Path):
    found = {path.stem: Measured.model_validate_json(path.read_bytes()) for path in (folder / "evidence").iterdir()}
    kinds = found["composer"].novel_by_kind
    assert set(kinds) == {"synonym", "inside"}  # nothing lies outside 1-coverage on this task
    for measured in (found["composer"], found["memoriser"]):
        scores = list(measured.novel_by_kind.values())
        total = sum(one.combinations for one in scores)
        mean = sum(one.score * one.combinations for one in scores) / total
        assert mean == pytest.approx(measured.novel_score, abs=1e-6)
    assert label_by_kind(COMPOSER, Truth(seen=1, novel=1, by_kind=kinds)) == "not enough data"


@pytest.mark.parametrize(
    ("by_kind", "told"),
    [
        ({}, "not known"),
        ({"synonym": KindScore(score=1, combinations=500)}, "not enough data"),
        ({"outside": KindScore(score=1, combinations=29)}, "not enough data"),
        ({"outside": KindScore(score=1, combinations=30)}, "composes"),
        ({"outside": KindScore(score=0.7, combinations=30), "synonym": KindScore(score=1, combinations=500)}, "partial"),
        ({"outside": KindScore(score=0.1, combinations=30), "synonym": KindScore(score=1, combinations=500)}, "disputed"),
    ],
)
def test_the_label_from_what_lies_outside(by_kind, told):
    assert label_by_kind(COMPOSER, Truth(seen=1, novel=1, by_kind=by_kind)) == told


def test_missing_evidence_is_named(tmp_path: Path):
    build(tmp_path, [UNLEARNED])
    with pytest.raises(AssayError, match="unlearned without evidence"):
        table(tmp_path, [UNLEARNED])


def test_a_missing_network_is_named(tmp_path: Path):
    with pytest.raises(AssayError, match="composer is missing"):
        gather(tmp_path, [COMPOSER])


def test_no_members(tmp_path: Path):
    build(tmp_path, [])
    gather(tmp_path, [])
    assert len(table(tmp_path, [])) == 0


@pytest.mark.parametrize(
    ("kind", "seen", "novel", "expected"),
    [
        ("G2", 1.0, 0.95, "composes"),
        ("G2", 1.0, 0.94, "partial"),
        ("G2", 1.0, 0.50, "disputed"),
        ("I1", 1.0, 0.50, "imitates"),
        ("I1", 1.0, 0.51, "partial"),
        ("I1", 0.96, 0.95, "disputed"),
        ("T1", 1.0, 1.00, "composes"),
        ("T2", 1.0, 0.10, "imitates"),
        ("U", 1.0, 1.00, "partial"),
        ("W", 1.0, 1.00, "partial"),
    ],
)
def test_labels(kind: str, seen: float, novel: float, expected: str):
    one: Member = replace(COMPOSER, kind=kind)
    assert label(one, seen, novel) == expected
