"""The five-minute start runs as it is written, with shorter training and a lower effort."""

import re
from pathlib import Path

import pytest

from assay.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "quickstart.md").read_text()
SHORTER = {"train": ["--steps", "5"], "audit": ["--effort", "quick"]}


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_five_minute_start_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    commands = [line.split()[1:] for block in _blocks("sh") for line in block.splitlines() if line.startswith("assay ")]
    assert [words[0] for words in commands] == ["train", "audit", "train", "audit", "compare"]
    for words in commands:
        assert main([*words, *SHORTER.get(words[0], [])]) == 0
    capsys.readouterr()
    from_python, own_network = _blocks("python")
    exec(compile(from_python, "quickstart.md", "exec"), {})
    told = capsys.readouterr().out
    assert told.startswith("Nothing can be said about composition: ")
    assert "nearest trained example" in told
    assert (tmp_path / "runs" / "no-decay-from-python" / "report.html").exists()
    exec(compile(own_network, "quickstart.md", "exec"), {})
    assert capsys.readouterr().out.startswith("Nothing can be said about composition: ")
