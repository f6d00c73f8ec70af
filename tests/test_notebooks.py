"""Notebooks of `examples/`: whole, and every cell runs in its order, smaller than as printed. They run here by `exec`: nbclient
with a kernel would add 24 distributions to the development environment."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
SMALL = {"p=31": "p=7", "STEPS = 2000": "STEPS = 30", "STEPS = 300": "STEPS = 30"}


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def shown(code: str, names: dict[str, Any], where: str) -> Any:
    """What a notebook shows of a cell: the value of its last line, where that is an expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, where, "exec"), names)
    return eval(compile(ast.Expression(last.value), where, "eval"), names) if last else None


def ways_to_show(value: Any) -> set[str]:
    return {name for name in ("_repr_html_", "_repr_svg_") if callable(getattr(value, name, None))}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_a_notebook_without_outputs(path):
    """Of format 4.5: numbered outputs would change at every run, and hold paths of one machine."""
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids))
    for cell in notebook["cells"]:
        assert cell["cell_type"] in ("markdown", "code")
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)
        assert all(len(line.rstrip("\n")) <= 150 for line in cell["source"])
    assert len(path.read_text().splitlines()) < 300


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_and_what_is_last_in_it_is_shown(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    found: set[str] = set()
    for k, cell in enumerate(read(path)["cells"]):
        if cell["cell_type"] == "code":
            code = "".join(cell["source"])
            for long, short in SMALL.items():
                code = code.replace(long, short)
            found |= ways_to_show(shown(code, names, f"{path.name}, cell {k + 1}"))
    assert "_repr_svg_" in found, "a returned figure"
    assert "_repr_html_" in found or path.stem == "comparison", "a rich display"
    assert "Traceback" not in capsys.readouterr().err


def test_there_are_three():
    assert len(NOTEBOOKS) == 3
