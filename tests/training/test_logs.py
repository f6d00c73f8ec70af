"""Losses and scores reach a callback, and by it the trackers that people have; these stand in for the packages."""

import sys
from contextlib import suppress
from types import ModuleType

import pytest

import assay
from assay.errors import AssayError
from assay.training import tensorboard, trackio


def train(out, log, steps=20):
    return assay.train("modular-addition:p=7", out=out, config={"steps": steps, "seed": 0}, progress=None, log=log)


def test_a_callback_has_losses_and_at_the_end_scores(tmp_path):
    told = []
    run = train(tmp_path / "run", lambda step, values: told.append((step, dict(values))))
    record = run.read_record()
    assert [(step, values["loss"]) for step, values in told[:-1]] == [tuple(pair) for pair in record.losses]
    assert told[-1] == (20, record.scores)


def test_a_log_changes_no_bit(tmp_path):
    weights = [train(tmp_path / name, log).read_weights() for name, log in (("a", print), ("b", lambda step, values: None))]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])


def test_tensorboard_is_given_every_value_and_closed(tmp_path, monkeypatch):
    calls = []

    class SummaryWriter:
        def __init__(self, folder):
            calls.append(folder)

        def add_scalar(self, name, value, step):
            calls.append((name, value, step))

        def close(self):
            calls.append("closed")

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    with suppress(RuntimeError), tensorboard(tmp_path / "events") as log:
        log(3, {"loss": 0.5, "seen": 1.0})
        raise RuntimeError
    assert calls == [str(tmp_path / "events"), ("loss", 0.5, 3), ("seen", 1.0, 3), "closed"]


def test_trackio_is_given_every_value_and_finished(monkeypatch):
    calls = []
    module = ModuleType("trackio")

    class Run:
        def log(self, values, step):
            calls.append((values, step))

    module.init = lambda project, name: calls.append((project, name)) or Run()
    module.finish = lambda: calls.append("finished")
    monkeypatch.setitem(sys.modules, "trackio", module)
    with trackio("composition", name="first") as log:
        log(3, {"loss": 0.5})
    assert calls == [("composition", "first"), ({"loss": 0.5}, 3), "finished"]


STARTS = {"torch.utils.tensorboard": lambda: tensorboard("x"), "trackio": lambda: trackio("x")}


@pytest.mark.parametrize("module", STARTS)
def test_a_tracker_that_is_not_installed_is_named(module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(AssayError, match="pip install t"), STARTS[module]():
        pass
