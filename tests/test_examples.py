"""What generalises in an example recombines, what memorises does not, and neither the norm nor the units matter.
experiments/examples.py runs all of them in all their settings."""

import importlib
from pathlib import Path

import pytest

from assay.instruments.polar import instrument
from assay.tasks.graphs import Graphs
from assay.training import TrainingConfig

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"
EXPERIMENTS = EXAMPLES.with_name("experiments")


def test_both_settings_are_told_apart(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    script = importlib.import_module("two_tokens")
    chosen = tuple(recipe for recipe in script.RECIPES if recipe.name in ("generalises", "memorises"))
    rows = {row.name: row for row in script.main(chosen)}
    assert len(rows) == 4
    for row in rows.values():
        assert row.seen >= 0.99
        if row.generalises:
            assert row.novel >= 0.9
            assert row.composed >= 0.85
        else:
            assert row.novel <= 0.2
            assert row.composed <= 0.3
    for recipe in ("generalises", "memorises"):
        first, twin = rows[recipe], rows[f"{recipe}, rescaled"]
        assert twin.composed == pytest.approx(first.composed, abs=0.02)
        assert (twin.verdict, twin.cut) == (first.verdict, first.cut)
    assert rows["generalises, rescaled"].norm > rows["memorises"].norm > rows["generalises"].norm
    assert "memorises, rescaled" in capsys.readouterr().out


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
    assert path.stem == "addition" or len(path.read_text(encoding="utf-8").splitlines()) <= 60
