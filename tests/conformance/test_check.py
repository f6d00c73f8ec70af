"""Rates of false findings by counting, for instruments that always find something, never do, or refuse."""

import json

import pytest
import torch

import assay
from assay.cli.main import main
from assay.conformance import check, false_findings, pairs
from assay.evidence import Interval
from assay.instrument import Budget, Instrument, Metric, NotEnough, Notes, Reading, Values

METRIC = Metric(key="size", title="size", unit="share", level=0, bounds=(0.0, 1.0), headline=True)


class Finding(Instrument):
    """Finds something in the first network that it reads, the subject, and nothing in copies."""

    name, question, cites, metrics = "finding", "Is it there?", ("redhardt2025",), (METRIC,)
    size = 0.9

    def __init__(self):
        self.budgets = {"quick": Budget()}

    def data(self, subject, task, budget, rng):
        return None

    def read(self, network, data, rng):
        units = self.size + 0.01 * torch.rand(20, generator=rng("units"))
        return Reading([Values(metric="size", units=units)])

    def read_copy(self, network, data, own, rng):
        units = 0.1 + 0.01 * torch.rand(20, generator=rng("units"))
        return Reading([Values(metric="size", units=units)])

    def explain(self, data, readings, measures):
        return Notes("Found.")


class Nothing(Finding):
    size = 0.1


class Refusing(Finding):
    def read(self, network, data, rng):
        raise NotEnough("it refuses")


@pytest.mark.parametrize(("kind", "found", "refused"), [(Finding, 3, 0), (Nothing, 0, 0), (Refusing, 0, 3)])
def test_findings_are_counted_with_their_exact_interval(kind, found, refused):
    case = pairs()
    subjects = [case.untrained(case.task, seed) for seed in range(3)]
    rate = false_findings(kind(), subjects, case.task, kind="untrained", name="pairs")
    assert (rate.networks, rate.found, rate.refused) == (3, found, refused)
    if refused:
        assert rate.rate is rate.interval is None
        return
    assert rate.rate == found / 3
    assert isinstance(rate.interval, Interval)
    # (.025)^(1/3), by hand
    assert (rate.interval.low, rate.interval.high) == pytest.approx((0.2924, 1.0) if found else (0.0, 0.7076), abs=1e-4)


def test_copies_of_a_network_of_ones_own_are_taken_in_turn():
    case = pairs()
    made = check(Finding(), subject=case.untrained(case.task, 0), task=case.task, networks=2)
    (rate,) = made.false_findings
    assert (rate.kind, rate.task, rate.found) == ("untrained", case.task.address, 2)
    assert made.failures == {}
    assert made.passed


def test_what_cannot_be_checked_is_said():
    with pytest.raises(assay.AssayError, match=r"GivesGraphs.*--subject and --task"):
        assay.check("polar")
    with pytest.raises(assay.AssayError, match="one network or more"):
        assay.check("systematicity", networks=0)
    with pytest.raises(assay.AssayError, match="together"):
        assay.check("systematicity", task=pairs().task)


def test_the_command_takes_an_address_and_prints_json(monkeypatch, capsys):
    monkeypatch.syspath_prepend(__file__.rpartition("/")[0])
    checks = {"check_one": lambda instrument, case: None, "check_two": _fails}
    made = []
    for name, one in checks.items():
        one.__name__ = name
        made.append(one)
    monkeypatch.setattr("assay.conformance.rates.CHECKS", tuple(made))
    monkeypatch.setattr("assay.conformance.rates.pairs", _untrained_alone)
    assert main(["check", "test_check:Finding", "--networks", "2", "--json", "--quiet"]) == 3
    printed = json.loads(capsys.readouterr().out)
    assert printed["failures"] == {"one": "", "two": "it is wrong"}
    assert {one["found"] for one in printed["false_findings"]} == {2}
    assert main(["check", "test_check:Finding", "--networks", "2", "--quiet"]) == 3
    told = capsys.readouterr().out
    assert "2 of 2 networks, 1.00 [0.158, 1.00]" in told
    assert "FAILS  two: it is wrong" in told


def _fails(instrument, case):
    raise AssertionError("it is wrong")


def _untrained_alone():
    import dataclasses

    case = pairs()
    wrong = {"memorisers": lambda task, num: [case.untrained(task, k) for k in range(num)]}
    return dataclasses.replace(case, **wrong)
