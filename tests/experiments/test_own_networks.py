"""What generalises recombines, what memorises does not, and neither the norm nor the units matter: one of four networks.
`experiments/own_networks/all_four.py` runs all in all their settings."""

import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "experiments" / "own_networks"


def test_both_settings_are_told_apart(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(SCRIPTS))
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
