"""Examples are short, and an experiment that was one tells a trained network from an untrained one."""

import importlib
from pathlib import Path

import pytest

from assay.instruments.polar import instrument
from assay.tasks.graphs import Graphs
from assay.training import TrainingConfig

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"
EXPERIMENTS = EXAMPLES.with_name("experiments")


def test_small_worlds_are_told_of_a_trained_and_an_untrained_network(monkeypatch, capsys):
    """With few steps and texts: names are added in the second stage, and everything is printed beside its nulls."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    script = importlib.import_module("worlds")
    size = instrument.PolarBudget(train=40, dev=10, test=20, epochs=1, seeds=1, copies=2, repeats=1, removals=2)
    monkeypatch.setitem(instrument.BUDGETS, "quick", size)
    fed = []
    monkeypatch.setattr(script, "fit", lambda model, task, *, config: fed.append((task.trained_names, config.steps)))
    script.main(Graphs(size=3), stages=(TrainingConfig(steps=5), TrainingConfig(steps=7)))
    assert fed == [(30, 5), (None, 7)]
    said = capsys.readouterr().out
    for name in ("family, seed 0", "family, seed 0, untrained"):
        assert f"{name}: questions answered right: 0." in said
    for name in ("UUAS", "LAS", "score lost without the relation axes", "untrained copies", "random subspaces"):
        assert said.count(f" {name}: ") >= 2


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
