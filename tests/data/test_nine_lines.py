"""The table of the test bed that ships."""

import csv

from matrix import write_csv
from population import ROWS, Row
from stability import measures

from assay.data import nine_lines as shipped
from assay.data.nine_lines import nine_lines
from assay.store import read_json


def test_the_table_that_ships_is_that_of_the_rows(tmp_path):
    """Written anew from the rows of the experiment it is the same, byte by byte."""
    rows = [read_json(file, Row) for file in sorted(ROWS.glob("*.json"))]
    write_csv(rows, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == shipped.files("assay.data").joinpath("nine_lines.csv").read_text()
    found = nine_lines()
    assert len(found) == len(rows)
    by_name = {
        (row["world"], row["kind"], row["coverage"], row["seed"], row["wrong"], row["scale"], row["width"]): row
        for row in found
    }
    assert len(by_name) == len(rows)
    every = set(measures(rows))
    for row in rows:
        key = (row.world, row.kind, *(row.recipe[name] for name in ("coverage", "seed", "wrong", "scale", "width")))
        assert by_name[key]["novel"] == row.truth
        for name, value in row.values.items():
            assert by_name[key][name] == value
        missing = every - row.values.keys()
        assert all(by_name[key][name] is None for name in missing)


def test_a_gap_has_no_value_but_its_reason(tmp_path):
    recipe = {"world": "language", "kind": "plain", "coverage": 0.5, "seed": 0}
    base = {"recipe": recipe, "effort": "quick", "truth": 0.1, "seen": 1.0, "outside": 51}
    rows = [
        Row(**base, values={"coverage": 0.5, "polar las": 0.25}),
        Row(**base | {"recipe": {**recipe, "seed": 1}}, values={"coverage": 0.5}, gaps={"polar": "too few texts, 3 of 5"}),
    ]
    write_csv(rows, tmp_path / "two.csv")
    with (tmp_path / "two.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["polar las"], first["gaps"]) == ("0.25", "")
    assert (second["polar las"], second["gaps"]) == ("", "polar: too few texts, 3 of 5")
