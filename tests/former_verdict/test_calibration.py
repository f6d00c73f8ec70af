"""The calibration file: what is written is what is read, and its thresholds and error rates are those of the table."""

import json
from dataclasses import replace

import numpy as np
import pytest

from assay.calibration import Thresholds
from assay.calibration.metrics import share
from assay.errors import AssayError
from assay.former_verdict import Calibration, OrganisedThresholds, calibrate, judge, shipped
from assay.former_verdict import calibration as calibrations
from assay.former_verdict.calibration import organised_thresholds


def test_round_trip_is_exact(tmp_path, calibration):
    path = tmp_path / "calibration.json"
    calibration.write(path)
    before = path.read_bytes()
    assert Calibration.read(path) == calibration
    Calibration.read(path).write(path)
    assert path.read_bytes() == before


def test_what_ships_is_read_and_none_is_none(tmp_path, calibration, monkeypatch):
    for exists in (False, True):
        path = tmp_path / f"calibration-{exists}.json"
        if exists:
            calibration.write(path)
        monkeypatch.setattr(calibrations, "FILE", path)
        shipped.cache_clear()
        assert shipped() == (calibration if exists else None)
    assert judge([]).inside.because == "recombination gave no evidence"
    shipped.cache_clear()


def no_combiner(content):
    del content["combiner"]


def negative_weight(content):
    content["combiner"]["lines"][0]["weights"][0] = -1.0


def no_weight(content):
    content["combiner"]["lines"][0]["weights"] = []


def other_order(content):
    content["combiner"]["features"].reverse()


def newer(content):
    content["schema_version"] = 2


@pytest.mark.parametrize("spoil", [no_combiner, negative_weight, no_weight, other_order, newer])
def test_an_altered_file_is_refused_by_name(tmp_path, calibration, spoil):
    path = tmp_path / "calibration.json"
    calibration.write(path)
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(AssayError, match="calibrat"):
        Calibration.read(path)


def test_a_missing_or_truncated_file_is_refused(tmp_path, calibration):
    with pytest.raises(AssayError, match="Given: no "):
        Calibration.read(tmp_path / "none.json")
    path = tmp_path / "calibration.json"
    calibration.write(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(AssayError, match="whole JSON"):
        Calibration.read(path)


def test_thresholds_of_organisation_part_twins_from_originals(plant):
    found = organised_thresholds(plant.table())
    assert found.tidy_above == found.fractured_below  # so far apart that both meet in the middle
    assert 0.3 < found.tidy_above < 0.7
    subjects = plant.table()
    blurred = replace(subjects, organisation=np.random.default_rng(0).uniform(size=len(subjects)))
    apart = organised_thresholds(blurred)
    fractured = blurred.organisation[subjects.kind == "T1"]
    assert (fractured > apart.tidy_above).mean() <= 0.05
    assert apart.fractured_below < 0.3 < 0.7 < apart.tidy_above


@pytest.mark.parametrize("twins", [0, 2])
def test_few_twins_set_no_threshold(plant, twins):
    assert organised_thresholds(plant.table(twins=twins)) == OrganisedThresholds(tidy_above=1.0, fractured_below=0.0)


def test_organisation_that_was_not_measured_sets_no_threshold(plant):
    subjects = plant.table()
    bare = replace(subjects, organisation=np.full(len(subjects), np.nan))
    assert organised_thresholds(bare) == OrganisedThresholds(tidy_above=1.0, fractured_below=0.0)


def test_error_rates_are_told_in_words(plant, calibration):
    rates = calibration.error_rates
    assert rates.families == 3
    assert rates.coverage.units == 180  # twins are not among them
    assert rates.told().startswith("Of 180 networks with a known answer, of 3 families")
    some = replace(rates, false_composes=share(3, 60), coverage=share(150, 200))
    assert "5.0% (at most 13.9%) of those that imitate were called composing" in some.told()
    assert some.told().endswith("25% were not called")


def test_sealed_families_are_in_no_fit_no_threshold_and_no_rate(plant):
    subjects = plant.table()
    subjects = replace(subjects, family=np.where(subjects.family == "hyperteacher", "trees", subjects.family))
    alone = subjects.take(subjects.family != "trees")
    found, expected = (calibrate(some, recipe_sha256="", table_sha256="") for some in (subjects, alone))
    assert found == expected
    assert found.error_rates.families == 2


def test_networks_without_evidence_count_as_not_called(plant):
    subjects = plant.table()
    bare = np.arange(len(subjects)) % 6 == 0
    features = {name: np.where(bare, np.nan, column) for name, column in subjects.features.items()}
    rates = calibrate(replace(subjects, features=features), recipe_sha256="", table_sha256="").error_rates
    assert rates.coverage.units == subjects.decided.sum()
    assert rates.coverage.value <= 1 - bare[subjects.decided].mean()


def test_a_table_of_nothing_calls_nothing(plant):
    found = calibrate(plant.table().take(np.arange(0)), recipe_sha256="", table_sha256="")
    assert found.error_rates.told() == ""
    verdict = judge([plant.composer(), plant.tidiness(0.8)], calibration=found)
    assert verdict.headline == "not resolved"
    assert verdict.inside.probability is None


def test_thresholds_that_call_nothing_abstain(plant, calibration):
    silent = Thresholds(composes_above=1.0, imitates_below=0.0)
    lines = tuple(replace(line, thresholds=silent) for line in calibration.combiner.lines)
    mute = replace(calibration, combiner=replace(calibration.combiner, lines=lines))
    for found in (plant.composer(), plant.imitator()):
        inside = judge([found], calibration=mute).inside
        assert inside.call == "abstains"
        assert inside.probability is not None
