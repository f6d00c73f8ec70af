"""Every instrument: from its headline measures, the points of its curves and the nodes of its graphs to examples whose inputs
can be read. No instrument is left out: each keeps something that a reader can look at."""

import base64
import io
import re
from functools import cache
from html import unescape

import cases
import pytest
import torch

import assay
from assay.figure import ComputationGraphs, Curve
from assay.models import build
from assay.report.page import report_html
from assay.report.units import units_of
from assay.stored_examples import MOST_EXAMPLES
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
