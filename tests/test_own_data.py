"""The pages on data, networks and tasks of one's own run as they are printed, one after the other in one folder."""

import importlib
import re
import sys
from pathlib import Path

import pytest
import torch

import assay
from assay.cli import main
from assay.objective import Classification
from assay.task import SwapsParts
from assay.tasks import load_task

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def run(code: str, page: str) -> dict:
    names: dict = {}
    exec(compile(code, page, "exec"), names)
    return names


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """What docs/table.md writes: its rows, its table, and the executor, whose line the table of docs/elsewhere.md has too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    rows, _, _, rule = blocks("table.md", "python")
    run(rows, "table.md")
    (tmp_path / "table.toml").write_text(blocks("table.md", "toml")[0], encoding="utf-8")
    (tmp_path / "rule.py").write_text(rule, encoding="utf-8")
    yield tmp_path
    for name in ("mine", "rule", "own_task"):
        sys.modules.pop(name, None)


def test_the_table_is_audited_as_printed(folder, capsys):
    printed = blocks("table.md", "json")[0].splitlines()
    assert set(printed) <= set((folder / "rows.jsonl").read_text(encoding="utf-8").splitlines())
    task = load_task("table:table.toml")
    assert task.objective == Classification(23)
    assert (len(task.combinations("seen")), len(task.combinations("novel"))) == (104, 40)
    (block,) = blocks("table.md", "sh")
    for line in block.splitlines():
        shorter = ["--steps", "300"] if " train " in line else ["--instrument", "systematicity"]
        assert main([*line.split()[1:], *shorter, "--quiet"]) == 0
    audit = assay.read_report(folder / "assay-audit")
    assert audit.evidence[0].measure("seen_score").value > 0.9
    assert audit.evidence[0].measure("novel_score").units == 40
    capsys.readouterr()


def test_listed_combinations_and_the_executor(folder):
    toml, split, executor = blocks("table.md", "toml")
    (folder / "table.toml").write_text(toml.replace('[split]\ncolumn = "split"\n', split), encoding="utf-8")
    listed = load_task("table:table.toml")
    names = [listed.combination_name(row) for row in listed.combinations("novel").tolist()]
    assert names == ["first=1, second=0", "first=3, second=11"]
    (folder / "table.toml").write_text(executor + toml, encoding="utf-8")
    assert isinstance(load_task("table:table.toml", trust=["rule:total"]), SwapsParts)


def test_five_lines_in_memory(capsys):
    _, first, second, _ = blocks("table.md", "python")
    task = run(first, "table.md")["task"]
    assert task.objective == Classification(23)
    assert 30 <= len(task.combinations("novel")) <= 60
    names = run(first + second, "table.md")
    assert isinstance(names["task"], SwapsParts)
    assert names["result"].level == 0
    assert capsys.readouterr().out.startswith("Nothing can be said about composition")


def test_a_network_defined_elsewhere(folder, capsys):
    own, audited, *_ = blocks("elsewhere.md", "python")
    (folder / "mine.py").write_text(own, encoding="utf-8")
    executor = next(block for block in blocks("table.md", "toml") if block.startswith("executor"))
    (folder / "table.toml").write_text(executor + blocks("table.md", "toml")[0], encoding="utf-8")
    torch.manual_seed(0)
    result = run(audited, "elsewhere.md")["result"]
    assert result.evidence[0].measure("seen_score").value > 0.95
    said = capsys.readouterr().out.splitlines()
    assert len(said[1:]) == len(result.evidence[1].measures) > 2
    assert said[1].startswith(result.evidence[1].measures[0].label)


def test_a_task_of_ones_own(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    script = importlib.import_module("own_task")
    assert "examples/own_task.py" in (ROOT / "docs" / "own-task.md").read_text(encoding="utf-8")
    real = assay.audit
    chosen = [assay.load_instrument("systematicity")]
    monkeypatch.setattr(assay, "audit", lambda *given, **options: real(*given, **options, instruments=chosen))
    result = script.main()
    score = result.evidence[0]
    assert score.measure("seen_score").value > 0.95
    assert score.measure("novel_score").value is not None
    assert capsys.readouterr().out.strip() == result.verdict.sentence
    task = script.build()
    assert isinstance(load_task("own_task:build"), assay.Task)
    base, source = (task.examples("seen", 50, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    swapped = task.swap(base, source, "first")
    assert swapped.targets.equal((source.parts["first"] + base.parts["second"]) % 9)
