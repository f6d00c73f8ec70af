"""`report.json`: what is written is what is read, and nothing else is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from assay.errors import AssayError
from assay.evidence import Null
from assay.report import json_schema, read_report, read_units, write_report
from assay.report.page import report_html
from assay.report.schema import FILE_NAME, SCHEMA_VERSION, UNITS_NAME, _checksum, report_bytes, units_name


def written(folder, audit):
    path = folder / FILE_NAME
    path.write_bytes(report_bytes(audit))
    return path


def test_round_trip_is_exact(tmp_path, examples, pictured, typical):
    for audit in (typical, examples.audit([]), *examples.three(), examples.audit([pictured.of_every_type()])):
        read = read_report(written(tmp_path, audit))
        assert read == audit
        assert report_bytes(read) == report_bytes(audit)


def test_same_audit_same_bytes(examples):
    assert report_bytes(examples.audit()) == report_bytes(examples.audit())


def test_a_folder_stands_for_the_file_in_it(tmp_path, typical):
    written(tmp_path, typical)
    assert read_report(tmp_path) == typical


FIGURE = {"kind": "curve", "name": "c", "across": "x", "plots": [], "caption": "", "level": 0}
LINE = {"name": "l", "x": [0, 1], "y": [0.5, None]}
EDGE = {"head": 0, "dependent": 1}
PARSE = {"name": "p", "words": ["a", "b"], "declared": [], "predicted": []}


def curve_of(**changes):
    return {**FIGURE, "plots": [{"title": "t", "lines": [{**LINE, **changes}]}]}


def graphs_of(**changes):
    return {"kind": "graphs", "name": "g", "texts": [{**PARSE, **changes}], "caption": "", "level": 0}


def with_figure(path, figure):
    """A report that somebody else made, whose checksum fits."""
    content = json.loads(path.read_text())
    content["audit"]["evidence"][0]["figures"] = [figure]
    content["sha256"] = _checksum(content["audit"])
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("figure", "match"),
    [
        (curve_of(y=[0.5]), "2 places and 1 values"),
        (curve_of(low=[0.1], high=[0.2]), "an interval for every point"),
        (curve_of(low=[0.1, 0.2]), "an interval for every point"),
        (curve_of(marked=[2]), "a marked point"),
        (curve_of(style="wavy"), "solid"),
        ({"kind": "table", "name": "t", "columns": ["a"], "rows": [["b", 1]], "level": 0}, "a cell for every column"),
        (graphs_of(declared=[{**EDGE, "dependent": 2}]), "both ends of an edge"),
        (graphs_of(predicted=[{**EDGE, "head": -1}]), "both ends of an edge"),
        (
            {"kind": "scatter", "name": "s", "points": [{"name": "p", "x": "left", "y": 0.0}], "caption": "", "level": 0},
            "number",
        ),
        ({**FIGURE, "kind": "pie"}, "kind"),
    ],
)
def test_a_malformed_figure_of_a_stranger_is_refused(tmp_path, typical, figure, match):
    path = written(tmp_path, typical)
    with_figure(path, figure)
    refused(path, match)


@pytest.mark.parametrize("figure", [curve_of(), graphs_of(declared=[EDGE])])
def test_a_well_made_figure_of_a_stranger_is_read(tmp_path, typical, figure):
    path = written(tmp_path, typical)
    with_figure(path, figure)
    (read,) = read_report(path).evidence[0].figures
    assert read.name == figure["name"]


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
@settings(max_examples=50)
def test_every_float_survives_to_the_last_bit(values):
    null = Null(name="n", how="h", values=tuple(values))
    adapter = TypeAdapter(Null)
    assert adapter.validate_json(adapter.dump_json(null)).values == null.values


def test_settings_keep_their_types(tmp_path, examples):
    kept = {"a": 1, "b": 1.0, "c": True, "d": None, "e": "1"}
    evidence = replace(examples.lean(), settings=kept)
    read = read_report(written(tmp_path, examples.audit([evidence]))).evidence[0].settings
    assert [(key, type(value)) for key, value in read.items()] == [(key, type(value)) for key, value in kept.items()]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused_by_its_place(examples, number):
    evidence = examples.systematicity()
    null = Null(name="n", how="h", values=(0.5, number))
    evidence = replace(evidence, measures=(replace(evidence.measures[0], nulls=(null,)), *evidence.measures[1:]))
    with pytest.raises(AssayError, match=r"audit\.evidence\[0\]\.measures\[0\]\.nulls\[0\]\.values\[1\]"):
        report_bytes(examples.audit([evidence]))


def refused(path, match):
    with pytest.raises(AssayError, match=match) as caught:
        read_report(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    refused(tmp_path / FILE_NAME, "Given: no ")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_truncated_file_is_named(tmp_path, typical, share):
    path = written(tmp_path, typical)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "truncated or altered")


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / FILE_NAME
    path.write_bytes(b"\xff\xfe{}\x80")
    refused(path, "truncated or altered")


def altered(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_an_altered_number_is_noticed(tmp_path, typical):
    path = written(tmp_path, typical)
    altered(path, lambda content: content["audit"]["evidence"][0]["measures"][1].update(value=0.999))
    refused(path, "altered")


def test_an_added_field_is_noticed(tmp_path, typical):
    path = written(tmp_path, typical)
    altered(path, lambda content: content["audit"].update(extra=1))
    refused(path, "altered")


@pytest.mark.parametrize("version", [1, 3, 5])
def test_another_version_is_named(tmp_path, typical, version):
    path = written(tmp_path, typical)
    altered(path, lambda content: content.update(schema_version=version))
    refused(path, f"version {version}")


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"schema_version": "1"}'])
def test_other_json_is_refused(tmp_path, text):
    path = tmp_path / FILE_NAME
    path.write_text(text)
    refused(path, "schema_version")


def test_layout_of_the_json_does_not_matter(tmp_path, typical):
    path = written(tmp_path, typical)
    altered(path, lambda content: None)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4, sort_keys=True))
    assert read_report(path) == typical


def test_the_schema_describes_the_file():
    schema = json_schema()
    assert schema["properties"]["schema_version"]["const"] == 4
    assert {"Audit", "Evidence", "Measure", "Null", "Verdict"} <= set(schema["$defs"])


# Values of nulls per unit


def with_units(examples, values):
    evidence = examples.systematicity()
    first = evidence.measures[0]
    nulls = (replace(first.nulls[0], units=values), *first.nulls[1:])
    return examples.audit([replace(evidence, measures=(replace(first, nulls=nulls), *evidence.measures[1:]))])


def test_values_of_nulls_lie_beside_the_report(tmp_path, examples):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    audit = with_units(examples, values)
    write_report(tmp_path, audit)
    evidence = audit.evidence[0]
    name = units_name(evidence, evidence.measures[0], evidence.measures[0].nulls[0])
    assert name == "systematicity/seen score/shuffled targets"
    found = read_units(tmp_path)
    assert list(found) == [name]
    assert (found[name] == values).all()
    assert read_report(tmp_path) == audit, "the report itself can be read without them"
    (null, *_) = json.loads((tmp_path / FILE_NAME).read_bytes())["audit"]["evidence"][0]["measures"][0]["nulls"]
    assert set(null) == {"name", "how", "values", "p", "counts"}


def test_a_report_that_is_read_and_written_again_keeps_them(tmp_path, examples):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    write_report(tmp_path, with_units(examples, values))
    write_report(tmp_path, read_report(tmp_path))
    (found,) = read_units(tmp_path).values()
    assert (found == values).all()
    write_report(tmp_path, examples.audit())
    assert read_units(tmp_path) == {}, "those of another audit do not stay"


def test_an_instrument_that_was_run_twice_keeps_the_values_of_both(tmp_path, examples):
    one, other = (with_units(examples, np.full((2, 3), k)).evidence[0] for k in (1.0, 2.0))
    write_report(tmp_path, examples.audit([one, other]))
    name = "systematicity/seen score/shuffled targets"
    found = read_units(tmp_path)
    assert {key: float(values.mean()) for key, values in found.items()} == {name: 1.0, f"{name} (2)": 2.0}


def test_values_of_another_report_are_refused(tmp_path, examples):
    write_report(tmp_path / "one", with_units(examples, np.zeros((2, 3))))
    write_report(tmp_path / "other", examples.audit())
    (tmp_path / "other" / UNITS_NAME).write_bytes((tmp_path / "one" / UNITS_NAME).read_bytes())
    with pytest.raises(AssayError, match="another audit's"):
        read_units(tmp_path / "other")


@pytest.mark.parametrize("content", [b"", b"x" * 7, b"\xff" * 64, b"8\0\0\0\0\0\0\0{}"])
def test_damaged_values_are_refused(tmp_path, examples, content):
    write_report(tmp_path, with_units(examples, np.zeros((2, 3))))
    (tmp_path / UNITS_NAME).write_bytes(content)
    with pytest.raises(AssayError, match="safetensors"):
        read_units(tmp_path)
    (tmp_path / UNITS_NAME).unlink()
    with pytest.raises(AssayError, match="readable"):
        read_units(tmp_path)


STORED = sorted((Path(__file__).parent / "stored").glob("schema-*.json"))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_report_of_every_schema_ever_released_is_read_and_drawn_or_refused_with_its_version(path):
    """schema-4.json was written before measures had raw values and units had pictures and answers."""
    version = int(path.stem.removeprefix("schema-"))
    if version == SCHEMA_VERSION:
        audit = read_report(path)
        assert audit.evidence[0].measure("novel_score").raw is None
        assert "<!doctype html>" in report_html(audit)
    else:
        refused(path, f"version {version}")


def test_a_report_of_the_present_schema_is_stored():
    assert f"schema-{SCHEMA_VERSION}" in [path.stem for path in STORED]


@pytest.mark.parametrize("is_written", [False, True])
def test_an_audit_that_was_not_finished_is_named_as_such(tmp_path, typical, is_written):
    if is_written:  # results are written first, figures and page later
        written(tmp_path, typical)
    (tmp_path / ".unfinished").write_text("audit")
    with pytest.raises(AssayError, match=r"an audit must be finished before it is read.*run the same command again") as caught:
        read_report(tmp_path)
    assert str(tmp_path) in str(caught.value)
