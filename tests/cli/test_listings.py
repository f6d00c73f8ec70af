"""Listings in JSON are lists of objects with at least a name; the ones for reading hold the same names."""

import json
import re
import tomllib
from pathlib import Path

import pytest

import plain_instrument
from assay.cli import main
from assay.instrument import Metric
from assay.methods import SHIPPED

METHODS = Path(__file__).parents[2] / "docs" / "methods"


def _json(capsys, *words: str):
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("words", [["tasks"], ["instruments"], ["data", "list"]], ids=" ".join)
def test_a_listing_is_objects_with_names_in_both_forms(words, capsys):
    objects = _json(capsys, *words)
    names = [entry["name"] for entry in objects]
    assert names
    assert len(set(names)) == len(names)
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == names


def test_instruments_tell_question_source_and_needs(capsys):
    for entry in _json(capsys, "instruments"):
        assert entry["question"].endswith("?")
        assert entry["source"]
        assert isinstance(entry["needs"], list)


def test_every_instrument_listed_can_be_chosen_by_name(capsys):
    from assay.instruments import load_instrument

    assert [load_instrument(entry["name"]).name for entry in _json(capsys, "instruments")]


def test_the_method_page_of_every_instrument_is_printed(capsys):
    for entry in _json(capsys, "instruments"):
        assert main(["instruments", entry["name"]]) == 0
        page = METHODS / f"{entry['name']}.md"
        assert capsys.readouterr().out == page.read_text(encoding="utf-8").rstrip() + "\n"


def test_an_instrument_without_a_page_says_what_it_declares(capsys, monkeypatch):
    """Even one that bears the name of one of ours."""
    metric = Metric(key="calls", title="calls made", unit="share", level=0, of="text")
    instrument = plain_instrument.Plain("polar")
    instrument.metrics = (metric,)
    monkeypatch.setattr("assay.instruments.load_instrument", lambda name: instrument)
    assert main(["instruments", "polar"]) == 0
    out = capsys.readouterr().out
    assert instrument.question in out
    assert "| calls made | share | higher | text | untrained copies |" in out


def test_the_method_pages_travel_with_the_wheel_and_its_source():
    project = tomllib.loads((METHODS.parents[1] / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert project["wheel"]["force-include"] == {"docs/methods": f"assay/{SHIPPED.name}"}
    assert "docs/methods" in project["sdist"]["include"]


def test_tasks_tell_every_setting(capsys):
    modular = next(entry for entry in _json(capsys, "tasks") if entry["name"] == "modular")
    coverage = next(setting for setting in modular["settings"] if setting["name"] == "coverage")
    assert coverage["default"] == "0.8"
    assert coverage["meaning"]


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_tasks_show_type_default_and_meaning_of_every_setting_in_lines_that_fit(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    rows = _json(capsys, "tasks")
    assert main(["tasks"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= min(int(columns), 100)
    blocks = [" ".join(block.split()) for block in re.split(r"^(?=\S)", out, flags=re.MULTILINE) if block]
    for row, block in zip(rows, blocks, strict=True):
        for setting in row["settings"]:
            default = "required" if setting["default"] is None else f"default {setting['default']}"
            assert f"{setting['name']} {setting['meaning']} ({setting['type']}; {default})" in block


def test_data_sets_tell_address_size_and_licence(capsys):
    for entry in _json(capsys, "data", "list"):
        assert entry["address"].startswith("https://")
        assert entry["bytes"] > 0
        assert entry["licence"]
