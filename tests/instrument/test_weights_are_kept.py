"""An instrument that changes the network is named, and neither the others nor the network suffer."""

import importlib

import pytest
import torch
from torch import nn

import assay
from assay.instrument import run
from assay.instruments.systematicity import Systematicity
from assay.integrity import weights_kept
from assay.subject import Subject

TASK = assay.load_task("modular-addition:p=5")


class Careless(Systematicity):
    name = "careless"

    def read(self, network, data, rng):
        with torch.no_grad():
            network.module[2].weight.zero_()
        return super().read(network, data, rng)


class Net(nn.Sequential):
    def forward(self, tokens):
        return super().forward(tokens)


def subject() -> Subject:
    torch.manual_seed(0)
    return Subject(Net(nn.Embedding(16, 4), nn.Flatten(), nn.Linear(8, 5)))


@pytest.mark.parametrize("level", [0, 2])
def test_an_instrument_that_changes_weights_fails_by_name_and_the_next_reads_what_was_there(level):
    given = subject()
    before = {name: value.clone() for name, value in given.weights().items()}
    options = {"effort": "quick", "level": level, "progress": None}
    spoiled = assay.audit(given, TASK, instruments=[Careless(), assay.load_instrument("systematicity")], **options)
    alone = assay.audit(subject(), TASK, instruments=[assay.load_instrument("systematicity")], **options)
    assert all(torch.equal(before[name], value) for name, value in given.weights().items())
    assert spoiled.evidence == alone.evidence
    if level == 2:  # at level 0 it is left out, since it draws novel inputs
        (failed,) = spoiled.failed
        assert failed.instrument == "careless"
        assert "2.weight" in failed.reason


def test_a_parameter_that_was_replaced_is_put_back_also_after_an_error():
    module = subject().module
    weight = module[2].weight
    with pytest.raises(assay.AssayError, match=r"clumsy must leave.*2\.weight"), weights_kept(module, "clumsy"):
        module[2].weight = nn.Parameter(torch.zeros(5, 8))
    assert module[2].weight is weight
    with pytest.raises(AttributeError), weights_kept(module, "clumsy"):
        weight.data.zero_().there_is_no_such_method()
    assert weight.any()


def test_whether_copies_can_be_drawn_is_tried_once_for_all_instruments(monkeypatch):
    tried = []
    whole = importlib.import_module("assay.instrument.run").with_running
    for name in ("assay.instrument.run", "assay.audit"):
        monkeypatch.setattr(importlib.import_module(name), "with_running", lambda *given: tried.append(1) or whole(*given))
    instruments = [assay.load_instrument(name) for name in ("systematicity", "decodability")]
    result = assay.audit(subject(), TASK, effort="quick", instruments=instruments, progress=None)
    assert len(tried) == 1
    alone = run(instruments[0], subject(), TASK, effort="quick")
    assert len(tried) == 2
    assert result.evidence[0] == alone
