"""What would have made a line say otherwise: the null with the largest p, and the effect that it could see."""

from dataclasses import replace

import pytest

from assay.evidence import findings
from assay.power import detectable_departure, detectable_gain
from assay.report.otherwise import otherwise, power
from assay.report.page import report_html
from assay.report.repeat import audit_command, python_call
from assay.report.words import number


def told(examples, evidence):
    (one,) = otherwise([evidence])
    return dict(one)


@pytest.fixture
def system(examples):
    return examples.systematicity(novel=0.12)


def test_every_headline_measure_with_a_value_is_told_and_no_other(examples, system):
    headlines = [measure.label for measure in system.measures if measure.headline and measure.value is not None]
    assert list(told(examples, system)) == headlines == ["seen score", "novel score"]


def test_a_finding_and_what_is_none_are_told_by_the_rule_of_findings(examples, system):
    found = findings([system])
    assert [measure.key for measure in found] == ["seen_score"]
    by_label = told(examples, system)
    assert "This measure is a finding against shuffled targets" in by_label["seen score"]
    assert "above .050 it would be no finding." in by_label["seen score"]
    hardest = "This measure is no finding against nearest trained example (mean 0.11"
    assert hardest in by_label["novel score"]
    assert "at most .050 would make it a finding." in by_label["novel score"]
    assert "Corrected for 2 headline measures of this audit, this p is .31" in by_label["novel score"]


def test_a_null_that_does_not_count_is_not_what_it_must_beat(examples, system):
    seen, novel, *rest = system.measures
    nulls = tuple(replace(null, counts=null.name != "nearest trained example") for null in novel.nulls)
    changed = replace(system, measures=(seen, replace(novel, nulls=nulls), *rest))
    assert "This measure is a finding against shuffled targets" in told(examples, changed)["novel score"]


def test_without_a_p_it_is_none_whatever_its_value(examples):
    nulls = [examples.null("encoded input", 0.2, p=None), examples.null("control task", 0.2, p=0.01)]
    measure = examples.measure("gain", 0.9, nulls=nulls, headline=True)
    evidence = replace(examples.systematicity(), measures=(measure,))
    assert told(examples, evidence)["gain"].endswith("cannot be a finding: encoded input has too few repeats for a p.")


def test_the_effect_that_units_could_show(examples):
    measure = examples.measure("score", 0.5, nulls=[examples.null("chance", 0.1)], repeats=(0.0, 1.0) * 20, bounds=(0.0, 1.0))
    seen = detectable_departure(measure.repeats, bounds=(0.0, 1.0))
    assert power(measure).startswith(f"40 combinations would have shown a difference of {seen.size:.3f} with power .8; 120")
    assert power(replace(measure, repeats=(1.0,) * 40)).endswith("40 more would halve this share.")
    assert power(replace(measure, repeats=(1.0,) * 40, bounds=None)) == "", "nothing says how far a unit may lie off"
    assert power(replace(measure, repeats=(1.0,))) == power(replace(measure, repeats=())) == ""


def test_the_gain_that_copies_could_show(examples):
    copies = examples.null("untrained copies", 0.1, repeats=5)
    measure = examples.measure("gain", 0.5, nulls=[copies], unit_of="network", units=6)
    assert f"a gain of {number(detectable_gain(copies.values))} with power .8" in power(measure)
    assert power(measure).startswith("5 untrained copies would have shown")
    assert power(replace(measure, nulls=(replace(copies, values=(0.1,) * 5),))) == ""
    assert power(replace(measure, nulls=(replace(copies, name="another"),))) == ""


def test_the_page_has_them_with_every_rule_of_the_verdict(examples, system):
    page = report_html(examples.audit([system]))
    assert "What could have changed these findings" in page
    assert page.count("What would change it.") == 3


def test_a_command_is_quoted_for_the_shell():
    words = {"task": "table:my data.toml", "output": "1", "instruments": ("polar",), "trust": ("a:b", "c:d")}
    assert audit_command("it's", seed=2, level=1, **words) == (
        "assay audit 'it'\"'\"'s' --task 'table:my data.toml' --output 1 --seed 2 --effort standard --level 1 "
        "--instrument polar --trust a:b --trust c:d"
    )


def test_an_audit_of_python_is_told_in_lines_that_are_python(examples):
    audit = examples.audit()
    lines = python_call(audit)
    compile(lines, "lines", "exec")
    assert f"assay.load_task({audit.task.address!r})" in lines
    assert "assay.load_subject('runs/wide', task=task)" in lines
    in_memory = replace(
        audit, subject=replace(audit.subject, address=""), task=replace(audit.task, address="table in memory: sha256 ab")
    )
    lines = python_call(in_memory)
    compile(lines, "lines", "exec")
    assert "load_task(" not in lines
    assert "load_subject(" not in lines
    assert "assay.audit(subject, task, seed=0" in report_html(in_memory)
    assert "assay audit" not in report_html(in_memory)
