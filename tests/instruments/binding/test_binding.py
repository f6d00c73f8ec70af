"""The instrument on networks whose way of binding is built in, and on some that imitate it."""

import dataclasses

import mechanisms
import pytest
import torch
from torch import Generator

from assay.conformance.tasks import Wrapped
from assay.errors import AssayError
from assay.instrument import run
from assay.instruments.binding import Binding
from assay.instruments.binding.metrics import BUDGETS
from assay.subject import Subject
from assay.tasks.lists import Lists

TASK = Lists()
SMALL = Binding(budgets={"quick": dataclasses.replace(BUDGETS["quick"], contexts=120)})


def evidence(subject, task=TASK):
    return run(SMALL, subject, task, effort="quick", seed=0)


@pytest.fixture(scope="module")
def bound():
    return evidence(mechanisms.subject("direct", TASK))


def test_a_network_that_binds_is_said_to(bound):
    assert bound.settings["verdict"] == "binding"
    assert bound.settings["entities in a list"] == 4
    assert bound.measure("novel_binding").value == 1.0
    assert {m.key for m in bound.findings()} == {"separation", "novel_reuse", "novel_binding"}
    assert bound.measure("isolation").value == pytest.approx(1.0, abs=1e-3)
    assert bound.measure("transplant").value == 1.0
    assert "mechanism is direct" in bound.summary


def test_another_mechanism_is_binding_too():
    found = evidence(mechanisms.subject("id", TASK))
    assert found.settings["verdict"] == "binding"
    assert "mechanism is ID-like" in found.summary


def test_a_network_that_leaves_out_unknown_pairs_is_an_imitation():
    found = evidence(mechanisms.subject("direct", TASK, veto=True))
    assert found.settings["verdict"] == "imitation"
    assert found.measure("accuracy", entities="4").value == 1.0
    assert found.measure("separation").value == 1.0
    assert found.measure("novel_reuse", pairs="queried").value < 0
    assert found.measure("novel_reuse", pairs="role").value == 1.0  # these pairs were trained
    assert "novel_binding" not in {m.key for m in found.findings()}


def test_an_untrained_network_has_no_findings():
    drawn = mechanisms.untrained(TASK, "direct", Generator().manual_seed(3))
    subject = Subject(drawn, fresh=mechanisms.subject("direct", TASK).fresh)
    found = evidence(subject)
    assert found.settings["verdict"] in ("not shown", "undecided")
    assert not found.findings()


def test_shares_of_answers_sum_to_one(bound):
    tables = {figure.name: figure for figure in bound.figures if figure.kind == "table"}
    patches = tables["Answers after patches"]
    assert len(patches.rows) == 18
    assert all(sum(row[2:]) == pytest.approx(1.0) for row in patches.rows)
    swaps = [table for name, table in tables.items() if name.startswith("Answers by place")]
    assert len(swaps) == 2
    assert all(sum(row[1:]) == pytest.approx(1.0) for table in swaps for row in table.rows)
    (mixture,) = tables["Mixture of mechanisms"].rows
    assert sum(mixture[1:5]) == pytest.approx(1.0)
    assert mixture[2] == mixture[5] == 1.0  # all lexical, and predicted


def test_lists_longer_than_trained_ones_stand_apart(bound):
    (curve,) = [figure for figure in bound.figures if figure.name == "Accuracy by number of entities"]
    lines = {line.name: line for line in curve.plots[0].lines}
    assert lines["trained pairs"].x == (2, 3, 4, 5, 6)
    assert lines["new: balanced"].x == (2, 3, 4)
    assert bound.measure("accuracy", entities="6").note == "longer than any trained list"


def test_world_pairs_are_a_null_that_a_network_may_not_beat():
    """It answers what the world pairs, whatever the list says."""
    task = Lists(fixed=0.98)

    class OfWorld(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Parameter(task.trained_with().clone())

        def forward(self, tokens):
            return self.table[(tokens[:, -1] - 3).clamp(min=0)]

    def fresh(generator):
        module = OfWorld()
        torch.nn.init.normal_(module.table, generator=generator)
        return module

    found = evidence(Subject(OfWorld(), fresh=fresh), task)
    assert found.settings["verdict"] == "not shown"
    assert found.measure("accuracy", entities="2").value < 0.2
    assert any("no site holds one vector for every token" in warning for warning in found.warnings)
    assert found.measure("separation").value == pytest.approx(0.0, abs=1e-6) or found.measure("separation").value is None


def test_errors_that_name_another_attribute_are_counted_beside_chance():
    found = evidence(mechanisms.subject("direct", TASK, veto=True))
    beyond = [m for m in found.measures if m.key == "illusory_conjunctions" and m.value is not None]
    for measure in beyond:
        (chance,) = [null for null in measure.nulls if null.name == "any attribute"]
        assert chance.mean == pytest.approx((int(measure.about["entities"]) - 1) / 15)


def test_a_task_that_lists_nothing_is_refused():
    class Named(Wrapped):
        entities_in = "lists"

    with pytest.raises(AssayError, match="must be a ListsEntities"):
        evidence(mechanisms.subject("direct", TASK), Named(TASK))
