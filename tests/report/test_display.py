"""Results show themselves: a short repr whatever they hold, escaped HTML in a notebook, columns for a data frame."""

import copy
import dataclasses
import sys
import types
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

import assay
from assay.display import MOST_ROWS, brief, table
from assay.evidence import Evidence, Null
from assay.figure import Scatter
from assay.instrument import Reading, Readings, Values
from assay.masks import Mask
from assay.report.words import number
from assay.sweep import SweepPlan
from assay.task import Examples, Part
from assay.training import TrainingData, TrainingRecord

MOST = 1200  # characters of a repr: some fifteen lines of a terminal
MANY = 20_000


def held(value: object) -> Iterator[object]:
    """The value and every dataclass or named tuple within it."""
    if dataclasses.is_dataclass(value) or hasattr(value, "_fields"):
        yield value
        fields = [f.name for f in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else value._fields
        for name in fields:
            yield from held(getattr(value, name))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from held(item)


def large(value: object) -> object:
    """The same record, with every text and every flat collection of it so long that no terminal shows them."""
    changed = copy.copy(value)
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if type(item) is str:
            object.__setattr__(changed, field.name, item + "x" * MANY)
        elif isinstance(item, tuple) and item and isinstance(item[0], (str, float)):
            object.__setattr__(changed, field.name, item * MANY)
    return changed


def test_everything_in_an_audit_has_a_short_repr(typical):
    records = list(held(typical))
    names = {type(record).__name__ for record in records}
    assert {"Audit", "Evidence", "Measure", "Null", "Interval", "DetailTable", "Verdict", "Combining"} <= names
    for record in records:
        assert len(repr(record)) <= MOST, type(record)
        assert len(repr(large(record))) <= MOST, type(record)


def test_what_a_user_holds_besides_has_a_short_repr():
    column, rows = torch.zeros(MANY), torch.zeros(MANY, dtype=torch.int64)
    values = Values(metric="gain", units=column, ids=rows)
    reading = Reading([values] * MANY, kept=nn.Linear(9, 9))
    words = tuple(map(str, range(MANY)))
    network = nn.Sequential(*[nn.Linear(2, 2) for _ in range(200)])
    for record in (
        Examples(inputs={"tokens": rows}, targets=rows, parts=dict.fromkeys(words[:300], rows), combination=rows),
        TrainingData(inputs={"tokens": rows}, targets=rows, objective=assay.Classification(7)),
        TrainingRecord(losses=tuple((k, 0.5) for k in range(MANY)), wall_seconds=1.0, cpu_seconds=1.0),
        Part("i", words),
        values,
        reading,
        Readings(reading, [reading] * 9, {}),
        Null(name="copies", how="drawn", values=(0.5,) * MANY, units=np.zeros((3, MANY))),
        Scatter(name="places", points=(), caption="c" * MANY, level=0),
        assay.Subject(network, name="mine"),
        assay.load_task("modular"),
        Mask("weight", {f"layers.{k}": rows > 0 for k in range(300)}, {f"layers.{k}": (MANY,) for k in range(300)}),
        SweepPlan(task="modular", over={"coverage": words[:MOST]}),
        assay.RunDirectory("folder"),
    ):
        assert len(repr(record)) <= MOST, type(record)
    assert repr(assay.Subject(network, name="mine")) == "Subject(Sequential, name='mine', num_weights=1200)"


def test_a_repr_tells_what_there_is():
    @dataclasses.dataclass(frozen=True)
    class Found:
        name: str = "gain"
        none: None = None
        values: tuple[float, ...] = ()
        about: dict = dataclasses.field(default_factory=dict)
        array: object = None
        hidden: int = dataclasses.field(default=3, repr=False)

        __repr__ = brief

    name = Found.__qualname__
    assert repr(Found()) == f"{name}(name='gain')"
    assert repr(Found(values=(0.5,))) == f"{name}(name='gain', values=(0.5))"
    assert repr(Found(values=(0.5,) * 7)) == f"{name}(name='gain', values=<7 float>)"
    assert repr(Found(about={"part": "i"})) == f"{name}(name='gain', about={{'part': 'i'}})"
    assert repr(Found(name="x" * 99, array=torch.zeros(3, 4))) == f"{name}(name='{'x' * 60}...', array=float32[3, 4])"
    assert repr(Found(array=np.zeros(0))) == f"{name}(name='gain', array=float64[0])"


def test_a_notebook_shows_verdict_measures_and_nulls(typical):
    html = typical._repr_html_()
    for words in (typical.verdict.sentence, typical.subject.name, typical.task.address, typical.skipped[0].reason):
        assert words in html
    for item in typical.evidence:
        for measure in item.measures:
            assert not measure.headline or f"<td>{measure.label}</td>" in html
            assert not measure.headline or f"<td>{measure.label}</td>" in item._repr_html_()
            alone = measure._repr_html_()
            assert f"<td>{'not enough data' if measure.value is None else number(measure.value)}</td>" in alone
            assert all(f"{null.name} {number(null.mean)}" in alone for null in measure.nulls)
    assert typical.verdict.headline.capitalize() in typical.verdict._repr_html_()


def test_a_notebook_runs_nothing_that_a_name_holds(typical):
    hostile = "<script>alert(1)</script>\x1b"
    evidence = dataclasses.replace(typical.evidence[0], summary=hostile, question=hostile, warnings=(hostile,))
    named = dataclasses.replace(evidence.measures[0], name=hostile)
    audit = dataclasses.replace(
        typical, evidence=(evidence,), subject=dataclasses.replace(typical.subject, name=hostile), skipped=()
    )
    for html in (audit._repr_html_(), evidence._repr_html_(), named._repr_html_()):
        assert "alert" in html
        assert "<script" not in html
        assert "\x1b" not in html


@pytest.mark.parametrize("num", [0, 1, MOST_ROWS, MOST_ROWS + 1])
def test_a_long_table_says_how_much_is_left_out(num):
    html = table(("a",), [(str(k),) for k in range(num)])
    assert html.count("<td>") == min(num, MOST_ROWS)
    assert ("1 more rows" in html) == (num > MOST_ROWS)
    assert bool(html) == bool(num)


def test_columns_have_one_row_for_every_measure(typical):
    columns = typical.columns()
    measures = [(item, measure) for item in typical.evidence for measure in item.measures]
    assert {len(column) for column in columns.values()} == {len(measures)}
    first = ["instrument", "key", "title", "value", "low", "high", "unit", "n", "n_of", "p", "headline", "level"]
    assert list(columns)[: len(first)] == first
    for k, (item, measure) in enumerate(measures):
        row = {name: column[k] for name, column in columns.items()}
        assert (row["instrument"], row["key"], row["title"]) == (item.instrument, measure.key, measure.name)
        assert (row["value"], row["n"], row["n_of"], row["p"]) == (measure.value, measure.units, measure.unit_of, measure.p)
        assert row["low"] == (measure.interval.low if measure.interval else None)
        assert {name: row[f"about.{name}"] for name in measure.about} == dict(measure.about)
        nulls = {name for name, value in row.items() if name.startswith("null.") and value is not None}
        assert nulls == {f"null.{null.name}" for null in measure.nulls if null.values}
        assert all(row[f"null.{null.name}"] == null.mean for null in measure.nulls if null.values)
        assert all(row[f"p.{null.name}"] == null.p for null in measure.nulls)
    assert [key for item in typical.evidence for key in item.columns()["key"]] == columns["key"]


def test_columns_of_nothing_are_empty():
    nothing = Evidence(instrument="none", question="?", summary="").columns()
    assert nothing["value"] == []
    assert set(map(len, nothing.values())) == {0}


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_data_frame_is_made_of_the_columns_by_a_library_that_is_imported_on_use(typical, library, monkeypatch):
    assert library not in sys.modules
    monkeypatch.setitem(sys.modules, library, types.SimpleNamespace(DataFrame=lambda columns: ("frame", columns)))
    for held in (typical, typical.evidence[0]):
        assert getattr(held, f"to_{library}")() == ("frame", held.columns())
    monkeypatch.setitem(sys.modules, library, None)  # which Python takes for a library that is not installed
    with pytest.raises(assay.AssayError, match=rf"needs {library}, .*pip install 'assay\[{library}\]'"):
        getattr(typical, f"to_{library}")()
