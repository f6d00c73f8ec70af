"""From a measure, a point or a node to the units behind it, and inputs as people read them, by construction."""

import re
from dataclasses import replace

import contexts
import pytest
import torch

from assay.evidence import RawValues
from assay.figure import ComputationGraphs, ComputationNode, Curve, Line, Plot, StepGraph
from assay.instrument import Metric, Values
from assay.instrument.nulls import measure_of
from assay.instruments.fracture.orbits import orbits_shown
from assay.report.page import report_html
from assay.report.units import units_of
from assay.stored_examples import answer_lines, shown_inputs
from assay.tasks import load_task


def measured(examples, *, raw=None, **changes):
    return examples.measure("score", 0.5, nulls=[examples.null("copies", 0.1)], raw=raw, headline=True, **changes)


def page_of(examples, evidence):
    return report_html(examples.audit([evidence]))


def test_raw_values_are_listed_where_the_value_is_no_mean(examples):
    raw = RawValues(of="FG-ARI", values=(0.9, 0.2, 0.7), ids=(4, 5, 6))
    measure = measured(examples, raw=raw, unit_of="scene")
    html = page_of(examples, replace(examples.lean(), measures=(measure,), inputs={"scene": {4: "four", 5: "five"}}))
    rows = re.findall(r'<tr id="units-1-1-\d">(.*?)</tr>', html, re.DOTALL)
    assert [re.findall(r"<td[^>]*>([^<]*)</td>", row)[:3] for row in rows] == [
        ["scene 5", "0.200", "five"],
        ["scene 6", "0.700", ""],
        ["scene 4", "0.900", "four"],
    ]
    assert '<th scope="col">FG-ARI</th>' in html


def test_a_measure_with_units_of_its_own_shows_its_own_inputs(examples):
    one, other = (measured(examples, repeats=(0.1, 0.9), unit_of="list", about={"entities": size}) for size in ("2", "3"))
    inputs = {"list": {0: "two a", 1: "two b"}, other.label: {0: "three a", 1: "three b"}}
    audit = examples.audit([replace(examples.lean(), measures=(one, other), inputs=inputs)])
    (units,) = units_of(audit.evidence, audit.task, ())
    assert [[row.text for row in found.rows] for found in units] == [["two a", "two b"], ["three a", "three b"]]


def test_a_point_leads_to_the_units_of_the_measure_that_it_names_and_to_no_other(examples):
    measure = measured(examples, repeats=(0.1, 0.9), unit_of="text")
    line = Line(name="measured", x=("a", "b"), y=(0.2, 0.5), units=("2 texts",) * 2, leads_to=("", measure.label))
    curve = Curve(name="c", across="layer", plots=(Plot(title="t", subtitle="LAS", lines=(line,)),), caption="", level=0)
    html = page_of(examples, replace(examples.lean(), measures=(measure,), figures=(curve,)))
    assert re.findall(r'<a href="#units-1-1" aria-label="(measured[^"]*)">', html) == ["measured, b: 0.500; LAS; 2 texts"]
    assert "measured, a: 0.200; LAS; 2 texts" in html


def test_nodes_of_a_graph_lead_to_the_row_of_their_example(examples):
    measure = measured(examples, repeats=(0.1, 0.9), unit_ids=(7, 9), unit_of="example")
    steps = (ComputationNode(name="sum", value="3", layer=1, kind="right"),)
    graphs = tuple(StepGraph(name=f"g{unit}", steps=steps, edges=(), unit=unit) for unit in (9, 8))
    figure = ComputationGraphs(name="G", kinds=("right",), graphs=graphs, caption="", leads_to=measure.label, level=0)
    html = page_of(examples, replace(examples.lean(), measures=(measure,), figures=(figure,)))
    assert html.count('<a href="#units-1-1-2" aria-label="sum = 3; right">') == 1
    assert html.count('aria-label="sum = 3; right">') == 1, "the other example is none of the units"


# Each kind of input


