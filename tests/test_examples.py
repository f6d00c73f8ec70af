"""Every example runs: what generalises recombines, what memorises does not, and neither the norm nor the units matter."""

import importlib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("two_tokens", "attention", "recurrent", "notebook")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_both_settings_are_told_apart(name, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    script = importlib.import_module(name)
    chosen = tuple(recipe for recipe in script.RECIPES if recipe.name in ("generalises", "memorises"))
    rows = {row.name: row for row in script.main(chosen)}
    assert len(rows) == 4
    for row in rows.values():
        assert row.seen >= 0.99
        if row.generalises:
            assert row.novel >= 0.9
            assert min(row.recombination.values()) >= 0.85
        else:
            assert row.novel <= 0.2
            assert max(row.recombination.values()) <= 0.3
    for recipe in ("generalises", "memorises"):
        for part, value in rows[recipe].recombination.items():
            assert rows[f"{recipe}, rescaled"].recombination[part] == pytest.approx(value, abs=0.02)
    assert rows["generalises, rescaled"].norm > rows["memorises"].norm > rows["generalises"].norm
    assert "memorises, rescaled" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short(path):
    assert path.stem == "addition" or len(path.read_text(encoding="utf-8").splitlines()) <= 120
