"""Every instrument: from its headline measures, the points of its curves and the nodes of its graphs to examples whose inputs
can be read. No instrument is left out: each keeps something that a reader can look at."""

import base64
import io
import re
from dataclasses import replace
from functools import cache
from html import unescape

import cases
import pytest
import torch

import assay
from assay.evidence import RawValues
from assay.figure import ComputationGraphs, ComputationNode, Curve, Line, Plot, StepGraph
from assay.models import build
from assay.report.page import report_html
from assay.report.units import units_of
from assay.stored_examples import MOST_EXAMPLES, shown_inputs
from assay.tasks import load_task

pytestmark = pytest.mark.slow
BINDING = next(one for one in cases.INSTRUMENTS if one.name == "binding")
NAMES = (*(instrument.name for instrument in cases.INSTRUMENTS), "binding, scenes")


def scenes():
    """An untrained network with slots on scenes of objects."""
    task = load_task("scenes")

    def fresh(generator):
        return build("slot-attention", task, generator=generator)

    return assay.Subject(fresh(torch.Generator().manual_seed(0)), name="slots", fresh=fresh), task


@cache
def audited(name):
    """The audit with one instrument of a network that has learned its task, and its page."""
    if name == "binding, scenes":
        (subject, task), instrument = scenes(), BINDING
    else:
        instrument = next(one for one in cases.INSTRUMENTS if one.name == name)
        case = cases.case_of(instrument)
        subject, task = case.learned(), case.task
    audit = assay.audit(subject, task, effort="quick", instruments=[instrument], progress=None)
    assert not audit.failed
    return audit, report_html(audit)


def rows_behind(audit):
    """For every measure with a value the units that the page lists."""
    stored = [example.combination for example in audit.examples]
    (evidence,), (units,) = audit.evidence, units_of(audit.evidence, audit.task, stored)
    return [(one, found) for one, found in zip(evidence.measures, units, strict=True) if one.value is not None]


def element(html, anchor):
    """The row of a table, by its id."""
    (found,) = re.findall(rf'<tr id="{re.escape(anchor)}">(.*?)</tr>', html, re.DOTALL)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_headline_measure_leads_to_inputs_that_can_be_read(name):
    audit, html = audited(name)
    headlines = [(measure, units) for measure, units in rows_behind(audit) if measure.headline]
    assert headlines
    for measure, units in headlines:
        assert units is not None, measure.label
        assert f'href="#{units.anchor}"' in html, measure.label
        shown = [row for row in units.rows if row.example or row.text]
        assert shown, measure.label
        assert shown == list(units.rows) or len(shown) >= 20, measure.label  # of pictures not all are stored
        for row in shown:
            if row.text:
                assert unescape(element(html, units.row_anchor(units.rows.index(row) + 1))).count(row.text)
            else:
                example = element(html, row.example)
                assert "<img" in example or re.search(r'<td class="words[ long]*">[^<]*\S', example)


@pytest.mark.parametrize("name", NAMES)
def test_no_report_stores_more_than_200_pictures_or_examples(name):
    audit, html = audited(name)
    assert len(audit.examples) <= MOST_EXAMPLES
    assert sum(len(images) for item in audit.evidence for images in item.images.values()) <= MOST_EXAMPLES
    assert len(html) < 3_000_000


@pytest.mark.parametrize("name", NAMES)
def test_a_point_of_a_curve_tells_its_units_and_the_marked_one_leads_to_them(name):
    audit, html = audited(name)
    labels = {one.label: units.anchor for one, units in rows_behind(audit) if units is not None}
    curves = [figure for figure in audit.evidence[0].figures if isinstance(figure, Curve)]
    lines = [line for curve in curves for plot in curve.plots for line in plot.lines if not line.null]
    targets = [target for line in lines for target in line.leads_to if target]
    assert set(targets) <= set(labels)
    for target in set(targets):
        assert re.search(rf'<a href="#{labels[target]}" aria-label="[^"]+">\s*<circle', html), target
    of_one_network = {"fracture": "noise, of which no example is stored"}
    assert targets or not curves or name in of_one_network or name.endswith("scenes")


def test_a_node_of_a_graph_leads_to_its_example_which_tells_what_is_wrong_in_it():
    audit, html = audited("subgraphs")
    (graphs,) = (figure for figure in audit.evidence[0].figures if isinstance(figure, ComputationGraphs))
    units = next(units for one, units in rows_behind(audit) if one.label == graphs.leads_to)
    row = {row.id: (k, row) for k, row in enumerate(units.rows, 1)}
    shown = [graph for graph in graphs.graphs if graph.unit in row]
    assert shown
    for graph in shown:
        k, example = row[graph.unit]
        linked = html.count(f'<a href="#{units.row_anchor(k)}" aria-label="')
        assert linked >= len(graph.steps)
        wrong = [step for step in graph.steps if step.note.startswith("right is ")]
        assert all(f"{step.name.split(' = ')[0]}: {step.value}, {step.note}" in example.answer for step in wrong[:2])
        assert (example.answer == "every node right") == (not wrong)


def test_lists_are_shown_behind_the_measures_that_they_belong_to_in_words():
    audit, _ = audited("binding")
    evidence = audit.evidence[0]
    for size in (2, 3):
        measure = evidence.measure("accuracy", entities=str(size))
        _, texts = evidence.stored_of("inputs", measure)
        assert all(text.count(".") == size for text in texts.values()), "one full stop behind each item"
        _, answers = evidence.stored_of("answers", measure)
        assert all(answer.split(" (right")[0].count(",") == size - 1 for answer in answers.values())
    reuse = evidence.measure("novel_reuse", pairs="queried")
    _, texts = evidence.stored_of("inputs", reuse)
    assert set(reuse.raw.ids) == set(texts)


def test_scenes_are_shown_with_their_objects_and_the_segments_of_the_network():
    pil = pytest.importorskip("PIL.Image")
    audit, _ = audited("binding, scenes")
    evidence = audit.evidence[0]
    _, images = evidence.stored_of("images", evidence.measure("segregation"))
    k, found = next(iter(images.items()))
    picture = pil.open(io.BytesIO(base64.b64decode(found)))
    task = load_task("scenes")
    side = task.examples("seen", 1, generator=torch.Generator()).inputs["image"].shape[-1]
    assert picture.size == (3 * side + 2, side)
    assert evidence.measure("segregation").raw.values[k] <= 1
    _, novel = evidence.stored_of("images", evidence.measure("novel_reuse"))
    assert pil.open(io.BytesIO(base64.b64decode(next(iter(novel.values()))))).size == (2 * side + 1, side)


def test_an_orbit_shows_the_inputs_that_the_regularity_exchanges():
    audit, _ = audited("fracture")
    (texts,) = audit.evidence[0].inputs.values()
    task = cases.SIDES.task
    sides = len(task.regular(100, generator=torch.Generator().manual_seed(0)).regularities[0].rows)
    assert all(text.count("\N{LEFT RIGHT ARROW}") == sides - 1 for text in texts.values())


# By construction, with planted values


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
    from assay.stored_examples import answer_lines

    task = load_task(f"table:{tmp_path / 'table.toml'}")
    drawn = task.examples("seen", 9, generator=torch.Generator().manual_seed(0)).in_canonical_order()
    assert sorted(shown_inputs(drawn, task)[0]) == ["x u", "x v", "y u", "y v"]
    assert [" ".join(reversed(text.split())) for text in answer_lines(drawn.targets, task)] == shown_inputs(drawn, task)[0]