def first_text(address):
    task = load_task(address)
    drawn = task.examples("seen", 1, generator=torch.Generator().manual_seed(0))
    return task, drawn, shown_inputs(drawn, task)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("commands", {"jump", "walk", "run", "look", "turn", "twice", "once", "after", "around", "and", "opposite", "left"}),
        ("language", {"the", "this"}),
        ("agreement", {"|"}),
        ("code:program", {"<line>", "="}),
        ("graphs:family", {"of", "is"}),
        ("lists", {"?", "."}),
        ("modular", None),
        ("multiplication", {"x"}),
        ("non-adjacent-sum", None),
        ("binding", {"red", "blue", "green"}),
    ],
)
def test_tokens_are_shown_as_words(address, words):
    task, drawn, ((text,), (picture,)) = first_text(address)
    assert picture is None
    assert words is None or words & set(text.split())
    if address == "modular":
        assert text == " ".join(task.part(name).values[drawn.parts[name]] for name in ("i", "j", "x"))
    if address == "non-adjacent-sum":
        assert text.split() == [task.part(name).values[drawn.parts[name]] for name in task.combines]


def test_a_picture_is_shown_as_one():
    _, drawn, ((text,), (picture,)) = first_text("sprites")
    assert text == ""
    assert torch.equal(picture, drawn.inputs["image"][0])


def test_rows_of_a_file_are_shown_as_they_stand_there(tmp_path):
    rows = [
        f'{{"colour": "{colour}", "shape": "{shape}", "size": {k}, "answer": "{answer}", "split": "{split}"}}'
        for k, (colour, shape, answer, split) in enumerate(
            [("red", "disc", "yes", "train"), ("red", "ring", "no", "train"), ("blue", "disc", "no", "train"),
             ("blue", "ring", "yes", "novel")]
        )
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    (tmp_path / "table.toml").write_text(
        'data = "rows.jsonl"\ninputs = [{kind = "token", columns = ["colour", "shape"]}]\n'
        'target = {kind = "class", column = "answer"}\nsplit = {column = "split"}\n'
        'parts = [{name = "colour"}, {name = "shape"}]\n'
    )
    task = load_task(f"table:{tmp_path / 'table.toml'}")
    drawn = task.examples("novel", 1, generator=torch.Generator())
    assert shown_inputs(drawn, task)[0] == ["colour: blue; shape: ring"]


def test_texts_of_a_file_and_their_answers_are_shown_as_words(tmp_path):
    rows = [f'{{"say": "{a} {b}", "do": "{b} {a}", "a": "{a}", "b": "{b}"}}' for a in ("x", "y") for b in ("u", "v")]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    (tmp_path / "table.toml").write_text(
        'data = "rows.jsonl"\ninputs = [{kind = "text", column = "say"}]\ntarget = {kind = "text", column = "do"}\n'
        'parts = [{name = "a"}, {name = "b"}]\n'
    )
    task = load_task(f"table:{tmp_path / 'table.toml'}")
    drawn = task.examples("seen", 9, generator=torch.Generator().manual_seed(0)).in_canonical_order()
    assert sorted(shown_inputs(drawn, task)[0]) == ["x u", "x v", "y u", "y v"]
    assert [" ".join(reversed(text.split())) for text in answer_lines(drawn.targets, task)] == shown_inputs(drawn, task)[0]


# What is kept


def test_raw_values_pass_from_a_reading_to_its_measure():
    metric = Metric(key="score", title="score", level=0, of="scene", better="neither", beats=())
    raw = RawValues(of="FG-ARI", values=(0.2, 0.4), ids=(3, 5))
    found = measure_of(metric, Values(metric="score", units=torch.rand(9), raw=raw))
    assert found.raw == raw
    assert replace(found, repeats=()).ids == (3, 5)


def test_an_orbit_shows_every_input_that_the_regularity_exchanges():
    """However long they are: each is cut, and none is lost."""
    task = contexts.Sides("contexts", items=6, classes=True)
    regular = task.regular(100, generator=torch.Generator().manual_seed(0))
    wide = {name: values.repeat(1, 20) for name, values in regular.examples.inputs.items()}
    regular = replace(regular, examples=replace(regular.examples, inputs=wide))
    texts = orbits_shown(regular, task)["inputs"]["orbit"]
    (one,) = regular.regularities
    assert set(texts) == set(one.orbits().tolist())
    inputs = {orbit: len(one.rows[:, orbit].unique()) for orbit in texts}
    assert {orbit: text.count("\N{LEFT RIGHT ARROW}") + 1 for orbit, text in texts.items()} == inputs
