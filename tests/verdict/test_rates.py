"""The table of error rates: read, told as JSON and as text, and refused where it is damaged."""

import json
import runpy
from pathlib import Path

import pytest

from assay.errors import AssayError
from assay.store import write_json
from assay.verdict.rates import Calls, ErrorRates, Figure, shipped_rates

PAGE = Path(__file__).parents[2] / "docs" / "zoo.md"
NOTHING = Figure(value=None, low=None, high=None, subjects=0)


def table(**more) -> ErrorRates:
    figures = {"level0_auroc": Figure(value=0.97, low=0.9, high=1.0, subjects=40), "refactor_change": NOTHING}
    given = {"subjects": 50, "declared": 80, "sealed": 0, "figures": figures, "bounds": {"level0_auroc": (">= .85", ".95")}}
    beside = {"auroc of coverage": Figure(value=0.00004, low=0.0, high=0.1, subjects=40)}
    wrong = Figure(value=0.25, low=0.1, high=0.5, subjects=4)
    calls = Calls(rule="fixed", level=0, kind="attacks", answers={"works": 1, "not resolved": 3}, wrong=wrong)
    return ErrorRates.model_validate({**given, "beside": beside, "calls": (calls,), "notes": ("A note.",), **more})


def test_every_figure_stands_under_its_key():
    found = json.loads(table().as_json())
    assert found["subjects"] == 50
    assert found["level0_auroc"] == {"value": 0.97, "low": 0.9, "high": 1.0, "subjects": 40}
    assert found["refactor_change"]["value"] is None
    assert found["beside"]["auroc of coverage"]["high"] == 0.1
    assert found["calls"][0]["answers"] == {"works": 1, "not resolved": 3}


def test_the_text_has_every_figure_and_says_what_is_missing():
    text = table().as_text()
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert "50 of 80 networks" in text
    assert "0.970" in lines["level0_auroc"]
    assert ">= .85, .95" in lines["level0_auroc"]
    assert " - " in lines["refactor_change"]
    assert "auroc of coverage" not in text, "baselines are in the JSON"
    assert "1 works, 3 not resolved; wrong 0.250 [0.100, 0.500]" in text
    assert "A note." in text


def test_it_is_read_as_it_was_written(tmp_path):
    write_json(tmp_path / "rates.json", table())
    assert shipped_rates(tmp_path / "rates.json") == table()


@pytest.mark.parametrize("harm", ["{", "[]", '{"subjects": -1}'])
def test_a_damaged_table_is_refused(tmp_path, harm):
    path = tmp_path / "rates.json"
    path.write_text(harm)
    with pytest.raises(AssayError, match=r"rates\.json"):
        shipped_rates(path)


def test_a_missing_table_says_so(tmp_path):
    with pytest.raises(AssayError, match="error rates"):
        shipped_rates(tmp_path / "none.json")


def test_the_page_shows_the_table_that_ships():
    writes = runpy.run_path(str(PAGE.with_name("write_zoo.py")))
    text = PAGE.read_text()
    assert writes["page"](text, shipped_rates()) == text, "`python docs/write_zoo.py` writes the figures of docs/zoo.md anew"
    assert set(writes["MEANING"]) == set(shipped_rates().figures) == set(shipped_rates().bounds)
    other = writes["page"](text, table(bounds={"level0_auroc": ("", ""), "refactor_change": ("", "")}))
    assert "50 of the 80 networks" in other
    assert "0.970 | [0.900, 1.000] | 40" in other


def test_what_ships_is_of_no_sealed_network_and_has_every_figure():
    shipped = shipped_rates()
    assert shipped.sealed == 0
    assert 0 < shipped.subjects <= shipped.declared
    assert all(figure.value is not None and figure.subjects for figure in shipped.figures.values())
